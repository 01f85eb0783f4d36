package quant

// int3 and int2 are for the KV cache: integers times a scale plus a minimum,
// both halves, per 32. A value's row is cut into blocks as it is; keys, whose
// channels differ more than their tokens, are stored by channel, a block being
// 32 tokens of one (see QuantizeChannels). A block is scale, minimum, then the
// codes as a bit stream.
var _ = register(&Type{
	Name: "int3", GGML: -1, Block: 32, Bytes: 16, KV: true,
	Error:      0.144,
	Doc:        "3-bit integers times a scale plus a minimum per 32; for the KV cache, keys by channel",
	Dequantize: decodeBlocks(32, 16, func(dst []float32, src []byte) { decodeKV(dst, src, 3) }),
	Quantize:   encodeBlocks("int3", 32, 16, func(dst []byte, k *work) bool { return int3Codec.write(dst, k, 3) }),
})

var int3Codec = kvCodec(7)

// kvCodec is quick where it is fast: tokens are quantized as they come.
func kvCodec(n float32) *affineCodec {
	return &affineCodec{
		n: n,
		plans: [3]affinePlan{
			Fast:   {grid: clips(n, []float32{0, 0.3}, []float32{0, 0.3})},
			Normal: {grid: clips(n, span(-0.2, 1, 4), span(-0.2, 1, 4)), pairs: 2, shift: [2]int{0, 1}, reach: [2]float32{0.7, 1.6}, rounds: 1},
			Best:   {grid: clips(n, span(-0.4, 2, 12), span(-0.4, 2, 12)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5},
		},
		turns: [3]int{1, 2, 4},
	}
}

func (c *affineCodec) write(dst []byte, k *work, bits int) bool {
	var codes [32]uint8
	d, m, ok := c.encode(k, codes[:])
	putHalf(dst, d)
	putHalf(dst[2:], m)
	packBits(dst[4:], codes[:], bits)
	return ok
}

func decodeKV(dst []float32, src []byte, bits int) {
	d, m := half(src), half(src[2:])
	mask := uint64(1)<<bits - 1
	for i := 0; i < 32; i += 8 {
		v := nextEight(src[4+i/8*bits:], bits)
		y := dst[i : i+8 : i+8]
		for j := range y {
			y[j] = float32(float32(int32(v&mask))*d) + m
			v >>= bits
		}
	}
}
