package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// decoder writes a kernel that decodes rows.
type decoder struct {
	tier
	src, dst Register
	held     []VecVirtual
}

// decoder writes the kernel name, of steps of so many numbers in so many bytes.
// What steps need of constants is held in registers.
func (t tier) decoder(name string, numbers, bytes int, step func(d *decoder), constants ...Mem) {
	t.begin(name, "func(dst []float32, src []byte, cols, stride int)")
	src, stride := base("src"), Load(Param("stride"), GP64())
	d := &decoder{tier: t, src: GP64(), dst: base("dst")}
	left, cols, here := Load(Param("dst").Len(), GP64()), Load(Param("cols"), GP64()), GP64()
	for _, m := range constants {
		d.held = append(d.held, t.load(m))
	}
	Label("row")
	MOVQ(src, d.src)
	MOVQ(cols, here)
	Label("step")
	if t.big != nil {
		CMPQ(here, Imm(64))
		JLT(LabelRef("small"))
		t.big(d)
		ADDQ(Imm(uint64(64/numbers*bytes)), d.src)
		ADDQ(U32(4*64), d.dst)
		SUBQ(Imm(64), here)
		JG(LabelRef("step"))
		JMP(LabelRef("next"))
		Label("small")
	}
	step(d)
	ADDQ(Imm(uint64(bytes)), d.src)
	ADDQ(U32(uint32(4*numbers)), d.dst)
	SUBQ(Imm(uint64(numbers)), here)
	JG(LabelRef("step"))
	Label("next")
	ADDQ(stride, src)
	SUBQ(cols, left)
	JG(LabelRef("row"))
	finish()
}

func (d *decoder) at(disp int) Mem { return Mem{Base: d.src, Disp: disp} }

// put writes a vector of numbers from number i of the step on.
func (d *decoder) put(v VecVirtual, i int) { d.store(v, Mem{Base: d.dst, Disp: 4 * i}) }

// halves repeats the half at the block's start, and the one behind it if count
// is 2. It reads eight bytes, which all blocks have.
func (d *decoder) halves(count int) (out []VecVirtual) {
	x := XMM()
	VCVTPH2PS(d.at(0), x)
	for i := range count {
		if i > 0 {
			next := XMM()
			VMOVSHDUP(x, next)
			x = next
		}
		v := d.vec()
		VBROADCASTSS(x, v)
		out = append(out, v)
	}
	return out
}

// table is what codes stand for: levels times the first half, plus the second
// if offset. There are 16 in an AVX-512 vector, which look up the four lowest
// bits of an index, and 8 in an AVX2 vector.
func (d *decoder) table(levels VecVirtual, offset bool) VecVirtual {
	if !offset {
		return d.mul(d.halves(1)[0], levels)
	}
	h := d.halves(2)
	table := d.mul(h[0], levels)
	VADDPS(h[1], table, table)
	return table
}

// floats is a vector of constants.
func floats(name string, values ...float64) Mem {
	var bits []uint32
	for _, v := range values {
		bits = append(bits, math.Float32bits(float32(v)))
	}
	return words(name, bits...)
}

// look puts the levels that codes stand for, from number i on.
func (d *decoder) look(table, codes VecVirtual, i int) {
	VPERMPS(table, codes, codes)
	d.put(codes, i)
}

// linear is codes, int32s, times s, plus m unless it is nil.
func (d *decoder) linear(codes VecVirtual, s, m Op) VecVirtual {
	VCVTDQ2PS(codes, codes)
	VMULPS(s, codes, codes)
	if m != nil {
		VADDPS(m, codes, codes)
	}
	return codes
}

// spread puts what 16 bytes of codes stand for, from number i on.
func (d *decoder) spread(x VecVirtual, i int, signed bool, s, m Op) {
	n := d.bytes / 4
	for j := 0; j < 16; j += n {
		v := d.vec()
		if j > 0 {
			rest := XMM()
			VPSRLDQ(Imm(uint64(j)), x, rest)
			x = rest
		}
		if signed {
			VPMOVSXBD(x, v)
		} else {
			VPMOVZXBD(x, v)
		}
		d.put(d.linear(v, s, m), i+j)
	}
}

// nibbles gives the low and the high halves of 16 bytes.
func (d *decoder) nibbles(disp int) (out [2]VecVirtual) {
	low := bytes16("lowNibbles", 15)
	x := XMM()
	VMOVDQU(d.at(disp), x)
	for i := range out {
		out[i] = XMM()
	}
	VPSRLW(Imm(4), x, out[1])
	VPAND(low, x, out[0])
	VPAND(low, out[1], out[1])
	return out
}

