package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of columns are, and those of the plans of its searches.
const (
	columnRow  = 64 // bytes of a row
	columnB    = 1024
	columnA    = 1088
	columnQ    = 1152
	columnQQ   = 1216
	columnQX   = 1280
	columnGain = 1344
	columnSW   = 1408
	columnSWZ  = 1472
	columnSZZ  = 1536
	columnBase = 1600
	columnSC   = 1664
	columnMN   = 1728
	columnInv  = 1792
	columnOff  = 1856
	columnRoom = 1920 // two fields of scratch
	columnUp   = 2048
	columnDown = 2112

	planCount  = 256
	planRounds = 264
	planHeavy  = 272
	planFrom   = 280
)

// columns is a kernel with a run of weights in each element of its vectors: a
// column, or a pair of columns. The vectors of AVX2 hold half of the columns,
// and what is done is done twice, or the pairs lie in two vectors.
type columns struct {
	tier
	paired bool
	c, w   Register
	halves GPVirtual
}

// columns starts a kernel; body is done for every vector of runs.
func (t tier) columns(paired bool, constants func(k *columns), body func(k *columns)) {
	k := &columns{tier: t, paired: paired}
	k.c, k.w = Load(Param("c"), GP64()), Load(Param("w"), GP64())
	constants(k)
	twice := !t.wide() && !paired
	if twice {
		k.halves = GP64()
		MOVQ(U32(2), k.halves)
		Label("half")
	}
	body(k)
	if twice {
		ADDQ(Imm(32), k.c)
		ADDQ(Imm(32), k.w)
		SUBQ(Imm(1), k.halves)
		JNZ(LabelRef("half"))
	}
	finish()
}

func (k *columns) lane(field int) Mem { return Mem{Base: k.c, Disp: field} }

// parts is the number of vectors that hold a row.
func (k *columns) parts() int {
	if k.paired && !k.wide() {
		return 2
	}
	return 1
}

// rows runs step for each vector of weights and tells which part of a row it
// is.
func (k *columns) rows(step func(x, w Mem, part int)) {
	for r := range 16 {
		for p := range k.parts() {
			at := columnRow*r + 32*p
			step(Mem{Base: k.c, Disp: at}, Mem{Base: k.w, Disp: at}, p)
		}
	}
}

// sums are vectors for the parts of rows.
func (k *columns) sums(n int) [][]VecVirtual {
	s := make([][]VecVirtual, n)
	for i := range s {
		for range k.parts() {
			v := k.vec()
			k.zero(v)
			s[i] = append(s[i], v)
		}
	}
	return s
}

// fold makes what is known of columns known of their pairs; op must not mind
// the order.
func (k *columns) fold(s []VecVirtual, op func(a, b, c Op)) VecVirtual {
	switch {
	case !k.paired:
	case k.wide():
		u := k.vec()
		VSHUFF32X4(Imm(0x4e), s[0], s[0], u)
		op(u, s[0], s[0])
	default:
		op(s[1], s[0], s[0])
	}
	return s[0]
}

var addFloat = func(a, b, c Op) { VADDPS(a, b, c) }

// move copies a vector.
func move(from, to VecVirtual) { VMOVAPS(from, to) }

// take is to = from where the mask has it.
func (t tier) take(mask Op, from, to VecVirtual) {
	if t.wide() {
		VMOVAPS(from, mask, to)
	} else {
		VBLENDVPS(mask, from, to, to)
	}
}

// floor rounds down.
func (t tier) floor(v VecVirtual) {
	if t.wide() {
		VRNDSCALEPS(Imm(1), v, v)
	} else {
		VROUNDPS(Imm(1), v, v)
	}
}

// truncate rounds to the integer next to v on the side of zero.
func truncate(v VecVirtual) {
	VCVTTPS2DQ(v, v)
	VCVTDQ2PS(v, v)
}

