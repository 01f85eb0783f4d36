package quant

var _ = register(&Type{
	Name: "q4_0", GGML: 2, Block: 32, Bytes: 18, KV: true,
	Dot: "q8_0", Error: 0.081,
	Doc:        "4-bit integers -8..7 times one scale per 32 weights; for rows that 256 does not divide",
	Dequantize: decodeVectors(unpackQ4_0, 32, 18, decodeQ4_0),
	Quantize:   q4_0Codec.quantizer("q4_0", 18, putQ4_0),
	lattice:    &q4_0Lattice,
})

var q4_0Lattice = lattice{
	run: 32, levels: integerLevels(-8, 7, 0), scales: ownFloats{kind: &f16Scales, half: 8},
	code:  nibbles(2, 32),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

func decodeQ4_0(dst []float32, src []byte) {
	d := half(src)
	lo, hi := dst[:16], dst[16:32]
	for j, q := range src[2:18] {
		lo[j] = float32(int(q&15)-8) * d
		hi[j] = float32(int(q>>4)-8) * d
	}
}

var q4_0Codec = scaleCodec{
	levels: levels{lo: -8, hi: 7},
	plans: [3]scalePlan{
		Fast:   {tops: bySign(8, 0.85, 1.05, 4), heavy: [2]int{0, 1}, reach: [2]float32{0.5, 2}, rounds: 1},
		Normal: {tops: bySign(8, 0.8, 1.1, 9), heavy: [2]int{0, 2}, reach: [2]float32{0.4, 2}, rounds: 3},
		Best:   {tops: bySign(8, 0.6, 1.15, 32), heavy: [2]int{4, 4}, reach: [2]float32{0.3, 3}, rounds: 5},
	},
	columns: [2][2]columnScalePlan{
		Fast:   {withTops(bySign(8, 0.85, 1.05, 4), 0, 0, 1), withTops(bySign(8, 0.85, 1.05, 4), 4, 6.4, 1)},
		Normal: {withTops(bySign(8, 0.75, 1.1, 16), 8, 5.6, 2), withTops(bySign(8, 0.75, 1.1, 16), 8, 4.8, 2)},
	},
}

func putQ4_0(dst, codes []uint8, d, _ uint16) {
	putHalf(dst, d)
	packNibbles(dst[2:], codes)
}
