package quant

import (
	"encoding/binary"
	"math"
)

var _ = register(&Type{
	Name: "f64", Aliases: []string{"float64"}, GGML: 28, Block: 1, Bytes: 8, Float: true,
	Doc: "IEEE double precision; read only, rounded to single",
	Dequantize: decodePlain(8, func(b []byte) float32 {
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}),
})
