//go:build !noasm

package quant

var unpackAVX512 = [unpackKinds]func(dst []float32, src []byte){
	unpackQ4_0:  unpackQ4_0AVX512,
	unpackQ4_1:  unpackQ4_1AVX512,
	unpackQ5_0:  unpackQ5_0AVX512,
	unpackQ5_1:  unpackQ5_1AVX512,
	unpackQ8_0:  unpackQ8_0AVX512,
	unpackIQ4NL: unpackIQ4NLAVX512,
	unpackMXFP4: unpackMXFP4AVX512,
	unpackQ2K:   unpackQ2KAVX512,
	unpackQ3K:   unpackQ3KAVX512,
	unpackQ4K:   unpackQ4KAVX512,
	unpackQ5K:   unpackQ5KAVX512,
	unpackQ6K:   unpackQ6KAVX512,
	unpackBF16:  unpackBF16AVX512,
	unpackF16:   unpackF16AVX512,
}

var unpackAVX2 = [unpackKinds]func(dst []float32, src []byte){
	unpackQ4_0:  unpackQ4_0AVX2,
	unpackQ4_1:  unpackQ4_1AVX2,
	unpackQ5_0:  unpackQ5_0AVX2,
	unpackQ5_1:  unpackQ5_1AVX2,
	unpackQ8_0:  unpackQ8_0AVX2,
	unpackIQ4NL: unpackIQ4NLAVX2,
	unpackMXFP4: unpackMXFP4AVX2,
	unpackQ2K:   unpackQ2KAVX2,
	unpackQ3K:   unpackQ3KAVX2,
	unpackQ4K:   unpackQ4KAVX2,
	unpackQ5K:   unpackQ5KAVX2,
	unpackQ6K:   unpackQ6KAVX2,
	unpackBF16:  unpackBF16AVX2,
	unpackF16:   unpackF16AVX2,
}

//go:noescape
func unpackQ4_0AVX512(dst []float32, src []byte)

//go:noescape
func unpackQ4_0AVX2(dst []float32, src []byte)

//go:noescape
func unpackQ4_1AVX512(dst []float32, src []byte)

//go:noescape
func unpackQ4_1AVX2(dst []float32, src []byte)

//go:noescape
func unpackQ5_0AVX512(dst []float32, src []byte)

//go:noescape
func unpackQ5_0AVX2(dst []float32, src []byte)

//go:noescape
func unpackQ5_1AVX512(dst []float32, src []byte)

//go:noescape
func unpackQ5_1AVX2(dst []float32, src []byte)

//go:noescape
func unpackQ8_0AVX512(dst []float32, src []byte)

//go:noescape
func unpackQ8_0AVX2(dst []float32, src []byte)

//go:noescape
func unpackIQ4NLAVX512(dst []float32, src []byte)

//go:noescape
func unpackIQ4NLAVX2(dst []float32, src []byte)

//go:noescape
func unpackMXFP4AVX512(dst []float32, src []byte)

//go:noescape
func unpackMXFP4AVX2(dst []float32, src []byte)

//go:noescape
func unpackQ2KAVX512(dst []float32, src []byte)

//go:noescape
func unpackQ2KAVX2(dst []float32, src []byte)

//go:noescape
func unpackQ3KAVX512(dst []float32, src []byte)

//go:noescape
func unpackQ3KAVX2(dst []float32, src []byte)

//go:noescape
func unpackQ4KAVX512(dst []float32, src []byte)

//go:noescape
func unpackQ4KAVX2(dst []float32, src []byte)

//go:noescape
func unpackQ5KAVX512(dst []float32, src []byte)

//go:noescape
func unpackQ5KAVX2(dst []float32, src []byte)

//go:noescape
func unpackQ6KAVX512(dst []float32, src []byte)

//go:noescape
func unpackQ6KAVX2(dst []float32, src []byte)

//go:noescape
func unpackBF16AVX512(dst []float32, src []byte)

//go:noescape
func unpackBF16AVX2(dst []float32, src []byte)

//go:noescape
func unpackF16AVX512(dst []float32, src []byte)

//go:noescape
func unpackF16AVX2(dst []float32, src []byte)
