package quant

var _ = register(&Type{
	Name: "q8_1", GGML: 9, Block: 32, Bytes: 36,
	Doc:        "8-bit integers, a scale and their scaled sum per 32; activations, never weights; read only",
	Dequantize: decodeBlocks(32, 36, decodeQ81),
})

func decodeQ81(dst []float32, src []byte) {
	d := half(src)
	for i, q := range src[4:36] {
		dst[i] = float32(int8(q)) * d
	}
}
