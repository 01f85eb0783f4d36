//go:build !amd64 || noasm

package quant

// impls are the implementations besides scalar, best first.
var impls []kernels
