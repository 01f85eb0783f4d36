package vec

import (
	"math"

	"github.com/llama-pajamas/pj/kernels/tier"
)

// scalar is the truth that other implementations are tested against. A product
// that is added to is converted to float32 first, so that no compiler fuses.
var scalar = kernels{
	Tier: tier.Scalar,

	top: func(x []float32) float32 {
		most := float32(math.Inf(-1))
		for _, v := range x {
			if v > most {
				most = v
			}
		}
		return most + 0 // no negative zero
	},
	expSum: func(dst, x []float32, from float32) float64 {
		dst = dst[:len(x)]
		var sums [8]float64
		for i, v := range x {
			e := exp32(v - from)
			dst[i] = e
			sums[i&7] += float64(e)
		}
		return total(&sums)
	},
	squares: func(x []float32) float64 {
		var sums [8]float64
		for i, v := range x {
			sums[i&7] += float64(float64(v) * float64(v))
		}
		return total(&sums)
	},
	norm: func(dst, x, w []float32, by float32) {
		dst, w = dst[:len(x)], w[:len(x)]
		for i, v := range x {
			dst[i] = v * by * w[i]
		}
	},

	silu: func(dst, x []float32) {
		dst = dst[:len(x)]
		for i, v := range x {
			dst[i] = v / (1 + exp32(-v))
		}
	},
	swiglu: func(dst, gate, up []float32) {
		dst, up = dst[:len(gate)], up[:len(gate)]
		for i, g := range gate {
			dst[i] = g / (1 + exp32(-g)) * up[i]
		}
	},
	clamped: func(dst, gate, up []float32, alpha, limit float32) {
		dst, up = dst[:len(gate)], up[:len(gate)]
		for i, g := range gate {
			u := up[i]
			if g > limit {
				g = limit
			}
			if u < -limit {
				u = -limit
			}
			if u > limit {
				u = limit
			}
			dst[i] = g / (1 + exp32(g*-alpha)) * (u + 1)
		}
	},

	add: func(dst, x []float32) {
		dst = dst[:len(x)]
		for i, v := range x {
			dst[i] += v
		}
	},
	mul: func(dst, x []float32) {
		dst = dst[:len(x)]
		for i, v := range x {
			dst[i] *= v
		}
	},
	scale: func(dst []float32, by float32) {
		for i := range dst {
			dst[i] *= by
		}
	},
	axpy: axpy,
	blend: func(dst []float32, by float32, x []float32) {
		dst = dst[:len(x)]
		for i, v := range x {
			dst[i] = float32(dst[i]*by) + v
		}
	},

	ropeHalves: func(a, b, cos, sin []float32) {
		b, cos, sin = b[:len(a)], cos[:len(a)], sin[:len(a)]
		for i, v := range a {
			u := b[i]
			a[i] = float32(v*cos[i]) - float32(u*sin[i])
			b[i] = float32(u*cos[i]) + float32(v*sin[i])
		}
	},
	ropePairs: func(x, cos, sin []float32) {
		for i := 0; i+1 < len(x); i += 2 {
			v, u := x[i], x[i+1]
			x[i] = float32(v*cos[i]) + float32(u*sin[i])
			x[i+1] = float32(u*cos[i+1]) + float32(v*sin[i+1])
		}
	},

	dots1: dots,
	dots4: func(dst []float32, stride int, q, k []float32) {
		dim := len(q) / 4
		for h := range 4 {
			dots(dst[h*stride:], q[h*dim:][:dim], k)
		}
	},
	sums1: weightedRows,
	sums4: func(dst []float32, dstStride int, w []float32, wStride int, v []float32, cols int) {
		for h := range 4 {
			weightedRows(dst[h*dstStride:][:cols], w[h*wStride:], v)
		}
	},
}

func axpy(dst []float32, by float32, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] += float32(by * v)
	}
}

// total adds up lanes in halves.
func total(s *[8]float64) float64 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// dots adds products in sixteen lanes, element i in lane i mod 16, and lanes in
// halves: i and i+8, i and i+4, i and i+2, i and i+1.
func dots(dst, q, k []float32) {
	for t := 0; len(k) > 0; t, k = t+1, k[len(q):] {
		var sums [lanes]float32
		row := k[:len(q)]
		for i, v := range q {
			sums[i%lanes] += float32(v * row[i])
		}
		for half := lanes / 2; half > 0; half /= 2 {
			for i := range half {
				sums[i] += sums[i+half]
			}
		}
		dst[t] = sums[0]
	}
}

// weightedRows adds to each element of dst in the order of rows.
func weightedRows(dst, w, v []float32) {
	for r := 0; len(v) > 0; r, v = r+1, v[len(dst):] {
		axpy(dst, w[r], v[:len(dst)])
	}
}
