package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of quant's structs are; kernels_amd64.go holds the compiler
// to it.
const (
	laneArray = 256 // bytes of an array in lanes
	lanesInv  = 0 * laneArray
	lanesOff  = 1 * laneArray
	lanesQ    = 2 * laneArray
	lanesQQ   = 3 * laneArray
	lanesQX   = 4 * laneArray
	lanesB    = 5 * laneArray
	lanesA    = 6 * laneArray
	lanesGain = 7 * laneArray
	lanesN    = 8 * laneArray
	lanesSC   = 8*laneArray + 8
	lanesMN   = 9*laneArray + 8

	factsN       = 0
	factsSW      = 8
	factsSWZ     = 12
	factsCeiling = 16
	factsSZZ     = 20
	factsBase    = 24
	factsD       = 28
	factsDMin    = 32

	levelsLo    = 0
	levelsHi    = 4
	levelsTable = 8

	tableTurn  = 64
	tableBelow = 192
	tableAbove = 320
	tableFirst = 448
	tableLast  = 452
	tableRes   = 456
	tableShift = 460
	tableNear  = 464
	tableLower = 520
)

const (
	magic     = 3 << 22
	magicBits = 0x4b400000
	noGain    = -0x1p127
)

// batch is a loop over groups of lanes, and over the weights for each.
type batch struct {
	tier
	name    string
	l, x, w Register
	size    Register   // bytes of x
	left    GPVirtual  // lanes to go
	number  VecVirtual // of each element
	most    VecVirtual // largest gains so far
	none    VecVirtual // noGain
}

func (t tier) batch(name, weights string) *batch {
	b := &batch{tier: t, name: name}
	b.l = Load(Param("l"), GP64())
	b.x = Load(Param(weights).Base(), GP64())
	b.w = Load(Param("w").Base(), GP64())
	b.size = Load(Param(weights).Len(), GP64())
	b.left = GP64()
	SHLQ(Imm(2), b.size)
	MOVQ(Mem{Base: b.l, Disp: lanesN}, b.left)
	b.number = t.load(t.numbers())
	b.none, b.most = t.float(noGain), t.float(noGain)
	return b
}

func (b *batch) lane(array int) Mem { return Mem{Base: b.l, Disp: array} }

// each runs group for each group of lanes, and gives the first lane with the
// largest gain.
func (b *batch) each(group func() (gain VecVirtual)) {
	start, end := GP64(), GP64()
	MOVQ(b.l, start)
	MOVQ(b.left, end)
	JMP(LabelRef("enough"))
	Label("group")
	gain := group()
	left := b.vec()
	b.broadcast(b.left.As32(), left)
	gain = b.pick(b.aboveInt(left, b.number), gain, b.none)
	b.store(gain, b.lane(lanesGain))
	VMAXPS(b.most, gain, b.most) // NaN counts as no gain
	ADDQ(Imm(uint64(b.bytes)), b.l)
	SUBQ(Imm(uint64(b.bytes/4)), b.left)
	Label("enough")
	CMPQ(b.left, Imm(0))
	JG(LabelRef("group"))

	b.spread(b.most, maxFloat)
	at, bits := GP64(), GP64()
	XORQ(at, at)
	Label("look")
	b.equalBits(b.most, Mem{Base: start, Disp: lanesGain, Index: at, Scale: 4}, bits.As32())
	TESTL(bits.As32(), bits.As32())
	JNZ(LabelRef("found"))
	ADDQ(Imm(uint64(b.bytes/4)), at)
	CMPQ(at, end)
	JLT(LabelRef("look"))
	XORQ(at, at)
	JMP(LabelRef("done"))
	Label("found")
	TZCNTL(bits.As32(), bits.As32())
	ADDQ(bits, at)
	Label("done")
	Store(at, ReturnIndex(0))
	finish()
}

// weights runs step for each weight, which it gives in all elements.
func (b *batch) weights(step func(x, w VecVirtual)) {
	at := GP64()
	XORQ(at, at)
	JMP(LabelRef("summed"))
	Label("weight")
	step(b.every(Mem{Base: b.x, Index: at, Scale: 1}), b.every(Mem{Base: b.w, Index: at, Scale: 1}))
	ADDQ(Imm(4), at)
	Label("summed")
	CMPQ(at, b.size)
	JLT(LabelRef("weight"))
}

