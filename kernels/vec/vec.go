// Package vec holds the operations of a forward pass between its matrix
// products: norms, activations, rotary positions, softmax, attention over a
// cache of keys and values in any of quant's types.
//
// Everything gives the same bits on every machine, whatever the implementation
// and however slices are aligned: products and sums are rounded one by one, and
// sums have a fixed order, which the functions state. Functions panic where
// lengths don't fit, which is a bug of the caller; all values are legal,
// infinities and NaN too.
package vec

import (
	"fmt"
	"unsafe"
)

// lanes divides the length of what kernels of runs are given; what is left is
// done by scalar code.
const lanes = 16

// part is the longest run that a kernel is given at once, so that a call is
// short enough for the scheduler.
const part = 1 << 15

// sameLength panics unless all lengths are equal.
func sameLength(what string, n int, others ...int) {
	for _, m := range others {
		if m != n {
			panic(fmt.Sprintf("vec: %s of slices of %d and %d numbers", what, n, m))
		}
	}
}

// runs calls vector and scalar for parts of n numbers.
func runs(n int, vector, scalar func(lo, hi int)) {
	whole := n / lanes * lanes
	for lo := 0; lo < whole; lo += part {
		vector(lo, min(lo+part, whole))
	}
	if whole < n {
		scalar(whole, n)
	}
}

// aligned makes n numbers that begin at a cache line, for speed only.
func aligned(n int) []float32 {
	x := make([]float32, n+lanes)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(x)))) / 4 & (lanes - 1)
	return x[skip:][:n:n]
}
