#!/usr/bin/env bash
# Writes the generated parts of the documentation anew, by the tests that check
# them.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -count=1 -run 'FunctionTable' ./recipes -update
go test -count=1 -run 'ReferencePage|CommandsPageExamples' ./cmd/cli -update
go test -count=1 -run 'Readme' ./examples -update
git status --short docs README.md
