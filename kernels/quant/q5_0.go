package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "q5_0", GGML: 6, Block: 32, Bytes: 22,
	Dot: "q8_0", Error: 0.04,
	Doc:        "5-bit integers -16..15 times one scale per 32 weights; for rows that 256 does not divide",
	Dequantize: decodeVectors(unpackQ5_0, 32, 22, decodeQ5_0),
	Quantize:   q5_0Codec.quantizer("q5_0", 22, putQ5_0),
	lattice:    &q5_0Lattice,
})

var q5_0Lattice = lattice{
	run: 32, levels: integerLevels(-16, 15, 0), scales: ownFloats{kind: &f16Scales, half: 16},
	code:  withFifthBits(2, nibbles(6, 32)),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

func decodeQ5_0(dst []float32, src []byte) {
	d := half(src)
	high := binary.LittleEndian.Uint32(src[2:])
	lo, hi := dst[:16], dst[16:32]
	for j, q := range src[6:22] {
		lo[j] = float32(int(uint32(q&15)|high>>j&1<<4)-16) * d
		hi[j] = float32(int(uint32(q>>4)|high>>(j+16)&1<<4)-16) * d
	}
}

var q5_0Codec = scaleCodec{
	levels: levels{lo: -16, hi: 15},
	plans: [3]scalePlan{
		Fast:   {tops: bySign(16, 0.85, 1.05, 6), heavy: [2]int{0, 1}, reach: [2]float32{0.5, 2}, rounds: 1},
		Normal: {tops: bySign(16, 0.8, 1.1, 9), heavy: [2]int{1, 2}, reach: [2]float32{0.4, 2}, rounds: 3},
		Best:   {tops: bySign(16, 0.6, 1.15, 32), heavy: [2]int{4, 4}, reach: [2]float32{0.3, 3}, rounds: 5},
	},
	columns: [2][2]columnScalePlan{
		Fast:   {withTops(bySign(16, 0.85, 1.05, 4), 0, 0, 1), withTops(bySign(16, 0.85, 1.05, 4), 8, 12.8, 1)},
		Normal: {withTops(bySign(16, 0.75, 1.1, 16), 8, 11.2, 2), withTops(bySign(16, 0.75, 1.1, 16), 16, 9.6, 2)},
	},
}

func putQ5_0(dst, codes []uint8, d, _ uint16) {
	putHalf(dst, d)
	packFifthBits(dst[2:], codes)
	packLowNibbles(dst[6:], codes)
}

// withFifthBits adds bit 4 of 32 codes, that of code j being bit j from byte at
// on.
func withFifthBits(at int, low func(int) []codeField) func(int) []codeField {
	return func(i int) []codeField { return append(low(i), codeField{at + i/8, i % 8, 1, 4}) }
}
