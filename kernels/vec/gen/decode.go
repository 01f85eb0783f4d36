package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// decoder writes a kernel that decodes rows.
type decoder struct {
	tier
	src, dst Register
}

// decoder starts the kernel name, of steps of so many numbers in so many bytes.
func (t tier) decoder(name string, numbers, bytes int, step func(d *decoder)) {
	t.begin(name, "func(dst []float32, src []byte, cols, stride int)")
	src, stride := base("src"), Load(Param("stride"), GP64())
	d := &decoder{tier: t, src: GP64(), dst: base("dst")}
	left, cols, here := Load(Param("dst").Len(), GP64()), Load(Param("cols"), GP64()), GP64()
	Label("row")
	MOVQ(src, d.src)
	MOVQ(cols, here)
	Label("step")
	step(d)
	ADDQ(Imm(uint64(bytes)), d.src)
	ADDQ(U32(uint32(4*numbers)), d.dst)
	SUBQ(Imm(uint64(numbers)), here)
	JG(LabelRef("step"))
	ADDQ(stride, src)
	SUBQ(cols, left)
	JG(LabelRef("row"))
	finish()
}

func (d *decoder) at(disp int) Mem { return Mem{Base: d.src, Disp: disp} }

// put writes a vector of numbers from number i of the step on.
func (d *decoder) put(v VecVirtual, i int) { d.store(v, Mem{Base: d.dst, Disp: 4 * i}) }

// half repeats a half, as float32.
func (d *decoder) half(disp int) VecVirtual {
	v := d.vec()
	if d.wide() {
		h := YMM()
		VPBROADCASTW(d.at(disp), h)
		VCVTPH2PS(h, v)
		return v
	}
	h := XMM()
	VPBROADCASTW(d.at(disp), h)
	VCVTPH2PS(h, v)
	return v
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
	// An 8-bit float shifted to where a half has its exponent.
	words16 := func(d *decoder, i int) VecVirtual {
		v := YMM().(VecVirtual)
		if !t.wide() {
			v = XMM()
		}
		VPMOVZXBW(d.at(i), v)
		return v
	}
	t.decoder("decodeE5M2", 16, 16, each(func(d *decoder, i int) {
		h, v := words16(d, i), t.vec()
		VPSLLW(Imm(8), h, h)
		VCVTPH2PS(h, v)
		d.put(v, i)
	}))
	t.decoder("decodeE4M3", 16, 16, each(func(d *decoder, i int) {
		h, v := words16(d, i), t.vec()
		magnitude, nan := like(h), like(h)
		size := words("e4m3Magnitude", 0x007f007f)
		VPAND(size, h, magnitude)
		VPCMPEQW(size, magnitude, nan)
		VPAND(words("e4m3NaN", 0x7e007e00), nan, nan)
		VPSLLW(Imm(7), magnitude, magnitude)
		VPOR(nan, magnitude, magnitude)
		VPSRLW(Imm(7), h, h)
		VPSLLW(Imm(15), h, h)
		VPOR(h, magnitude, h)
		VCVTPH2PS(h, v)
		VMULPS(float("e4m3Scale", 256), v, v)
		d.put(v, i)
	}))
	t.decoder("decodeQ8_0", 32, 34, func(d *decoder) {
		s := d.half(0)
		for i := 0; i < 32; i += n {
			v := t.vec()
			VPMOVSXBD(d.at(2+i), v)
			d.put(d.linear(v, s, nil), i)
		}
	})
	t.decoder("decodeQ4_0", 32, 18, func(d *decoder) {
		s := d.half(0)
		for i, x := range d.nibbles(2) {
			VPSUBB(bytes16("eights", 8), x, x)
			d.spread(x, 16*i, true, s, nil)
		}
	})
	t.decoder("decodeQ4_1", 32, 20, func(d *decoder) {
		s, m := d.half(0), d.half(2)
		for i, x := range d.nibbles(4) {
			d.spread(x, 16*i, false, s, m)
		}
	})
	t.decoder("decodeIQ4NL", 32, 18, func(d *decoder) {
		s, table := d.half(0), XMM()
		VMOVDQU(bytes16("iq4Values", 129, 152, 173, 191, 207, 221, 234, 246, 1, 13, 25, 38, 53, 69, 89, 113), table)
		for i, x := range d.nibbles(2) {
			VPSHUFB(x, table, x)
			d.spread(x, 16*i, true, s, nil)
		}
	})
	// Eight codes of three bits lie in three bytes, sixteen of two in four.
	t.decoder("decodeInt3", 32, 16, func(d *decoder) {
		narrow := &decoder{tier: tier{"", 32}, src: d.src, dst: d.dst}
		s, m := narrow.half(0), narrow.half(2)
		for i := range 4 {
			at, shifts := 4+3*i, words("int3Shifts", 0, 3, 6, 9, 12, 15, 18, 21)
			if i == 3 { // not beyond the block
				at, shifts = 12, words("int3Shifts8", 8, 11, 14, 17, 20, 23, 26, 29)
			}
			v := YMM()
			VPBROADCASTD(d.at(at), v)
			VPSRLVD(shifts, v, v)
			VPAND(words("sevens", 7), v, v)
			narrow.put(narrow.linear(v, s, m), 8*i)
		}
	})
	t.decoder("decodeInt2", 32, 12, func(d *decoder) {
		s, m := d.half(0), d.half(2)
		shifts := words("int2Shifts", 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
		for i := 0; i < 32; i += n {
			v, by := t.vec(), shifts
			by.Disp += 4 * (i % 16)
			VPBROADCASTD(d.at(4+i/16*4), v)
			VPSRLVD(by, v, v)
			three := words("threes", 3)
			if t.wide() {
				VPANDD(three, v, v)
			} else {
				VPAND(three, v, v)
			}
			d.put(d.linear(v, s, m), i)
		}
	})
}

// like gives a register of v's width.
func like(v VecVirtual) VecVirtual {
	if v.Size() == 32 {
		return YMM()
	}
	return XMM()
}
