package quant

var _ = register(&Type{
	Name: "bf16", Aliases: []string{"bfloat16"}, GGML: 30, Block: 1, Bytes: 2, Float: true, KV: true,
	Error:      0.0017,
	Doc:        "bfloat16: the upper half of a single; what most models are published in",
	Dequantize: DecodeBF16,
	// The first magnitude that would round to infinity.
	Quantize: encodePlain("bf16", 2, 0x7f7f8000, EncodeBF16),
})