// levelSums gives sum w*l*x and sum w*l*l, l being the level next to x*inv.
func (k *columns) levelSums(n nearest, inv VecVirtual) (qx, qq VecVirtual) {
	n.prepare(inv)
	step := func(x, w Mem, qx, qq VecVirtual) {
		r := n.level(x, inv)
		wr := k.mul(r, w)
		VMULPS(wr, r, r)
		VADDPS(r, qq, qq)
		VMULPS(x, wr, wr)
		VADDPS(wr, qx, qx)
	}
	if !n.table {
		s := k.sums(2)
		k.rows(func(x, w Mem, part int) { step(x, w, s[0][part], s[1][part]) })
		return k.fold(s[0], addFloat), k.fold(s[1], addFloat)
	}
	// One part after the other, as looking things up takes registers.
	var s [2][]VecVirtual
	for p := range k.parts() {
		qx, qq := k.vec(), k.vec()
		k.zero(qx)
		k.zero(qq)
		k.rows(func(x, w Mem, part int) {
			if part == p {
				step(x, w, qx, qq)
			}
		})
		s[0], s[1] = append(s[0], qx), append(s[1], qq)
	}
	return k.fold(s[0], addFloat), k.fold(s[1], addFloat)
}

// nearest gives the level that is next to x*inv, for inv as prepare makes it.
type nearest struct {
	table   bool
	prepare func(inv VecVirtual)
	level   func(x Mem, inv VecVirtual) VecVirtual
}

// scaleColumns starts a kernel of levels, which are integers or a table.
func (t tier) scaleColumns(paired, table bool, constants func(k *columns), body func(k *columns, n nearest)) {
	var n nearest
	t.columns(paired, func(k *columns) {
		n = t.nearest(Load(Param("v"), GP64()), table)
		constants(k)
	}, func(k *columns) { body(k, n) })
}

func (t tier) nearest(v Register, table bool) nearest {
	if table {
		at := GP64()
		MOVQ(Mem{Base: v, Disp: levelsTable}, at)
		level := t.tableLevel(at)
		return nearest{
			true,
			func(inv VecVirtual) { VMULPS(t.every(Mem{Base: at, Disp: tableRes}), inv, inv) },
			func(x Mem, inv VecVirtual) VecVirtual { return level(t.load(x), inv) },
		}
	}
	round := t.float(magic)
	lo := t.add(t.every(Mem{Base: v, Disp: levelsLo}), round)
	hi := t.add(t.every(Mem{Base: v, Disp: levelsHi}), round)
	return nearest{
		false,
		func(VecVirtual) {},
		func(x Mem, inv VecVirtual) VecVirtual {
			r := t.mul(inv, x)
			VADDPS(round, r, r)
			t.clamp(r, lo, hi)
			VSUBPS(round, r, r)
			return r
		},
	}
}

