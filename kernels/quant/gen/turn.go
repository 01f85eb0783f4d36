package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// turn16 and turn32 write the kernels that make columns.
func (t tier) turn(name string, paired bool) {
	t.begin(name, "does what "+name+" does", "func(dst *byte, x []float32)")
	dst, x := Load(Param("dst"), GP64()), base("x")
	// The column j starts at weight from.
	from := func(j int) int {
		if paired {
			return j%8*32 + j/8*16
		}
		return 16 * j
	}
	n := t.bytes / 4
	for r := 0; r < 16; r += n {
		for j := 0; j < 16; j += n {
			var v []VecVirtual
			for i := range n {
				v = append(v, t.load(Mem{Base: x, Disp: 4 * (from(j+i) + r)}))
			}
			for i, v := range t.transpose(v) {
				t.store(v, Mem{Base: dst, Disp: columnRow*(r+i) + 4*j})
			}
		}
	}
	finish()
}

// transpose turns a square of float32s.
func (t tier) transpose(v []VecVirtual) []VecVirtual {
	// Squares of 4 in quarters of vectors; then quarters change places.
	for i := 0; i < len(v); i += 4 {
		a, b := t.unpack2(v[i], v[i+1], false)
		c, d := t.unpack2(v[i+2], v[i+3], false)
		v[i], v[i+1] = t.unpack2(a, c, true)
		v[i+2], v[i+3] = t.unpack2(b, d, true)
	}
	quarters := func(a, b VecVirtual) (even, odd VecVirtual) {
		even, odd = t.vec(), t.vec()
		if t.wide() {
			VSHUFF32X4(Imm(0x88), b, a, even)
			VSHUFF32X4(Imm(0xdd), b, a, odd)
		} else {
			VPERM2F128(Imm(0x20), b, a, even)
			VPERM2F128(Imm(0x31), b, a, odd)
		}
		return even, odd
	}
	for i := range 4 {
		v[i], v[i+4] = quarters(v[i], v[i+4])
	}
	if !t.wide() {
		return v
	}
	for i := range 4 {
		v[8+i], v[12+i] = quarters(v[8+i], v[12+i])
	}
	for i := range 8 {
		v[i], v[i+8] = quarters(v[i], v[i+8])
	}
	return v
}

// unpack2 interleaves the float32s, or pairs of them, of each quarter.
func (t tier) unpack2(a, b VecVirtual, pairs bool) (low, high VecVirtual) {
	low, high = t.vec(), t.vec()
	if pairs {
		VUNPCKLPD(b, a, low)
		VUNPCKHPD(b, a, high)
	} else {
		VUNPCKLPS(b, a, low)
		VUNPCKHPS(b, a, high)
	}
	return low, high
}

// columnCodes writes the codes of all runs.
func (t tier) columnCodes(name string, paired bool) {
	t.begin(name, "does what columnCodes does", "func(dst *byte, x []float32, c *byte, lo, hi float32)")
	dst, x, c := Load(Param("dst"), GP64()), base("x"), Load(Param("c"), GP64())
	lo, hi, round := t.scalarParam("lo"), t.scalarParam("hi"), t.float(magic)
	VADDPS(round, lo, lo)
	VADDPS(round, hi, hi)
	var from, inv, off VecVirtual
	code := func(at int) VecVirtual {
		v := t.load(Mem{Base: x, Disp: 4 * at})
		VSUBPS(from, v, v)
		VMULPS(inv, v, v)
		VADDPS(off, v, v)
		VADDPS(round, v, v)
		t.clamp(v, lo, hi)
		VPSUBD(lo, v, v)
		return v
	}
	for run := range 16 {
		j := run
		if paired {
			j = run / 2
		}
		if !paired || run%2 == 0 {
			from = t.every(Mem{Base: c, Disp: columnBase + 4*j})
			inv = t.every(Mem{Base: c, Disp: columnInv + 4*j})
			off = t.every(Mem{Base: c, Disp: columnOff + 4*j})
		}
		t.bytes16(code, 16*run, Mem{Base: dst, Disp: 16 * run})
	}
	finish()
}

