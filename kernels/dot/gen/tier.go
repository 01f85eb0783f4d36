package main

import (
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tier is what the kernels that are being written run on: avo, too, writes one
// function at a time. Vectors of AVX-512 hold 16 rows, those of AVX2 eight.
// AVX2 multiplies unsigned with signed bytes in sums of 16 bits, which codes of
// types with minima fit; those of other types are kept with their sign there,
// and are plus 128 in AVX-512.
var tier = struct {
	name  string
	bytes int // of a vector
}{"AVX512", 64}

func wide() bool { return tier.bytes == 64 }

// rows is how many rows a vector holds.
func rows() int { return tier.bytes / 4 }

func begin(name, doc, signature string) {
	TEXT(name+tier.name, NOSPLIT, signature)
	Doc(name + tier.name + " " + doc + ".")
}

func vec() VecVirtual {
	if wide() {
		return ZMM()
	}
	return YMM()
}

func load(m Mem) VecVirtual {
	v := vec()
	VMOVUPS(m, v)
	return v
}

func store(v Op, m Mem) { VMOVUPS(v, m) }

// register loads what lies in memory.
func register(v Op) VecVirtual {
	if m, ok := v.(Mem); ok {
		return load(m)
	}
	return v.(VecVirtual)
}

// keep puts vectors on the stack where registers are few.
func keep(vs ...VecVirtual) (out []Op) {
	for _, v := range vs {
		if wide() || v == nil {
			out = append(out, v)
			continue
		}
		m := AllocLocal(tier.bytes)
		store(v, m)
		out = append(out, m)
	}
	return out
}

// zero clears a register. Whatever is in Z31, which nobody uses, the exclusive
// or with itself is zero; the allocator takes v with itself for a use.
func zero() VecVirtual {
	v := vec()
	if wide() {
		VPXORD(Z31, Z31, v)
	} else {
		VPXOR(v, v, v)
	}
	return v
}

func and(a, b Op) VecVirtual {
	r := vec()
	if wide() {
		VPANDD(a, b, r)
	} else {
		VPAND(a, b, r)
	}
	return r
}

// or puts a into b.
func or(a, b VecVirtual) VecVirtual {
	if wide() {
		VPORD(a, b, b)
	} else {
		VPOR(a, b, b)
	}
	return b
}

// andOr is v&mask | also, in also.
func andOr(v, mask, also VecVirtual) VecVirtual {
	if wide() {
		VPTERNLOGD(Imm(0xf8), mask, v, also) // also | v&mask
		return also
	}
	return or(and(mask, v), also)
}

// every repeats an int32 or a float32 of memory.
func every(m Mem) VecVirtual {
	v := vec()
	VPBROADCASTD(m, v)
	return v
}

// everyWord repeats a constant.
func everyWord(bits uint32) VecVirtual {
	if !wide() {
		return every(constant(fmt.Sprintf("word%x", bits), uint8(bits), uint8(bits>>8), uint8(bits>>16), uint8(bits>>24)))
	}
	r, v := GP32(), ZMM()
	MOVL(U32(bits), r)
	VPBROADCASTD(r, v)
	return v
}

func everyByte(b uint8) VecVirtual { return everyWord(uint32(b) * 0x01010101) }

// inLanes repeats 16 bytes in all lanes of a vector.
func inLanes(name string, values ...uint8) VecVirtual {
	v := vec()
	if m := constant(name, values...); wide() {
		VBROADCASTI32X4(m, v)
	} else {
		VBROADCASTI128(m, v)
	}
	return v
}

// bits moves bit from+i of every byte to bit to+i, count of them, and clears
// the others.
func bits(v VecVirtual, from, count, to int) VecVirtual {
	r := vec()
	if wide() {
		var rows [8]uint8 // row 7-i says which bits bit i is the sum of
		for i := range count {
			rows[7-to-i] = 1 << (from + i)
		}
		m := constant(fmt.Sprintf("bits%d_%d_%d", from, count, to), rows[:]...)
		VGF2P8AFFINEQB_BCST(Imm(0), m, v, r)
		return r
	}
	b := uint8((1<<count - 1) << to)
	mask := spread(fmt.Sprintf("mask%x", b), []uint8{b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b})
	switch {
	case from > to:
		VPSRLW(Imm(uint64(from-to)), v, r)
	case from < to:
		VPSLLW(Imm(uint64(to-from)), v, r)
	default:
		VPAND(mask, v, r)
		return r
	}
	VPAND(mask, r, r)
	return r
}

// eights makes, as byte j of every word, 8 bits from bit first+step*j on, of
// which those from the word's end on are anything.
func eights(v VecVirtual, first, step int) VecVirtual {
	if wide() {
		ctrl := make([]uint8, 16)
		for i := range ctrl {
			ctrl[i] = uint8((first + step*(i%4) + i/4%2*32) % 64)
		}
		r := ZMM()
		VMOVDQU32(spread(fmt.Sprintf("eights%d_%d", first, step), ctrl), r)
		VPMULTISHIFTQB(v, r, r)
		return r
	}
	var all VecVirtual
	for j := range 4 {
		b := vec()
		VPSRLD(Imm(uint64(first+step*j)), v, b)
		if j < 3 {
			VPSLLD(Imm(24), b, b)
			VPSRLD(Imm(uint64(24-8*j)), b, b)
		} else {
			VPSLLD(Imm(24), b, b)
		}
		if j == 0 {
			all = b
		} else {
			all = or(b, all)
		}
	}
	return all
}

// halfFloats widens the low 16 bits of words, which are halves.
func halfFloats(v VecVirtual) VecVirtual {
	f := vec()
	if wide() {
		h := YMM()
		VPMOVDW(v, h)
		VCVTPH2PS(h, f)
		return f
	}
	h := YMM()
	VPSHUFB(spread("lowHalves", []uint8{0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13}), v, h)
	VPERMQ(Imm(0x08), h, h)
	VCVTPH2PS(h.AsX(), f)
	return f
}

// upperHalf brings the high 16 bits of words down.
func upperHalf(v VecVirtual) VecVirtual {
	r := vec()
	VPSRLD(Imm(16), v, r)
	return r
}

// mulEvery multiplies with a float32 of memory.
func mulEvery(m Mem, v Op) VecVirtual {
	r := vec()
	if wide() {
		VMULPS_BCST(m, v, r)
		return r
	}
	VBROADCASTSS(m, r)
	VMULPS(v, r, r)
	return r
}

// fused adds the product with a float32 of memory to sum.
func fused(m Mem, v, sum VecVirtual) {
	if wide() {
		VFMADD231PS_BCST(m, v, sum)
		return
	}
	VFMADD231PS(every(m), v, sum)
}

// codes is a vector of codes, as dot wants them.
type codes struct{ v, size VecVirtual }

// ready prepares codes for dot; signed says that they have a sign in AVX2.
func ready(v VecVirtual, signed bool) codes {
	if wide() || !signed {
		return codes{v: v}
	}
	size := vec()
	VPABSB(v, size)
	return codes{v, size}
}

// dot adds to every word of sum its four codes times the four activations in
// memory.
func dot(m Mem, c codes, sum VecVirtual) {
	if wide() {
		VPDPBUSD_BCST(m, c.v, sum)
		return
	}
	a := every(m)
	if c.size != nil {
		VPSIGNB(c.v, a, a)
		VPMADDUBSW(a, c.size, a)
	} else {
		VPMADDUBSW(a, c.v, a)
	}
	VPMADDWD(spread("ones", []uint8{1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}), a, a)
	VPADDD(a, sum, sum)
}

// pairDot adds to every word of sum its two int16s times the two in memory.
func pairDot(m Mem, v, sum VecVirtual) {
	if wide() {
		VPDPWSSD_BCST(m, v, sum)
		return
	}
	a := every(m)
	VPMADDWD(v, a, a)
	VPADDD(a, sum, sum)
}

var constants = map[string]Mem{}

// constant gives bytes a place.
func constant(name string, values ...uint8) Mem {
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	at := 0
	for ; at+8 <= len(values); at += 8 {
		DATA(at, U64(binary.LittleEndian.Uint64(values[at:])))
	}
	for ; at < len(values); at++ {
		DATA(at, U8(values[at]))
	}
	constants[name] = m
	return m
}

// spread gives 16 bytes a place, four times.
func spread(name string, values []uint8) Mem {
	var all []uint8
	for range 4 {
		all = append(all, values...)
	}
	return constant(name, all...)
}

func finish() {
	VZEROUPPER()
	RET()
}

func param(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// The kinds of kernels, see panels.
const (
	signatureOne     = "func(dst *float32, w *byte, stride, count, units int, rec *byte, step int)"
	signatureFill    = "func(to *byte, w *byte, stride, units int)"
	signatureProduct = "func(sums *float32, from *byte, recs *byte, offsets *int, n, units int)"
)
