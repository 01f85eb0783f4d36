package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq1_s", GGML: 19, Block: 256, Bytes: 50, Fallback: "iq4_nl", NeedsImportance: true,
	Dot: "q8_k", Error: 0.45,
	Doc:        "1.56 bits: 2048 codewords of 8 values -1, 0, 1, shifted by an eighth; 3-bit scales per 32 weights",
	Dequantize: decodeBlocks(256, 50, decodeIQ1S),
	Quantize:   encodeBlocks("iq1_s", 256, 50, encodeIQ1S),
	lattice:    gridLattice(&iq1SCodec, takeIQ1S, putIQ1S),
})

// A block: d, 32 low bytes of codeword numbers, and for each 32 weights a word
// of four times 3 upper bits, the scale, and the sign of the shift.
func decodeIQ1S(dst []float32, src []byte) {
	d := half(src)
	for run := range 8 {
		word := binary.LittleEndian.Uint16(src[34+2*run:])
		s := d * float32(2*(word>>12&7)+1)
		for l := range 4 {
			codeword := int(src[2+4*run+l]) | int(word>>(3*l)&7)<<8
			shifted(dst[32*run+8*l:], s, codeword, word>>15 != 0)
		}
	}
}

// shifted writes d*(value + 1/8), or with minus d*(value - 1/8).
func shifted(dst []float32, d float32, codeword int, minus bool) {
	shift := float32(0.125)
	if minus {
		shift = -shift
	}
	dst = dst[:8]
	for j, v := range gridIQ1S[codeword] {
		dst[j] = d * (float32(v) + shift)
	}
}

var iq1SCodec = gridCodec{
	grid:  ternaryGrid,
	signs: inGrid,
	run:   32,
	unit:  1,
	most:  7,
	table: ternaryTable,
	plan:  iq1Plan,
	lanes: iq1Lanes,
}

// ternaryGrid is that of both iq1 types.
var ternaryGrid = lazyGrid8(packedIQ1S[:], -1, 0, 1)

// iq1Plan is that of the best effort.
var iq1Plan = gridPlan{tops: span(0.1, 1.1, 16), steps: span(0.5, 1.3, 32), keep: 2, reach: []int{2, 1, 0}}

var iq1Lanes = [2]gridLanePlan{
	Fast:   {tops: span(0.2, 1, 4), steps: span(0.8, 1.1, 8), reach: []int{0}, near: 4},
	Normal: {tops: span(0.1, 1, 10), steps: span(0.7, 1.15, 16), reach: []int{1, 1}, near: 8},
}

var ternaryTable = lazyTable(ternaryGrid)

func encodeIQ1S(dst []byte, k *work) bool {
	ok := iq1SCodec.encode(k)
	putIQ1S(dst, &k.grid.gridBlock)
	return ok
}

func putIQ1S(dst []byte, s *gridBlock) {
	putHalf(dst, s.d)
	for run := range 8 {
		points := s.point[4*run:][:4]
		word := uint16(s.n[run]) << 12
		if points[0].minus {
			word |= 1 << 15
		}
		for l, p := range points {
			codeword := s.grid.number[p.at[0]]
			dst[2+4*run+l] = uint8(codeword)
			word |= codeword >> 8 << (3 * l)
		}
		binary.LittleEndian.PutUint16(dst[34+2*run:], word)
	}
}

func takeIQ1S(s *gridBlock, src []byte) {
	s.d = getHalf(src)
	for run := range 8 {
		word := binary.LittleEndian.Uint16(src[34+2*run:])
		s.n[run] = float32(word >> 12 & 7)
		for l := range 4 {
			p := &s.point[4*run+l]
			p.at[0] = s.grid.place[int(src[2+4*run+l])|int(word>>(3*l)&7)<<8]
			p.minus = word>>15 != 0
		}
	}
}
