package quant

var _ = register(&Type{
	Name: "q8_0", GGML: 8, Block: 32, Bytes: 34, KV: true,
	Dot: "q8_0", Error: 0.005,
	Doc:        "8-bit integers -127..127 times one scale per 32 weights; close to lossless",
	Dequantize: decodeVectors(unpackQ8_0, 32, 34, decodeQ8),
	Quantize:   streamQuantizer("q8_0", 34, func() func([]byte, []float32) int { return use.streamQ8_0 }, q8Codec.quantizer("q8_0", 34, putQ8_0)),
	lattice:    &q8_0Lattice,
})

var q8_0Lattice = lattice{
	run: 32, levels: integerLevels(-127, 127, -127), scales: ownFloats{kind: &f16Scales, half: 127},
	code:  bitStream(2, 8),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

func decodeQ8(dst []float32, src []byte) {
	d := half(src)
	for i, q := range src[2:34] {
		dst[i] = float32(int8(q)) * d
	}
}

// The lowest integer, -128, is left out: no other encoder writes it, so that
// no kernel was ever tried on it.
var q8Codec = scaleCodec{
	levels: levels{lo: -127, hi: 127},
	plans: [3]scalePlan{
		Fast:   {tops: []float32{127}},
		Normal: {tops: span(126, 127.2, 6)},
		Best:   {tops: span(124, 127.5, 48), rounds: 1},
	},
	columns: [2][2]columnScalePlan{
		Fast:   {withTops([]float32{127}, 0, 0, 0), withTops([]float32{127}, 0, 0, 0)},
		Normal: {withTops(span(125, 127.4, 10), 0, 0, 1), withTops(span(124, 127.5, 14), 0, 0, 1)},
	},
}

func putQ8_0(dst, codes []uint8, d, _ uint16) {
	putHalf(dst, d)
	for j := 0; j < 32; j += 8 {
		// Bytes less 127: what is carried must not reach the next.
		w := word(codes[j:])
		const more, top = 129 * everyByte, 128 * everyByte
		putWord(dst[2+j:], (w&^top+more&^top)^(w^more)&top)
	}
}
