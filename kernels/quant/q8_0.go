package quant

import "math"

var _ = register(&Type{
	Name: "q8_0", GGML: 8, Block: 32, Bytes: 34, KV: true,
	Dot: "q8_0", Error: 0.005,
	Doc:        "8-bit integers -127..127 times one scale per 32 weights; close to lossless",
	Dequantize: decodeVectors(unpackQ8_0, 32, 34, decodeQ8),
	Quantize:   encodeBlocks("q8_0", 32, 34, encodeQ8),
	lattice:    &q8_0Lattice,
})

var q8_0Lattice = lattice{
	run: 32, levels: integerLevels(-127, 127, -127), scales: ownFloats{kind: &f16Scales, half: 127},
	code:  bitStream(2, 8),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(getHalf(b[0:])) },
	write: func(b []byte, p *parts) { putHalf(b[0:], uint16(p.sc[0])) },
}

func decodeQ8(dst []float32, src []byte) {
	d := half(src)
	for i, q := range src[2:34] {
		dst[i] = float32(int8(q)) * d
	}
}

// The lowest integer, -128, is left out: no other encoder writes it, so that
// no kernel was ever tried on it.
var q8Codec = scaleCodec{
	levels: levels{lo: -127, hi: 127},
	plans: [3]scalePlan{
		Fast:   {tops: []float32{127}},
		Normal: {tops: span(126, 127.2, 6)},
		Best:   {tops: span(124, 127.5, 48), rounds: 1},
	},
}

func encodeQ8(dst []byte, k *work) bool {
	var h uint16
	var d float32
	ok := true
	if k.effort == Fast {
		var top uint32
		for _, v := range k.x {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		h, d, ok = k.half(math.Float32frombits(top) / 127)
	}
	if k.effort != Fast || h < 0x400 {
		h, d, ok = q8Codec.fit(k)
	}
	putHalf(dst, h)
	inv := inverse(d)
	to := dst[2:34]
	for i, v := range k.x[:32] {
		q := int32(math.Float32bits(float32(v*inv)+magic)) - magicBits
		to[i] = uint8(min(max(q, -127), 127))
	}
	return ok
}
