package vec

import "math"

// RMSNorm is x/sqrt(mean(x^2) + eps) * weight; dst may be x. The mean is taken
// in float64 (in runs of 32768 numbers, element i in lane i mod 8), and the root
// rounded once.
func RMSNorm(dst, x, weight []float32, eps float64) {
	sameLength("RMSNorm", len(dst), len(x), len(weight))
	if len(x) == 0 {
		return
	}
	sum := 0.0
	runs(len(x), func(lo, hi int) { sum += use.squares(x[lo:hi]) }, func(lo, hi int) { sum += scalar.squares(x[lo:hi]) })
	by := float32(1 / math.Sqrt(sum/float64(len(x))+eps))
	runs(len(x), func(lo, hi int) { use.norm(dst[lo:hi], x[lo:hi], weight[lo:hi], by) },
		func(lo, hi int) { scalar.norm(dst[lo:hi], x[lo:hi], weight[lo:hi], by) })
}
