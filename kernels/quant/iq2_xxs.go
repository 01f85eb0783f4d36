package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq2_xxs", GGML: 16, Block: 256, Bytes: 66, Fallback: "iq4_nl", NeedsImportance: true,
	Dot: "q8_k", Error: 0.34,
	Doc:        "2.06 bits: 256 codewords of 8 magnitudes, even signs, 4-bit scales per 32 weights",
	Dequantize: decodeBlocks(256, 66, decodeIQ2XXS),
	Quantize:   encodeBlocks("iq2_xxs", 256, 66, encodeIQ2XXS),
	lattice:    gridLattice(&iq2XXSCodec, takeIQ2XXS, putIQ2XXS),
})

// A block: d, then 8 bytes for each 32 weights: 4 codewords, and a word of
// four times 7 sign bits below the scale.
func decodeIQ2XXS(dst []float32, src []byte) {
	d := half(src)
	for run := range 8 {
		b := src[2+8*run:][:8]
		word := binary.LittleEndian.Uint32(b[4:])
		s := d * (0.5 + float32(word>>28)) * 0.25
		for l := range 4 {
			signed8(dst[32*run+8*l:], s, &gridIQ2XXS[b[l]], evenSigns(word>>(7*l)))
		}
	}
}

var iq2XXSGrid = lazyGrid8(packedIQ2XXS[:], 8, 25, 43)

var iq2XXSCodec = gridCodec{
	grid:  iq2XXSGrid,
	table: lazyTable(iq2XXSGrid),
	signs: evenCount,
	run:   32,
	unit:  0.125,
	most:  15,
	plan:  iq2Plan,
	lanes: iq2Lanes,
}

// iq2Plan is that of the best effort.
var iq2Plan = gridPlan{tops: span(0.2, 1.45, 16), steps: span(0.5, 1.3, 32), keep: 2, reach: []int{2, 1, 0}}

var iq2Lanes = [2]gridLanePlan{
	Fast:   {tops: span(0.4, 1.3, 4), steps: span(0.8, 1.1, 8), reach: []int{0}, near: 4},
	Normal: {tops: span(0.3, 1.3, 12), steps: span(0.7, 1.15, 16), reach: []int{1, 1}, near: 8, exact: true},
}

func encodeIQ2XXS(dst []byte, k *work) bool {
	ok := iq2XXSCodec.encode(k)
	putIQ2XXS(dst, &k.grid.gridBlock)
	return ok
}

func putIQ2XXS(dst []byte, s *gridBlock) {
	putHalf(dst, s.d)
	for run := range 8 {
		word := uint32(s.n[run]) << 28
		b := dst[2+8*run:][:8]
		for l, p := range s.point[4*run:][:4] {
			b[l] = uint8(s.grid.number[p.at[0]])
			word |= uint32(p.signs&127) << (7 * l)
		}
		binary.LittleEndian.PutUint32(b[4:], word)
	}
}

func takeIQ2XXS(s *gridBlock, src []byte) {
	s.d = getHalf(src)
	for run := range 8 {
		b := src[2+8*run:][:8]
		word := binary.LittleEndian.Uint32(b[4:])
		s.n[run] = float32(word >> 28)
		for l := range 4 {
			s.point[4*run+l] = gridPoint{at: [2]uint16{s.grid.place[b[l]]}, signs: evenSigns(word >> (7 * l))}
		}
	}
}