// searchScales writes the search for each run's own scale.
func (t tier) searchScales(name string, paired, table bool) {
	t.begin(name, "does what searchScales does", "func(c, w, v, p *byte)")
	var plan, index, total, heavyFrom, roundsFrom GPVirtual
	t.scaleColumns(paired, table, func(k *columns) {
		plan = Load(Param("p"), GP64()).(GPVirtual)
		index, total, heavyFrom, roundsFrom = GP64(), GP64(), GP64(), GP64()
		MOVQ(Mem{Base: plan, Disp: planCount}, heavyFrom)
		MOVQ(Mem{Base: plan, Disp: planHeavy}, roundsFrom)
		LEAQ(Mem{Base: heavyFrom, Index: roundsFrom, Scale: 2}, roundsFrom)
		MOVQ(Mem{Base: plan, Disp: planRounds}, total)
		ADDQ(roundsFrom, total)
	}, func(k *columns, n nearest) {
		// What a search knows stands in memory, as AVX2 has few registers.
		unitLane, heavyLane, levelLane := k.lane(columnInv), k.lane(columnRoom), k.lane(columnRoom+64)
		top, size := k.extreme()
		unit := k.div(k.float(1), top)
		zero := k.vec()
		k.zero(zero)
		k.take(k.above(k.float(0x1p-60), size), zero, unit)
		k.store(unit, unitLane)
		for _, f := range []int{columnB, columnQQ, columnGain} {
			k.store(zero, k.lane(f))
		}
		CMPQ(heavyFrom, roundsFrom)
		JE(LabelRef("light"))
		heavy := k.heaviest()
		m := k.mul(heavy, unit)
		k.and(k.word(0x7fffffff), m)
		VMULPS(k.every(Mem{Base: plan, Disp: planFrom}), m, m)
		truncate(m)
		VADDPS(k.float(1), m, m)
		k.store(m, levelLane)
		k.store(k.inverse(heavy), heavyLane)
		Label("light")
		// Which try comes next: a top, a level of the heaviest weight or its
		// negative, or a refinement.
		inv := k.vec()
		XORQ(index, index)
		Label("try")
		CMPQ(index, heavyFrom)
		JGE(LabelRef("heavy"))
		VMULPS(k.every(Mem{Base: plan, Index: index, Scale: 4}), k.load(unitLane), inv)
		JMP(LabelRef("sum"))
		Label("heavy")
		CMPQ(index, roundsFrom)
		JGE(LabelRef("round"))
		h := k.load(heavyLane)
		VMULPS(levelLane, h, inv)
		k.store(k.negative(h), heavyLane)
		odd := GP64()
		MOVQ(index, odd)
		SUBQ(heavyFrom, odd)
		TESTQ(U32(1), odd)
		JZ(LabelRef("sum"))
		k.store(k.add(k.float(1), levelLane), levelLane)
		JMP(LabelRef("sum"))
		Label("round")
		move(k.inverse(k.load(k.lane(columnB))), inv)
		Label("sum")
		qx, qq := k.levelSums(n, inv)
		scale := k.div(qx, qq)
		zero = k.vec()
		k.zero(zero)
		k.keep(k.above(qq, zero), k.mul(scale, qx), map[int]VecVirtual{columnB: scale, columnQQ: qq})
		ADDQ(Imm(1), index)
		CMPQ(index, total)
		JLT(LabelRef("try"))
	})
}

// ends gives the least and the largest weight.
func (k *columns) ends() (lo, hi VecVirtual) {
	var least, most []VecVirtual
	k.rows(func(x, _ Mem, part int) {
		v := k.load(x)
		if part == len(least) {
			u := k.vec()
			move(v, u)
			least, most = append(least, v), append(most, u)
			return
		}
		VMINPS(v, least[part], least[part])
		VMAXPS(v, most[part], most[part])
	})
	return k.fold(least, minFloat), k.fold(most, maxFloat)
}

// extreme gives the weight of the largest magnitude, and that.
func (k *columns) extreme() (top, size VecVirtual) {
	lo, hi := k.ends()
	minus := k.negative(lo)
	top = k.pick(k.above(minus, hi), lo, hi)
	size = k.vec()
	VMAXPS(minus, hi, size)
	return top, size
}

// heaviest gives the first of the weights of which zeros would cost most.
func (k *columns) heaviest() VecVirtual {
	s := k.sums(2)
	heavy, most := s[0], s[1]
	k.rows(func(x, w Mem, part int) {
		v := k.load(x)
		cost := k.mul(v, w)
		VMULPS(v, cost, cost)
		k.take(k.above(cost, most[part]), v, heavy[part])
		VMAXPS(cost, most[part], most[part])
	})
	if !k.paired {
		return heavy[0]
	}
	// The first half of a run goes before the second.
	if !k.wide() {
		return k.pick(k.above(most[1], most[0]), heavy[1], heavy[0])
	}
	halves := func(v VecVirtual) (first, second VecVirtual) {
		first, second = k.vec(), k.vec()
		VSHUFF32X4(Imm(0x44), v, v, first)
		VSHUFF32X4(Imm(0xee), v, v, second)
		return first, second
	}
	h0, h1 := halves(heavy[0])
	c0, c1 := halves(most[0])
	return k.pick(k.above(c1, c0), h1, h0)
}

