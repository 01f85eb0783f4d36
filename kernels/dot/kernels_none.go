//go:build (!amd64 && !arm64) || noasm

package dot

// impls are the implementations besides scalar, best first.
var impls []kernels
