#!/usr/bin/env bash
# Says on what machine, when and with what a measurement was made.
set -euo pipefail
cd "$(dirname "$0")/.."
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1 || true)
[ -n "$cpu" ] || cpu=$(sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m)
cores=$(getconf _NPROCESSORS_ONLN)
memory=$(awk '/^MemTotal/{printf "%.0f GiB", $2/1048576}' /proc/meminfo 2>/dev/null || true)
echo "machine: $cpu, $cores cores${memory:+, $memory}, $(uname -s) $(uname -r)"
echo "date:    $(date -u +%Y-%m-%d), $(go version | cut -d' ' -f3), commit $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- '*.go' 2>/dev/null || echo ' with changes')"