// integerScales writes the choice of each run's integer.
func (t tier) integerScales(name string, paired, table bool) {
	t.begin(name, "does what integerScales does", "func(c, w, v *byte, d, lo, hi float32, reach int)")
	reach, left := GP64(), GP64()
	t.scaleColumns(paired, table, func(k *columns) {
		Load(Param("reach"), reach)
	}, func(k *columns, n nearest) {
		d := t.scalarParam("d")
		q := k.div(k.load(k.lane(columnB)), d)
		VMAXPS(t.scalarParam("lo"), q, q)
		VMINPS(t.scalarParam("hi"), q, q)
		k.floor(q)
		back := XMM()
		VXORPS(back, back, back)
		VCVTSI2SSQ(reach, back, back)
		all := k.vec()
		VBROADCASTSS(back, all)
		VSUBPS(all, q, q)
		MOVQ(reach, left)
		SHLQ(Imm(1), left)
		zero := k.vec()
		k.zero(zero)
		for _, f := range []int{columnSC, columnGain, columnQX, columnQ} {
			k.store(zero, k.lane(f))
		}
		k.store(q, k.lane(columnRoom))
		Label("integer")
		q = k.add(k.float(1), k.lane(columnRoom))
		k.store(q, k.lane(columnRoom))
		qx, qq := k.levelSums(n, k.inverse(k.mul(q, t.scalarParam("d"))))
		q = k.load(k.lane(columnRoom))
		b := k.mul(q, t.scalarParam("d"))
		gain := k.sub(k.add(qx, qx), k.mul(b, qq))
		VMULPS(b, gain, gain)
		// Integers beyond the ends lose.
		cut := k.vec()
		VMAXPS(t.scalarParam("lo"), q, cut)
		VMINPS(t.scalarParam("hi"), cut, cut)
		k.keep(k.equal(cut, q), gain, map[int]VecVirtual{columnSC: q, columnQX: qx, columnQ: qq})
		SUBQ(Imm(1), left)
		JNZ(LabelRef("integer"))
	})
}

// equal is the mask of a = b.
func (t tier) equal(a, b Op) Op {
	if t.wide() {
		k := K()
		VCMPPS(Imm(0), b, a, k)
		return k
	}
	v := t.vec()
	VCMPPS(Imm(0), b, a, v)
	return v
}

// affineColumns gives the sums over codes 0..n of z*inv + off.
func (k *columns) affineSums(round, hi, inv, off VecVirtual) (q, qq, qx VecVirtual) {
	s := k.sums(3)
	k.rows(func(z, w Mem, part int) {
		r := k.mul(inv, z)
		VADDPS(off, r, r)
		VADDPS(round, r, r)
		k.clamp(r, round, hi)
		VSUBPS(round, r, r)
		wr := k.mul(r, w)
		VADDPS(wr, s[0][part], s[0][part])
		VMULPS(wr, r, r)
		VADDPS(r, s[1][part], s[1][part])
		VMULPS(z, wr, wr)
		VADDPS(wr, s[2][part], s[2][part])
	})
	return k.fold(s[0], addFloat), k.fold(s[1], addFloat), k.fold(s[2], addFloat)
}

