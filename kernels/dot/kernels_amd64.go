//go:build !noasm

package dot

import (
	"unsafe"

	"github.com/llama-pajamas/pj/kernels/tier"
)

//go:generate go -C gen run . -out ../kernels_amd64.s

// impls are the implementations besides scalar, best first.
var impls = []kernels{
	{
		Tier: tier.AVX512,
		mul:  avx512.mul,
		roundSuper: func(r *superRecord, x []float32) {
			roundSuperAVX512(r, &x[:chunk][0])
			r.addSums()
		},
		roundSmall: func(r *smallRecord, x []float32) {
			if len(x) < chunk {
				*r = smallRecord{}
			}
			roundSmallAVX512(r, &x[0], len(x)/32)
		},
	},
	{
		Tier:       tier.AVX2,
		mul:        avx2.mul,
		roundSuper: roundSuper,
		roundSmall: roundSmall,
	},
}

// The assembly trusts in these offsets; where one is wrong, an array here has
// a negative length or an index is out of range.
var (
	_ = [1]byte{}[unsafe.Sizeof(superRecord{})-320]
	_ = [1]byte{}[unsafe.Offsetof(superRecord{}.sums16)-256]
	_ = [1]byte{}[unsafe.Offsetof(superRecord{}.sums32)-288]
	_ = [1]byte{}[unsafe.Offsetof(superRecord{}.d)-304]
	_ = [1]byte{}[unsafe.Sizeof(smallRecord{})-320]
	_ = [1]byte{}[unsafe.Offsetof(smallRecord{}.d)-256]
	_ = [1]byte{}[unsafe.Offsetof(smallRecord{}.sums)-288]
)

var avx512 = panels{
	height:   16,
	prefetch: prefetch,
	one: [kinds]func(dst *float32, w *byte, stride, count, units int, rec *byte, step int){
		kindF32:    oneF32AVX512,
		kindF16:    oneF16AVX512,
		kindBF16:   oneBF16AVX512,
		kindQ2K:    oneQ2KAVX512,
		kindQ3K:    oneQ3KAVX512,
		kindQ4K:    oneQ4KAVX512,
		kindQ5K:    oneQ5KAVX512,
		kindQ6K:    oneQ6KAVX512,
		kindIQ4XS:  oneIQ4XSAVX512,
		kindIQ1S:   oneIQ1SAVX512,
		kindIQ1M:   oneIQ1MAVX512,
		kindIQ2XXS: oneIQ2XXSAVX512,
		kindIQ2XS:  oneIQ2XSAVX512,
		kindIQ2S:   oneIQ2SAVX512,
		kindIQ3XXS: oneIQ3XXSAVX512,
		kindIQ3S:   oneIQ3SAVX512,
		kindTQ1:    oneTQ1AVX512,
		kindTQ2:    oneTQ2AVX512,
		kindQ4_0:   oneQ4_0AVX512,
		kindQ4_1:   oneQ4_1AVX512,
		kindQ5_0:   oneQ5_0AVX512,
		kindQ5_1:   oneQ5_1AVX512,
		kindQ8_0:   oneQ8_0AVX512,
		kindIQ4NL:  oneIQ4NLAVX512,
		kindMXFP4:  oneMXFP4AVX512,
	},
	fill: [kinds]func(to *panel, w *byte, stride, units int){
		kindF32:    fillF32AVX512,
		kindF16:    fillF16AVX512,
		kindBF16:   fillBF16AVX512,
		kindQ2K:    fillQ2KAVX512,
		kindQ3K:    fillQ3KAVX512,
		kindQ4K:    fillQ4KAVX512,
		kindQ5K:    fillQ5KAVX512,
		kindQ6K:    fillQ6KAVX512,
		kindIQ4XS:  fillIQ4XSAVX512,
		kindIQ1S:   fillIQ1SAVX512,
		kindIQ1M:   fillIQ1MAVX512,
		kindIQ2XXS: fillIQ2XXSAVX512,
		kindIQ2XS:  fillIQ2XSAVX512,
		kindIQ2S:   fillIQ2SAVX512,
		kindIQ3XXS: fillIQ3XXSAVX512,
		kindIQ3S:   fillIQ3SAVX512,
		kindTQ1:    fillTQ1AVX512,
		kindTQ2:    fillTQ2AVX512,
		kindQ4_0:   fillQ4_0AVX512,
		kindQ4_1:   fillQ4_1AVX512,
		kindQ5_0:   fillQ5_0AVX512,
		kindQ5_1:   fillQ5_1AVX512,
		kindQ8_0:   fillQ8_0AVX512,
		kindIQ4NL:  fillIQ4NLAVX512,
		kindMXFP4:  fillMXFP4AVX512,
	},
	product: [methods]func(sums *float32, from *panel, recs *byte, offsets *int, n, units int){
		methodFloats:    productFloatsAVX512,
		method16:        product16AVX512,
		method16Mins:    product16MinsAVX512,
		method32:        product32AVX512,
		method32Mins:    product32MinsAVX512,
		methodSmall:     productSmallAVX512,
		methodSmallMins: productSmallMinsAVX512,
	},
}

