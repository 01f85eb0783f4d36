package quant

var _ = register(&Type{
	Name: "q4_1", GGML: 3, Block: 32, Bytes: 20, KV: true,
	Dot: "q8_1", Error: 0.069,
	Doc:        "4-bit integers 0..15 times a scale plus a minimum per 32 weights",
	Dequantize: decodeVectors(unpackQ4_1, 32, 20, decodeQ4_1),
	Quantize:   q4_1Codec.quantizer("q4_1", 20, putQ4_1),
	lattice:    &q4_1Lattice,
})

var q4_1Lattice = lattice{
	run: 32, levels: integerLevels(0, 15, 0), scales: ownFloats{kind: &f16Scales, affine: true, mid: 7.5, half: 7.5},
	code:  nibbles(4, 32),
	read:  readHalves,
	write: writeHalves,
}

func decodeQ4_1(dst []float32, src []byte) {
	d, m := half(src), half(src[2:])
	lo, hi := dst[:16], dst[16:32]
	for j, q := range src[4:20] {
		lo[j] = float32(float32(q&15)*d) + m
		hi[j] = float32(float32(q>>4)*d) + m
	}
}

var q4_1Codec = affineCodec{
	n: 15,
	plans: [3]affinePlan{
		Fast:   {grid: clips(15, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), pairs: 1, shift: [2]int{0, 1}, reach: [2]float32{0.8, 1.4}, rounds: 1},
		Normal: {grid: clips(15, span(-0.2, 1, 4), span(-0.2, 1, 4)), pairs: 2, shift: [2]int{0, 1}, reach: [2]float32{0.7, 1.6}, rounds: 1},
		Best:   {grid: clips(15, span(-0.4, 2, 12), span(-0.4, 2, 12)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5},
	},
	turns: [3]int{1, 2, 4},
	columns: [2]columnAffinePlan{
		Fast:   affineTries(clips(15, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), 1),
		Normal: affineTries(clips(15, span(-0.2, 1, 5), span(-0.2, 1, 5)), 2),
	},
}

func putQ4_1(dst, codes []uint8, d, m uint16) {
	putHalf(dst, d)
	putHalf(dst[2:], m)
	packNibbles(dst[4:], codes)
}

func readHalves(p *parts, b []byte) {
	p.sc[0], p.mn[0] = int32(getHalf(b)), int32(getHalf(b[2:]))
}

func writeHalves(b []byte, p *parts) {
	putHalf(b, uint16(p.sc[0]))
	putHalf(b[2:], uint16(p.mn[0]))
}