// searchAffine writes the search for each run's own scale and minimum.
func (t tier) searchAffine(name string, paired bool) {
	t.begin(name, "does what searchAffine does", "func(c, w *byte, n float32, p *byte)")
	var plan, index, total, roundsFrom GPVirtual
	var round, hi VecVirtual
	t.columns(paired, func(k *columns) {
		plan = Load(Param("p"), GP64()).(GPVirtual)
		index, total, roundsFrom = GP64(), GP64(), GP64()
		MOVQ(Mem{Base: plan, Disp: planCount}, roundsFrom)
		MOVQ(Mem{Base: plan, Disp: planRounds}, total)
		ADDQ(roundsFrom, total)
		round, hi = t.float(magic), t.scalarParam("n")
		VADDPS(round, hi, hi)
	}, func(k *columns) {
		top := k.moments()
		// What a search knows stands in memory, as AVX2 has few registers.
		sw, swz, from := k.lane(columnSW), k.lane(columnSWZ), k.lane(columnBase)
		ceiling := k.negative(k.load(from))
		v := k.div(k.load(swz), k.load(sw))
		VMINPS(ceiling, v, v)
		k.store(v, k.lane(columnA))
		g := k.load(swz)
		VADDPS(g, g, g)
		VSUBPS(k.mul(v, sw), g, g)
		VMULPS(v, g, g)
		k.store(g, k.lane(columnGain))
		zero := k.vec()
		k.zero(zero)
		for _, f := range []int{columnB, columnQ, columnQQ, columnQX} {
			k.store(zero, k.lane(f))
		}
		// A run without a range stays a constant: its unit, and all its tries,
		// are 0.
		unit := k.div(k.float(1), top)
		k.take(k.above(k.float(0x1p-60), top), zero, unit)
		k.store(unit, k.lane(columnInv))
		XORQ(index, index)
		inv, off := k.vec(), k.vec()
		Label("try")
		CMPQ(index, roundsFrom)
		JGE(LabelRef("round"))
		VBROADCASTSS(Mem{Base: plan, Index: index, Scale: 8}, inv)
		VBROADCASTSS(Mem{Base: plan, Index: index, Scale: 8, Disp: 4}, off)
		VMULPS(k.lane(columnInv), inv, inv)
		JMP(LabelRef("sum"))
		Label("round")
		move(k.inverse(k.load(k.lane(columnB))), inv)
		VMULPS(inv, k.negative(k.load(k.lane(columnA))), off)
		Label("sum")
		q, qq, qx := k.affineSums(round, hi, inv, off)
		k.fit(q, qq, qx)
		ADDQ(Imm(1), index)
		CMPQ(index, total)
		JLT(LabelRef("try"))
	})
}

// moments makes z of the weights, and sums, and gives the largest z.
func (k *columns) moments() (top VecVirtual) {
	from, hi := k.ends()
	zero := k.vec()
	k.zero(zero)
	VMINPS(zero, from, from)
	VADDPS(zero, from, from) // zeros are positive
	k.store(from, k.lane(columnBase))
	top = k.sub(hi, from)
	s := k.sums(3)
	k.rows(func(x, w Mem, part int) {
		z, wz := k.load(x), k.load(w)
		VSUBPS(from, z, z)
		k.store(z, x)
		VADDPS(wz, s[0][part], s[0][part])
		VMULPS(z, wz, wz)
		VADDPS(wz, s[1][part], s[1][part])
		VMULPS(z, wz, wz)
		VADDPS(wz, s[2][part], s[2][part])
	})
	for i, f := range []int{columnSW, columnSWZ, columnSZZ} {
		k.store(k.fold(s[i], addFloat), k.lane(f))
	}
	return top
}

// fit finds the b and a for sums, and keeps them where they are better.
func (k *columns) fit(q, qq, qx VecVirtual) {
	sw, swz := k.lane(columnSW), k.lane(columnSWZ)
	det := k.sub(k.mul(qq, sw), k.mul(q, q))
	ok := k.above(det, k.mul(k.mul(k.float(1e-6), sw), qq))
	b := k.div(k.sub(k.mul(qx, sw), k.mul(q, swz)), det)
	a := k.div(k.sub(k.mul(qq, swz), k.mul(q, qx)), det)
	ceiling := k.negative(k.load(k.lane(columnBase)))
	high := k.above(a, ceiling)
	b = k.pick(high, k.div(k.sub(qx, k.mul(ceiling, q)), qq), b)
	a = k.pick(high, ceiling, a)
	zero := k.vec()
	k.zero(zero)
	ok = k.both(ok, k.above(b, zero))
	gain := k.affineGain(b, a, q, qq, qx, k.add(k.load(swz), swz), k.load(sw))
	k.keep(ok, gain, map[int]VecVirtual{columnB: b, columnA: a, columnQ: q, columnQQ: qq, columnQX: qx})
}

