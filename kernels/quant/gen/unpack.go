package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// unpacker writes a kernel that decodes blocks.
type unpacker struct {
	tier
	src, dst Register
}

// unpack starts the kernel name. Its begin writes what is done once, and gives
// what is done for every block.
func (t tier) unpack(name string, weights, bytes int, begin func(u *unpacker) (block func())) {
	t.begin(name, "decodes blocks", "func(dst []float32, src []byte)")
	u := &unpacker{tier: t, src: base("src"), dst: base("dst")}
	left := Load(Param("dst").Len(), GP64())
	block := begin(u)
	JMP(LabelRef("enough"))
	Label("block")
	block()
	ADDQ(U32(uint32(bytes)), u.src)
	ADDQ(U32(uint32(4*weights)), u.dst)
	SUBQ(U32(uint32(weights)), left)
	Label("enough")
	TESTQ(left, left)
	JNZ(LabelRef("block"))
	finish()
}

func (u *unpacker) at(disp int) Mem { return Mem{Base: u.src, Disp: disp} }

// half repeats a half, as float32.
func (u *unpacker) half(disp int) VecVirtual {
	v := u.vec()
	if u.wide() {
		h := YMM()
		VPBROADCASTW(u.at(disp), h)
		VCVTPH2PS(h, v)
		return v
	}
	h := XMM()
	VPBROADCASTW(u.at(disp), h)
	VCVTPH2PS(h, v)
	return v
}

// bytes16 and bytes32 repeat a byte.
func bytes16(b uint32) VecVirtual {
	r, x := GP32(), XMM()
	MOVL(U32(b*0x01010101), r)
	VMOVD(r, x)
	VPBROADCASTD(x, x)
	return x
}

func bytes32(b uint32) VecVirtual {
	r, x, y := GP32(), XMM(), YMM()
	MOVL(U32(b*0x01010101), r)
	VMOVD(r, x)
	VPBROADCASTD(x, y)
	return y
}

func load16(m Mem) VecVirtual { x := XMM(); VMOVDQU(m, x); return x }
func load32(m Mem) VecVirtual { y := YMM(); VMOVDQU(m, y); return y }

// bits gives (v >> shift) & mask for bytes, the mask having no more than the
// 8 - shift lowest bits.
func bits(v VecVirtual, shift int, mask VecVirtual) VecVirtual {
	r := like(v)
	if shift > 0 {
		VPSRLW(Imm(uint64(shift)), v, r)
		VPAND(mask, r, r)
	} else {
		VPAND(mask, v, r)
	}
	return r
}

// like gives a register of v's width.
func like(v VecVirtual) VecVirtual {
	if v.Size() == 32 {
		return YMM()
	}
	return XMM()
}

// put16 writes what f makes of the 16 codes in x, as float32s, as the weights
// from number at on.
func (u *unpacker) put16(at int, x VecVirtual, signed bool, f func(v VecVirtual)) {
	n := u.bytes / 4
	for i := 0; i < 16; i += n {
		v := u.vec()
		if i > 0 {
			rest := XMM()
			VPSRLDQ(Imm(uint64(i)), x, rest)
			x = rest
		}
		if signed {
			VPMOVSXBD(x, v)
		} else {
			VPMOVZXBD(x, v)
		}
		VCVTDQ2PS(v, v)
		f(v)
		u.store(v, Mem{Base: u.dst, Disp: 4 * (at + i)})
	}
}

// put32 does the same with 32 codes, the two halves having their own f.
func (u *unpacker) put32(at int, y VecVirtual, signed bool, f, g func(v VecVirtual)) {
	high := XMM()
	VEXTRACTI128(Imm(1), y, high)
	u.put16(at, y.AsX().(VecVirtual), signed, f)
	u.put16(at+16, high, signed, g)
}

// linear multiplies with s and, unless it is nil, adds m or subtracts it.
func linear(s, m Op, add bool) func(v VecVirtual) {
	return func(v VecVirtual) {
		VMULPS(s, v, v)
		switch {
		case m == nil:
		case add:
			VADDPS(m, v, v)
		default:
			VSUBPS(m, v, v)
		}
	}
}

