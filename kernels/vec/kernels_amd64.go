//go:build !noasm

package vec

import "github.com/llama-pajamas/pj/kernels/tier"

//go:generate go -C gen run . -out ../kernels_amd64.s

// impls are the implementations besides scalar, best first.
var impls = []kernels{
	{
		Tier: tier.AVX512,
		top:  topAVX512, expSum: expSumAVX512, squares: squaresAVX512, norm: normAVX512,
		silu: siluAVX512, swiglu: swigluAVX512, clamped: clampedAVX512,
		add: addAVX512, mul: mulAVX512, scale: scaleAVX512, axpy: axpyAVX512, blend: blendAVX512,
		ropeHalves: ropeHalvesAVX512, ropePairs: ropePairsAVX512,
		fetch: fetchAVX512,
		dots1: dots1AVX512, dots4: dots4AVX512, sums1: sums1AVX512, sums4: sums4AVX512,
		decode: [rowKinds]func(dst []float32, src []byte, cols, stride int){
			rowF32:   decodeF32AVX512,
			rowF16:   decodeF16AVX512,
			rowBF16:  decodeBF16AVX512,
			rowE4M3:  decodeE4M3AVX512,
			rowE5M2:  decodeE5M2AVX512,
			rowQ8_0:  decodeQ8_0AVX512,
			rowQ4_0:  decodeQ4_0AVX512,
			rowQ4_1:  decodeQ4_1AVX512,
			rowIQ4NL: decodeIQ4NLAVX512,
			rowInt3:  decodeInt3AVX512,
			rowInt2:  decodeInt2AVX512,
		},
	},
	{
		Tier: tier.AVX2,
		top:  topAVX2, expSum: expSumAVX2, squares: squaresAVX2, norm: normAVX2,
		silu: siluAVX2, swiglu: swigluAVX2, clamped: clampedAVX2,
		add: addAVX2, mul: mulAVX2, scale: scaleAVX2, axpy: axpyAVX2, blend: blendAVX2,
		ropeHalves: ropeHalvesAVX2, ropePairs: ropePairsAVX2,
		fetch: fetchAVX2,
		dots1: dots1AVX2, dots4: dots4AVX2, sums1: sums1AVX2, sums4: sums4AVX2,
		decode: [rowKinds]func(dst []float32, src []byte, cols, stride int){
			rowF32:   decodeF32AVX2,
			rowF16:   decodeF16AVX2,
			rowBF16:  decodeBF16AVX2,
			rowE4M3:  decodeE4M3AVX2,
			rowE5M2:  decodeE5M2AVX2,
			rowQ8_0:  decodeQ8_0AVX2,
			rowQ4_0:  decodeQ4_0AVX2,
			rowQ4_1:  decodeQ4_1AVX2,
			rowIQ4NL: decodeIQ4NLAVX2,
			rowInt3:  decodeInt3AVX2,
			rowInt2:  decodeInt2AVX2,
		},
	},
}

//go:noescape
func topAVX512(x []float32) float32

//go:noescape
func topAVX2(x []float32) float32

//go:noescape
func expSumAVX512(dst, x []float32, from float32) float64

//go:noescape
func expSumAVX2(dst, x []float32, from float32) float64

//go:noescape
func squaresAVX512(x []float32) float64

//go:noescape
func squaresAVX2(x []float32) float64

//go:noescape
func normAVX512(dst, x, w []float32, by float32)

//go:noescape
func normAVX2(dst, x, w []float32, by float32)

//go:noescape
func siluAVX512(dst, x []float32)

//go:noescape
func siluAVX2(dst, x []float32)

//go:noescape
func swigluAVX512(dst, gate, up []float32)

//go:noescape
func swigluAVX2(dst, gate, up []float32)

//go:noescape
func clampedAVX512(dst, gate, up []float32, alpha, limit float32)

//go:noescape
func clampedAVX2(dst, gate, up []float32, alpha, limit float32)

//go:noescape
func addAVX512(dst, x []float32)

//go:noescape
func addAVX2(dst, x []float32)

//go:noescape
func mulAVX512(dst, x []float32)

//go:noescape
func mulAVX2(dst, x []float32)

//go:noescape
func scaleAVX512(dst []float32, by float32)

//go:noescape
func scaleAVX2(dst []float32, by float32)

//go:noescape
func axpyAVX512(dst []float32, by float32, x []float32)

//go:noescape
func axpyAVX2(dst []float32, by float32, x []float32)

//go:noescape
func blendAVX512(dst []float32, by float32, x []float32)

//go:noescape
func blendAVX2(dst []float32, by float32, x []float32)

//go:noescape
func ropeHalvesAVX512(a, b, cos, sin []float32)

//go:noescape
func ropeHalvesAVX2(a, b, cos, sin []float32)

//go:noescape
func ropePairsAVX512(x, cos, sin []float32)

//go:noescape
func ropePairsAVX2(x, cos, sin []float32)

//go:noescape
func dots1AVX512(dst, q, k []float32)

//go:noescape
func dots1AVX2(dst, q, k []float32)

//go:noescape
func dots4AVX512(dst []float32, stride int, q, k []float32)

//go:noescape
func dots4AVX2(dst []float32, stride int, q, k []float32)

//go:noescape
func sums1AVX512(dst, w, v []float32)

//go:noescape
func sums1AVX2(dst, w, v []float32)

//go:noescape
func sums4AVX512(dst []float32, dstStride int, w []float32, wStride int, v []float32, cols int)

//go:noescape
func sums4AVX2(dst []float32, dstStride int, w []float32, wStride int, v []float32, cols int)

//go:noescape
func decodeF32AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeF32AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeF16AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeF16AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeBF16AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeBF16AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeE4M3AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeE4M3AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeE5M2AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeE5M2AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeQ8_0AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeQ8_0AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeQ4_0AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeQ4_0AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeQ4_1AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeQ4_1AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeIQ4NLAVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeIQ4NLAVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeInt3AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeInt3AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeInt2AVX512(dst []float32, src []byte, cols, stride int)

//go:noescape
func decodeInt2AVX2(dst []float32, src []byte, cols, stride int)

//go:noescape
func fetchAVX512(src []byte, count, size, stride int)

//go:noescape
func fetchAVX2(src []byte, count, size, stride int)
