#!/usr/bin/env bash
# Runs every fuzz target for a while. usage: fuzz.sh TIME
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-20s}
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	done
done