// small writes the kernels of blocks of 32 weights.
func (t tier) small() {
	t.unpack("unpackQ4_0", 32, 18, func(u *unpacker) func() {
		low, eight := bytes16(15), bytes16(8)
		return func() {
			f := linear(u.half(0), nil, false)
			q := load16(u.at(2))
			for i := range 2 {
				c := bits(q, 4*i, low)
				VPSUBB(eight, c, c)
				u.put16(16*i, c, true, f)
			}
		}
	})
	t.unpack("unpackQ4_1", 32, 20, func(u *unpacker) func() {
		low := bytes16(15)
		return func() {
			f := linear(u.half(0), u.half(2), true)
			q := load16(u.at(4))
			for i := range 2 {
				u.put16(16*i, bits(q, 4*i, low), false, f)
			}
		}
	})
	t.unpack("unpackQ5_0", 32, 22, func(u *unpacker) func() {
		fifth, low, sixteen := fifthBits(), bytes16(15), bytes16(16)
		return func() {
			f := linear(u.half(0), nil, false)
			q := load16(u.at(6))
			for i := range 2 {
				c := bits(q, 4*i, low)
				VPOR(fifth(u.at(2+2*i)), c, c)
				VPSUBB(sixteen, c, c)
				u.put16(16*i, c, true, f)
			}
		}
	})
	t.unpack("unpackQ5_1", 32, 24, func(u *unpacker) func() {
		fifth, low := fifthBits(), bytes16(15)
		return func() {
			f := linear(u.half(0), u.half(2), true)
			q := load16(u.at(8))
			for i := range 2 {
				c := bits(q, 4*i, low)
				VPOR(fifth(u.at(4+2*i)), c, c)
				u.put16(16*i, c, false, f)
			}
		}
	})
	t.unpack("unpackQ8_0", 32, 34, func(u *unpacker) func() {
		return func() {
			f := linear(u.half(0), nil, false)
			for i := range 2 {
				u.put16(16*i, load16(u.at(2+16*i)), true, f)
			}
		}
	})
	t.unpack("unpackIQ4NL", 32, 18, func(u *unpacker) func() {
		table := load16(bytesData("iq4Values", 129, 152, 173, 191, 207, 221, 234, 246, 1, 13, 25, 38, 53, 69, 89, 113))
		return u.lookup(table, 2, func() VecVirtual { return u.half(0) })
	})
	t.unpack("unpackMXFP4", 32, 17, func(u *unpacker) func() {
		table := load16(bytesData("fp4Values", 0, 1, 2, 3, 4, 6, 8, 12, 0, 255, 254, 253, 252, 250, 248, 244))
		return u.lookup(table, 1, u.halfE8M0)
	})
}

// lookup decodes 16 bytes at codes of nibbles that stand for values of a table.
func (u *unpacker) lookup(table VecVirtual, codes int, scale func() VecVirtual) func() {
	low := bytes16(15)
	return func() {
		f := linear(scale(), nil, false)
		q := load16(u.at(codes))
		for i := range 2 {
			c := bits(q, 4*i, low)
			VPSHUFB(c, table, c)
			u.put16(16*i, c, true, f)
		}
	}
}

// halfE8M0 is half of two to the power that the block's first byte stands for:
// the exponent less one, and denormals for the two lowest.
func (u *unpacker) halfE8M0() VecVirtual {
	e, normal, tiny := GP32(), GP32(), GP32()
	MOVBLZX(u.at(0), e)
	LEAL(Mem{Base: e.As64(), Disp: -1}, normal)
	SHLL(Imm(23), normal)
	MOVL(e, tiny)
	ANDL(Imm(1), tiny)
	LEAL(Mem{Base: tiny.As64(), Disp: 1}, tiny)
	SHLL(Imm(21), tiny)
	CMPL(e, Imm(2))
	CMOVLCS(tiny, normal)
	v := u.vec()
	u.broadcast(normal, v)
	return v
}

// fifthBits gives a function that spreads 16 bits to bit 4 of 16 bytes.
func fifthBits() func(m Mem) VecVirtual {
	place := load16(bytesData("fifthByte", 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1))
	mask := load16(bytesData("fifthMask", 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128))
	sixteen := bytes16(16)
	return func(m Mem) VecVirtual {
		v := XMM()
		VPBROADCASTW(m, v)
		VPSHUFB(place, v, v)
		VPAND(mask, v, v)
		VPCMPEQB(mask, v, v)
		VPAND(sixteen, v, v)
		return v
	}
}

var data = map[string]Mem{}

// bytesData gives constant bytes a place.
func bytesData(name string, values ...uint8) Mem {
	if m, ok := data[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(i, U8(v))
	}
	data[name] = m
	return m
}
