package quant

var _ = register(&Type{
	Name: "int2", GGML: -1, Block: 32, Bytes: 12, KV: true,
	Error:      0.3,
	Doc:        "2-bit integers times a scale plus a minimum per 32; for the KV cache, keys by channel",
	Dequantize: decodeBlocks(32, 12, func(dst []float32, src []byte) { decodeKV(dst, src, 2) }),
	Quantize:   encodeBlocks("int2", 32, 12, func(dst []byte, k *work) bool { return int2Codec.write(dst, k, 2) }),
})

var int2Codec = kvCodec(3)
