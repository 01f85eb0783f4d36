package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packHalves starts a kernel that rounds 16 weights after the other to 2 bytes.
func (t tier) packHalves(name string, begin func(dst, x Register) (step func())) {
	t.begin(name, "does what "+name+" does", "func(dst []byte, x []float32)")
	dst, x := base("dst"), base("x")
	left := Load(Param("x").Len(), GP64())
	step := begin(dst, x)
	JMP(LabelRef("enough"))
	Label("weights")
	step()
	ADDQ(Imm(32), dst)
	ADDQ(Imm(64), x)
	Label("enough")
	SUBQ(Imm(16), left)
	JGE(LabelRef("weights"))
	finish()
}

func (t tier) packBF16() {
	t.packHalves("packBF16", func(dst, x Register) func() {
		one, almost, quiet := t.word(1), t.word(0x7fff), t.word(0x40)
		round := func(at int) VecVirtual {
			v, short, r := t.load(Mem{Base: x, Disp: at}), t.vec(), t.vec()
			VPSRLD(Imm(16), v, short)
			move(short, r)
			t.and(one, r)
			VPADDD(almost, r, r)
			VPADDD(v, r, r)
			VPSRLD(Imm(16), r, r)
			if t.wide() {
				VPORD(quiet, short, short)
				k := K()
				VCMPPS(Imm(3), v, v, k) // NaN
				t.take(k, short, r)
			} else {
				VPOR(quiet, short, short)
				VCMPPS(Imm(3), v, v, v)
				t.take(v, short, r)
			}
			return r
		}
		return func() {
			if t.wide() {
				VPMOVDW(round(0), Mem{Base: dst})
				return
			}
			a := round(0)
			VPACKUSDW(round(32), a, a)
			VPERMQ(Imm(0xd8), a, a)
			t.store(a, Mem{Base: dst})
		}
	})
}

func (t tier) packF16() {
	t.packHalves("packF16", func(dst, x Register) func() {
		return func() {
			for at := 0; at < 64; at += t.bytes {
				VCVTPS2PH(Imm(0), t.load(Mem{Base: x, Disp: at}), Mem{Base: dst, Disp: at / 2})
			}
		}
	})
}
