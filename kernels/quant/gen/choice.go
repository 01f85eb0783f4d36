package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of choice are.
const (
	choiceB      = 0
	choiceQ      = 64
	choiceQQ     = 128
	choiceQX     = 192
	choiceSW     = 256
	choiceSWZ    = 320
	choiceBase   = 384
	choiceD      = 448
	choiceDMin   = 576
	choiceLeast  = 704
	choiceErrs   = 832
	choiceMinima = 960
	choiceRow    = 128 // bytes of a row of minima
)

// inverse is 1/v, 0 where |v| is below 2^-100.
func (t tier) inverse(v VecVirtual) VecVirtual {
	size := t.word(0x7fffffff)
	t.and(v, size)
	one, small, zero := t.float(1), t.float(0x1p-100), t.vec()
	t.zero(zero)
	return t.pick(t.above(small, size), zero, t.div(one, v))
}

// negative is v with its sign turned.
func (t tier) negative(v VecVirtual) VecVirtual {
	s := t.word(1 << 31)
	if t.wide() {
		VPXORD(v, s, s)
	} else {
		VPXOR(v, s, s)
	}
	return s
}

// subBlocks is a loop over factors, a vector at a time, to which c points, and
// over the n sub-blocks for each vector, whose fields are found from start.
func (t tier) subBlocks(start, c Register, before func(), step func(field func(at int) Mem), after func()) {
	n, left, j := Load(Param("n"), GP64()), Load(Param("count"), GP64()), GP64()
	Label("factors")
	before()
	XORQ(j, j)
	Label("block")
	step(func(at int) Mem { return Mem{Base: start, Disp: at, Index: j, Scale: 4} })
	INCQ(j)
	CMPQ(j, n)
	JLT(LabelRef("block"))
	after()
	ADDQ(Imm(uint64(t.bytes)), c)
	SUBQ(Imm(uint64(t.bytes/4)), left)
	JG(LabelRef("factors"))
	finish()
}

func (t tier) chooseScales() {
	t.begin("chooseScales", "does what chooseScales does", "func(c *byte, n, count int, most float32)")
	start, c := Load(Param("c"), GP64()), GP64()
	MOVQ(start, c)
	round, hi, zero := t.float(magic), t.scalarParam("most"), t.vec()
	VADDPS(round, hi, hi)
	t.zero(zero)
	row := GP64()
	var d, inv, least VecVirtual
	t.subBlocks(start, c, func() {
		d = t.load(Mem{Base: c, Disp: choiceD})
		inv = t.inverse(d)
		least = t.vec()
		t.zero(least)
		MOVQ(c, row)
	}, func(field func(at int) Mem) {
		b := t.mul(t.every(field(choiceB)), inv)
		VADDPS(round, b, b)
		t.clamp(b, round, hi)
		VSUBPS(round, b, b)
		VMULPS(d, b, b)
		q, sw, swz, from := t.every(field(choiceQ)), t.every(field(choiceSW)), t.every(field(choiceSWZ)), t.every(field(choiceBase))
		m := t.negative(t.sub(swz, t.mul(b, q)))
		VDIVPS(sw, m, m)
		VSUBPS(from, m, m)
		VMAXPS(zero, m, m)
		t.store(m, Mem{Base: row, Disp: choiceMinima})
		ADDQ(Imm(choiceRow), row)
		a := t.sub(t.negative(m), from)
		VSUBPS(t.affineGain(b, a, q, t.every(field(choiceQQ)), t.every(field(choiceQX)), t.add(swz, swz), sw), least, least)
	}, func() {
		t.store(least, Mem{Base: c, Disp: choiceLeast})
	})
}

func (t tier) chooseMinima() {
	t.begin("chooseMinima", "does what chooseMinima does", "func(c *byte, k, n, count int, most float32)")
	start, c, k := Load(Param("c"), GP64()), GP64(), Load(Param("k"), GP64())
	MOVQ(start, c)
	LEAQ(Mem{Base: start, Index: k, Scale: 4, Disp: choiceMinima}, k)
	round, hi := t.float(magic), t.scalarParam("most")
	VADDPS(round, hi, hi)
	row := GP64()
	var dmin, inv, errs VecVirtual
	t.subBlocks(start, c, func() {
		dmin = t.load(Mem{Base: c, Disp: choiceDMin})
		inv = t.inverse(dmin)
		errs = t.vec()
		t.zero(errs)
		MOVQ(k, row)
	}, func(field func(at int) Mem) {
		m := t.every(Mem{Base: row})
		ADDQ(Imm(choiceRow), row)
		q := t.mul(m, inv)
		VADDPS(round, q, q)
		t.clamp(q, round, hi)
		VSUBPS(round, q, q)
		VMULPS(dmin, q, q)
		r := t.sub(m, q)
		VMULPS(r, r, r)
		VMULPS(t.every(field(choiceSW)), r, r)
		VADDPS(r, errs, errs)
	}, func() {
		t.store(errs, Mem{Base: c, Disp: choiceErrs})
	})
}
