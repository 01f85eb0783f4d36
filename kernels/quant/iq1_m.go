package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq1_m", GGML: 29, Block: 256, Bytes: 56, Fallback: "iq4_nl", NeedsImportance: true,
	Doc:        "1.75 bits: as iq1_s with 3-bit scales per 16 weights and a shift per 8",
	Dequantize: decodeBlocks(256, 56, decodeIQ1M),
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
