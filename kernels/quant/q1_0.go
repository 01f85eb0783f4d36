package quant

var _ = register(&Type{
	Name: "q1_0", GGML: 41, Block: 128, Bytes: 18,
	Dot: "q8_0", Error: 0.61,
	Doc:        "1.13 bits: signs times one scale per 128 weights; for models trained binary",
	Dequantize: decodeBlocks(128, 18, decodeQ1),
	Quantize:   encodeBlocks("q1_0", 128, 18, encodeQ1),
	lattice:    &q1_0Lattice,
})

var q1_0Lattice = lattice{
	run: 128, levels: tableLevels(&signLevels, nil), scales: ownFloats{kind: &f16Scales, half: 2},
	code:  bitStream(2, 1),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

// signLevels are both levels of q1_0.
var signLevels = newLevels(1, []float32{-1, 1})

func decodeQ1(dst []float32, src []byte) {
	d := half(src)
	for i := range dst {
		dst[i] = -d
		if src[2+i/8]>>(i%8)&1 != 0 {
			dst[i] = d
		}
	}
}

// encodeQ1 takes the weighted mean of the magnitudes, which is the best scale
// for any effort.
func encodeQ1(dst []byte, k *work) bool {
	var sum, sw float64
	clear(dst[2:])
	for i, v := range k.x {
		sum += float64(k.w[i] * abs(v))
		sw += float64(k.w[i])
		if v >= 0 {
			dst[2+i/8] |= 1 << (i % 8)
		}
	}
	h, _, ok := k.half(float32(sum / sw))
	putHalf(dst, h)
	return ok
}
