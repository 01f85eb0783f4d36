package quant

import "math"

// MLX's mxfp8: a block is the byte of a power of two, then 32 numbers E4M3.
var mlxMXFP8 = MLXMode{Mode: "mxfp8", Bits: 8, Group: 32, Scales: "e8m0", scaleBytes: 1}

var _ = func() any {
	t := mlxType("mlx_mxfp8", &mlxMXFP8, decodeMXFP8, encodeMXFP8)
	t.Aliases = []string{"mxfp8"}
	t.Doc = "MLX: 8-bit floats (E4M3) times a power of two per 32 weights"
	t.Error = 0.027
	t.lattice = &lattice{
		run: 32, levels: e4m3Levels, scales: ownByte{0xfe, 1, e8m0},
		code:  bitStream(1, 8),
		read:  mxfp4Lattice.read,
		write: mxfp4Lattice.write,
	}
	return register(&t)
}()

var e4m3Levels = &codeLevels{level: e4m3Values, lo: -e4m3Most, hi: e4m3Most, nearest: F32ToE4M3}

// e8m0 is 2^(e-127); 0xff is NaN.
func e8m0(e uint8) float32 {
	if e == 0xff {
		return math.Float32frombits(0x7fc00000)
	}
	return 2 * halfE8M0(e)
}

func decodeMXFP8(dst []float32, src []byte) {
	d := e8m0(src[0])
	for i, c := range src[1:33] {
		dst[i] = e4m3Values[c] * d
	}
}

// encodeMXFP8 takes the least scale that cuts nothing off, as mx.quantize does;
// with more effort a finer one where the small weights gain more by it than the
// large ones lose.
func encodeMXFP8(dst []byte, k *work) bool {
	top := abs(k.x[largest(k.x)]) * k.up
	scale := 127
	if top > 0 {
		scale = max(leastE8M0(top, e4m3Most), 0)
	}
	finest := max(scale-[3]int{Fast: 0, Normal: 1, Best: 3}[k.effort], 0)
	best := scale
	if finest < scale {
		least := float32(math.Inf(1))
		for e := scale; e >= finest; e-- {
			if err := mxfp8Error(k, uint8(e)); err < least {
				best, least = e, err
			}
		}
	}
	dst[0] = uint8(best)
	d := e8m0(dst[0])
	for i, v := range k.x {
		c := F32ToE4M3(v * k.up / d)
		if !(abs(E4M3ToF32(c)*d) <= maxFloat) {
			return false
		}
		dst[1+i] = c
	}
	return true
}

// mxfp8Error is the weighted squared error, in units of k.x, with a scale.
func mxfp8Error(k *work, scale uint8) (sum float32) {
	d := e8m0(scale)
	for i, v := range k.x {
		e := v - float32(E4M3ToF32(F32ToE4M3(v*k.up/d))*d*k.down)
		sum += float32(k.w[i] * float32(e*e))
	}
	return sum
}
