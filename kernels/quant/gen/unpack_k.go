package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// scales writes floats times d to the stack, 16 of the bytes in x, from where
// they are repeated one by one.
func (u *unpacker) scales(x VecVirtual, signed bool, d VecVirtual, room Mem) {
	n := u.bytes / 4
	for i := 0; i < 16; i += n {
		s := u.vec()
		if i > 0 {
			rest := XMM()
			VPSRLDQ(Imm(uint64(i)), x, rest)
			x = rest
		}
		if signed {
			VPMOVSXBD(x, s)
		} else {
			VPMOVZXBD(x, s)
		}
		VCVTDQ2PS(s, s)
		VMULPS(d, s, s)
		u.store(s, room.Offset(4*i))
	}
}

// large writes the kernels of blocks of 256 weights.
func (t tier) large() {
	t.unpack("unpackQ2K", 256, 84, func(u *unpacker) func() {
		nibble, two := bytes16(15), bytes32(3)
		scales, minima := AllocLocal(64), AllocLocal(64)
		return func() {
			sc := load16(u.at(0))
			u.scales(bits(sc, 0, nibble), false, u.half(80), scales)
			u.scales(bits(sc, 4, nibble), false, u.half(82), minima)
			for part := range 2 {
				q := load32(u.at(16 + 32*part))
				for i := range 4 {
					run := 4*part + i
					u.put32(32*run, bits(q, 2*i, two), false,
						linear(u.every(scales.Offset(8*run)), u.every(minima.Offset(8*run)), false),
						linear(u.every(scales.Offset(8*run+4)), u.every(minima.Offset(8*run+4)), false))
				}
			}
		}
	})
	t.unpack("unpackQ3K", 256, 110, func(u *unpacker) func() {
		two, four := bytes32(3), bytes32(4)
		scales := AllocLocal(64)
		shifts := load16(bytesData("q3kShifts", 0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0))
		return func() {
			// Low nibbles of the scales, then pairs of bits above them.
			sc, high := XMM(), XMM()
			VMOVQ(u.at(96), sc)
			VPSRLW(Imm(4), sc, high)
			VPUNPCKLQDQ(high, sc, sc)
			VPAND(bytes16(15), sc, sc)
			VPBROADCASTD(u.at(104), high)
			VPSRLVD(shifts, high, high)
			VPAND(bytes16(3), high, high)
			VPSLLD(Imm(4), high, high)
			VPOR(high, sc, sc)
			VPSUBB(bytes16(32), sc, sc)
			u.scales(sc, true, u.half(108), scales)
			third := load32(u.at(0))
			for part := range 2 {
				q := load32(u.at(32 + 32*part))
				for i := range 4 {
					run := 4*part + i
					c, h := bits(q, 2*i, two), YMM()
					if run < 2 {
						VPSLLW(Imm(uint64(2-run)), third, h)
						VPAND(four, h, h)
					} else {
						h = bits(third, run-2, four)
					}
					VPOR(h, c, c)
					VPSUBB(four, c, c)
					u.put32(32*run, c, true, linear(u.every(scales.Offset(8*run)), nil, false), linear(u.every(scales.Offset(8*run+4)), nil, false))
				}
			}
		}
	})
	t.unpack("unpackQ4K", 256, 144, func(u *unpacker) func() {
		nibble := bytes32(15)
		room := AllocLocal(128)
		return func() {
			u.scalesAndMinima(room)
			for i := range 4 {
				q := load32(u.at(16 + 32*i))
				for j := range 2 {
					f := u.subBlock(room, 2*i+j)
					u.put32(64*i+32*j, bits(q, 4*j, nibble), false, f, f)
				}
			}
		}
	})
	t.unpack("unpackQ5K", 256, 176, func(u *unpacker) func() {
		nibble, sixteen := bytes32(15), bytes32(16)
		room := AllocLocal(128)
		return func() {
			u.scalesAndMinima(room)
			fifth := load32(u.at(16))
			for i := range 4 {
				q := load32(u.at(48 + 32*i))
				for j := range 2 {
					f, c, h, run := u.subBlock(room, 2*i+j), bits(q, 4*j, nibble), YMM(), 2*i+j
					if run < 4 {
						VPSLLW(Imm(uint64(4-run)), fifth, h)
						VPAND(sixteen, h, h)
					} else {
						h = bits(fifth, run-4, sixteen)
					}
					VPOR(h, c, c)
					u.put32(64*i+32*j, c, false, f, f)
				}
			}
		}
	})
	t.unpack("unpackQ6K", 256, 210, func(u *unpacker) func() {
		nibble, upper, half := bytes32(15), bytes32(0x30), bytes32(32)
		scales := AllocLocal(64)
		return func() {
			u.scales(load16(u.at(192)), true, u.half(208), scales)
			for n := range 2 {
				high := load32(u.at(128 + 32*n))
				for run := range 4 {
					c := bits(load32(u.at(64*n+run%2*32)), run/2*4, nibble)
					h := YMM()
					switch shift := 2*run - 4; {
					case shift < 0:
						VPSLLW(Imm(uint64(-shift)), high, h)
						VPAND(upper, h, h)
					default:
						h = bits(high, shift, upper)
					}
					VPOR(h, c, c)
					VPSUBB(half, c, c)
					at := 4 * (8*n + 2*run)
					u.put32(128*n+32*run, c, true, linear(u.every(scales.Offset(at)), nil, false), linear(u.every(scales.Offset(at+4)), nil, false))
				}
			}
		}
	})
}

