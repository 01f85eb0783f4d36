package quant

var _ = register(&Type{
	Name: "iq3_s", GGML: 21, Block: 256, Bytes: 110, Fallback: "iq4_nl",
	Dot: "q8_k", Error: 0.13,
	Doc:        "3.44 bits: 512 codewords of 4 magnitudes, free signs, 4-bit scales per 32 weights",
	Dequantize: decodeBlocks(256, 110, decodeIQ3S),
	Quantize:   encodeBlocks("iq3_s", 256, 110, encodeIQ3S),
	lattice:    gridLattice(&iq3SCodec, takeIQ3S, putIQ3S),
})

// A block: d, 64 low bytes of codeword numbers, 8 bytes of their ninth bits,
// 32 bytes of signs, 4 bytes of two scales each.
func decodeIQ3S(dst []float32, src []byte) {
	d := half(src)
	low, high, signs, scales := src[2:66], src[66:74], src[74:106], src[106:110]
	for i := range 64 {
		word := int(low[i]) | int(high[i/8]>>(i%8)&1)<<8
		s := d * float32(1+2*(scales[i/16]>>(i/8%2*4)&15))
		signed4(dst[4*i:], s, &gridIQ3S[word], signs[i/2]>>(i%2*4))
	}
}

var iq3SGrid = lazyGrid4(packedIQ3S[:], 1, 3, 5, 7, 9, 11, 13, 15)

var iq3SCodec = gridCodec{
	grid:  iq3SGrid,
	table: lazyTable(iq3SGrid),
	signs: anySigns,
	run:   32,
	unit:  1,
	most:  15,
	plan:  iq3Plan,
	lanes: iq3SLanes,
}

func encodeIQ3S(dst []byte, k *work) bool {
	ok := iq3SCodec.encode(k)
	putIQ3S(dst, &k.grid.gridBlock)
	return ok
}

func putIQ3S(dst []byte, s *gridBlock) {
	putHalf(dst, s.d)
	low, high, signs := dst[2:66], dst[66:74], dst[74:106]
	clear(high)
	for i, p := range s.point {
		signs[i] = p.signs
		for half, at := range p.at {
			j := 2*i + half
			word := s.grid.number[at]
			low[j] = uint8(word)
			high[j/8] |= uint8(word>>8) << (j % 8)
		}
	}
	s.putIntegers(dst[106:110])
}

func takeIQ3S(s *gridBlock, src []byte) {
	s.d = getHalf(src)
	low, high, signs := src[2:66], src[66:74], src[74:106]
	for i := range s.point {
		p := &s.point[i]
		p.signs = signs[i]
		for half := range p.at {
			j := 2*i + half
			p.at[half] = s.grid.place[int(low[j])|int(high[j/8]>>(j%8)&1)<<8]
		}
	}
	s.takeIntegers(src[106:110])
}
