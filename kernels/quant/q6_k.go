package quant

var _ = register(&Type{
	Name: "q6_k", GGML: 14, Block: 256, Bytes: 210, Fallback: "q8_0",
	Dot: "q8_k", Error: 0.0165,
	Doc:        "6-bit integers -32..31, 8-bit scales per 16 weights under one scale per 256",
	Dequantize: decodeVectors(unpackQ6K, 256, 210, decodeQ6K),
	Quantize:   encodeColumns("q6_k", 256, 210, columns16, encodeQ6K),
	lattice:    &q6KLattice,
})

var q6KLattice = lattice{
	run: 16, levels: integerLevels(-32, 31, 0), scales: sharedScale{-128, 127},
	code: func(i int) []codeField {
		n, run, l := i/128, i%128/32, i%32
		return []codeField{{64*n + run%2*32 + l, run / 2 * 4, 4, 0}, {128 + 32*n + l, run * 2, 2, 4}}
	},
	read: func(p *parts, b []byte) {
		p.d = getHalf(b[208:])
		for j, s := range b[192:208] {
			p.sc[j] = int32(int8(s))
		}
	},
	write: func(b []byte, p *parts) {
		putHalf(b[208:], p.d)
		for j, s := range p.sc {
			b[192+j] = uint8(s)
		}
	},
}

// A block: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 int8
// scales, d. Each half of the block holds 128 weights in four runs of 32.
func decodeQ6K(dst []float32, src []byte) {
	d := half(src[208:])
	for n := range 2 {
		low, high, sc, y := src[64*n:][:64], src[128+32*n:][:32], src[192+8*n:][:8], dst[128*n:][:128]
		for run := range 4 {
			lows := low[run%2*32:][:32]
			nibble, pair := run/2*4, run*2
			for half := range 2 {
				s := d * float32(int8(sc[2*run+half]))
				for l := 16 * half; l < 16*half+16; l++ {
					q := int(lows[l]>>nibble&15|high[l]>>pair&3<<4) - 32
					y[32*run+l] = s * float32(q)
				}
			}
		}
	}
}

var q6KCodec = superScaleCodec{
	levels: levels{lo: -32, hi: 31},
	scales: levels{lo: -128, hi: 127},
	sub:    16,
	plan:   scalePlan{tops: bySign(32, 0.9, 1.2, 32), heavy: [2]int{4, 4}, reach: [2]float32{0.3, 3}, rounds: 4},
	super:  superScalePlan{plan: scalePlan{tops: bySign(128, 0.7, 1.05, 50), rounds: 2}, reach: 4, turns: 5, spread: []float32{0.9, 1.1}},
	columns: [2]superColumnPlan{
		Fast:   {runs: [2]columnScalePlan{withTops(bySign(32, 0.95, 1.05, 4), 0, 0, 1), withTops(bySign(32, 0.93, 1.04, 5), 0, 0, 1)}, super: scalePlan{tops: bySign(128, 0.9, 1.02, 6), rounds: 1}, reach: 1, turns: 1},
		Normal: {runs: [2]columnScalePlan{withTops(bySign(32, 0.9, 1.1, 16), 16, 24, 2), withTops(bySign(32, 0.8, 1.1, 16), 32, 16, 2)}, super: scalePlan{tops: bySign(128, 0.8, 1.04, 16), rounds: 2}, reach: 2, turns: 3},
	},
}

func encodeQ6K(dst []byte, k *work) bool {
	ok := q6KCodec.encode(k)
	s := &k.super
	for n := range 2 {
		low, high, codes := dst[64*n:][:64], dst[128+32*n:][:32], s.codes[128*n:][:128]
		packLowNibbles(low, codes)
		for l := 0; l < 32; l += 8 {
			a, b, c, d := word(codes[l:]), word(codes[l+32:]), word(codes[l+64:]), word(codes[l+96:])
			const pair = 3 * everyByte
			putWord(high[l:], a>>4&pair|b>>4&pair<<2|c>>4&pair<<4|d>>4&pair<<6)
		}
	}
	for j, q := range s.sc {
		dst[192+j] = uint8(q)
	}
	putHalf(dst[208:], s.d)
	return ok
}