// fetch touches every cache line of rows.
func (t tier) fetch() {
	t.begin("fetch", "func(src []byte, count, size, stride int)")
	src, count, size, stride := base("src"), Load(Param("count"), GP64()), Load(Param("size"), GP64()), Load(Param("stride"), GP64())
	at := GP64()
	Label("row")
	XORQ(at, at)
	Label("line")
	PREFETCHT0(Mem{Base: src, Index: at, Scale: 1})
	ADDQ(Imm(64), at)
	CMPQ(at, size)
	JLT(LabelRef("line"))
	ADDQ(stride, src)
	DECQ(count)
	JG(LabelRef("row"))
	RET()
}

func (t tier) decoders() {
	n := t.bytes / 4 // numbers in a vector
	each := func(fn func(d *decoder, i int)) func(d *decoder) {
		return func(d *decoder) {
			for i := 0; i < lanes; i += n {
				fn(d, i)
			}
		}
	}
	t.decoder("decodeF32", 16, 64, each(func(d *decoder, i int) { d.put(t.load(d.at(4*i)), i) }))
	t.decoder("decodeF16", 16, 32, each(func(d *decoder, i int) {
		v := t.vec()
		VCVTPH2PS(d.at(2*i), v)
		d.put(v, i)
	}))
	t.decoder("decodeBF16", 16, 32, each(func(d *decoder, i int) {
		v := t.vec()
		VPMOVZXWD(d.at(2*i), v)
		VPSLLD(Imm(16), v, v)
		d.put(v, i)
	}))
	t.floats8()
	t.decoder("decodeQ8_0", 32, 34, func(d *decoder) {
		s := d.halves(1)[0]
		for i := 0; i < 32; i += n {
			v := t.vec()
			VPMOVSXBD(d.at(2+i), v)
			d.put(d.linear(v, s, nil), i)
		}
	})
	t.nibbleTypes()
	t.bitTypes()
}

// floats8 writes the decoders of 8-bit floats, which become halves first.
func (t tier) floats8() {
	// put writes sixteen halves.
	put := func(d *decoder, h VecVirtual, scale func(v VecVirtual)) {
		parts := []Op{h}
		if !t.wide() {
			parts = []Op{h.AsX(), tier{bytes: 32}.high(h)}
		}
		for i, part := range parts {
			v := t.vec()
			VCVTPH2PS(part, v)
			scale(v)
			d.put(v, 8*i)
		}
	}
	e5m2, e4m3 := t, t
	var e5m2Tables, e4m3Tables []Mem
	if t.wide() {
		e5m2.big, e5m2Tables = tables8("e5m2", 0, 2, func(exp, man int) float64 {
			switch {
			case exp == 31 && man == 0:
				return math.Inf(1)
			case exp == 31:
				return math.NaN()
			}
			return math.Ldexp(float64(man+4*min(exp, 1)), max(exp, 1)-17)
		})
		e4m3.big, e4m3Tables = tables8("e4m3", 4, 3, func(exp, man int) float64 {
			if exp == 15 && man == 7 {
				return math.NaN()
			}
			return math.Ldexp(float64(man+8*min(exp, 1)), max(exp, 1)-10)
		})
	}
	e5m2.decoder("decodeE5M2", 16, 16, func(d *decoder) {
		h := YMM()
		VPMOVZXBW(d.at(0), h)
		VPSLLW(Imm(8), h, h)
		put(d, h, func(VecVirtual) {})
	}, e5m2Tables...)
	// The exponent of E4M3 is a half's less 8; NaN is made one.
	e4m3.decoder("decodeE4M3", 16, 16, func(d *decoder) {
		h, nan := YMM(), YMM()
		VPMOVSXBW(d.at(0), h)
		VPSLLW(Imm(7), h, h)
		VPAND(d.held[0].AsY(), h, nan)
		VPCMPEQW(d.held[0].AsY(), nan, nan)
		VPAND(d.held[1].AsY(), nan, nan)
		VPAND(d.held[2].AsY(), h, h)
		VPOR(nan, h, h)
		put(d, h, func(v VecVirtual) { VMULPS(d.held[3], v, v) })
	}, append([]Mem{words("e4m3Most", 0x3f803f80), words("e4m3NaN", 0x7e007e00), words("e4m3Bits", 0xbf80bf80), float("e4m3Scale", 256)}, e4m3Tables...)...)
}

