#!/usr/bin/env bash
# Writes the generated parts of the documentation anew, by the tests that check
# them.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -count=1 -run 'Docs|Reference|Documentation' ./recipes ./cmd/cli ./stages -update
git status --short docs