// gain writes b*(2*qx - b*qq - 2*(a*q)) + a*(2*swz - a*sw).
func (t tier) affineGain(b, a, q, qq, qx, swz2, sw VecVirtual) VecVirtual {
	aq := t.mul(a, q)
	u := t.sub(t.sub(t.add(qx, qx), t.mul(b, qq)), t.add(aq, aq))
	return t.add(t.mul(b, u), t.mul(a, t.sub(swz2, t.mul(a, sw))))
}

// affine writes the kernels of grids with an offset: of given grids or of
// integers, with the b and a that fit or those that are given.
func (t tier) affine(name string, given, fit bool) {
	doc := "does what " + name + " does"
	t.begin(name, doc, "func(l *byte, z, w []float32, f *byte) int")
	b := t.batch(name, "z")
	facts := Load(Param("f"), GP64())
	fact := func(at int) Mem { return Mem{Base: facts, Disp: at} }
	round := t.float(magic)
	lo := round // magic and magicBits are the same bits
	n, hi := t.every(fact(factsN)), t.vec()
	VADDPS(round, n, hi)
	b.each(func() VecVirtual {
		inv, off := b.grid(given, fact)
		q, qq, qx := t.vec(), t.vec(), t.vec()
		for _, v := range []VecVirtual{q, qq, qx} {
			t.zero(v)
		}
		b.weights(func(x, w VecVirtual) {
			r := t.mul(x, inv)
			VADDPS(off, r, r)
			VADDPS(round, r, r)
			t.clamp(r, lo, hi)
			VSUBPS(round, r, r)
			VMULPS(w, r, w)
			VADDPS(w, q, q)
			VMULPS(w, r, r)
			VADDPS(r, qq, qq)
			VMULPS(w, x, x)
			VADDPS(x, qx, qx)
		})
		t.store(q, b.lane(lanesQ))
		t.store(qq, b.lane(lanesQQ))
		t.store(qx, b.lane(lanesQX))
		sw, swz := t.every(fact(factsSW)), t.every(fact(factsSWZ))
		if !fit {
			vb, va := t.load(b.lane(lanesB)), t.load(b.lane(lanesA))
			return t.affineGain(vb, va, q, qq, qx, t.add(swz, swz), sw)
		}
		det := t.sub(t.mul(sw, qq), t.mul(q, q))
		ok := t.above(det, t.mul(t.mul(t.float(1e-6), sw), qq))
		vb := t.div(t.sub(t.mul(sw, qx), t.mul(swz, q)), det)
		va := t.div(t.sub(t.mul(swz, qq), t.mul(q, qx)), det)
		ceiling := t.every(fact(factsCeiling))
		high := t.above(va, ceiling)
		vb = t.pick(high, t.div(t.sub(qx, t.mul(ceiling, q)), qq), vb)
		va = t.pick(high, ceiling, va)
		zero := t.vec()
		t.zero(zero)
		ok = t.both(ok, t.above(vb, zero))
		gain := t.affineGain(vb, va, q, qq, qx, t.add(swz, swz), sw)
		t.store(vb, b.lane(lanesB))
		t.store(va, b.lane(lanesA))
		return t.pick(ok, gain, b.none)
	})
}

// grid loads the grids of a group of lanes, or makes them of integer scales and
// minima.
func (b *batch) grid(given bool, fact func(at int) Mem) (inv, off VecVirtual) {
	if given {
		return b.load(b.lane(lanesInv)), b.load(b.lane(lanesOff))
	}
	vb := b.mul(b.every(fact(factsD)), b.load(b.lane(lanesSC)))
	va := b.negative(b.mul(b.every(fact(factsDMin)), b.load(b.lane(lanesMN))))
	VSUBPS(b.every(fact(factsBase)), va, va)
	inv = b.inverse(vb)
	off = b.mul(b.negative(va), inv)
	b.store(vb, b.lane(lanesB))
	b.store(va, b.lane(lanesA))
	b.store(inv, b.lane(lanesInv))
	b.store(off, b.lane(lanesOff))
	return inv, off
}

