package quant

var _ = register(&Type{
	Name: "iq2_s", GGML: 22, Block: 256, Bytes: 82, Fallback: "iq4_nl", NeedsImportance: true,
	Dot: "q8_k", Error: 0.241,
	Doc:        "2.56 bits: 1024 codewords of 8 magnitudes, free signs, 4-bit scales per 16 weights",
	Dequantize: decodeBlocks(256, 82, decodeIQ2S),
	Quantize:   encodeBlocks("iq2_s", 256, 82, encodeIQ2S),
	lattice:    gridLattice(&iq2SCodec, takeIQ2S, putIQ2S),
})

// A block: d, 32 low bytes of codeword numbers, 32 bytes of signs, 8 bytes of
// the numbers' upper bit pairs, 8 bytes of two scales each.
func decodeIQ2S(dst []float32, src []byte) {
	d := half(src)
	low, signs, high, scales := src[2:34], src[34:66], src[66:74], src[74:82]
	for i := range 32 {
		word := int(low[i]) | int(high[i/4]>>(i%4*2)&3)<<8
		s := d * (0.5 + float32(scales[i/4]>>(i/2%2*4)&15)) * 0.25
		signed8(dst[8*i:], s, &gridIQ2S[word], signs[i])
	}
}

var iq2SGrid = lazyGrid8(packedIQ2S[:], 8, 25, 43)

var iq2SCodec = gridCodec{
	grid:  iq2SGrid,
	table: lazyTable(iq2SGrid),
	signs: anySigns,
	run:   16,
	unit:  0.125,
	most:  15,
	plan:  iq2Plan,
	lanes: iq2Lanes,
}

func encodeIQ2S(dst []byte, k *work) bool {
	ok := iq2SCodec.encode(k)
	putIQ2S(dst, &k.grid.gridBlock)
	return ok
}

func putIQ2S(dst []byte, s *gridBlock) {
	putHalf(dst, s.d)
	low, signs, high := dst[2:34], dst[34:66], dst[66:74]
	clear(high)
	for i, p := range s.point {
		word := s.grid.number[p.at[0]]
		low[i], signs[i] = uint8(word), p.signs
		high[i/4] |= uint8(word>>8) << (i % 4 * 2)
	}
	s.putIntegers(dst[74:82])
}

func takeIQ2S(s *gridBlock, src []byte) {
	s.d = getHalf(src)
	low, signs, high := src[2:34], src[34:66], src[66:74]
	for i := range s.point {
		word := int(low[i]) | int(high[i/4]>>(i%4*2)&3)<<8
		s.point[i] = gridPoint{at: [2]uint16{s.grid.place[word]}, signs: signs[i]}
	}
	s.takeIntegers(src[74:82])
}
