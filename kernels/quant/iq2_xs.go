package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq2_xs", GGML: 17, Block: 256, Bytes: 74, Fallback: "iq4_nl", NeedsImportance: true,
	Dot: "q8_k", Error: 0.29,
	Doc:        "2.31 bits: 512 codewords of 8 magnitudes, even signs, 4-bit scales per 16 weights",
	Dequantize: decodeBlocks(256, 74, decodeIQ2XS),
	Quantize:   encodeBlocks("iq2_xs", 256, 74, encodeIQ2XS),
	lattice:    gridLattice(&iq2XSCodec, takeIQ2XS, putIQ2XS),
})

// A block: d, 32 words of a codeword's number (9 bits) and 7 sign bits, 8
// bytes of two scales each.
func decodeIQ2XS(dst []float32, src []byte) {
	d := half(src)
	for i := range 32 {
		word := uint32(binary.LittleEndian.Uint16(src[2+2*i:]))
		s := d * (0.5 + float32(src[66+i/4]>>(i/2%2*4)&15)) * 0.25
		signed8(dst[8*i:], s, &gridIQ2XS[word&511], evenSigns(word>>9))
	}
}

var iq2XSGrid = lazyGrid8(packedIQ2XS[:], 8, 25, 43)

var iq2XSCodec = gridCodec{
	grid:  iq2XSGrid,
	table: lazyTable(iq2XSGrid),
	signs: evenCount,
	run:   16,
	unit:  0.125,
	most:  15,
	plan:  iq2Plan,
	lanes: iq2Lanes,
}

func encodeIQ2XS(dst []byte, k *work) bool {
	ok := iq2XSCodec.encode(k)
	putIQ2XS(dst, &k.grid.gridBlock)
	return ok
}

func putIQ2XS(dst []byte, s *gridBlock) {
	putHalf(dst, s.d)
	for i, p := range s.point {
		binary.LittleEndian.PutUint16(dst[2+2*i:], s.grid.number[p.at[0]]|uint16(p.signs&127)<<9)
	}
	s.putIntegers(dst[66:74])
}

func takeIQ2XS(s *gridBlock, src []byte) {
	s.d = getHalf(src)
	for i := range s.point {
		word := binary.LittleEndian.Uint16(src[2+2*i:])
		s.point[i] = gridPoint{at: [2]uint16{s.grid.place[word&511]}, signs: evenSigns(uint32(word >> 9))}
	}
	s.takeIntegers(src[66:74])
}
