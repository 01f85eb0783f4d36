package dot

import (
	"encoding/binary"
	"math"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// layout is how products with a type are computed. Types without one are
// dequantized, and meet activations as they are.
//
// With superForm a weight is d*sc*(code-zero), or with mins d*sc*code - m*mn,
// sc and mn being those of its group. With smallForm it is d*(code-zero), or
// with mins d*code + m.
type layout struct {
	form   form
	kind   kind
	group  int // weights that share sc and mn
	mins   bool
	zero   int32
	unpack func(u *unit, b []byte) // a block
}

// unit is an unpacked block.
type unit struct {
	q      [chunk]uint8
	sc, mn [16]int32
	d, m   float32
}

// kind numbers the types that may have kernels of their own.
type kind int

const (
	kindF32 kind = iota
	kindF16
	kindBF16
	kindQ2K
	kindQ3K
	kindQ4K
	kindQ5K
	kindQ6K
	kindIQ4XS
	kindIQ1S
	kindIQ1M
	kindIQ2XXS
	kindIQ2XS
	kindIQ2S
	kindIQ3XXS
	kindIQ3S
	kindTQ1
	kindTQ2
	kindQ4_0
	kindQ4_1
	kindQ5_0
	kindQ5_1
	kindQ8_0
	kindIQ4NL
	kindMXFP4

	kinds
)

var layouts = map[string]*layout{
	"f32":  {kind: kindF32},
	"f16":  {kind: kindF16},
	"bf16": {kind: kindBF16},

	"q2_k":   {form: superForm, kind: kindQ2K, group: 16, mins: true, unpack: unpackQ2K},
	"q3_k":   {form: superForm, kind: kindQ3K, group: 16, zero: 4, unpack: unpackQ3K},
	"q4_k":   {form: superForm, kind: kindQ4K, group: 32, mins: true, unpack: unpackQ4K},
	"q5_k":   {form: superForm, kind: kindQ5K, group: 32, mins: true, unpack: unpackQ5K},
	"q6_k":   {form: superForm, kind: kindQ6K, group: 16, zero: 32, unpack: unpackQ6K},
	"iq4_xs": {form: superForm, kind: kindIQ4XS, group: 32, zero: 128, unpack: unpackIQ4XS},

	"iq1_s":   {form: superForm, kind: kindIQ1S, group: 32, zero: iqZero, unpack: unpackIQ1S},
	"iq1_m":   {form: superForm, kind: kindIQ1M, group: 16, zero: iqZero, unpack: unpackIQ1M},
	"iq2_xxs": {form: superForm, kind: kindIQ2XXS, group: 32, zero: iqZero, unpack: unpackIQ2XXS},
	"iq2_xs":  {form: superForm, kind: kindIQ2XS, group: 16, zero: iqZero, unpack: unpackIQ2XS},
	"iq2_s":   {form: superForm, kind: kindIQ2S, group: 16, zero: iqZero, unpack: unpackIQ2S},
	"iq3_xxs": {form: superForm, kind: kindIQ3XXS, group: 32, zero: iqZero, unpack: unpackIQ3XXS},
	"iq3_s":   {form: superForm, kind: kindIQ3S, group: 32, zero: iqZero, unpack: unpackIQ3S},
	"tq1_0":   {form: superForm, kind: kindTQ1, group: 32, zero: 1, unpack: unpackTQ1},
	"tq2_0":   {form: superForm, kind: kindTQ2, group: 32, zero: 1, unpack: unpackTQ2},

	"q4_0":   {form: smallForm, kind: kindQ4_0, zero: 8, unpack: unpackQ4_0},
	"q4_1":   {form: smallForm, kind: kindQ4_1, mins: true, unpack: unpackQ4_1},
	"q5_0":   {form: smallForm, kind: kindQ5_0, zero: 16, unpack: unpackQ5_0},
	"q5_1":   {form: smallForm, kind: kindQ5_1, mins: true, unpack: unpackQ5_1},
	"q8_0":   {form: smallForm, kind: kindQ8_0, zero: 128, unpack: unpackQ8_0},
	"iq4_nl": {form: smallForm, kind: kindIQ4NL, zero: 128, unpack: unpackIQ4NL},
	"mxfp4":  {form: smallForm, kind: kindMXFP4, zero: 128, unpack: unpackMXFP4},
}

// scaleMin reads the 6-bit scale and minimum j of 8 of q4_k and q5_k.
func scaleMin(b []byte, j int) (sc, mn int32) {
	if j < 4 {
		return int32(b[j] & 63), int32(b[j+4] & 63)
	}
	return int32(b[j+4]&15 | b[j-4]>>6<<4), int32(b[j+4]>>4 | b[j]>>6<<4)
}

func unpackQ2K(u *unit, b []byte) {
	u.d, u.m = half(b[80:]), half(b[82:])
	for j, s := range b[:16] {
		u.sc[j], u.mn[j] = int32(s&15), int32(s>>4)
	}
	unpackPairs(u, b[16:80])
}

// unpackPairs reads 64 bytes of bit pairs: runs of 32 codes are pairs 0..3 of
// the first, then of the second 32 bytes.
func unpackPairs(u *unit, b []byte) {
	for run := range 8 {
		for l, v := range b[run/4*32:][:32] {
			u.q[32*run+l] = v >> (run % 4 * 2) & 3
		}
	}
}

func unpackQ3K(u *unit, b []byte) {
	u.d = half(b[108:])
	sc := b[96:108]
	for j := range 16 {
		u.sc[j] = int32(sc[j%8]>>(j/8*4)&15|sc[8+j%4]>>(j/4*2)&3<<4) - 32
	}
	unpackPairs(u, b[32:96])
	for i := range u.q {
		u.q[i] |= b[i%32] >> (i / 32) & 1 << 2
	}
}

func unpackQ4K(u *unit, b []byte) {
	u.d, u.m = half(b), half(b[2:])
	for j := range 8 {
		u.sc[j], u.mn[j] = scaleMin(b[4:16], j)
		for l, v := range b[16+j/2*32:][:32] {
			u.q[32*j+l] = v >> (j % 2 * 4) & 15
		}
	}
}

func unpackQ5K(u *unit, b []byte) {
	u.d, u.m = half(b), half(b[2:])
	for j := range 8 {
		u.sc[j], u.mn[j] = scaleMin(b[4:16], j)
		for l, v := range b[48+j/2*32:][:32] {
			u.q[32*j+l] = v>>(j%2*4)&15 | b[16+l]>>j&1<<4
		}
	}
}

func unpackQ6K(u *unit, b []byte) {
	u.d = half(b[208:])
	for j, s := range b[192:208] {
		u.sc[j] = int32(int8(s))
	}
	for run := range 8 {
		low, high := b[run/4*64+run%2*32:][:32], b[128+run/4*32:][:32]
		for l, v := range low {
			u.q[32*run+l] = v>>(run%4/2*4)&15 | high[l]>>(run%4*2)&3<<4
		}
	}
}

func unpackIQ4XS(u *unit, b []byte) {
	u.d = half(b)
	high := binary.LittleEndian.Uint16(b[2:])
	for j := range 8 {
		u.sc[j] = int32(b[4+j/2]>>(j%2*4)&15|uint8(high>>(2*j)&3)<<4) - 32
		unpackTable(u.q[32*j:], b[8+16*j:], &iq4Codes)
	}
}

// Values of codes, plus 128.
var (
	iq4Codes  = [16]uint8{1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241}
	fp4Codes  = [16]uint8{128, 129, 130, 131, 132, 134, 136, 140, 128, 127, 126, 125, 124, 122, 120, 116}
	plusCodes = [16]uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
)

// unpackTable reads 32 nibbles: the low ones of 16 bytes, then the high ones.
func unpackTable(q []uint8, b []byte, table *[16]uint8) {
	for j, v := range b[:16] {
		q[j], q[j+16] = table[v&15], table[v>>4]
	}
}

func unpackQ4_0(u *unit, b []byte) {
	u.d = half(b)
	unpackTable(u.q[:], b[2:], &plusCodes)
}

func unpackQ4_1(u *unit, b []byte) {
	u.d, u.m = half(b), half(b[2:])
	unpackTable(u.q[:], b[4:], &plusCodes)
}

func unpackQ5_0(u *unit, b []byte) {
	u.d = half(b)
	unpackTable(u.q[:], b[6:], &plusCodes)
	unpackFifth(u, b[2:])
}

func unpackQ5_1(u *unit, b []byte) {
	u.d, u.m = half(b), half(b[2:])
	unpackTable(u.q[:], b[8:], &plusCodes)
	unpackFifth(u, b[4:])
}

// unpackFifth adds the fifth bits of 32 codes.
func unpackFifth(u *unit, b []byte) {
	high := binary.LittleEndian.Uint32(b)
	for j := range u.q[:32] {
		u.q[j] |= uint8(high>>j&1) << 4
	}
}

func unpackQ8_0(u *unit, b []byte) {
	u.d = half(b)
	for j, v := range b[2:34] {
		u.q[j] = v ^ 128
	}
}

func unpackIQ4NL(u *unit, b []byte) {
	u.d = half(b)
	unpackTable(u.q[:], b[2:], &iq4Codes)
}

func unpackMXFP4(u *unit, b []byte) {
	// Half of a power of two, since the table's values are doubled.
	if e := b[0]; e < 2 {
		u.d = math.Float32frombits(0x00200000 << e)
	} else {
		u.d = math.Float32frombits(uint32(e-1) << 23)
	}
	unpackTable(u.q[:], b[1:], &fp4Codes)
}

func half(b []byte) float32 { return quant.F16ToF32(binary.LittleEndian.Uint16(b)) }
