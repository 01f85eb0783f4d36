package quant

var _ = register(&Type{
	Name: "q2_0", GGML: 42, Block: 64, Bytes: 18,
	Dot: "q8_0", Error: 0.36,
	Doc:        "2.25 bits: -1, 0, 1, 2 times one scale per 64 weights; for models trained ternary",
	Dequantize: decodeBlocks(64, 18, decodeQ2),
	Quantize:   encodeBlocks("q2_0", 64, 18, encodeQ2),
	lattice:    &q2_0Lattice,
})

var q2_0Lattice = lattice{
	run: 64, levels: integerLevels(-1, 2, 0), scales: ownFloats{kind: &f16Scales, half: 2},
	code:  bitStream(2, 2),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

func decodeQ2(dst []float32, src []byte) {
	d := half(src)
	for i := range dst {
		dst[i] = float32(int(src[2+i/4]>>(i%4*2)&3)-1) * d
	}
}

var q2Codec = scaleCodec{
	levels: levels{lo: -1, hi: 2},
	plans: [3]scalePlan{
		Fast:   {tops: q2Tops(0.9, 3.5, 6), heavy: [2]int{0, 1}, reach: [2]float32{0.3, 5}, rounds: 2},
		Normal: {tops: q2Tops(0.6, 4.2, 19), heavy: [2]int{0, 3}, reach: [2]float32{0.2, 5}, rounds: 4},
		Best:   {tops: q2Tops(0.6, 5.1, 91), heavy: [2]int{4, 4}, reach: [2]float32{0.2, 10}, rounds: 8},
	},
}

// q2Tops gives tries for both signs of the scale.
func q2Tops(lo, hi float32, count int) []float32 {
	var s []float32
	for _, t := range span(lo, hi, count) {
		s = append(s, t, -t)
	}
	return s
}

func encodeQ2(dst []byte, k *work) bool {
	h, d, ok := q2Codec.fit(k)
	putHalf(dst, h)
	codes := k.super.codes[:64]
	q2Codec.levels.codes(codes, k.x, inverse(d))
	for i := range dst[2:18] {
		dst[2+i] = codes[4*i] | codes[4*i+1]<<2 | codes[4*i+2]<<4 | codes[4*i+3]<<6
	}
	return ok
}