var avx2 = panels{
	height:   8,
	signed:   true,
	prefetch: prefetch,
	one: [kinds]func(dst *float32, w *byte, stride, count, units int, rec *byte, step int){
		kindF32:   oneF32AVX2,
		kindF16:   oneF16AVX2,
		kindBF16:  oneBF16AVX2,
		kindQ2K:   oneQ2KAVX2,
		kindQ3K:   oneQ3KAVX2,
		kindQ4K:   oneQ4KAVX2,
		kindQ5K:   oneQ5KAVX2,
		kindQ6K:   oneQ6KAVX2,
		kindIQ4XS: oneIQ4XSAVX2,
		kindTQ1:   oneTQ1AVX2,
		kindTQ2:   oneTQ2AVX2,
		kindQ4_0:  oneQ4_0AVX2,
		kindQ4_1:  oneQ4_1AVX2,
		kindQ5_0:  oneQ5_0AVX2,
		kindQ5_1:  oneQ5_1AVX2,
		kindQ8_0:  oneQ8_0AVX2,
		kindIQ4NL: oneIQ4NLAVX2,
		kindMXFP4: oneMXFP4AVX2,
	},
	fill: [kinds]func(to *panel, w *byte, stride, units int){
		kindF32:   fillF32AVX2,
		kindF16:   fillF16AVX2,
		kindBF16:  fillBF16AVX2,
		kindQ2K:   fillQ2KAVX2,
		kindQ3K:   fillQ3KAVX2,
		kindQ4K:   fillQ4KAVX2,
		kindQ5K:   fillQ5KAVX2,
		kindQ6K:   fillQ6KAVX2,
		kindIQ4XS: fillIQ4XSAVX2,
		kindTQ1:   fillTQ1AVX2,
		kindTQ2:   fillTQ2AVX2,
		kindQ4_0:  fillQ4_0AVX2,
		kindQ4_1:  fillQ4_1AVX2,
		kindQ5_0:  fillQ5_0AVX2,
		kindQ5_1:  fillQ5_1AVX2,
		kindQ8_0:  fillQ8_0AVX2,
		kindIQ4NL: fillIQ4NLAVX2,
		kindMXFP4: fillMXFP4AVX2,
	},
	product: [methods]func(sums *float32, from *panel, recs *byte, offsets *int, n, units int){
		methodFloats:    productFloatsAVX2,
		method16:        product16AVX2,
		method16Mins:    product16MinsAVX2,
		method32:        product32AVX2,
		method32Mins:    product32MinsAVX2,
		methodSmall:     productSmallAVX2,
		methodSmallMins: productSmallMinsAVX2,
	},
}
