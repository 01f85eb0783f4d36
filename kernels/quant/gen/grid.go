package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of gridLanes and gridTable are.
const (
	gridX     = 0
	gridW     = 1024
	gridWX    = 2048
	gridScale = 3072
	gridQX    = 3328
	gridQQ    = 3584
	gridCost  = 3840
	gridWord  = 4096

	gridMid   = 0
	gridLevel = 8
	gridWords = 72
)

// nearWords writes the kernel that chooses codewords, for lanes of 8 weights of
// three levels or of 4 weights of eight.
func (t tier) nearWords(weights int) {
	name, signature := "nearWords4", "func(l, t *byte, n int)"
	lanes, bits := 256/weights, 3
	if weights == 8 {
		name, signature, bits = "nearWords8", "func(l, t *byte, n int, shift float32)", 2
	}
	t.begin(name, "does what "+name+" does", signature)
	l, table, near := Load(Param("l"), GP64()), Load(Param("t"), GP64()), GP64()
	MOVQ(Mem{Base: table, Disp: gridWords}, near)
	at := func(field int) Mem { return Mem{Base: l, Disp: field} }
	row := func(field, r int) Mem { return at(field + 4*lanes*r) }
	mid := [2]VecVirtual{t.every(Mem{Base: table, Disp: gridMid}), t.every(Mem{Base: table, Disp: gridMid + 4})}
	level := t.load(Mem{Base: table, Disp: gridLevel})
	if weights == 8 {
		shift := t.scalarParam("shift")
		for _, v := range []VecVirtual{mid[0], mid[1], level} {
			VADDPS(shift, v, v)
		}
	} else {
		VMULPS(mid[0], mid[1], mid[1])
	}
	groups := GP64()
	MOVQ(U32(uint32(lanes*4/t.bytes)), groups)

	Label("group")
	var pattern VecVirtual
	if weights == 8 {
		pattern = t.pattern3(t.load(at(gridScale)), mid, func(r int) Mem { return row(gridX, r) })
	} else {
		pattern = t.pattern8(t.load(at(gridScale)), mid, func(r int) Mem { return row(gridX, r) })
	}
	VPSLLD(Imm(3), pattern, pattern) // gridNear entries
	best := t.float(0x1p126)
	bestQX, bestQQ, bestWord := t.vec(), t.vec(), t.vec()
	for _, v := range []VecVirtual{bestQX, bestQQ, bestWord} {
		t.zero(v)
	}
	words, left := GP64(), GP64()
	MOVQ(near, words)
	Load(Param("n"), left)
	Label("word")
	word := t.gather(Mem{Base: words, Index: pattern, Scale: 4})
	codes, qx, qq := t.vec(), t.vec(), t.vec()
	t.zero(qx)
	t.zero(qq)
	move(word, codes)
	for r := range weights {
		q := t.vec()
		VPERMPS(level, codes, q)
		if r < weights-1 {
			VPSRLD(Imm(uint64(bits)), codes, codes)
		}
		VADDPS(t.mul(q, row(gridWX, r)), qx, qx)
		VMULPS(q, q, q)
		VMULPS(row(gridW, r), q, q)
		VADDPS(q, qq, qq)
	}
	s := t.load(at(gridScale))
	cost := t.mul(s, qq)
	VSUBPS(t.add(qx, qx), cost, cost)
	VMULPS(s, cost, cost)
	better := t.above(best, cost)
	t.take(better, qx, bestQX)
	t.take(better, qq, bestQQ)
	t.take(better, word, bestWord)
	t.take(better, cost, best)
	ADDQ(Imm(4), words)
	SUBQ(Imm(1), left)
	JNZ(LabelRef("word"))
	t.store(bestQX, at(gridQX))
	t.store(bestQQ, at(gridQQ))
	t.store(best, at(gridCost))
	t.store(bestWord, at(gridWord))
	ADDQ(Imm(uint64(t.bytes)), l)
	SUBQ(Imm(1), groups)
	JNZ(LabelRef("group"))
	finish()
}

// pattern3 numbers the levels, of three, that are next to 8 weights.
func (t tier) pattern3(s VecVirtual, mid [2]VecVirtual, x func(r int) Mem) VecVirtual {
	pattern, one := t.vec(), t.word(1)
	t.zero(pattern)
	ends := [2]VecVirtual{t.mul(s, mid[0]), t.mul(s, mid[1])}
	for r := 7; r >= 0; r-- {
		v := t.load(x(r))
		if r < 7 {
			twice := t.vec()
			VPADDD(pattern, pattern, twice)
			VPADDD(twice, pattern, pattern)
		}
		for _, end := range ends {
			m := t.above(v, end)
			if t.wide() {
				VPADDD(one, pattern, m, pattern)
			} else {
				VPSUBD(m, pattern, pattern)
			}
		}
	}
	return pattern
}

// pattern8 numbers the levels, of eight, that are next to 4 weights. mid has
// the inverse of their distance, and the lowest times that.
func (t tier) pattern8(s VecVirtual, mid [2]VecVirtual, x func(r int) Mem) VecVirtual {
	pattern, lo, hi := t.vec(), t.word(magicBits), t.word(magicBits+7)
	t.zero(pattern)
	inv := t.mul(t.inverse(s), mid[0])
	for r := 3; r >= 0; r-- {
		v := t.mul(inv, x(r))
		VSUBPS(mid[1], v, v)
		VADDPS(lo, v, v)
		t.clamp(v, lo, hi)
		VPSUBD(lo, v, v)
		VPSLLD(Imm(3), pattern, pattern)
		VPADDD(v, pattern, pattern)
	}
	return pattern
}

// gather loads int32s.
func (t tier) gather(m Mem) VecVirtual {
	v := t.vec()
	t.zero(v)
	if t.wide() {
		k := K()
		KXNORW(k, k, k)
		VPGATHERDD(m, k, v)
		return v
	}
	all := t.vec()
	VPCMPEQD(v, v, all)
	VPGATHERDD(all, m, v)
	return v
}
