package quant

var _ = register(&Type{
	Name: "q5_k", GGML: 13, Block: 256, Bytes: 176, Fallback: "q5_1",
	Dot: "q8_k", Error: 0.034,
	Doc:        "5-bit integers 0..31, 6-bit scales and minima per 32 weights under a scale each per 256",
	Dequantize: decodeVectors(unpackQ5K, 256, 176, decodeQ5K),
	Quantize:   encodeColumns("q5_k", 256, 176, columns32, encodeQ5K),
	lattice:    &q5KLattice,
})

var q5KLattice = lattice{
	run: 32, levels: integerLevels(0, 31, 0), scales: sharedAffine{63},
	code: func(i int) []codeField {
		return append(nibbles(48, 64)(i), codeField{16 + i%32, i / 32, 1, 4})
	},
	read: readScaleMins, write: writeScaleMins,
}

// A block is that of q4_k with 32 bytes of fifth bits before the nibbles: run
// j of 32 weights has its fifth bits in bit j of them.
func decodeQ5K(dst []float32, src []byte) {
	d, dmin := half(src), half(src[2:])
	high := src[16:48]
	for j := range 8 {
		sc, mn := scaleMin(src[4:16], j)
		s, m := d*float32(sc), float32(dmin*float32(mn))
		y, shift := dst[32*j:][:32], j%2*4
		for l, q := range src[48+j/2*32:][:32] {
			y[l] = float32(s*float32(q>>shift&15|high[l]>>j&1<<4)) - m
		}
	}
}

var q5KCodec = superAffineCodec{
	n: 31, most: 63, sub: 32,
	plans: [3]affinePlan{
		Normal: {grid: clips(31, span(-0.2, 1, 4), span(-0.2, 1, 4)), pairs: 2, shift: [2]int{0, 1}, reach: [2]float32{0.85, 1.4}, rounds: 1},
		Best:   {grid: clips(31, span(-0.4, 2, 12), span(-0.4, 2, 12)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5},
	},
	super: [3]superAffinePlan{
		Normal: {factors: span(0.94, 1.15, 16), corners: true, turns: 3},
		Best:   {factors: span(0.9, 1.2, 31), corners: true, turns: 6},
	},
	fast: superAffineColumnPlan{runs: affineTries(clips(31, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), 1), factors: span(0.96, 1.06, 6)},
}

func encodeQ5K(dst []byte, k *work) bool {
	ok := q5KCodec.encode(k)
	s := &k.super
	putHalf(dst, s.d)
	putHalf(dst[2:], s.dmin)
	putScaleMins(dst[4:16], &s.sc, &s.mn)
	packBit(dst[16:48], &s.codes, 4)
	for j := range 4 {
		packLowNibbles(dst[48+32*j:], s.codes[64*j:][:64])
	}
	return ok
}
