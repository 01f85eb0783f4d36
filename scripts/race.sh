#!/usr/bin/env bash
# Runs the tests of some packages under the race detector, which needs cgo.
# usage: race.sh PACKAGE…
set -euo pipefail
cd "$(dirname "$0")/.."
cc=$(go env CC)
if ! command -v "${cc%% *}" >/dev/null 2>&1; then
	echo "SKIPPED: the race detector, since there is no C compiler ($cc)"
	exit 0
fi
echo
echo "Under the race detector:"
CGO_ENABLED=1 go test -race -short -json -timeout 15m "$@" | go run ./scripts/testlog
