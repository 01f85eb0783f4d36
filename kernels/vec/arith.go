package vec

// Add is dst += x.
func Add(dst, x []float32) {
	sameLength("Add", len(dst), len(x))
	runs(len(x), func(lo, hi int) { use.add(dst[lo:hi], x[lo:hi]) }, func(lo, hi int) { scalar.add(dst[lo:hi], x[lo:hi]) })
}

// Mul is dst *= x.
func Mul(dst, x []float32) {
	sameLength("Mul", len(dst), len(x))
	runs(len(x), func(lo, hi int) { use.mul(dst[lo:hi], x[lo:hi]) }, func(lo, hi int) { scalar.mul(dst[lo:hi], x[lo:hi]) })
}

// Scale is x *= by.
func Scale(x []float32, by float32) {
	runs(len(x), func(lo, hi int) { use.scale(x[lo:hi], by) }, func(lo, hi int) { scalar.scale(x[lo:hi], by) })
}

// AXPY is dst += by*x, product and sum rounded.
func AXPY(dst []float32, by float32, x []float32) {
	sameLength("AXPY", len(dst), len(x))
	runs(len(x), func(lo, hi int) { use.axpy(dst[lo:hi], by, x[lo:hi]) }, func(lo, hi int) { scalar.axpy(dst[lo:hi], by, x[lo:hi]) })
}
