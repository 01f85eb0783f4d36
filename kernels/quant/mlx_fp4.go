package quant

import "math"

// MLX's 4-bit floats: E2M1 codes, the first in the low nibble of the first
// byte, times a scale byte per group, which a block begins with. The values are
// those of GGUF's mxfp4 and nvfp4, in another order; only that zero may have a
// sign.
var (
	mlxMXFP4 = MLXMode{Mode: "mxfp4", Bits: 4, Group: 32, Scales: "e8m0", scaleBytes: 1}
	mlxNVFP4 = MLXMode{Mode: "nvfp4", Bits: 4, Group: 16, Scales: "e4m3", scaleBytes: 1}

	_ = func() any {
		t := mlxType("mlx_mxfp4", &mlxMXFP4, decodeMLXMXFP4, encodeMLXMXFP4)
		t.Doc = "MLX: 4-bit floats (E2M1) times a power of two per 32 weights; gpt-oss's own bytes"
		t.Error = 0.116
		t.lattice = mlxFP4Lattice(32, ownByte{mxfp4Most, 1, halfE8M0})
		register(&t)
		t2 := mlxType("mlx_nvfp4", &mlxNVFP4, decodeMLXNVFP4, encodeMLXNVFP4)
		t2.Doc = "MLX: 4-bit floats (E2M1) times an 8-bit float (E4M3) per 16 weights; magnitudes up to 2688"
		t2.Error = 0.099
		t2.lattice = mlxFP4Lattice(16, ownByte{nvfp4Most, 3, halfE4M3Of})
		return register(&t2)
	}()
)

func mlxFP4Lattice(group int, scales ownByte) *lattice {
	l := mxfp4Lattice
	l.run, l.scales, l.code = group, scales, bitStream(1, 4)
	return &l
}

func decodeMLXMXFP4(dst []float32, src []byte) { decodePairs(dst, src[1:], halfE8M0(src[0])) }

func decodeMLXNVFP4(dst []float32, src []byte) { decodePairs(dst, src[1:], E4M3ToF32(src[0])*0.5) }

// mlxFP4Values are fp4Values with the zero of code 8 negative, as MLX has it.
var mlxFP4Values = func() [16]float32 {
	t := fp4Values
	t[8] = math.Float32frombits(1 << 31)
	return t
}()

func decodePairs(dst []float32, src []byte, half float32) {
	for j, q := range src {
		dst[2*j] = mlxFP4Values[q&15] * half
		dst[2*j+1] = mlxFP4Values[q>>4] * half
	}
}

// encodeMLXMXFP4 takes, if fast, mx.quantize's scale: the least that cuts
// nothing off. Else it writes what mxfp4 has.
func encodeMLXMXFP4(dst []byte, k *work) bool {
	if k.effort > Fast {
		var b [mxfp4Block]byte
		ok := encodeMXFP4(b[:], k)
		dst[0] = b[0]
		pairsOf(dst[1:], b[1:])
		return ok
	}
	top := abs(k.x[largest(k.x)]) * k.up
	if top > 12*halfE8M0(mxfp4Most) {
		return false
	}
	dst[0] = 127
	if top > 0 {
		dst[0] = uint8(max(leastE8M0(top, 6), 0))
	}
	mlxFP4(dst[1:], k, 2*halfE8M0(dst[0]))
	return true
}

// leastE8M0 is the byte of the least power of two that times most is no less
// than top; negative where that is too small for a byte.
func leastE8M0(top, most float32) int {
	f, e := math.Frexp(float64(top) / float64(most)) // f is 0.5 to 1
	if f == 0.5 {
		e--
	}
	// The division may have rounded to a power of two.
	if math.Ldexp(float64(most), e) < float64(top) {
		e++
	}
	return e + 127
}

// encodeMLXNVFP4 takes, if fast, mx.quantize's scale: the nearest to a sixth of
// the largest magnitude. Else it searches.
func encodeMLXNVFP4(dst []byte, k *work) bool {
	if k.effort > Fast {
		var codes [8]byte
		scale, ok := nvfp4Run(codes[:], k.x, k.w, k)
		dst[0] = scale
		pairsOf(dst[1:], codes[:])
		return ok
	}
	top := abs(k.x[largest(k.x)]) * k.up
	if top > 12*halfE4M3[nvfp4Most] {
		return false
	}
	dst[0] = F32ToE4M3(top / 6)
	mlxFP4(dst[1:], k, E4M3ToF32(dst[0]))
	return true
}

// mlxFP4 writes codes as mx.quantize does in float32: a tie goes to the first
// in the order of codes, that is to the smaller magnitude, and what rounds to
// zero has no sign.
func mlxFP4(dst []byte, k *work, scale float32) {
	var codes [32]uint8
	if scale != 0 {
		for i, v := range k.x {
			v = v * k.up / scale
			a, c := abs(v), uint8(0)
			for c < 7 && a > (fp4Values[c]+fp4Values[c+1])*0.25 {
				c++
			}
			if c > 0 && v < 0 {
				c |= 8
			}
			codes[i] = c
		}
	}
	packBits(dst, codes[:len(k.x)], 4)
}

// pairsOf reorders codes of which byte j has j below j+n/2, as GGUF has them,
// to 2j below 2j+1.
func pairsOf(dst, src []byte) {
	n := len(src) / 2
	for j := range n {
		a, b := src[2*j], src[2*j+1]
		dst[j] = a&15 | b<<4
		dst[j+n] = a>>4 | b&0xf0
	}
}

// halvesOf is the way back.
func halvesOf(dst, src []byte) {
	n := len(src) / 2
	for j := range n {
		a, b := src[j], src[j+n]
		dst[2*j] = a&15 | b<<4
		dst[2*j+1] = a>>4 | b&0xf0
	}
}
