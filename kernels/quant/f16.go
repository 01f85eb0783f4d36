package quant

var _ = register(&Type{
	Name: "f16", Aliases: []string{"fp16", "float16"}, GGML: 1, Block: 1, Bytes: 2, Float: true, KV: true,
	Error:      0.000212,
	Doc:        "IEEE half precision; holds magnitudes up to 65504",
	Dequantize: DecodeF16,
	// 65520 would round to infinity.
	Quantize: encodePlain("f16", 2, 0x477ff000, EncodeF16),
})
