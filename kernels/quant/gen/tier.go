package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tier is a width of vectors, and how to write for it what differs.
type tier struct {
	name  string
	bytes int // of a vector
}

func (t tier) wide() bool { return t.bytes == 64 }

func (t tier) vec() VecVirtual {
	if t.wide() {
		return ZMM()
	}
	return YMM()
}

// begin starts the function name of the tier. Its declaration is in quant,
// with the types that pointers have there.
func (t tier) begin(name, doc, signature string) {
	TEXT(name+t.name, NOSPLIT, signature)
	Doc(fmt.Sprintf("%s%s %s.", name, t.name, doc))
}

func finish() {
	VZEROUPPER()
	RET()
}

// zero clears a vector.
func (t tier) zero(v VecVirtual) {
	if t.wide() {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

// load and store move a vector, aligned or not.
func (t tier) load(m Mem) VecVirtual {
	v := t.vec()
	VMOVUPS(m, v)
	return v
}

func (t tier) store(v Op, m Mem) { VMOVUPS(v, m) }

// every repeats a float32 or int32 of memory.
func (t tier) every(m Op) VecVirtual {
	v := t.vec()
	VBROADCASTSS(m, v)
	return v
}

// word repeats a constant.
func (t tier) word(bits uint32) VecVirtual {
	r, v := GP32(), t.vec()
	MOVL(U32(bits), r)
	t.broadcast(r, v)
	return v
}

// broadcast repeats an int32.
func (t tier) broadcast(r Register, v VecVirtual) {
	if t.wide() {
		VPBROADCASTD(r, v)
		return
	}
	x := XMM()
	VMOVD(r, x)
	VPBROADCASTD(x, v)
}

var numbersData Mem

// numbers are 0, 1, 2, ..., of which a vector holds the first.
func (t tier) numbers() Mem {
	if numbersData.Symbol.Name == "" {
		numbersData = GLOBL("numbers", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(i))
		}
	}
	return numbersData
}

func (t tier) float(f float32) VecVirtual { return t.word(math.Float32bits(f)) }

func (t tier) mul(a, b Op) VecVirtual { v := t.vec(); VMULPS(b, a, v); return v }
func (t tier) add(a, b Op) VecVirtual { v := t.vec(); VADDPS(b, a, v); return v }
func (t tier) sub(a, b Op) VecVirtual { v := t.vec(); VSUBPS(b, a, v); return v }
func (t tier) div(a, b Op) VecVirtual { v := t.vec(); VDIVPS(b, a, v); return v }

// clamp is min(max(v, lo), hi) of int32s, in place.
func (t tier) clamp(v, lo, hi VecVirtual) {
	VPMAXSD(lo, v, v)
	VPMINSD(hi, v, v)
}

// above is the mask of a > b, false for NaN.
func (t tier) above(a, b Op) Op {
	if t.wide() {
		k := K()
		VCMPPS(Imm(30), b, a, k)
		return k
	}
	v := t.vec()
	VCMPPS(Imm(30), b, a, v)
	return v
}

// aboveInt is the mask of a > b for int32s.
func (t tier) aboveInt(a, b Op) Op {
	if t.wide() {
		k := K()
		VPCMPD(Imm(6), b, a, k)
		return k
	}
	v := t.vec()
	VPCMPGTD(b, a, v)
	return v
}

// equalBits sets bit i where element i of a and b are equal, the others to 0.
func (t tier) equalBits(a VecVirtual, b Mem, bits Register) {
	if t.wide() {
		k := K()
		VCMPPS(Imm(0), b, a, k)
		KMOVW(k, bits)
		return
	}
	v := t.vec()
	VCMPPS(Imm(0), b, a, v)
	VMOVMSKPS(v, bits)
}

// both is the mask of what a and b have.
func (t tier) both(a, b Op) Op {
	if t.wide() {
		k := K()
		KANDW(a, b, k)
		return k
	}
	v := t.vec()
	VPAND(a, b, v)
	return v
}

// pick is yes where the mask has it, else no.
func (t tier) pick(mask Op, yes, no Op) VecVirtual {
	v := t.vec()
	if t.wide() {
		VBLENDMPS(yes, no, mask, v)
	} else {
		VBLENDVPS(mask, yes, no, v)
	}
	return v
}
