package quant

var _ = register(&Type{
	Name: "tq2_0", GGML: 35, Block: 256, Bytes: 66, Fallback: "q4_0",
	Dot: "q8_k", Error: 0.44,
	Doc:        "2.06 bits: -1, 0, 1 times one scale per 256 weights, four to a byte; for models trained ternary",
	Dequantize: decodeBlocks(256, 66, decodeTQ2),
	Quantize:   encodeBlocks("tq2_0", 256, 66, encodeTQ2),
	lattice:    &tq2_0Lattice,
})

var tq2_0Lattice = lattice{
	run: 256, levels: integerLevels(-1, 1, 0), scales: ownFloats{kind: &f16Scales, half: 2},
	code:  bitPairs(0),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[64:])) },
	write: func(b []byte, p *parts) { putHalf(b[64:], uint16(p.sc[0])) },
}

// A block: 64 bytes of bit pairs, then d. The 8 runs of 32 weights are bit
// pairs 0..3 of the first, then of the second 32 bytes.
func decodeTQ2(dst []float32, src []byte) {
	d := half(src[64:])
	for run := range 8 {
		y, pair := dst[32*run:][:32], run%4*2
		for l, q := range src[run/4*32:][:32] {
			y[l] = float32(int(q>>pair&3)-1) * d
		}
	}
}

func encodeTQ2(dst []byte, k *work) bool {
	h, d, ok := ternaryCodec.fit(k)
	codes := k.super.codes[:256]
	ternaryCodec.levels.codes(codes, k.x, inverse(d))
	clear(dst[:64])
	for i, q := range codes {
		dst[i/128*32+i%32] |= q << (i / 32 % 4 * 2)
	}
	putHalf(dst[64:], h)
	return ok
}
