#!/usr/bin/env bash
# gofmt, go vet, staticcheck, and golangci-lint where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
staticcheck=${STATICCHECK:?is set by the Makefile}

echo "gofmt"
unformatted=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	echo "not formatted:"
	echo "$unformatted"
	exit 1
fi

echo "go vet"
go vet ./...
go vet -tags interop ./interop
for system in windows darwin; do
	GOOS=$system go vet ./...
done

echo "staticcheck"
if ! output=$(go run "$staticcheck" -version 2>&1); then
	echo "SKIPPED: staticcheck cannot be had here: ${output##*$'\n'}"
else
	go run "$staticcheck" ./...
	go run "$staticcheck" -tags interop ./interop
fi

echo "golangci-lint"
if command -v golangci-lint >/dev/null 2>&1; then
	golangci-lint run ./...
else
	echo "SKIPPED: golangci-lint is not installed"
fi
