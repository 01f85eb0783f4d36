package quant

var _ = register(&Type{
	Name: "q3_k", GGML: 11, Block: 256, Bytes: 110, Fallback: "q4_0",
	Dot: "q8_k", Error: 0.143,
	Doc:        "3-bit integers -4..3, 6-bit scales per 16 weights under one scale per 256",
	Dequantize: decodeVectors(unpackQ3K, 256, 110, decodeQ3K),
	Quantize:   encodeColumns("q3_k", 256, 110, columns16, encodeQ3K),
	lattice:    &q3KLattice,
})

var q3KLattice = lattice{
	run: 16, levels: integerLevels(-4, 3, 0), scales: sharedScale{-32, 31},
	code: func(i int) []codeField { return append(bitPairs(32)(i), codeField{i % 32, i / 32, 1, 2}) },
	read: func(p *parts, b []byte) {
		p.d = getHalf(b[108:])
		for j := range 16 {
			p.sc[j] = int32(q3KScale(b[96:108], j) - 32)
		}
	},
	write: func(b []byte, p *parts) {
		putHalf(b[108:], p.d)
		putQ3KScales(b[96:108], &p.sc)
	},
}

// A block: 32 bytes of third bits, 64 bytes of low bit pairs, 12 bytes of
// scales, d. The 8 runs of 32 weights are bits 0..7 of the first, and bit
// pairs 0..3 of the first, then of the second 32 bytes of the others.
func decodeQ3K(dst []float32, src []byte) {
	d := half(src[108:])
	for run := range 8 {
		low, high, y := src[32+run/4*32:][:32], src[:32], dst[32*run:][:32]
		pair := run % 4 * 2
		for half := range 2 {
			s := d * float32(q3KScale(src[96:108], 2*run+half)-32)
			for l := 16 * half; l < 16*half+16; l++ {
				y[l] = s * float32(int(low[l]>>pair&3|high[l]>>run&1<<2)-4)
			}
		}
	}
}

// q3KScale reads scale j of 16: low nibbles in bytes 0..7, first those of
// scales 0..7; bit pairs in bytes 8..11, each for scales j, j+4, j+8, j+12.
func q3KScale(b []byte, j int) int {
	return int(b[j%8]>>(j/8*4)&15 | b[8+j%4]>>(j/4*2)&3<<4)
}

var q3KCodec = superScaleCodec{
	levels: levels{lo: -4, hi: 3},
	scales: levels{lo: -32, hi: 31},
	sub:    16,
	plan:   scalePlan{tops: bySign(4, .5, 1.2, 32), heavy: [2]int{4, 4}, reach: [2]float32{0.3, 3}, rounds: 4},
	super:  superScalePlan{plan: scalePlan{tops: bySign(32, 0.7, 1.05, 50), rounds: 2}, reach: 8, turns: 5, spread: []float32{0.9, 1.1}},
	columns: [2]superColumnPlan{
		Fast:   {runs: [2]columnScalePlan{withTops(bySign(4, 0.7, 1.05, 4), 0, 0, 1), withTops(bySign(4, 0.7, 1.05, 4), 3, 3.2, 1)}, super: scalePlan{tops: bySign(32, 0.9, 1.02, 6), rounds: 1}, reach: 1, turns: 1},
		Normal: {runs: [2]columnScalePlan{withTops(bySign(4, 0.6, 1.1, 12), 3, 3.2, 2), withTops(bySign(4, 0.6, 1.1, 12), 3, 3.2, 2)}, super: scalePlan{tops: bySign(32, 0.8, 1.04, 16), rounds: 2}, reach: 2, turns: 3},
	},
}

func encodeQ3K(dst []byte, k *work) bool {
	ok := q3KCodec.encode(k)
	s := &k.super
	packBit(dst[:32], &s.codes, 2)
	packPairs(dst[32:96], &s.codes)
	clear(dst[96:108])
	putQ3KScales(dst[96:108], &s.sc)
	putHalf(dst[108:], s.d)
	return ok
}

// putQ3KScales writes what q3KScale reads to bytes that are zero.
func putQ3KScales(b []byte, sc *[16]int32) {
	for j, q := range sc {
		u := uint8(q + 32)
		b[j%8] |= u & 15 << (j / 8 * 4)
		b[8+j%4] |= u >> 4 << (j / 4 * 2)
	}
}
