package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq1_m", GGML: 29, Block: 256, Bytes: 56, Fallback: "iq4_nl", NeedsImportance: true,
	Dot: "q8_k", Error: 0.42,
	Doc:        "1.75 bits: as iq1_s with 3-bit scales per 16 weights and a shift per 8",
	Dequantize: decodeBlocks(256, 56, decodeIQ1M),
	Quantize:   encodeBlocks("iq1_m", 256, 56, encodeIQ1M),
	lattice:    gridLattice(&iq1MCodec, takeIQ1M, putIQ1M),
})

// A block: 32 low bytes of codeword numbers, 16 bytes of nibbles (3 upper
// bits and the sign of the shift) for each 8 weights, 4 words of four 3-bit
// scales below a quarter of d.
func decodeIQ1M(dst []float32, src []byte) {
	var scales [4]uint16
	var h uint16
	for i := range scales {
		scales[i] = binary.LittleEndian.Uint16(src[48+2*i:])
		h |= scales[i] >> 12 << (4 * i)
	}
	d := F16ToF32(h)
	for i := range 32 {
		nibble := src[32+i/2] >> (i % 2 * 4)
		s := d * float32(2*(scales[i/8]>>(i/2%4*3)&7)+1)
		shifted(dst[8*i:], s, int(src[i])|int(nibble&7)<<8, nibble&8 != 0)
	}
}

var iq1MCodec = gridCodec{
	grid:   ternaryGrid,
	signs:  inGrid,
	shifts: true,
	run:    16,
	unit:   1,
	most:   7,
	table:  ternaryTable,
	plan:   iq1Plan,
	lanes:  iq1Lanes,
}

func encodeIQ1M(dst []byte, k *work) bool {
	ok := iq1MCodec.encode(k)
	putIQ1M(dst, &k.grid.gridBlock)
	return ok
}

func putIQ1M(dst []byte, s *gridBlock) {
	clear(dst[32:48])
	for i, p := range s.point {
		codeword := s.grid.number[p.at[0]]
		dst[i] = uint8(codeword)
		nibble := uint8(codeword >> 8)
		if p.minus {
			nibble |= 8
		}
		dst[32+i/2] |= nibble << (i % 2 * 4)
	}
	for i := range 4 {
		word := s.d >> (4 * i) << 12
		for j := range 4 {
			word |= uint16(s.n[4*i+j]) << (3 * j)
		}
		binary.LittleEndian.PutUint16(dst[48+2*i:], word)
	}
}

func takeIQ1M(s *gridBlock, src []byte) {
	s.d = 0
	for i := range 4 {
		word := binary.LittleEndian.Uint16(src[48+2*i:])
		s.d |= word >> 12 << (4 * i)
		for j := range 4 {
			s.n[4*i+j] = float32(word >> (3 * j) & 7)
		}
	}
	for i := range s.point {
		nibble := src[32+i/2] >> (i % 2 * 4)
		s.point[i].at[0] = s.grid.place[int(src[i])|int(nibble&7)<<8]
		s.point[i].minus = nibble&8 != 0
	}
}
