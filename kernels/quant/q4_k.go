package quant

var _ = register(&Type{
	Name: "q4_k", GGML: 12, Block: 256, Bytes: 144, Fallback: "q5_0",
	Dot: "q8_k", Error: 0.07,
	Doc:        "4-bit integers 0..15, 6-bit scales and minima per 32 weights under a scale each per 256",
	Dequantize: decodeVectors(unpackQ4K, 256, 144, decodeQ4K),
	Quantize:   encodeColumns("q4_k", 256, 144, columns32, encodeQ4K),
	lattice:    &q4KLattice,
})

var q4KLattice = lattice{
	run: 32, levels: integerLevels(0, 15, 0), scales: sharedAffine{63},
	code: nibbles(16, 64), read: readScaleMins, write: writeScaleMins,
}

// readScaleMins reads how q4_k and q5_k begin.
func readScaleMins(p *parts, b []byte) {
	p.d, p.dmin = getHalf(b), getHalf(b[2:])
	for j := range 8 {
		sc, mn := scaleMin(b[4:16], j)
		p.sc[j], p.mn[j] = int32(sc), int32(mn)
	}
}

func writeScaleMins(b []byte, p *parts) {
	putHalf(b, p.d)
	putHalf(b[2:], p.dmin)
	putScaleMins(b[4:16], &p.sc, &p.mn)
}

// A block: d, dmin, 12 bytes of scales and minima, 128 bytes of nibbles; each
// 32 of these hold two runs of 32 weights, the first in the low nibbles.
func decodeQ4K(dst []float32, src []byte) {
	d, dmin := half(src), half(src[2:])
	for j := range 8 {
		sc, mn := scaleMin(src[4:16], j)
		s, m := d*float32(sc), float32(dmin*float32(mn))
		y, shift := dst[32*j:][:32], j%2*4
		for l, q := range src[16+j/2*32:][:32] {
			y[l] = float32(s*float32(q>>shift&15)) - m
		}
	}
}

// scaleMin reads the 6-bit scale and minimum j of 8. Those of 0..3 are the low
// six bits of bytes j and j+4; of 4..7, the nibbles are in byte j+4 and the
// upper two bits are the top bits of bytes j-4 and j.
func scaleMin(b []byte, j int) (sc, mn uint8) {
	if j < 4 {
		return b[j] & 63, b[j+4] & 63
	}
	return b[j+4]&15 | b[j-4]>>6<<4, b[j+4]>>4 | b[j]>>6<<4
}

// putScaleMins writes the 12 bytes that scaleMin reads.
func putScaleMins(b []byte, sc, mn *[16]int32) {
	for j := range 4 {
		b[j] = uint8(sc[j] | sc[j+4]>>4<<6)
		b[j+4] = uint8(mn[j] | mn[j+4]>>4<<6)
		b[j+8] = uint8(sc[j+4]&15 | mn[j+4]&15<<4)
	}
}

var q4KCodec = superAffineCodec{
	n: 15, most: 63, sub: 32,
	plans: [3]affinePlan{
		Normal: {grid: clips(15, span(-0.2, 1, 4), span(-0.2, 1, 4)), pairs: 2, shift: [2]int{0, 1}, reach: [2]float32{0.7, 1.6}, rounds: 1},
		Best:   {grid: clips(15, span(-0.4, 2, 12), span(-0.4, 2, 12)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5},
	},
	super: [3]superAffinePlan{
		Normal: {factors: span(0.94, 1.15, 16), corners: true, turns: 3},
		Best:   {factors: span(0.9, 1.2, 31), corners: true, turns: 6},
	},
	fast: superAffineColumnPlan{runs: affineTries(clips(15, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), 1), factors: span(0.96, 1.06, 6)},
}

func encodeQ4K(dst []byte, k *work) bool {
	ok := q4KCodec.encode(k)
	s := &k.super
	putHalf(dst, s.d)
	putHalf(dst[2:], s.dmin)
	putScaleMins(dst[4:16], &s.sc, &s.mn)
	for j := range 4 {
		packNibbles(dst[16+32*j:], s.codes[64*j:][:64])
	}
	return ok
}