// scalesAndMinima writes 8 scales times d, then 8 minima times dmin, of q4_k
// and q5_k: 6 bits each, in 12 bytes.
func (u *unpacker) scalesAndMinima(room Mem) {
	var words [3]GPVirtual
	for i := range words {
		words[i] = GP32()
		MOVL(u.at(4+4*i), words[i])
	}
	x := XMM()
	// Those of 0..3 are the low bits of the first two words; the others have
	// nibbles in the third and their two upper bits where 0..3 leave room.
	for i, shift := range []uint64{0, 4} {
		low, nibbles := GP32(), GP32()
		MOVL(words[i], low)
		ANDL(U32(0x3f3f3f3f), low)
		MOVL(words[2], nibbles)
		if shift > 0 {
			SHRL(Imm(shift), nibbles)
		}
		ANDL(U32(0x0f0f0f0f), nibbles)
		SHRL(Imm(2), words[i])
		ANDL(U32(0x30303030), words[i])
		ORL(words[i], nibbles)
		if i == 0 {
			VMOVD(low, x)
		} else {
			VPINSRD(Imm(2), low, x, x)
		}
		VPINSRD(Imm(uint64(2*i+1)), nibbles, x, x)
	}
	// The first 8 are scales, the last 8 minima.
	y := tier{"", 32}
	for i, at := range []int{0, 2} {
		h, d, s := XMM(), YMM(), y.vec()
		VPBROADCASTW(u.at(at), h)
		VCVTPH2PS(h, d)
		if i > 0 {
			VPSRLDQ(Imm(8), x, x)
		}
		VPMOVZXBD(x, s)
		VCVTDQ2PS(s, s)
		VMULPS(d, s, s)
		y.store(s, room.Offset(32*i))
	}
}

// subBlock gives the linear function of sub-block j.
func (u *unpacker) subBlock(room Mem, j int) func(v VecVirtual) {
	return linear(u.every(room.Offset(4*j)), u.every(room.Offset(32+4*j)), false)
}

// floats writes the kernels of bf16 and f16; what a vector does not divide is
// left to scalar code.
func (t tier) floats() {
	n := t.bytes / 4
	t.unpack("unpackBF16", n, 2*n, func(u *unpacker) func() {
		return func() {
			v := u.vec()
			VPMOVZXWD(u.at(0), v)
			VPSLLD(Imm(16), v, v)
			u.store(v, Mem{Base: u.dst})
		}
	})
	t.unpack("unpackF16", n, 2*n, func(u *unpacker) func() {
		exponent, keep, infinite, scale := u.word(0x0f800000), u.word(0x8fffffff), u.word(0x7f800000), u.word(0x77800000)
		return func() {
			// The shifted bits are the value times 2^-112; infinities and NaN,
			// of which no bit may change, are told by their exponent.
			v, e, odd := u.vec(), u.vec(), u.vec()
			VPMOVSXWD(u.at(0), v)
			VPSLLD(Imm(13), v, v)
			u.and(keep, v)
			finite := u.mul(v, scale)
			if u.wide() {
				VPANDD(exponent, v, e)
				VPORD(infinite, v, odd)
				k := K()
				VPCMPEQD(exponent, e, k)
				VMOVAPS(odd, k, finite)
			} else {
				VPAND(exponent, v, e)
				VPOR(infinite, v, odd)
				VPCMPEQD(exponent, e, e)
				VBLENDVPS(e, odd, finite, finite)
			}
			u.store(finite, Mem{Base: u.dst})
		}
	})
}
