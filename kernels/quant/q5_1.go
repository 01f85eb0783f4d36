package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "q5_1", GGML: 7, Block: 32, Bytes: 24,
	Dot: "q8_1", Error: 0.033,
	Doc:        "5-bit integers 0..31 times a scale plus a minimum per 32 weights; for rows that 256 does not divide",
	Dequantize: decodeVectors(unpackQ5_1, 32, 24, decodeQ5_1),
	Quantize:   q5_1Codec.quantizer("q5_1", 24, putQ5_1),
	lattice:    &q5_1Lattice,
})

var q5_1Lattice = lattice{
	run: 32, levels: integerLevels(0, 31, 0), scales: ownFloats{kind: &f16Scales, affine: true, mid: 15.5, half: 15.5},
	code:  withFifthBits(4, nibbles(8, 32)),
	read:  readHalves,
	write: writeHalves,
}

func decodeQ5_1(dst []float32, src []byte) {
	d, m := half(src), half(src[2:])
	high := binary.LittleEndian.Uint32(src[4:])
	lo, hi := dst[:16], dst[16:32]
	for j, q := range src[8:24] {
		lo[j] = float32(float32(uint32(q&15)|high>>j&1<<4)*d) + m
		hi[j] = float32(float32(uint32(q>>4)|high>>(j+16)&1<<4)*d) + m
	}
}

var q5_1Codec = affineCodec{
	n: 31,
	plans: [3]affinePlan{
		Fast:   {grid: clips(31, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), pairs: 1, shift: [2]int{0, 1}, reach: [2]float32{0.9, 1.3}, rounds: 1},
		Normal: {grid: clips(31, span(-0.2, 1, 4), span(-0.2, 1, 4)), pairs: 2, shift: [2]int{0, 1}, reach: [2]float32{0.85, 1.4}, rounds: 1},
		Best:   {grid: clips(31, span(-0.4, 2, 12), span(-0.4, 2, 12)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5},
	},
	turns: [3]int{1, 2, 4},
	columns: [2]columnAffinePlan{
		Fast:   affineTries(clips(31, span(-0.2, 0.7, 4), span(-0.2, 0.7, 4)), 1),
		Normal: affineTries(clips(31, span(-0.2, 1, 5), span(-0.2, 1, 5)), 2),
	},
}

func putQ5_1(dst, codes []uint8, d, m uint16) {
	putHalf(dst, d)
	putHalf(dst[2:], m)
	packFifthBits(dst[4:], codes)
	packLowNibbles(dst[8:], codes)
}
