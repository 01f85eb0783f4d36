package quant

var _ = register(&Type{
	Name: "f32", Aliases: []string{"fp32", "float32"}, GGML: 0, Block: 1, Bytes: 4, Float: true, KV: true,
	Doc:        "IEEE single precision; for norms and the router",
	Dequantize: decodeF32,
	Quantize:   encodePlain("f32", 4, 0x7f800000, encodeF32),
})