func (t tier) scale(name string, table, fit bool) {
	signature := "func(l *byte, x, w []float32, v *byte) int"
	if table {
		signature = "func(l *byte, x, w []float32, t *byte) int"
	}
	t.begin(name, "does what "+name+" does", signature)
	b := t.batch(name, "x")
	var nearest func(x, inv VecVirtual) VecVirtual
	var res Op
	if table {
		at := Load(Param("t"), GP64())
		res = t.every(Mem{Base: at, Disp: tableRes})
		nearest = t.tableLevel(at)
	} else {
		nearest = t.integerLevel(Load(Param("v"), GP64()))
	}
	b.each(func() VecVirtual {
		inv := t.load(b.lane(lanesInv))
		if table {
			VMULPS(res, inv, inv)
		}
		qq, qx := t.vec(), t.vec()
		t.zero(qq)
		t.zero(qx)
		b.weights(func(x, w VecVirtual) {
			r := nearest(x, inv)
			VMULPS(w, r, w)
			VMULPS(w, x, x)
			VADDPS(x, qx, qx)
			VMULPS(w, r, r)
			VADDPS(r, qq, qq)
		})
		t.store(qq, b.lane(lanesQQ))
		t.store(qx, b.lane(lanesQX))
		if !fit {
			vb := t.load(b.lane(lanesB))
			return t.mul(vb, t.sub(t.add(qx, qx), t.mul(vb, qq)))
		}
		zero := t.vec()
		t.zero(zero)
		vb := t.div(qx, qq)
		t.store(vb, b.lane(lanesB))
		return t.pick(t.above(qq, zero), t.mul(vb, qx), b.none)
	})
}

// integerLevel gives the level nearest to x*inv of those from lo to hi.
func (t tier) integerLevel(v Register) func(x, inv VecVirtual) VecVirtual {
	round := t.float(magic)
	lo := t.add(t.every(Mem{Base: v, Disp: levelsLo}), round)
	hi := t.add(t.every(Mem{Base: v, Disp: levelsHi}), round)
	return func(x, inv VecVirtual) VecVirtual {
		r := t.mul(x, inv)
		VADDPS(round, r, r)
		t.clamp(r, lo, hi)
		VSUBPS(round, r, r)
		return r
	}
}

// tableLevel gives the level of a table that is nearest to x*inv, inv being
// times res already: from buckets that fit into registers, or from memory.
func (t tier) tableLevel(at Register) func(x, inv VecVirtual) VecVirtual {
	field := func(disp int) Mem { return Mem{Base: at, Disp: disp} }
	round, half := t.float(magic), t.float(0.5)
	lo, hi, bits := t.every(field(tableFirst)), t.every(field(tableLast)), t.word(magicBits)
	VPADDD(bits, lo, lo)
	VPADDD(bits, hi, hi)
	index := func(x, inv VecVirtual) VecVirtual {
		i := t.mul(x, inv)
		VSUBPS(half, i, i)
		VADDPS(round, i, i)
		t.clamp(i, lo, hi)
		VPSUBD(lo, i, i)
		return i
	}
	if !t.wide() {
		near := GP64()
		MOVQ(field(tableNear), near)
		return func(x, inv VecVirtual) VecVirtual {
			i, all, r := index(x, inv), t.vec(), t.vec()
			VPCMPEQD(lo, lo, all)
			t.zero(r)
			VGATHERDPS(all, Mem{Base: near, Index: i, Scale: 4}, r)
			return r
		}
	}
	shift := XMM()
	VMOVD(field(tableShift), shift)
	pair := func(disp int) [2]VecVirtual { return [2]VecVirtual{t.load(field(disp)), t.load(field(disp + 64))} }
	turn, below, above := pair(tableTurn), pair(tableBelow), pair(tableAbove)
	return func(x, inv VecVirtual) VecVirtual {
		i, b := index(x, inv), t.vec()
		VPSRLD(shift, i, b)
		// The index is where the result will be.
		when, r := t.vec(), t.vec()
		VMOVDQA32(b, when)
		VPERMI2D(turn[1], turn[0], when)
		VMOVDQA32(b, r)
		VPERMI2PS(below[1], below[0], r)
		VPERMI2PS(above[1], above[0], b)
		k := K()
		VPCMPD(Imm(5), when, i, k) // i >= when
		VMOVAPS(b, k, r)
		return r
	}
}