// tableCodes32 writes the codes of levels of a table.
func (t tier) tableCodes32() {
	t.begin("tableCodes32", "does what tableCodes does", "func(dst *byte, x []float32, c, t *byte)")
	dst, x, c, table := Load(Param("dst"), GP64()), base("x"), Load(Param("c"), GP64()), Load(Param("t"), GP64())
	field := func(disp int) Mem { return Mem{Base: table, Disp: disp} }
	round, half := t.float(magic), t.float(0.5)
	lo, hi, res := t.every(field(tableFirst)), t.every(field(tableLast)), t.every(field(tableRes))
	bits := t.word(magicBits)
	VPADDD(bits, lo, lo)
	VPADDD(bits, hi, hi)
	shift, one := XMM(), t.word(1)
	VMOVD(field(tableShift), shift)
	var turn, lower [2]VecVirtual
	if t.wide() {
		for i := range 2 {
			turn[i], lower[i] = t.load(field(tableTurn+64*i)), t.load(field(tableLower+64*i))
		}
	}
	var inv VecVirtual
	code := func(at int) VecVirtual {
		i, b := t.load(Mem{Base: x, Disp: 4 * at}), t.vec()
		VMULPS(inv, i, i)
		VSUBPS(half, i, i)
		VADDPS(round, i, i)
		t.clamp(i, lo, hi)
		VPSUBD(lo, i, i)
		VPSRLD(shift, i, b)
		if t.wide() {
			when, k := t.vec(), K()
			VMOVDQA32(b, when)
			VPERMI2D(turn[1], turn[0], when)
			VPERMI2D(lower[1], lower[0], b)
			VPCMPD(Imm(5), when, i, k) // i >= when
			VPADDD(one, b, k, b)
			return b
		}
		gather := func(disp int) VecVirtual {
			all, r := t.vec(), t.vec()
			VPCMPEQD(one, one, all)
			t.zero(r)
			VPGATHERDD(all, Mem{Base: table, Disp: disp, Index: b, Scale: 4}, r)
			return r
		}
		when, r := gather(tableTurn), gather(tableLower)
		VPCMPGTD(i, when, when)
		VPADDD(one, r, r)
		VPADDD(when, r, r)
		return r
	}
	for run := range 16 {
		if run%2 == 0 {
			inv = t.mul(res, t.every(Mem{Base: c, Disp: columnInv + 4*(run/2)}))
		}
		t.bytes16(code, 16*run, Mem{Base: dst, Disp: 16 * run})
	}
	finish()
}

// bytes16 stores 16 integers that code makes, from weight at on, as bytes.
func (t tier) bytes16(code func(at int) VecVirtual, at int, to Mem) {
	if t.wide() {
		VPMOVDB(code(at), to)
		return
	}
	a := code(at)
	VPACKUSDW(code(at+8), a, a)
	VPERMQ(Imm(0xd8), a, a)
	high := XMM()
	VEXTRACTI128(Imm(1), a, high)
	VPACKUSWB(high, a.AsX(), high)
	VMOVDQU(high, to)
}

// level32 writes the kernel that brings 8 runs of 32 weights to a magnitude of
// about 1.
func (t tier) level32() {
	t.begin("level32", "does what level32 does", "func(dst *byte, x []float32, c *byte) (most uint32)")
	dst, x, c := Load(Param("dst"), GP64()), base("x"), Load(Param("c"), GP64())
	mask, all := t.word(0x7fffffff), t.vec()
	t.zero(all)
	least, most, ends := t.word(1), t.word(253), t.word(254)
	for run := range 8 {
		var v []VecVirtual
		top := t.vec()
		t.zero(top)
		for i := 0; i < 32; i += t.bytes / 4 {
			w := t.load(Mem{Base: x, Disp: 128*run + 4*i})
			v = append(v, w)
			a := t.vec()
			if t.wide() {
				VPANDD(mask, w, a)
			} else {
				VPAND(mask, w, a)
			}
			VPMAXSD(a, top, top)
		}
		t.spread(top, maxInt)
		VPMAXSD(top, all, all)
		VPSRLD(Imm(23), top, top)
		VPMAXSD(least, top, top)
		VPMINSD(most, top, top)
		down := t.vec()
		VPSUBD(top, ends, down)
		VPSLLD(Imm(23), down, down)
		VPSLLD(Imm(23), top, top)
		VMOVSS(top.AsX(), Mem{Base: c, Disp: columnUp + 4*run})
		VMOVSS(down.AsX(), Mem{Base: c, Disp: columnDown + 4*run})
		for i, w := range v {
			VMULPS(down, w, w)
			t.store(w, Mem{Base: dst, Disp: 128*run + t.bytes*i})
		}
	}
	r := GP32()
	VMOVD(all.AsX(), r)
	Store(r, ReturnIndex(0))
	finish()
}
