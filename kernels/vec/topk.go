package vec

import "math"

// ArgMax is the index of the largest number, the lowest of equal ones; NaN
// doesn't count. -1 where there is none.
func ArgMax(x []float32) int {
	most := Max(x)
	for i, v := range x {
		if v == most {
			return i
		}
	}
	return -1
}

// TopK writes the indices of the len(dst) largest numbers of x, the largest
// first, of equal ones the lower index first; NaN comes after -Inf. It gives
// dst, shorter where x is.
func TopK(dst []int, x []float32) []int {
	dst = dst[:min(len(dst), len(x))]
	if len(dst) == 0 {
		return dst
	}
	// A heap of the best so far, the worst of them on top.
	for i := range dst {
		dst[i] = i
	}
	for i := len(dst)/2 - 1; i >= 0; i-- {
		sink(dst, i, x)
	}
	least := x[dst[0]]
	for i := len(dst); i < len(x); i++ {
		if x[i] > least || least != least && x[i] == x[i] {
			dst[0] = i
			sink(dst, 0, x)
			least = x[dst[0]]
		}
	}
	for n := len(dst) - 1; n > 0; n-- {
		dst[0], dst[n] = dst[n], dst[0]
		sink(dst[:n], 0, x)
	}
	return dst
}

// sink moves what is at i down a heap, until nothing worse is below it.
func sink(heap []int, i int, x []float32) {
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if comesAfter(heap[child], heap[worst], x) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		heap[i], heap[worst] = heap[worst], heap[i]
		i = worst
	}
}

// comesAfter says whether TopK puts a after b.
func comesAfter(a, b int, x []float32) bool {
	va, vb := float64(x[a]), float64(x[b])
	switch {
	case math.IsNaN(va) != math.IsNaN(vb):
		return math.IsNaN(va)
	case va < vb:
		return true
	case va > vb:
		return false
	}
	return a > b
}
