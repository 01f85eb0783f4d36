package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// stream starts a kernel that writes blocks of 32 weights until one needs care.
// Its begin writes what is done once, and gives what is done for every block
// with its weights and their largest magnitude, repeated; it jumps to stop
// where it cannot.
func (t tier) stream(name string, bytes int, begin func(dst Register) (block func(v []VecVirtual, top VecVirtual))) {
	t.begin(name, "does what "+name+" does", "func(dst []byte, x []float32) int")
	dst, x := base("dst"), base("x")
	n, left := GP64(), Load(Param("x").Len(), GP64())
	XORQ(n, n)
	mask := t.word(0x7fffffff)
	block := begin(dst)
	JMP(LabelRef("enough"))
	Label("block")
	var v []VecVirtual
	top := t.vec()
	for i := 0; i < 128; i += t.bytes {
		w := t.load(Mem{Base: x, Disp: i})
		v = append(v, w)
		a := t.vec()
		move(w, a)
		t.and(mask, a)
		if i == 0 {
			top = a
		} else {
			VPMAXSD(a, top, top)
		}
	}
	t.spread(top, maxInt)
	block(v, top)
	ADDQ(Imm(uint64(bytes)), dst)
	ADDQ(Imm(128), x)
	ADDQ(Imm(1), n)
	Label("enough")
	SUBQ(Imm(32), left)
	JGE(LabelRef("block"))
	Label("stop")
	Store(n, ReturnIndex(0))
	finish()
}

// pack makes 32 signed bytes of 32 int32s.
func (t tier) pack(v []VecVirtual) VecVirtual {
	if t.wide() {
		low, high, y := XMM(), XMM(), YMM()
		VPMOVDB(v[0], low)
		VPMOVDB(v[1], high)
		VINSERTI128(Imm(1), high, low.AsY(), y)
		return y
	}
	order := YMM()
	VMOVDQU(wordsData("packOrder", 0, 4, 1, 5, 2, 6, 3, 7), order)
	a, b := YMM(), YMM()
	VPACKSSDW(v[1], v[0], a)
	VPACKSSDW(v[3], v[2], b)
	VPACKSSWB(b, a, a)
	VPERMD(a, order, a)
	return a
}

// wordsData gives constant words a place.
func wordsData(name string, values ...uint32) Mem {
	if m, ok := data[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(4*i, U32(v))
	}
	data[name] = m
	return m
}

func (t tier) streamQ8_0() {
	t.stream("streamQ8_0", 34, func(dst Register) func(v []VecVirtual, top VecVirtual) {
		most, one := t.float(127), t.float(1)
		return func(v []VecVirtual, top VecVirtual) {
			x, h, odd := XMM(), GP32(), GP32()
			VDIVSS(most.AsX(), top.AsX(), x)
			VCVTPS2PH(Imm(0), x, x)
			VMOVD(x, h)
			ANDL(U32(0xffff), h)
			LEAL(Mem{Base: h.As64(), Disp: -0x400}, odd)
			CMPL(odd, U32(0x7800))
			JCC(LabelRef("stop"))
			MOVW(h.As16(), Mem{Base: dst})
			VCVTPH2PS(x, x)
			VDIVSS(x, one.AsX(), x)
			inv := t.vec()
			VBROADCASTSS(x, inv)
			for _, w := range v {
				VMULPS(inv, w, w)
				VCVTPS2DQ(w, w)
			}
			VMOVDQU(t.pack(v), Mem{Base: dst, Disp: 2})
		}
	})
}

func (t tier) streamMXFP4() {
	t.stream("streamMXFP4", 17, func(dst Register) func(v []VecVirtual, top VecVirtual) {
		half := t.float(0.5)
		// Codes by the number of midpoints below a weight.
		codes := YMM()
		VBROADCASTI128(bytesData("fp4ByLevel", 15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7, 0), codes)
		return func(v []VecVirtual, top VecVirtual) {
			e, odd := GP32(), GP32()
			VMOVD(top.AsX(), e)
			SHRL(Imm(23), e)
			LEAL(Mem{Base: e.As64(), Disp: -8}, odd)
			CMPL(odd, U32(250-8+1))
			JCC(LabelRef("stop"))
			LEAL(Mem{Base: e.As64(), Disp: -2}, odd)
			MOVB(odd.As8(), Mem{Base: dst})
			NEGL(e)
			ADDL(U32(258), e) // twice the scale's inverse, as midpoints are halves
			SHLL(Imm(23), e)
			inv := t.vec()
			t.broadcast(e, inv)
			for _, w := range v {
				VMULPS(inv, w, w)
				VSUBPS(half, w, w)
				VCVTPS2DQ(w, w)
			}
			i := t.pack(v)
			level := YMM()
			VPXOR(level, level, level)
			for _, m := range []int{-20, -14, -10, -7, -5, -3, -1, 1, 3, 5, 7, 10, 14, 20} {
				above := YMM()
				VPCMPGTB(everyByte(m-1), i, above)
				VPSUBB(above, level, level)
			}
			VPSHUFB(level, codes, level)
			high := XMM()
			VEXTRACTI128(Imm(1), level, high)
			VPSLLW(Imm(4), high, high)
			VPOR(high, level.AsX(), high)
			VMOVDQU(high, Mem{Base: dst, Disp: 1})
		}
	})
}

// everyByte gives 32 of a byte a place.
func everyByte(b int) Mem {
	values := make([]uint8, 32)
	for i := range values {
		values[i] = uint8(b)
	}
	name := "every" + string(rune('A'+(b+32)/26)) + string(rune('a'+(b+32)%26))
	return bytesData(name, values...)
}

// rateScales writes the kernel that rates given scales.
func (t tier) rateScales(name string, table bool) {
	t.begin(name, "does what rateScales does", "func(c, w, v *byte)")
	t.scaleColumns(true, table, func(k *columns) {}, func(k *columns, n nearest) {
		qx, qq := k.levelSums(n, k.inverse(k.load(k.lane(columnB))))
		b := k.load(k.lane(columnB))
		gain := k.sub(k.add(qx, qx), k.mul(b, qq))
		VMULPS(b, gain, gain)
		k.store(gain, k.lane(columnGain))
	})
}