// tables8 looks up the two upper bytes of float32s, 64 at a time, whose lower
// bytes are zeros; held are the tables' places among the constants.
func tables8(name string, held, mantissa int, value func(exp, man int) float64) (big func(d *decoder), constants []Mem) {
	var order []uint32 // so that numbers are in order after two unpacks
	for i := range uint32(16) {
		order = append(order, i%4*4+i/4)
	}
	constants = []Mem{words("float8Order", order...), words("float8Sign", 0x80808080)}
	for _, shift := range []int{24, 16} {
		for half := range 2 {
			var table [16]uint32
			for i := range 64 {
				code := 64*half + i
				bits := math.Float32bits(float32(value(code>>mantissa, code&(1<<mantissa-1))))
				table[i/4] |= bits >> shift & 255 << (i % 4 * 8)
			}
			constants = append(constants, words(fmt.Sprintf("%sBytes%d_%d", name, shift, half), table[:]...))
		}
	}
	return func(d *decoder) {
		h := d.held[held:]
		x, upper, lower := d.load(d.at(0)), ZMM(), ZMM()
		VPERMD(x, h[0], x)
		VMOVDQA64(x, upper)
		VMOVDQA64(x, lower)
		VPERMI2B(h[3], h[2], upper)
		VPERMI2B(h[5], h[4], lower)
		VPTERNLOGD(Imm(0xf8), h[1], x, upper)
		zero, out := ZMM(), ZMM()
		VPXORD(zero, zero, zero)
		for i, unpack := range []func(a, b, c Op){func(a, b, c Op) { VPUNPCKLBW(a, b, c) }, func(a, b, c Op) { VPUNPCKHBW(a, b, c) }} {
			halves := ZMM()
			unpack(upper, lower, halves)
			VPUNPCKLWD(halves, zero, out)
			d.put(out, 32*i)
			VPUNPCKHWD(halves, zero, out)
			d.put(out, 32*i+16)
		}
	}, constants
}

// nibbleTypes writes the decoders of 4-bit codes.
func (t tier) nibbleTypes() {
	var unsigned, signed []float64
	for i := range 16 {
		unsigned, signed = append(unsigned, float64(i)), append(signed, float64(i-8))
	}
	uneven := []float64{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	// Whole levels are looked up where a vector holds sixteen.
	look := func(name, table string, bytes int, levels []float64) {
		t.decoder(name, 32, bytes, func(d *decoder) {
			values := d.table(d.held[0], bytes == 20)
			low, high := t.vec(), t.vec()
			VPMOVZXBD(d.at(bytes-16), low)
			VPSRLD(Imm(4), low, high)
			d.look(values, low, 0)
			d.look(values, high, 16)
		}, floats(table, levels...))
	}
	if t.wide() {
		look("decodeQ4_0", "q4_0Levels", 18, signed)
		look("decodeQ4_1", "q4_1Levels", 20, unsigned)
		look("decodeIQ4NL", "iq4Levels", 18, uneven)
		return
	}
	t.decoder("decodeQ4_0", 32, 18, func(d *decoder) {
		s := d.halves(1)[0]
		for i, x := range d.nibbles(2) {
			VPSUBB(bytes16("eights", 8), x, x)
			d.spread(x, 16*i, true, s, nil)
		}
	})
	t.decoder("decodeQ4_1", 32, 20, func(d *decoder) {
		h := d.halves(2)
		for i, x := range d.nibbles(4) {
			d.spread(x, 16*i, false, h[0], h[1])
		}
	})
	t.decoder("decodeIQ4NL", 32, 18, func(d *decoder) {
		s, table := d.halves(1)[0], XMM()
		var values []uint8
		for _, v := range uneven {
			values = append(values, uint8(int8(v)))
		}
		VMOVDQU(bytes16("iq4Values", values...), table)
		for i, x := range d.nibbles(2) {
			VPSHUFB(x, table, x)
			d.spread(x, 16*i, true, s, nil)
		}
	})
}

// bitTypes writes the decoders of int3 and int2, in which eight codes lie in
// three bytes, sixteen in four. A lookup ignores the bits above a code.
func (t tier) bitTypes() {
	n := t.bytes / 4
	constants := []Mem{floats("int3Levels", 0, 1, 2, 3, 4, 5, 6, 7), words("int3Shifts", 0, 3, 6, 1, 4, 7, 2, 5)}
	for i := 0; i < 32; i += n {
		var pick []uint32 // for each code its byte, and the next one
		for j := i; j < i+n; j++ {
			at := uint32(4 + 3*j/8)
			pick = append(pick, 0x80800000|min(at+1, 15)<<8|at)
		}
		constants = append(constants, words(fmt.Sprintf("int3Bytes%d_%d", i, n), pick...))
	}
	t.decoder("decodeInt3", 32, 16, func(d *decoder) {
		values := d.table(d.held[0], true)
		block := t.vec()
		if t.wide() {
			VBROADCASTI32X4(d.at(0), block)
		} else {
			VBROADCASTI128(d.at(0), block)
		}
		for i := 0; i < 32; i += n {
			v := t.vec()
			VPSHUFB(d.held[2+i/n], block, v)
			VPSRLVD(d.held[1], v, v)
			d.look(values, v, i)
		}
	}, constants...)
	shifts := words("int2Shifts", 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
	upper := shifts // of the second vector, where two take what one dword has
	upper.Disp = 4 * (n % 16)
	t.decoder("decodeInt2", 32, 12, func(d *decoder) {
		values := d.table(d.held[0], true)
		for i := 0; i < 32; i += n {
			v := t.vec()
			VPBROADCASTD(d.at(4+i/16*4), v)
			VPSRLVD(d.held[1+i%16/n], v, v)
			d.look(values, v, i)
		}
	}, floats("int2Levels", 0, 1, 2, 3), shifts, upper)
}
