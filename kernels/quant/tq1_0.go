package quant

var _ = register(&Type{
	Name: "tq1_0", GGML: 34, Block: 256, Bytes: 54, Fallback: "q4_0",
	Dot: "q8_k", Error: 0.44,
	Doc:        "1.69 bits: -1, 0, 1 times one scale per 256 weights, five to a byte; for models trained ternary",
	Dequantize: decodeBlocks(256, 54, decodeTQ1),
	Quantize:   encodeBlocks("tq1_0", 256, 54, encodeTQ1),
	lattice:    &tq1_0Lattice,
})

var tq1_0Lattice = lattice{
	run: 256, levels: integerLevels(-1, 1, 0), scales: ownFloats{kind: &f16Scales, half: 2},
	get: getTQ1, put: putTQ1,
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[52:])) },
	write: func(b []byte, p *parts) { putHalf(b[52:], uint16(p.sc[0])) },
}

// A block: 32 bytes whose five ternary digits, from the top, are runs of 32
// weights; 16 bytes with runs of 16; 4 bytes whose first four digits are runs
// of 4; d. A byte is the five digits as a fraction of 3^5, times 256, rounded
// up: multiplying by 3 pushes the next digit out.
var tq1Parts = [3]struct{ bytes, weights, width, digits int }{
	{0, 0, 32, 5}, {32, 160, 16, 5}, {48, 240, 4, 4},
}

func decodeTQ1(dst []float32, src []byte) {
	d := half(src[52:])
	// TQ1Codes would do, a quarter slower.
	for _, p := range tq1Parts {
		for m, q := range src[p.bytes:][:p.width] {
			for n := range p.digits {
				v := uint16(q) * 3
				dst[p.weights+n*p.width+m] = float32(int(v>>8)-1) * d
				q = uint8(v)
			}
		}
	}
}

// ternaryCodec serves tq1_0 and tq2_0.
var ternaryCodec = scaleCodec{
	levels: levels{lo: -1, hi: 1},
	plans: [3]scalePlan{
		Fast:   {tops: span(1, 4, 7), heavy: [2]int{0, 1}, reach: [2]float32{0.3, 20}, rounds: 2},
		Normal: {tops: span(0.6, 6, 28), heavy: [2]int{0, 4}, reach: [2]float32{0.3, 20}, rounds: 4},
		Best:   {tops: span(0.6, 10, 189), heavy: [2]int{4, 4}, reach: [2]float32{0.3, 20}, rounds: 8},
	},
}

func encodeTQ1(dst []byte, k *work) bool {
	h, d, ok := ternaryCodec.fit(k)
	codes := k.super.codes[:256]
	ternaryCodec.levels.codes(codes, k.x, inverse(d))
	packTQ1(dst, codes)
	putHalf(dst[52:], h)
	return ok
}

// packTQ1 writes 256 digits, 0 to 2.
func packTQ1(dst, codes []uint8) {
	for _, p := range tq1Parts {
		for m := range p.width {
			q := 0
			for n := range 5 {
				q *= 3
				if n < p.digits {
					q += int(codes[p.weights+n*p.width+m])
				}
			}
			dst[p.bytes+m] = uint8((q*256 + 242) / 243)
		}
	}
}

func putTQ1(p *parts, b []byte) { packTQ1(b, p.code[:]) }

func getTQ1(p *parts, b []byte) { TQ1Codes(&p.code, b) }

// TQ1Codes reads the digits, 0 to 2, of a block of tq1_0: 1 more than each
// weight in units of the block's scale.
func TQ1Codes(codes *[superBlock]uint8, block []byte) {
	for _, p := range tq1Parts {
		for m, q := range block[p.bytes:][:p.width] {
			for n := range p.digits {
				v := uint16(q) * 3
				codes[p.weights+n*p.width+m] = uint8(v >> 8)
				q = uint8(v)
			}
		}
	}
}
