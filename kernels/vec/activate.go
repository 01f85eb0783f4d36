package vec

// SiLU is x/(1 + exp(-x)); dst may be x.
func SiLU(dst, x []float32) {
	sameLength("SiLU", len(dst), len(x))
	runs(len(x), func(lo, hi int) { use.silu(dst[lo:hi], x[lo:hi]) }, func(lo, hi int) { scalar.silu(dst[lo:hi], x[lo:hi]) })
}

// SwiGLU is SiLU(gate)*up; dst may be either.
func SwiGLU(dst, gate, up []float32) {
	sameLength("SwiGLU", len(dst), len(gate), len(up))
	runs(len(dst), func(lo, hi int) { use.swiglu(dst[lo:hi], gate[lo:hi], up[lo:hi]) },
		func(lo, hi int) { scalar.swiglu(dst[lo:hi], gate[lo:hi], up[lo:hi]) })
}

// What gpt-oss gives to ClampedSwiGLU.
const (
	GPTOSSAlpha = 1.702
	GPTOSSLimit = 7
)

// ClampedSwiGLU is g*sigmoid(alpha*g)*(u + 1) with g = min(gate, limit) and u =
// up within -limit and limit: the activation of gpt-oss's experts. dst may be
// gate or up.
func ClampedSwiGLU(dst, gate, up []float32, alpha, limit float32) {
	sameLength("ClampedSwiGLU", len(dst), len(gate), len(up))
	runs(len(dst), func(lo, hi int) { use.clamped(dst[lo:hi], gate[lo:hi], up[lo:hi], alpha, limit) },
		func(lo, hi int) { scalar.clamped(dst[lo:hi], gate[lo:hi], up[lo:hi], alpha, limit) })
}
