package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq3_xxs", GGML: 18, Block: 256, Bytes: 98, Fallback: "iq4_nl", NeedsImportance: true,
	Doc:        "3.06 bits: 256 codewords of 4 magnitudes, even signs, 4-bit scales per 32 weights",
	Dequantize: decodeBlocks(256, 98, decodeIQ3XXS),
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
			signed(y, s, gridIQ3XXS[codewords[2*l]][:], signs)
			signed(y[4:], s, gridIQ3XXS[codewords[2*l+1]][:], signs>>4)
		}
	}
}
