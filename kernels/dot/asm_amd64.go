//go:build !noasm

package dot

//go:noescape
func prefetch(at uintptr, size int)

//go:noescape
func roundSuperAVX512(r *superRecord, x *float32)

//go:noescape
func roundSmallAVX512(r *smallRecord, x *float32, units int)

//go:noescape
func oneF32AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillF32AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneF32AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillF32AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneF16AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillF16AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneF16AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillF16AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneBF16AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillBF16AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneBF16AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillBF16AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ2KAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ2KAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ2KAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ2KAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ3KAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ3KAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ3KAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ3KAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ4KAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ4KAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ4KAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ4KAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ5KAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ5KAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ5KAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ5KAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ6KAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ6KAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ6KAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ6KAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ4XSAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ4XSAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ4XSAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ4XSAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ4_0AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ4_0AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ4_0AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ4_0AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ4_1AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ4_1AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ4_1AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ4_1AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ5_0AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ5_0AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ5_0AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ5_0AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ5_1AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ5_1AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ5_1AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ5_1AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ8_0AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ8_0AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneQ8_0AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillQ8_0AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ4NLAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ4NLAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ4NLAVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ4NLAVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneMXFP4AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillMXFP4AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneMXFP4AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillMXFP4AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func productFloatsAVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func productFloatsAVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product16AVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product16AVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product16MinsAVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product16MinsAVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product32AVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product32AVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product32MinsAVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func product32MinsAVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func productSmallAVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func productSmallAVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func productSmallMinsAVX512(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func productSmallMinsAVX2(sums *float32, from *panel, recs *byte, offsets *int, n, units int)

//go:noescape
func oneIQ2XXSAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ2XXSAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ2XSAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ2XSAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ2SAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ2SAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ3XXSAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ3XXSAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ3SAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ3SAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ1SAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ1SAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneIQ1MAVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillIQ1MAVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneTQ1AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillTQ1AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneTQ1AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillTQ1AVX2(to *panel, w *byte, stride, units int)

//go:noescape
func oneTQ2AVX512(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillTQ2AVX512(to *panel, w *byte, stride, units int)

//go:noescape
func oneTQ2AVX2(dst *float32, w *byte, stride, count, units int, rec *byte, step int)

//go:noescape
func fillTQ2AVX2(to *panel, w *byte, stride, units int)
