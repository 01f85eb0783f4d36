package quant

var _ = register(&Type{
	Name: "q2_k", GGML: 10, Block: 256, Bytes: 84, Fallback: "q4_0",
	Dot: "q8_k", Error: 0.261,
	Doc:        "2-bit integers 0..3, 4-bit scales and minima per 16 weights under a scale each per 256",
	Dequantize: decodeVectors(unpackQ2K, 256, 84, decodeQ2K),
	Quantize:   encodeColumns("q2_k", 256, 84, columns16, encodeQ2K),
	lattice:    &q2KLattice,
})

var q2KLattice = lattice{
	run: 16, levels: integerLevels(0, 3, 0), scales: sharedAffine{15},
	code: bitPairs(16),
	read: func(p *parts, b []byte) {
		p.d, p.dmin = getHalf(b[80:]), getHalf(b[82:])
		for j, s := range b[:16] {
			p.sc[j], p.mn[j] = int32(s&15), int32(s>>4)
		}
	},
	write: func(b []byte, p *parts) {
		putHalf(b[80:], p.d)
		putHalf(b[82:], p.dmin)
		for j := range 16 {
			b[j] = uint8(p.sc[j] | p.mn[j]<<4)
		}
	},
}

// bitPairs are codes of 2 bits in 64 bytes: 8 runs of 32 weights are bit pairs
// 0..3 of the first, then of the second 32.
func bitPairs(at int) func(int) []codeField {
	return func(i int) []codeField {
		return []codeField{{at + i/128*32 + i%32, i / 32 % 4 * 2, 2, 0}}
	}
}

// A block: 16 bytes of scale (low nibble) and minimum, 64 bytes of bit pairs,
// d, dmin. The 8 runs of 32 weights are bit pairs 0..3 of the first, then of
// the second 32 bytes.
func decodeQ2K(dst []float32, src []byte) {
	d, dmin := half(src[80:]), half(src[82:])
	for run := range 8 {
		pair := run % 4 * 2
		for half := range 2 {
			sc := src[2*run+half]
			s, m := d*float32(sc&15), float32(dmin*float32(sc>>4))
			y := dst[32*run+16*half:][:16]
			for l, q := range src[16+run/4*32+16*half:][:16] {
				y[l] = float32(s*float32(q>>pair&3)) - m
			}
		}
	}
}

var q2KCodec = superAffineCodec{
	n: 3, most: 15, sub: 16,
	plans: [3]affinePlan{
		Normal: {grid: clips(3, span(-0.3, 1.2, 5), span(-0.3, 1.2, 5)), pairs: 2, shift: [2]int{1, 1}, reach: [2]float32{0.7, 1.6}, rounds: 1},
		Best:   {grid: clips(3, span(-0.4, 2, 12), span(-0.4, 2, 12)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5},
	},
	super: [3]superAffinePlan{
		Normal: {factors: span(0.7, 1.3, 13), corners: true, turns: 3},
		Best:   {factors: span(0.6, 1.4, 31), corners: true, turns: 6},
	},
	fast: superAffineColumnPlan{runs: affineTries(clips(3, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), 1), factors: []float32{0.9, 0.95, 1, 1.05, 1.1}},
}

func encodeQ2K(dst []byte, k *work) bool {
	ok := q2KCodec.encode(k)
	s := &k.super
	for j := range 16 {
		dst[j] = uint8(s.sc[j] | s.mn[j]<<4)
	}
	packPairs(dst[16:80], &s.codes)
	putHalf(dst[80:], s.d)
	putHalf(dst[82:], s.dmin)
	return ok
}
