package quant

import (
	"encoding/binary"
	"math"
)

var _ = register(&Type{
	Name: "q8_k", GGML: 15, Block: 256, Bytes: 292,
	Doc:        "8-bit integers and a 32-bit scale per 256, with sums of 16; activations, never weights; read only",
	Dequantize: decodeBlocks(256, 292, decodeQ8K),
})

func decodeQ8K(dst []float32, src []byte) {
	d := math.Float32frombits(binary.LittleEndian.Uint32(src))
	for i, q := range src[4:260] {
		dst[i] = float32(int8(q)) * d
	}
}
