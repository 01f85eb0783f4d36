package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Kernels of rounding under second moments.

// sliceBytes is the size of a slice's header, of which the address comes first.
const sliceBytes = 24

// dotLanes multiplies four rows with 16 columns that lie side by side.
func (t tier) dotLanes() {
	t.begin("dotLanes", "does what dotLanes does", "func(out, a *byte, e []float32, used int)")
	a, e, n := Load(Param("a"), GP64()), base("e"), GP64()
	Load(Param("e").Len(), n)
	var lines [4]Register
	for i := range lines {
		lines[i] = GP64()
		MOVQ(Mem{Base: a, Disp: sliceBytes * i}, lines[i])
	}
	parts := 64 / t.bytes
	var sums [4][2]VecVirtual
	for i := range lines {
		for p := range parts {
			sums[i][p] = t.vec()
			t.zero(sums[i][p])
		}
	}
	at := GP64()
	XORQ(at, at)
	SHRQ(Imm(4), n)
	JMP(LabelRef("test"))
	Label("column")
	var x [2]VecVirtual
	for p := range parts {
		x[p] = t.load(Mem{Base: e, Disp: t.bytes * p})
	}
	for i, line := range lines {
		v := t.every(Mem{Base: line, Index: at, Scale: 4})
		for p := range parts {
			sums[i][p] = t.addTo(sums[i][p], t.mul(v, x[p]))
		}
	}
	ADDQ(Imm(64), e)
	INCQ(at)
	Label("test")
	CMPQ(at, n)
	JLT(LabelRef("column"))
	out := Load(Param("out"), GP64())
	for i := range lines {
		for p := range parts {
			t.store(sums[i][p], Mem{Base: out, Disp: 64*i + t.bytes*p})
		}
	}
	finish()
}

// addTo adds to a vector in place.
func (t tier) addTo(sum, v VecVirtual) VecVirtual { VADDPS(v, sum, sum); return sum }

// addScaled adds a multiple of a run, of whole vectors of 16.
func (t tier) addScaled() {
	t.begin("addScaled", "does what addScaled does", "func(to, x []float32, by float32)")
	to, x, n := base("to"), base("x"), GP64()
	Load(Param("to").Len(), n)
	by := t.every(mustAddr("by"))
	Label("run")
	for p := range 64 / t.bytes {
		at := t.bytes * p
		t.store(t.add(t.load(Mem{Base: to, Disp: at}), t.mul(t.load(Mem{Base: x, Disp: at}), by)), Mem{Base: to, Disp: at})
	}
	ADDQ(Imm(64), to)
	ADDQ(Imm(64), x)
	SUBQ(Imm(16), n)
	JG(LabelRef("run"))
	finish()
}

func mustAddr(param string) Mem {
	b, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// takeOff subtracts multiples of four rows from one of float64s, eight at a
// time.
func (t tier) takeOff() {
	t.begin("takeOff", "does what takeOff does", "func(row []float64, rows, by *byte)")
	row, rows, by, n := base("row"), Load(Param("rows"), GP64()), Load(Param("by"), GP64()), GP64()
	Load(Param("row").Len(), n)
	var lines [4]Register
	var factors [4]VecVirtual
	for i := range lines {
		lines[i] = GP64()
		MOVQ(Mem{Base: rows, Disp: sliceBytes * i}, lines[i])
		factors[i] = t.vec()
		VBROADCASTSD(Mem{Base: by, Disp: 8 * i}, factors[i])
	}
	at := GP64()
	XORQ(at, at)
	Label("run")
	for p := range 64 / t.bytes {
		disp := t.bytes / 2 * p
		var v [4]VecVirtual
		for i, line := range lines {
			v[i] = t.vec()
			VCVTPS2PD(Mem{Base: line, Index: at, Scale: 4, Disp: disp}, v[i])
			VMULPD(factors[i], v[i], v[i])
		}
		VADDPD(v[1], v[0], v[0])
		VADDPD(v[3], v[2], v[2])
		VADDPD(v[2], v[0], v[0])
		to := Mem{Base: row, Index: at, Scale: 8, Disp: 2 * disp}
		had := t.load(to)
		VSUBPD(v[0], had, had)
		t.store(had, to)
	}
	ADDQ(Imm(8), at)
	CMPQ(at, n)
	JLT(LabelRef("run"))
	finish()
}
