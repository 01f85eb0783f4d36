package quant

var _ = register(&Type{
	Name: "iq4_nl", GGML: 20, Block: 32, Bytes: 18, KV: true,
	Dot: "q8_0", Error: 0.073,
	Doc:        "4-bit codes of 16 uneven levels times one scale per 32 weights; for rows that 256 does not divide",
	Dequantize: decodeVectors(unpackIQ4NL, 32, 18, decodeIQ4NL),
	Quantize:   iq4NLCodec.quantizer("iq4_nl", 18, putIQ4NL),
	lattice:    &iq4NLLattice,
})

var iq4NLLattice = lattice{
	run: 32, levels: tableLevels(&iq4Levels, nil), scales: ownFloats{kind: &f16Scales, half: 8},
	code:  nibbles(2, 32),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

// iq4Levels are ggml's 16 levels, denser around zero as weights are.
var iq4Levels = newLevels(2, []float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113})

func decodeIQ4NL(dst []float32, src []byte) {
	d := half(src)
	lo, hi := dst[:16], dst[16:32]
	for j, q := range src[2:18] {
		lo[j] = d * iq4Levels.table.value[q&15]
		hi[j] = d * iq4Levels.table.value[q>>4]
	}
}

var iq4NLCodec = scaleCodec{
	levels: iq4Levels,
	plans: [3]scalePlan{
		Fast:   {tops: iq4Tops(0.85, 1.1, 4), heavy: [2]int{1, 1}, reach: [2]float32{0.5, 2}, rounds: 1},
		Normal: {tops: iq4Tops(0.8, 1.2, 9), heavy: [2]int{1, 2}, reach: [2]float32{0.4, 2}, rounds: 3},
		Best:   {tops: iq4Tops(0.6, 1.3, 32), heavy: [2]int{4, 4}, reach: [2]float32{0.3, 3}, rounds: 5},
	},
	columns: [2][2]columnScalePlan{
		Fast:   {withTops(iq4Tops(0.85, 1.1, 4), 0, 0, 1), withTops(iq4Tops(0.85, 1.1, 4), 0, 0, 1)},
		Normal: {withTops(iq4Tops(0.8, 1.2, 16), 0, 0, 2), withTops(iq4Tops(0.75, 1.25, 24), 0, 0, 2)},
	},
}

// iq4Tops gives tries for both signs of the scale.
func iq4Tops(lo, hi float32, count int) []float32 {
	var s []float32
	for _, f := range span(lo, hi, count) {
		s = append(s, -127*f, 113*f)
	}
	return s
}

func putIQ4NL(dst, codes []uint8, d, _ uint16) {
	putHalf(dst, d)
	packNibbles(dst[2:], codes)
}
