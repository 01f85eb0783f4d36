package quant

import "math"

var _ = register(&Type{
	Name: "nvfp4", GGML: 40, Block: 64, Bytes: 36,
	Dot: "q8_0", Error: 0.099,
	Doc:        "4-bit floats (E2M1) times an 8-bit float (E4M3) per 16 weights; holds magnitudes up to 2688",
	Dequantize: decodeBlocks(64, 36, decodeNVFP4),
	Quantize:   encodeBlocks("nvfp4", 64, 36, encodeNVFP4),
	lattice:    &nvfp4Lattice,
})

var nvfp4Lattice = lattice{
	run: 16, levels: fp4CodeLevels, scales: ownByte{nvfp4Most, 3, halfE4M3Of},
	code: nibbles(4, 16),
	read: func(p *parts, b []byte) {
		for s := range 4 {
			p.sc[s] = int32(b[s])
		}
	},
	write: func(b []byte, p *parts) {
		for s := range 4 {
			b[s] = uint8(p.sc[s])
		}
	},
}

func halfE4M3Of(code uint8) float32 { return halfE4M3[code] }

// nvfp4Most is the largest scale code, 448; the next one is NaN.
const nvfp4Most = 0x7e

// halfE4M3 are half the values of the unsigned 8-bit float: 4 bits of exponent
// (bias 7), 3 of mantissa. The top bit is ignored; NaN counts as 0, as in ggml.
var halfE4M3 = func() (t [256]float32) {
	for i := range t {
		exp, man := i>>3&15, float64(i&7)
		switch {
		case i == 0x7f:
		case exp == 0:
			t[i] = float32(math.Ldexp(man, -10))
		default:
			t[i] = float32(math.Ldexp(8+man, exp-11))
		}
	}
	return t
}()

// A block: 4 scales, then 8 bytes for each 16 weights: byte j holds code j
// below code j+8.
func decodeNVFP4(dst []float32, src []byte) {
	for s := range 4 {
		d := halfE4M3[src[s]]
		y := dst[16*s:][:16]
		for j, q := range src[4+8*s:][:8] {
			y[j] = fp4Values[q&15] * d
			y[j+8] = fp4Values[q>>4] * d
		}
	}
}

func encodeNVFP4(dst []byte, k *work) bool {
	for s := range 4 {
		scale, ok := nvfp4Run(dst[4+8*s:][:8], k.x[16*s:][:16], k.w[16*s:][:16], k)
		if !ok {
			return false
		}
		dst[s] = scale
	}
	return true
}

// nvfp4Run tries scales around the one that maps a run's largest weight to the
// largest code, 6, and writes the codes; false where the largest is too large.
func nvfp4Run(dst []byte, x, w []float32, k *work) (scale uint8, ok bool) {
	below, above := 1, 1
	switch k.effort {
	case Normal:
		below, above = 5, 3
	case Best:
		below, above = 14, 12
	}
	top := abs(x[largest(x)]) * k.up
	if top > 12*halfE4M3[nvfp4Most] {
		return 0, false
	}
	mid := nearestE4M3(top / 12)
	code, first := 0, max(mid-below, 1)
	b := &k.lanes
	b.n = 0
	for c := first; c <= min(mid+above, nvfp4Most); c++ {
		b.b[b.n] = halfE4M3[c] * k.down
		b.inv[b.n] = inverse(b.b[b.n])
		b.n++
	}
	if i := b.rateScale(&fp4Levels, x, w); b.n > 0 && b.gain[i] > 0 {
		code = first + i
	}
	encodeFP4(dst, x, inverse(halfE4M3[code]*k.down))
	return uint8(code), true
}

// nearestE4M3 is the largest scale code whose half is no larger than half d.
func nearestE4M3(d float32) int {
	lo, hi := 0, nvfp4Most
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if halfE4M3[mid] <= d {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}
