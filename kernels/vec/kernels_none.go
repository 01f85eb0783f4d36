//go:build !amd64 || noasm

package vec

// impls are the implementations besides scalar: none here.
var impls []kernels
