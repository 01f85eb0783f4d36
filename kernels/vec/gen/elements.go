package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// exponential holds what of exp32 has to be in registers.
type exponential struct {
	tier
	least, most VecVirtual
}

func (t tier) exponential() *exponential {
	return &exponential{t, t.load(float("expLeast", -104)), t.load(float("expMost", 89))}
}

// of is exp32 of x, which it overwrites.
func (e *exponential) of(x VecVirtual) VecVirtual {
	VMAXPS(x, e.least, x) // the second where one is NaN
	VMINPS(x, e.most, x)
	magic := float("magic", 3<<22)
	t, n := e.mul(x, float("expLog2E", 0x1.715476p+0)), e.vec()
	VADDPS(magic, t, t)
	if !e.wide() {
		VPSUBD(magic, t, n)
	}
	VSUBPS(magic, t, t)
	VSUBPS(e.mul(t, float("expLn2Hi", 0x1.62e4p-1)), x, x)
	VSUBPS(e.mul(t, float("expLn2Lo", 0x1.7f7d1cp-20)), x, x)
	p := e.mul(x, float("expC4", 0x1.6a23cep-10))
	VADDPS(float("expC3", 0x1.123a2p-7), p, p)
	for _, c := range []Mem{float("expC2", 0x1.5558f2p-5), float("expC1", 0x1.555492p-3), float("expC0", 0x1.fffffcp-2)} {
		VMULPS(x, p, p)
		VADDPS(c, p, p)
	}
	VMULPS(e.mul(x, x), p, p)
	VADDPS(x, p, p)
	VADDPS(float("one", 1), p, p)
	if e.wide() {
		VSCALEFPS(t, p, p)
		return p
	}
	half := e.vec()
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	for _, k := range []VecVirtual{half, n} {
		VPADDD(words("bias", 127), k, k)
		VPSLLD(Imm(23), k, k)
		VMULPS(k, p, p)
	}
	return p
}

// logistic is x/(1 + exp(y)), y being overwritten.
func (e *exponential) logistic(x, y VecVirtual) VecVirtual {
	d := e.of(y)
	VADDPS(float("one", 1), d, d)
	v := e.vec()
	VDIVPS(d, x, v)
	return v
}

func (t tier) activations() {
	t.begin("silu", "func(dst, x []float32)")
	t.silu("x", nil)
	t.begin("swiglu", "func(dst, gate, up []float32)")
	t.silu("gate", func() Register { return base("up") })

	t.begin("clamped", "func(dst, gate, up []float32, alpha, limit float32)")
	dst, gate, up := base("dst"), base("gate"), base("up")
	alpha, limit, least := t.scalarParam("alpha"), t.scalarParam("limit"), t.scalarParam("limit")
	t.negative(alpha)
	t.negative(least)
	r := t.run("gate")
	e := t.exponential()
	r.each(func() {
		g := t.load(r.here(gate))
		VMINPS(g, limit, g)
		v := e.logistic(g, t.mul(g, alpha))
		u := t.load(r.here(up))
		VMAXPS(u, least, u)
		VMINPS(u, limit, u)
		VADDPS(float("one", 1), u, u)
		VMULPS(u, v, v)
		t.store(v, r.here(dst))
	})
	finish()
}

func (t tier) silu(gate string, times func() Register) {
	dst, x := base("dst"), base(gate)
	var up Register
	if times != nil {
		up = times()
	}
	r := t.run(gate)
	e := t.exponential()
	r.each(func() {
		v, y := t.load(r.here(x)), t.vec()
		VMOVAPS(v, y)
		t.negative(y)
		v = e.logistic(v, y)
		if times != nil {
			VMULPS(r.here(up), v, v)
		}
		t.store(v, r.here(dst))
	})
	finish()
}

func (t tier) arith() {
	t.pointwise("add", "func(dst, x []float32)", func(d VecVirtual, by VecVirtual, x func() Mem) { VADDPS(x(), d, d) })
	t.pointwise("mul", "func(dst, x []float32)", func(d VecVirtual, by VecVirtual, x func() Mem) { VMULPS(x(), d, d) })
	t.pointwise("scale", "func(dst []float32, by float32)", func(d VecVirtual, by VecVirtual, x func() Mem) { VMULPS(by, d, d) })
	t.pointwise("axpy", "func(dst []float32, by float32, x []float32)", func(d VecVirtual, by VecVirtual, x func() Mem) {
		VADDPS(t.mul(by, x()), d, d)
	})
	t.pointwise("blend", "func(dst []float32, by float32, x []float32)", func(d VecVirtual, by VecVirtual, x func() Mem) {
		VMULPS(by, d, d)
		VADDPS(x(), d, d)
	})
}

// pointwise changes dst.
func (t tier) pointwise(name, signature string, step func(d, by VecVirtual, x func() Mem)) {
	t.begin(name, signature)
	dst := base("dst")
	var x Register
	var by VecVirtual
	if name != "scale" {
		x = base("x")
	}
	if name != "add" && name != "mul" {
		by = t.scalarParam("by")
	}
	r := t.run("dst")
	r.each(func() {
		d := t.load(r.here(dst))
		step(d, by, func() Mem { return r.here(x) })
		t.store(d, r.here(dst))
	})
	finish()
}

func (t tier) rope() {
	t.begin("ropeHalves", "func(a, b, cos, sin []float32)")
	a, b, cos, sin := base("a"), base("b"), base("cos"), base("sin")
	r := t.run("a")
	r.each(func() {
		v, u, c, s := t.load(r.here(a)), t.load(r.here(b)), t.load(r.here(cos)), t.load(r.here(sin))
		x, y := t.mul(v, c), t.mul(u, c)
		VSUBPS(t.mul(u, s), x, x)
		VADDPS(t.mul(v, s), y, y)
		t.store(x, r.here(a))
		t.store(y, r.here(b))
	})
	finish()

	t.begin("ropePairs", "func(x, cos, sin []float32)")
	x, cos, sin := base("x"), base("cos"), base("sin")
	r = t.run("x")
	r.each(func() {
		v, u := t.load(r.here(x)), t.vec()
		VPERMILPS(Imm(0xb1), v, u)
		VMULPS(r.here(cos), v, v)
		VMULPS(r.here(sin), u, u)
		VADDPS(u, v, v)
		t.store(v, r.here(x))
	})
	finish()
}
