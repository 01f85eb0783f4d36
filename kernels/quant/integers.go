package quant

import "encoding/binary"

// Whole numbers in GGUF files: storage only, for tables of indices and the
// like; read, never written by quantizing.
var (
	_ = register(&Type{
		Name: "i8", GGML: 24, Block: 1, Bytes: 1,
		Doc:        "8-bit integers; read only",
		Dequantize: decodePlain(1, func(b []byte) float32 { return float32(int8(b[0])) }),
	})
	_ = register(&Type{
		Name: "i16", GGML: 25, Block: 1, Bytes: 2,
		Doc:        "16-bit integers; read only",
		Dequantize: decodePlain(2, func(b []byte) float32 { return float32(int16(binary.LittleEndian.Uint16(b))) }),
	})
	_ = register(&Type{
		Name: "i32", GGML: 26, Block: 1, Bytes: 4,
		Doc:        "32-bit integers; read only, rounded to single",
		Dequantize: decodePlain(4, func(b []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(b))) }),
	})
	_ = register(&Type{
		Name: "i64", GGML: 27, Block: 1, Bytes: 8,
		Doc:        "64-bit integers; read only, rounded to single",
		Dequantize: decodePlain(8, func(b []byte) float32 { return float32(int64(binary.LittleEndian.Uint64(b))) }),
	})
)
