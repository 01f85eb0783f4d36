package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq3_xxs", GGML: 18, Block: 256, Bytes: 98, Fallback: "iq4_nl", NeedsImportance: true,
	Dot: "q8_k", Error: 0.18,
	Doc:        "3.06 bits: 256 codewords of 4 magnitudes, even signs, 4-bit scales per 32 weights",
	Dequantize: decodeBlocks(256, 98, decodeIQ3XXS),
	Quantize:   encodeBlocks("iq3_xxs", 256, 98, encodeIQ3XXS),
	lattice:    gridLattice(&iq3XXSCodec, takeIQ3XXS, putIQ3XXS),
})

// A block: d, 64 codewords, and for each 32 weights a word of four times 7
// sign bits below the scale.
func decodeIQ3XXS(dst []float32, src []byte) {
	d := half(src)
	for run := range 8 {
		codewords := src[2+8*run:][:8]
		word := binary.LittleEndian.Uint32(src[66+4*run:])
		s := d * (0.5 + float32(word>>28)) * 0.5
		for l := range 4 {
			signs := evenSigns(word >> (7 * l))
			y := dst[32*run+8*l:][:8]
			signed4(y, s, &gridIQ3XXS[codewords[2*l]], signs)
			signed4(y[4:], s, &gridIQ3XXS[codewords[2*l+1]], signs>>4)
		}
	}
}

var iq3XXSGrid = lazyGrid4(packedIQ3XXS[:], 4, 12, 20, 28, 36, 44, 52, 62)

var iq3XXSCodec = gridCodec{
	grid:  iq3XXSGrid,
	table: lazyTable(iq3XXSGrid),
	signs: evenCount,
	run:   32,
	unit:  0.25,
	most:  15,
	plan:  iq3Plan,
	lanes: iq3XXSLanes,
}

// iq3Plans are those of all iq3 types.
// iq3Plan is that of the best effort.
var iq3Plan = gridPlan{tops: span(0.2, 1.45, 16), steps: span(0.5, 1.3, 32), keep: 2, reach: []int{2, 1, 0}}

// The codewords of iq3_xxs lie further apart than those of iq3_s.
var (
	iq3XXSLanes = [2]gridLanePlan{
		Fast:   {tops: span(0.5, 1.3, 4), steps: span(0.8, 1.1, 8), reach: []int{0}, near: 8},
		Normal: iq3Normal,
	}
	iq3SLanes = [2]gridLanePlan{
		Fast:   {tops: span(0.5, 1.3, 6), steps: span(0.8, 1.1, 8), reach: []int{0}, near: 4},
		Normal: iq3Normal,
	}
	iq3Normal = gridLanePlan{tops: span(0.4, 1.3, 12), steps: span(0.7, 1.15, 16), reach: []int{1, 1}, near: 8, exact: true}
)

func encodeIQ3XXS(dst []byte, k *work) bool {
	ok := iq3XXSCodec.encode(k)
	putIQ3XXS(dst, &k.grid.gridBlock)
	return ok
}

func putIQ3XXS(dst []byte, s *gridBlock) {
	putHalf(dst, s.d)
	for run := range 8 {
		word := uint32(s.n[run]) << 28
		codewords := dst[2+8*run:][:8]
		for l, p := range s.point[4*run:][:4] {
			codewords[2*l] = uint8(s.grid.number[p.at[0]])
			codewords[2*l+1] = uint8(s.grid.number[p.at[1]])
			word |= uint32(p.signs&127) << (7 * l)
		}
		binary.LittleEndian.PutUint32(dst[66+4*run:], word)
	}
}

func takeIQ3XXS(s *gridBlock, src []byte) {
	s.d = getHalf(src)
	for run := range 8 {
		word := binary.LittleEndian.Uint32(src[66+4*run:])
		s.n[run] = float32(word >> 28)
		for l := range 4 {
			p := &s.point[4*run+l]
			p.signs = evenSigns(word >> (7 * l))
			for half := range p.at {
				p.at[half] = s.grid.place[src[2+8*run+2*l+half]]
			}
		}
	}
}
