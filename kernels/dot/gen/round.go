package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	infinity = 0x7f800000
	notANumb = 0x7fc00000
	least    = 0x04000000 // 2^-119: what is below counts as zero
)

// reduce makes all elements of v what op makes of them.
func reduce(v VecVirtual, op func(a, b, c Op)) {
	u := ZMM()
	for _, order := range []uint64{0x4e, 0xb1} {
		VSHUFI32X4(Imm(order), v, v, u)
		op(u, v, v)
	}
	for _, order := range []uint64{0x4e, 0xb1} {
		VPSHUFD(Imm(order), v, u)
		op(u, v, v)
	}
}

// constantFloat is a float32 in memory.
func constantFloat(name string, bits uint32) Mem {
	return constant(name, uint8(bits), uint8(bits>>8), uint8(bits>>16), uint8(bits>>24))
}

// rounded writes 16 numbers times inv, rounded, as bytes.
func rounded(x Mem, inv VecVirtual, to Mem) {
	v, q := ZMM(), XMM()
	VMULPS(x, inv, v)
	VCVTPS2DQ(v, v)
	VPMOVSDB(v, q)
	VMOVDQU(q, to)
}

// roundSuper writes the rounding of 256 numbers to a superRecord, but sums32.
func roundSuper() {
	begin("roundSuper", "does what roundSuper does, without sums32", "func(r *byte, x *float32)")
	r, x := param("r"), param("x")
	size, most := everyWord(0x7fffffff), zero()
	for i := range 16 {
		VPMAXUD(and(Mem{Base: x, Disp: 64 * i}, size), most, most)
	}
	reduce(most, func(a, b, c Op) { VPMAXUD(a, b, c) })
	top := GP32()
	VMOVD(most.AsX(), top)
	CMPL(top, U32(infinity))
	JCC(LabelRef("notFinite"))
	CMPL(top, U32(least))
	JCS(LabelRef("zero"))

	// The first of the largest has the sign.
	at, equal := GP64(), GP32()
	MOVQ(x, at)
	Label("look")
	v, k := and(Mem{Base: at}, size), K()
	VPCMPEQD(most, v, k)
	KMOVW(k, equal)
	ADDQ(Imm(64), at)
	TESTL(equal, equal)
	JZ(LabelRef("look"))
	TZCNTL(equal, equal)
	inv, d, all := XMM(), XMM(), ZMM()
	VMOVSS(constantFloat("minus127", 0xc2fe0000), inv)
	VDIVSS(Mem{Base: at, Index: equal.As64(), Scale: 4, Disp: -64}, inv, inv)
	VMOVSS(constantFloat("one", 0x3f800000), d)
	VDIVSS(inv, d, d)
	VMOVSS(d, Mem{Base: r, Disp: superD})
	VBROADCASTSS(inv, all)
	for i := range 16 {
		rounded(Mem{Base: x, Disp: 64 * i}, all, Mem{Base: r, Disp: 16 * i})
	}
	ones := everyByte(1)
	for i := range 4 {
		sum := quarterSums(Mem{Base: r, Disp: 64 * i}, ones)
		words := YMM()
		VPMOVDW(sum, words)
		VMOVQ(words.AsX(), Mem{Base: r, Disp: superSums16 + 8*i})
	}
	finish()

	noScale(top)
	MOVL(top, Mem{Base: r, Disp: superD})
	none := zero()
	for i := range 4 {
		VMOVDQU32(none, Mem{Base: r, Disp: 64 * i})
	}
	VMOVDQU32(none.AsY(), Mem{Base: r, Disp: superSums16})
	finish()
}

// noScale is where numbers end that have no scale: top becomes zero or NaN,
// whatever they are.
func noScale(top GPVirtual) {
	Label("notFinite")
	MOVL(U32(notANumb), top)
	JMP(LabelRef("none"))
	Label("zero")
	XORL(top, top)
	Label("none")
}

// quarterSums are the sums of 16 signed bytes, as the first four int32s.
func quarterSums(q Mem, ones VecVirtual) VecVirtual {
	sum, u := zero(), ZMM()
	VPDPBUSD(q, ones, sum)
	for _, order := range []uint64{0x4e, 0xb1} {
		VPSHUFD(Imm(order), sum, u)
		VPADDD(u, sum, sum)
	}
	// One of each lane.
	order := ZMM()
	var words []uint8
	for i := range 16 {
		words = append(words, uint8(4*i%16), 0, 0, 0)
	}
	VMOVDQU32(constant("everyFourth", words...), order)
	VPERMD(sum, order, sum)
	return sum
}

// roundSmall writes the rounding of units of 32 numbers to a smallRecord.
func roundSmall() {
	begin("roundSmall", "rounds units of 32 numbers", "func(r *byte, x *float32, units int)")
	q, x, left := param("r"), param("x"), param("units")
	d := GP64()
	LEAQ(Mem{Base: q, Disp: smallD}, d)
	size, ones := everyWord(0x7fffffff), everyByte(1)
	Label("unit")
	most, second := and(Mem{Base: x}, size), and(Mem{Base: x, Disp: 64}, size)
	VPMAXUD(second, most, most)
	reduce(most, func(a, b, c Op) { VPMAXUD(a, b, c) })
	top := GP32()
	VMOVD(most.AsX(), top)
	CMPL(top, U32(infinity))
	JCC(LabelRef("notFinite"))
	CMPL(top, U32(least))
	JCS(LabelRef("zero"))
	step, inv, by, all := XMM(), XMM(), XMM(), ZMM()
	VMOVSS(constantFloat("plus127", 0x42fe0000), by)
	VDIVSS(by, most.AsX(), step)
	VCVTPS2PH(Imm(0), step, step)
	VCVTPH2PS(step, step)
	VMOVSS(step, Mem{Base: d})
	VDIVSS(most.AsX(), by, inv)
	VBROADCASTSS(inv, all)
	for i := range 2 {
		rounded(Mem{Base: x, Disp: 64 * i}, all, Mem{Base: q, Disp: 16 * i})
	}
	bytes := ZMM()
	VBROADCASTI64X4(Mem{Base: q}, bytes)
	sum := zero()
	VPDPBUSD(bytes, ones, sum) // each twice
	reduce(sum, func(a, b, c Op) { VPADDD(a, b, c) })
	VPSLLD(Imm(6), sum, sum)
	minus := zero()
	VPSUBD(sum, minus, minus)
	VMOVD(minus.AsX(), Mem{Base: d, Disp: smallSums - smallD})
	Label("next")
	ADDQ(U32(128), x)
	ADDQ(Imm(32), q)
	ADDQ(Imm(4), d)
	DECQ(left)
	JNZ(LabelRef("unit"))
	finish()

	noScale(top)
	MOVL(top, Mem{Base: d})
	MOVL(U32(0), Mem{Base: d, Disp: smallSums - smallD})
	none := zero()
	VMOVDQU32(none.AsY(), Mem{Base: q})
	JMP(LabelRef("next"))
}
