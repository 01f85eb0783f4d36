#!/usr/bin/env bash
# Kernels in every way that they are built: with what the generators write now,
# without assembly, for newer processors, and for arm64.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

for gen in kernels/*/gen; do
	[ -f "$gen/go.mod" ] || continue
	if ! $GO -C "$gen" mod download 2>/dev/null; then
		echo "SKIPPED: $gen was not run: its modules cannot be had"
		continue
	fi
	package=$(dirname "$gen")
	before=$(cat "$package"/*.s | cksum)
	$GO generate "./$package"
	if [ "$before" != "$(cat "$package"/*.s | cksum)" ]; then
		echo "$package: go generate writes other assembly than there is; commit what it wrote"
		exit 1
	fi
	echo "$package: go generate writes what there is"
done

echo "without assembly"
$GO test -short -tags noasm ./kernels/...
echo "GOAMD64=v3"
if grep -qw avx2 /proc/cpuinfo 2>/dev/null; then
	GOAMD64=v3 $GO test -short ./kernels/...
else
	echo "SKIPPED: this machine cannot run GOAMD64=v3"
	GOARCH=amd64 GOAMD64=v3 $GO vet ./kernels/...
fi
echo "arm64"
GOARCH=arm64 $GO vet ./kernels/...
if qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64); then
	# Of the quantizers, what compares bits: all their tests take half an hour.
	GOARCH=arm64 $GO test -short -timeout 30m -exec "$qemu" $($GO list ./kernels/... | grep -v /quant)
	GOARCH=arm64 $GO test -short -timeout 30m -exec "$qemu" -run 'Digests|DequantizeGolden|DequantizePlain|MeasureGolden' ./kernels/quant
elif [ "$(uname -m)" != aarch64 ] && [ "$(uname -m)" != arm64 ]; then
	echo "SKIPPED: no test ran on arm64: qemu-aarch64-static (apt: qemu-user-static) is needed"
fi
