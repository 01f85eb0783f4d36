package quant

import "math"

// The two 8-bit floats of the Open Compute Project. E4M3 has 4 bits of
// exponent (bias 7) and 3 of mantissa, no infinities, and NaN as 0x7f and 0xff;
// its largest number is 448. E5M2 is the upper half of an IEEE half: 5 bits of
// exponent (bias 15), 2 of mantissa, with infinities; its largest is 57344.
//
// Rounding is to the nearest, ties to even. It saturates: what is larger than
// the largest number, infinity included, becomes that number with its sign. NaN
// stays NaN, and zero keeps its sign.

const (
	e4m3Most = 448
	e5m2Most = 57344
)

var e4m3Values = func() (t [256]float32) {
	for i := range t {
		exp, man := i>>3&15, float64(i&7)
		v := math.Ldexp(8+man, exp-10)
		switch {
		case i&0x7f == 0x7f:
			v = math.NaN()
		case exp == 0:
			v = math.Ldexp(man, -9)
		}
		if i >= 0x80 {
			v = -v
		}
		t[i] = float32(v)
	}
	t[0x80] = math.Float32frombits(1 << 31)
	t[0x7f], t[0xff] = math.Float32frombits(0x7fc00000), math.Float32frombits(0xffc00000)
	return t
}()

// E4M3ToF32 widens an E4M3; exact.
func E4M3ToF32(b uint8) float32 { return e4m3Values[b] }

// E5M2ToF32 widens an E5M2; exact, infinities and NaN too.
func E5M2ToF32(b uint8) float32 { return F16ToF32(uint16(b) << 8) }

// F32ToE4M3 rounds to the nearest E4M3, saturating at 448.
func F32ToE4M3(f float32) uint8 {
	u := math.Float32bits(f)
	sign := uint8(u >> 24 & 0x80)
	switch u &= 0x7fffffff; {
	case u > 0x7f800000:
		return sign | 0x7f
	case u >= 0x43e00000: // 448
		return sign | 0x7e
	case u < 0x3c800000: // 2^-6: a multiple of 2^-9, which adding 2^14 rounds to
		return sign | uint8(math.Float32bits(math.Float32frombits(u)+0x1p14)-0x46800000)
	}
	return sign | uint8((u-0x3c000000+0x7ffff+(u>>20&1))>>20)
}

// F32ToE5M2 rounds to the nearest E5M2, saturating at 57344.
func F32ToE5M2(f float32) uint8 {
	u := math.Float32bits(f)
	sign := uint8(u >> 24 & 0x80)
	switch u &= 0x7fffffff; {
	case u > 0x7f800000:
		return sign | 0x7e
	case u >= 0x47600000: // 57344
		return sign | 0x7b
	case u < 0x38800000: // 2^-14: a multiple of 2^-16, which adding 2^7 rounds to
		return sign | uint8(math.Float32bits(math.Float32frombits(u)+0x1p7)-0x43000000)
	}
	return sign | uint8((u-0x38000000+0xfffff+(u>>21&1))>>21)
}

var (
	_ = register(&Type{
		Name: "e4m3", Aliases: []string{"f8_e4m3", "fp8_e4m3", "float8_e4m3fn"}, GGML: -1, Block: 1, Bytes: 1, Float: true, KV: true,
		Error:      0.046,
		Doc:        "8-bit floats up to 448, three bits of precision, saturating; for the KV cache",
		Dequantize: decodePlain(1, func(b []byte) float32 { return E4M3ToF32(b[0]) }),
		Quantize:   encodeFP8("e4m3", F32ToE4M3),
	})
	_ = register(&Type{
		Name: "e5m2", Aliases: []string{"f8_e5m2", "fp8_e5m2", "float8_e5m2"}, GGML: -1, Block: 1, Bytes: 1, Float: true, KV: true,
		Error:      0.054,
		Doc:        "8-bit floats up to 57344, two bits of precision, saturating; for a KV cache of wide range",
		Dequantize: decodePlain(1, func(b []byte) float32 { return E5M2ToF32(b[0]) }),
		Quantize:   encodeFP8("e5m2", F32ToE5M2),
	})
)

// encodeFP8 makes a Quantize of a conversion. NaN and infinities are errors as
// everywhere; large numbers saturate.
func encodeFP8(name string, round func(float32) uint8) func([]byte, []float32, Options) error {
	return encodePlain(name, 1, 0x7f800000, func(dst []byte, src []float32) {
		for i, v := range src {
			dst[i] = round(v)
		}
	})
}