// keep stores fields where ok and the gain is larger than before.
func (k *columns) keep(ok Op, gain VecVirtual, fields map[int]VecVirtual) {
	better := k.above(gain, k.load(k.lane(columnGain)))
	if ok != nil {
		better = k.both(ok, better)
	}
	fields[columnGain] = gain
	for _, f := range []int{columnB, columnA, columnQ, columnQQ, columnQX, columnSC, columnMN, columnGain} {
		v, ok := fields[f]
		if !ok {
			continue
		}
		if k.wide() {
			VMOVUPS(v, better, k.lane(f))
			continue
		}
		VMASKMOVPS(v, better, k.lane(f))
	}
}

// integerGrids writes the choice of each run's integer scale and minimum.
func (t tier) integerGrids(name string, paired bool) {
	t.begin(name, "does what integerGrids does", "func(c, w *byte, n, d, dmin, most float32)")
	var d, dmin, most, round, hi VecVirtual
	left := GP64()
	t.columns(paired, func(k *columns) {
		d, dmin, most = t.scalarParam("d"), t.scalarParam("dmin"), t.scalarParam("most")
		round, hi = t.float(magic), t.scalarParam("n")
		VADDPS(round, hi, hi)
	}, func(k *columns) {
		sc := k.mul(k.inverse(d), k.load(k.lane(columnB)))
		VMINPS(most, sc, sc)
		truncate(sc)
		k.store(k.load(k.lane(columnQ)), k.lane(columnOff)) // of the run's own codes
		k.store(sc, k.lane(columnInv))                      // what is tried
		k.store(k.float(-0x1p120), k.lane(columnGain))
		MOVQ(U32(2), left)
		Label("integer")
		i := k.load(k.lane(columnInv))
		b := k.mul(d, i)
		// The minimum that suits it, while codes stay.
		m := k.negative(k.sub(k.load(k.lane(columnSWZ)), k.mul(b, k.lane(columnOff))))
		VDIVPS(k.lane(columnSW), m, m)
		VSUBPS(k.lane(columnBase), m, m)
		zero := k.vec()
		k.zero(zero)
		VMAXPS(zero, m, m)
		VMULPS(k.inverse(dmin), m, m)
		VMINPS(most, m, m)
		VADDPS(round, m, m)
		VSUBPS(round, m, m)
		a := k.negative(k.mul(dmin, m))
		VSUBPS(k.lane(columnBase), a, a)
		inv := k.inverse(b)
		off := k.mul(k.negative(a), inv)
		k.store(m, k.lane(columnRoom))
		k.store(a, k.lane(columnRoom+64))
		q, qq, qx := k.affineSums(round, hi, inv, off)
		i = k.load(k.lane(columnInv))
		m, a = k.load(k.lane(columnRoom)), k.load(k.lane(columnRoom+64))
		b = k.mul(d, i)
		swz := k.load(k.lane(columnSWZ))
		gain := k.affineGain(b, a, q, qq, qx, k.add(swz, swz), k.load(k.lane(columnSW)))
		cut := k.vec()
		VMINPS(most, i, cut)
		k.keep(k.equal(cut, i), gain, map[int]VecVirtual{columnQ: q, columnQQ: qq, columnQX: qx, columnSC: i, columnMN: m})
		i = k.load(k.lane(columnInv))
		VADDPS(k.float(1), i, i)
		k.store(i, k.lane(columnInv))
		SUBQ(Imm(1), left)
		JNZ(LabelRef("integer"))
	})
}
