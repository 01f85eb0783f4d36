package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func (t tier) top() {
	t.begin("top", "func(x []float32) float32")
	x := base("x")
	r := t.run("x")
	most := t.vec()
	VMOVUPS(float("minusInf", math.Inf(-1)), most)
	r.each(func() {
		VMAXPS(most, t.load(r.here(x)), most) // the second where one is NaN
	})
	if t.wide() {
		VMAXPS(t.high(most), most.AsY(), most.AsY())
	}
	y := most.AsY().(VecVirtual)
	low := most.AsX().(VecVirtual)
	VMAXPS(tier{bytes: 32}.high(y), low, low)
	for _, order := range []uint64{0x4e, 0xb1} {
		u := XMM()
		VPERMILPS(Imm(order), low, u)
		VMAXPS(u, low, low)
	}
	zero := XMM()
	VXORPS(zero, zero, zero)
	VADDSS(zero, low, low)
	Store(low, ReturnIndex(0))
	finish()
}

// doubles are eight sums, in one vector or two.
func (t tier) doubles() []VecVirtual {
	sums := t.vecs(t.perStep())
	for _, v := range sums {
		t.zero(v)
	}
	return sums
}

// total returns the sum of eight lanes, in halves.
func (t tier) total(sums []VecVirtual) {
	four := YMM()
	if t.wide() {
		VADDPD(t.high(sums[0]), sums[0].AsY(), four)
	} else {
		VADDPD(sums[1], sums[0], four)
	}
	two, one := XMM(), XMM()
	VADDPD(tier{bytes: 32}.high(four), four.AsX(), two)
	VPERMILPD(Imm(1), two, one)
	VADDSD(one, two, two)
	Store(two, ReturnIndex(0))
	finish()
}

func (t tier) squares() {
	t.begin("squares", "func(x []float32) float64")
	x := base("x")
	r := t.run("x")
	sums := t.doubles()
	step := *r
	step.bytes = 32 // eight numbers, whatever the tier
	step.each(func() {
		for i, sum := range sums {
			v := t.vec()
			m := r.here(x)
			m.Disp = 16 * i
			VCVTPS2PD(m, v)
			VMULPD(v, v, v)
			VADDPD(v, sum, sum)
		}
	})
	t.total(sums)
}

func (t tier) expSum() {
	t.begin("expSum", "func(dst, x []float32, from float32) float64")
	dst, x, from := base("dst"), base("x"), t.scalarParam("from")
	r := t.run("x")
	e := t.exponential()
	sums := t.doubles()
	r.each(func() {
		v := t.load(r.here(x))
		VSUBPS(from, v, v)
		v = e.of(v)
		t.store(v, r.here(dst))
		for i, half := range []Op{t.low(v), t.high(v)} {
			d := t.vec()
			VCVTPS2PD(half, d)
			sum := sums[i%len(sums)]
			VADDPD(d, sum, sum)
		}
	})
	t.total(sums)
}

func (t tier) norm() {
	t.begin("norm", "func(dst, x, w []float32, by float32)")
	dst, x, w, by := base("dst"), base("x"), base("w"), t.scalarParam("by")
	r := t.run("x")
	r.each(func() {
		v := t.mul(by, r.here(x))
		VMULPS(r.here(w), v, v)
		t.store(v, r.here(dst))
	})
	finish()
}
