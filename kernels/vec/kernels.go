package vec

import "github.com/llama-pajamas/pj/kernels/tier"

// kernels are the inner loops that have an implementation for vectors. All
// implementations give the same bits. Callers have checked lengths: those of
// runs are positive multiples of lanes, except for scalar, which takes any.
type kernels struct {
	tier.Tier

	// top is the largest number, -Inf where there is none; NaN doesn't count.
	top func(x []float32) float32
	// expSum is dst = exp(x - from), and gives their sum: element i is added in
	// lane i mod 8, and lanes in halves. squares adds squares likewise.
	expSum  func(dst, x []float32, from float32) float64
	squares func(x []float32) float64
	norm    func(dst, x, w []float32, by float32) // x*by*w

	silu    func(dst, x []float32)
	swiglu  func(dst, gate, up []float32)
	clamped func(dst, gate, up []float32, alpha, limit float32)

	add   func(dst, x []float32)
	mul   func(dst, x []float32)
	scale func(dst []float32, by float32)
	axpy  func(dst []float32, by float32, x []float32) // dst += by*x
	blend func(dst []float32, by float32, x []float32) // dst = dst*by + x

	ropeHalves func(a, b, cos, sin []float32) // pairs are a[i], b[i]
	ropePairs  func(x, cos, sin []float32)    // pairs are x[2i], x[2i+1]

	// dots1 multiplies q with the rows of k, which are a multiple of four and
	// len(q) long. dots4 does so for four queries; the results for each begin
	// stride apart.
	dots1 func(dst, q, k []float32)
	dots4 func(dst []float32, stride int, q, k []float32)
	// sums1 adds to dst the rows of v, each times its weight. sums4 does so for
	// four, whose dst and w begin that far apart; rows are cols long.
	sums1 func(dst, w, v []float32)
	sums4 func(dst []float32, dstStride int, w []float32, wStride int, v []float32, cols int)

	// decode reads rows of cols numbers, which begin stride bytes apart.
	decode [rowKinds]func(dst []float32, src []byte, cols, stride int)
	// fetch asks for count rows of size bytes, stride apart, to be brought into
	// the cache; nil where nothing does.
	fetch func(src []byte, count, size, stride int)
}

// use is the implementation in use.
var use = tier.Pick(available())

// available lists what this machine can run, best first.
func available() []*kernels { return tier.Available(impls, &scalar) }
