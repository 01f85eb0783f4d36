package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq2_xxs", GGML: 16, Block: 256, Bytes: 66, Fallback: "iq4_nl", NeedsImportance: true,
	Doc:        "2.06 bits: 256 codewords of 8 magnitudes, even signs, 4-bit scales per 32 weights",
	Dequantize: decodeBlocks(256, 66, decodeIQ2XXS),
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
			signed(dst[32*run+8*l:], s, gridIQ2XXS[b[l]][:], evenSigns(word>>(7*l)))
		}
	}
}
