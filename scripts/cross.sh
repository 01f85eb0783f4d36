#!/usr/bin/env bash
# Builds the programs for every system that is supported.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for system in linux darwin windows; do
	for machine in amd64 arm64; do
		echo "$system/$machine"
		CGO_ENABLED=0 GOOS=$system GOARCH=$machine go build -trimpath -o "$out/" ./cmd/pj ./cmd/llama-pajamas
	done
done
