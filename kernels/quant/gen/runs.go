package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// run is a loop over the vectors of a run of weights.
type run struct {
	tier
	at, size GPVirtual // bytes
}

// run starts a loop over as many float32s as name has.
func (t tier) run(name string) *run {
	r := &run{tier: t, at: GP64(), size: GP64()}
	Load(Param(name).Len(), r.size)
	SHLQ(Imm(2), r.size)
	XORQ(r.at, r.at)
	return r
}

func (r *run) here(base Register) Mem { return Mem{Base: base, Index: r.at, Scale: 1} }

// each runs step for every vector; at is then its offset.
func (r *run) each(label string, step func()) {
	Label(label)
	step()
	ADDQ(Imm(uint64(r.bytes)), r.at)
	CMPQ(r.at, r.size)
	JLT(LabelRef(label))
}

func base(name string) Register { return Load(Param(name).Base(), GP64()) }

// scalarParam repeats a float32 parameter.
func (t tier) scalarParam(name string) VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return t.every(p.Addr)
}

// firstOf gives the index of the first element of x whose magnitude is that of
// most, as int32s, in which all elements are the same.
func (r *run) firstOf(x Register, most, mask VecVirtual) {
	XORQ(r.at, r.at)
	bits := GP64()
	Label("look")
	v := r.load(r.here(x))
	r.and(mask, v)
	if r.wide() {
		k := K()
		VPCMPEQD(most, v, k)
		KMOVW(k, bits.As32())
	} else {
		VPCMPEQD(most, v, v)
		VMOVMSKPS(v, bits.As32())
	}
	ADDQ(Imm(uint64(r.bytes)), r.at)
	TESTL(bits.As32(), bits.As32())
	JZ(LabelRef("look"))
	TZCNTL(bits.As32(), bits.As32())
	SHRQ(Imm(2), r.at)
	LEAQ(Mem{Base: r.at, Index: bits, Scale: 1, Disp: -r.bytes / 4}, r.at)
	Store(r.at, ReturnIndex(0))
	finish()
}

func (t tier) and(mask, v VecVirtual) {
	if t.wide() {
		VPANDD(mask, v, v)
	} else {
		VPAND(mask, v, v)
	}
}

// spread reduces v, by op, so that all elements are the result.
func (t tier) spread(v VecVirtual, op func(a, b, c Op)) {
	u := t.vec()
	if t.wide() {
		for _, order := range []uint64{0x4e, 0xb1} { // halves, then quarters
			VSHUFF32X4(Imm(order), v, v, u)
			op(u, v, v)
		}
	} else {
		VPERM2F128(Imm(1), v, v, u)
		op(u, v, v)
	}
	for _, order := range []uint64{0x4e, 0xb1} {
		VPERMILPS(Imm(order), v, u)
		op(u, v, v)
	}
}

var (
	maxFloat = func(a, b, c Op) { VMAXPS(a, b, c) }
	minFloat = func(a, b, c Op) { VMINPS(a, b, c) }
	maxInt   = func(a, b, c Op) { VPMAXSD(a, b, c) }
)

func (t tier) top() {
	t.begin("top", "does what top does", "func(x []float32) int")
	x := base("x")
	r := t.run("x")
	mask, most := t.word(0x7fffffff), t.vec()
	t.zero(most)
	r.each("largest", func() {
		v := t.load(r.here(x))
		t.and(mask, v)
		VPMAXSD(v, most, most)
	})
	t.spread(most, maxInt)
	r.firstOf(x, most, mask)
}

func (t tier) times() {
	t.begin("times", "does what times does", "func(dst, x []float32, by float32)")
	dst, x, by := base("dst"), base("x"), t.scalarParam("by")
	r := t.run("x")
	r.each("weights", func() {
		v := t.load(r.here(x))
		VMULPS(by, v, v)
		t.store(v, r.here(dst))
	})
	finish()
}

func (t tier) costs() {
	t.begin("costs", "does what costs does", "func(cost, x, w []float32, from float32) int")
	cost, x, w, from := base("cost"), base("x"), base("w"), t.scalarParam("from")
	r := t.run("x")
	mask, most := t.word(0x7fffffff), t.vec()
	t.zero(most)
	r.each("weights", func() {
		v := t.sub(t.load(r.here(x)), from)
		VMULPS(v, v, v)
		VMULPS(r.here(w), v, v)
		t.store(v, r.here(cost))
		t.and(mask, v)
		VPMAXSD(v, most, most)
	})
	t.spread(most, maxInt)
	r.firstOf(cost, most, mask)
}

func (t tier) ends() {
	t.begin("ends", "does what ends does", "func(x []float32) (least, most float32)")
	x := base("x")
	r := t.run("x")
	least := t.load(Mem{Base: x})
	most := t.load(Mem{Base: x})
	r.each("weights", func() {
		v := t.load(r.here(x))
		VMINPS(v, least, least)
		VMAXPS(v, most, most)
	})
	t.spread(least, minFloat)
	t.spread(most, maxFloat)
	zero := t.vec()
	t.zero(zero)
	for i, v := range []VecVirtual{least, most} {
		VADDPS(zero, v, v)
		Store(v.AsX(), ReturnIndex(i))
	}
	finish()
}

// moments adds up in eight elements whatever the tier.
func (t tier) moments() {
	doc := "does what moments does"
	t.begin("moments", doc, "func(z, x, w []float32, f *byte)")
	z, x, w := base("z"), base("x"), base("w")
	facts := Load(Param("f"), GP64())
	fact := func(at int) Mem { return Mem{Base: facts, Disp: at} }
	t.bytes = 32
	r := t.run("x")
	from := t.every(fact(factsBase))
	var sums [3]VecVirtual
	for i := range sums {
		sums[i] = t.vec()
		VXORPS(sums[i], sums[i], sums[i])
	}
	r.each("weights", func() {
		v, wt := t.sub(t.load(r.here(x)), from), t.load(r.here(w))
		t.store(v, r.here(z))
		VADDPS(wt, sums[0], sums[0])
		VMULPS(v, wt, wt)
		VADDPS(wt, sums[1], sums[1])
		VMULPS(v, wt, wt)
		VADDPS(wt, sums[2], sums[2])
	})
	for i, at := range []int{factsSW, factsSWZ, factsSZZ} {
		t.spread(sums[i], func(a, b, c Op) { VADDPS(a, b, c) })
		VMOVSS(sums[i].AsX(), fact(at))
	}
	finish()
}

func (t tier) codes() {
	t.begin("codes", "does what codes does", "func(dst []uint8, x []float32, inv, off, lo, hi float32)")
	dst, x := base("dst"), base("x")
	inv, off, lo, hi := t.scalarParam("inv"), t.scalarParam("off"), t.scalarParam("lo"), t.scalarParam("hi")
	round := t.float(magic)
	VADDPS(round, lo, lo)
	VADDPS(round, hi, hi)
	r := t.run("x")
	round16 := func(at Mem) VecVirtual {
		v := t.mul(t.load(at), inv)
		VADDPS(off, v, v)
		VADDPS(round, v, v)
		t.clamp(v, lo, hi)
		VPSUBD(lo, v, v)
		return v
	}
	r.each("weights", func() {
		first := true
		t.bytes16(func(int) VecVirtual {
			if !first {
				ADDQ(Imm(uint64(t.bytes)), r.at)
			}
			first = false
			return round16(r.here(x))
		}, 0, Mem{Base: dst})
		ADDQ(Imm(16), dst)
	})
	finish()
}
