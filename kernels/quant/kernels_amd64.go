//go:build !noasm

package quant

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go -C gen run . -out ../kernels_amd64.s

// impls are the implementations besides scalar, best first.
var impls = []kernels{
	{
		name: "avx512",
		ok: cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL &&
			cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512VNNI && cpu.X86.HasAVX512GFNI,
		fitAffine: fitAffineAVX512, rateAffine: rateAffineAVX512,
		fitScale: fitScaleAVX512, rateScale: rateScaleAVX512,
		fitTable: fitTableAVX512, rateTable: rateTableAVX512,
	},
	{
		name:      "avx2",
		ok:        cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C,
		fitAffine: fitAffineAVX2, rateAffine: rateAffineAVX2,
		fitScale: fitScaleAVX2, rateScale: rateScaleAVX2,
		fitTable: fitTableAVX2, rateTable: rateTableAVX2,
	},
}

// The assembly trusts in these offsets; where one is wrong, an array here has
// a negative length or an index is out of range.
var (
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.off)-1*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.qx)-4*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.gain)-7*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.n)-8*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(affineFacts{}.ceiling)-16]
	_ = [1]byte{}[unsafe.Offsetof(levels{}.hi)-4]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.turn)-64]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.first)-448]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.near)-464]
)

//go:noescape
func fitAffineAVX512(l *lanes, z, w []float32, f *affineFacts)

//go:noescape
func fitAffineAVX2(l *lanes, z, w []float32, f *affineFacts)

//go:noescape
func rateAffineAVX512(l *lanes, z, w []float32, f *affineFacts)

//go:noescape
func rateAffineAVX2(l *lanes, z, w []float32, f *affineFacts)

//go:noescape
func fitScaleAVX512(l *lanes, x, w []float32, v *levels)

//go:noescape
func fitScaleAVX2(l *lanes, x, w []float32, v *levels)

//go:noescape
func rateScaleAVX512(l *lanes, x, w []float32, v *levels)

//go:noescape
func rateScaleAVX2(l *lanes, x, w []float32, v *levels)

//go:noescape
func fitTableAVX512(l *lanes, x, w []float32, t *levelTable)

//go:noescape
func fitTableAVX2(l *lanes, x, w []float32, t *levelTable)

//go:noescape
func rateTableAVX512(l *lanes, x, w []float32, t *levelTable)

//go:noescape
func rateTableAVX2(l *lanes, x, w []float32, t *levelTable)
