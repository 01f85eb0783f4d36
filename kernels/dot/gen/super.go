package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of a superRecord are.
const (
	recordBytes = 320
	superSums16 = 256
	superSums32 = 288
	superD      = 304
)

// Which vectors of a panel of unpacked weights are what: codes, four columns
// each; scales; pairs of what sums of activations are multiplied with (minima, or
// scales times the code of zero); d and m.
const (
	panelScales = 64
	panelPairs  = panelScales + 16
	panelD      = panelPairs + 8
	panelM      = panelD + 1
)

// superType says how a block of 256 weights is unpacked.
type superType struct {
	name  string
	bytes int
	group int
	mins  bool
	// begin makes constants, once, and gives what reads the head of a block and
	// the codes.
	begin func(p *panel) (head func() heads, codes func(quad func(q int, v VecVirtual)))
}

// heads are a block's scales.
type heads struct {
	d, m  Op
	scale func(g int) VecVirtual // of group g, as int32s
	pair  func(g int) VecVirtual // of groups 2g and 2g+1, as int16s
}

func (t *superType) sumsAt(pair int) int {
	if t.group == 16 {
		return superSums16 + 4*pair
	}
	return superSums32 + 4*pair
}

func (t *superType) groups() int { return 256 / t.group }

// one writes the product of panels with one vector.
func (t *superType) one() {
	begin("one"+t.name, "multiplies panels with one vector", signatureOne)
	w, stride, dst := param("w"), param("stride"), param("dst")
	panels, row := AllocLocal(8), AllocLocal(8)
	n := param("count")
	MOVQ(n, panels)
	MOVQ(w, row)
	p := newPanel(w, stride)
	p.first(row)
	head, codes := t.begin(p)
	Label("panel")
	total := zero()
	a, chunks := param("rec"), param("units")
	ahead := p.ahead(row, panels)
	Label("chunk")
	p.prefetch(ahead, t.bytes)
	h := head()
	var mins VecVirtual
	if t.pairs() {
		mins = zero()
		for g := range t.groups() / 2 {
			pairDot(Mem{Base: a, Disp: t.sumsAt(g)}, h.pair(g), mins)
		}
	}
	dots, count := map[int]VecVirtual{}, map[int]int{}
	var sum VecVirtual
	codes(func(q int, v VecVirtual) {
		g := 4 * q / t.group
		if count[g] == 0 {
			dots[g] = zero()
		}
		dot(Mem{Base: a, Disp: 4 * q}, ready(v, !t.mins), dots[g])
		if count[g]++; count[g] < t.group/4 {
			return
		}
		VPMULLD(h.scale(g), dots[g], dots[g])
		if sum == nil {
			sum = dots[g]
		} else {
			VPADDD(dots[g], sum, sum)
		}
	})
	t.add(total, sum, mins, h.d, h.m, Mem{Base: a, Disp: superD})
	p.prefetchRest()
	p.next(t.bytes)
	ADDQ(NewParamAddr("step", 48), a)
	DECQ(chunks)
	JNZ(LabelRef("chunk"))
	p.end(total, dst, row, panels)
}

// pairs says whether there are pairs: codes with a sign need none.
func (t *superType) pairs() bool { return wide() || t.mins }

// add adds a block's sums to total.
func (t *superType) add(total, sum, mins VecVirtual, d, m Op, ad Mem) {
	if wide() && !t.mins {
		VPSUBD(mins, sum, sum)
	}
	VCVTDQ2PS(sum, sum)
	VMULPS(mulEvery(ad, d), sum, sum)
	VADDPS(sum, total, total)
	if t.mins {
		VCVTDQ2PS(mins, mins)
		VMULPS(mulEvery(ad, m), mins, mins)
		VSUBPS(mins, total, total)
	}
}

// fill writes the unpacking of a block of 16 rows.
func (t *superType) fill() {
	begin("fill"+t.name, "unpacks a block of 16 rows", signatureFill)
	to := param("to")
	p := newPanel(param("w"), param("stride"))
	head, codes := t.begin(p)
	h := head()
	put := func(v Op, i int) { store(register(v), Mem{Base: to, Disp: tier.bytes * i}) }
	for g := range t.groups() {
		put(h.scale(g), panelScales+g)
	}
	if t.pairs() {
		for g := range t.groups() / 2 {
			put(h.pair(g), panelPairs+g)
		}
	}
	put(h.d, panelD)
	if t.mins {
		put(h.m, panelM)
	}
	codes(func(q int, v VecVirtual) { put(v, q) })
	finish()
}

// byteOf gives byte j of every word as an int32.
func byteOf(op Op, j int, signed bool) VecVirtual {
	v, r := register(op), vec()
	if signed {
		if j < 3 {
			VPSLLD(Imm(uint64(24-8*j)), v, r)
			VPSRAD(Imm(24), r, r)
		} else {
			VPSRAD(Imm(24), v, r)
		}
		return r
	}
	name, ctrl := "byteOf"+string(rune('0'+j)), make([]uint8, 16)
	for i := range ctrl {
		ctrl[i] = 0x80
		if i%4 == 0 {
			ctrl[i] = uint8(i + j)
		}
	}
	VPSHUFB(spread(name, ctrl), v, r)
	return r
}

// pairOf gives bytes 2j and 2j+1 of every word as int16s: in the low bytes, or
// in the high ones and then shifted right, with their sign.
func pairOf(op Op, j int, high bool, shift uint64) VecVirtual {
	name, at := "pairOf"+string(rune('0'+j)), 0
	if high {
		name, at = name+"High", 1
	}
	ctrl := make([]uint8, 16)
	for i := range ctrl {
		ctrl[i] = 0x80
		if i%2 == at {
			ctrl[i] = uint8(i/4*4 + 2*j + i%4/2)
		}
	}
	r := vec()
	VPSHUFB(spread(name, ctrl), register(op), r)
	if high {
		VPSRAW(Imm(shift), r, r)
	}
	return r
}

// signedHeads are those of scales in bytes with a sign, zero being 1<<log.
func signedHeads(d VecVirtual, sc []VecVirtual, log int) heads {
	s := keep(sc...)
	return heads{
		d:     keep(d)[0],
		scale: func(g int) VecVirtual { return byteOf(s[g/4], g%4, true) },
		pair:  func(g int) VecVirtual { return pairOf(s[g/2], g%2, true, uint64(8-log)) },
	}
}

// minHeads are those of scales and minima in bytes without a sign.
func minHeads(d, m VecVirtual, sc, mn []VecVirtual) heads {
	s := keep(sc...)
	return heads{
		d: keep(d)[0], m: keep(m)[0],
		scale: func(g int) VecVirtual { return byteOf(s[g/4], g%4, false) },
		pair:  func(g int) VecVirtual { return pairOf(mn[g/2], g%2, false, 0) },
	}
}

// sixBits reads the head of q4_k and q5_k.
func sixBits(p *panel, nibble VecVirtual) heads {
	w := p.words(0)
	low, upper := everyByte(63), everyByte(0x30)
	shifted := func(v VecVirtual, by uint64) VecVirtual {
		r := vec()
		VPSRLD(Imm(by), v, r)
		return r
	}
	later := func(v, from VecVirtual) VecVirtual {
		return andOr(shifted(from, 2), upper, and(nibble, v))
	}
	sc := []VecVirtual{and(low, w[1]), later(w[3], w[1])}
	mn := []VecVirtual{and(low, w[2]), later(shifted(w[3], 4), w[2])}
	return minHeads(halfFloats(w[0]), halfFloats(upperHalf(w[0])), sc, mn)
}

var superTypes = []*superType{
	{name: "Q2K", bytes: 84, group: 16, mins: true, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		return func() heads {
				w := p.words(0)
				nibble := everyByte(15)
				d := p.lastWord(68)
				var sc, mn []VecVirtual
				for _, v := range w {
					sc, mn = append(sc, and(nibble, v)), append(mn, bits(v, 4, 4, 0))
				}
				return minHeads(halfFloats(d), halfFloats(upperHalf(d)), sc, mn)
			}, func(quad func(int, VecVirtual)) {
				for i := range 4 {
					for l, v := range p.words(16 + 16*i) {
						for pair := range 4 {
							quad(32*(i/2)+8*pair+i%2*4+l, bits(v, 2*pair, 2, 0))
						}
					}
				}
			}
	}},
	{name: "Q3K", bytes: 110, group: 16, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		return func() heads {
				// The twelve bytes begin two after a word.
				w := p.words(94)
				var s [3]VecVirtual
				for i := range s {
					high := vec()
					VPSLLD(Imm(16), w[i+1], high)
					s[i] = or(upperHalf(w[i]), high)
				}
				nibble, half := everyByte(15), everyByte(32)
				var sc []VecVirtual
				for i := range 4 {
					upper := bits(s[2], 2*i, 2, 4)
					if i < 2 {
						upper = andOr(s[i], nibble, upper)
					} else {
						upper = or(bits(s[i-2], 4, 4, 0), upper)
					}
					VPSUBB(half, upper, upper)
					sc = append(sc, upper)
				}
				return signedHeads(halfFloats(upperHalf(w[3])), sc, 2)
			}, func(quad func(int, VecVirtual)) {
				for part := range 2 {
					third := p.words(16 * part)
					for i := range 2 {
						for l, v := range p.words(32 + 32*i + 16*part) {
							for pair := range 4 {
								run := 4*i + pair
								quad(8*run+4*part+l, withSign(or(bits(v, 2*pair, 2, 0), bits(third[l], run, 1, 2)), 4))
							}
						}
					}
				}
			}
	}},
	{name: "Q4K", bytes: 144, group: 32, mins: true, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		nibble := everyByte(15)
		return func() heads { return sixBits(p, nibble) }, func(quad func(int, VecVirtual)) {
			for i := range 8 {
				for l, v := range p.words(16 + 16*i) {
					at := i/2*16 + i%2*4 + l
					quad(at, and(nibble, v))
					quad(at+8, bits(v, 4, 4, 0))
				}
			}
		}
	}},
	{name: "Q5K", bytes: 176, group: 32, mins: true, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		nibble := everyByte(15)
		return func() heads { return sixBits(p, nibble) }, func(quad func(int, VecVirtual)) {
			first, second := p.words(16), p.words(32)
			fifth := keep(append(first[:], second[:]...)...)
			for i := range 8 {
				for l, v := range p.words(48 + 16*i) {
					l += i % 2 * 4
					run := i / 2 * 2
					quad(8*run+l, andOr(v, nibble, bits(register(fifth[l]), run, 1, 4)))
					quad(8*run+8+l, or(bits(v, 4, 4, 0), bits(register(fifth[l]), run+1, 1, 4)))
				}
			}
		}
	}},
	{name: "Q6K", bytes: 210, group: 16, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		nibble := everyByte(15)
		return func() heads {
				w := p.words(192)
				return signedHeads(halfFloats(upperHalf(p.lastWord(194))), w[:], 5)
			}, func(quad func(int, VecVirtual)) {
				for n := range 2 {
					for part := range 2 {
						high := p.words(128 + 32*n + 16*part)
						for run := range 2 {
							for l, v := range p.words(64*n + 32*run + 16*part) {
								at := 32*n + 8*run + 4*part + l
								quad(at, withSign(andOr(v, nibble, bits(high[l], 2*run, 2, 4)), 32))
								quad(at+16, withSign(or(bits(v, 4, 4, 0), bits(high[l], 2*run+4, 2, 4)), 32))
							}
						}
					}
				}
			}
	}},
	{name: "IQ4XS", bytes: 136, group: 32, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		nibble := everyByte(15)
		table := valuesOf("iq4", iq4Codes)
		return func() heads {
				w := p.words(0)
				half, upper := everyByte(32), everyByte(0x30)
				var sc []VecVirtual
				for i := range 2 {
					low, high := eights(w[1], 16*i, 4), eights(w[0], 12+8*i, 2)
					v := andOr(high, upper, and(nibble, low))
					VPSUBB(half, v, v)
					sc = append(sc, v)
				}
				return signedHeads(halfFloats(w[0]), sc, 7)
			}, func(quad func(int, VecVirtual)) {
				for i := range 8 {
					for l, v := range p.words(8 + 16*i) {
						low, high := and(nibble, v), bits(v, 4, 4, 0)
						VPSHUFB(low, table, low)
						VPSHUFB(high, table, high)
						quad(8*i+l, low)
						quad(8*i+4+l, high)
					}
				}
			}
	}},
}

// Values of codes, plus 128.
var (
	iq4Codes = []uint8{1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241}
	fp4Codes = []uint8{128, 129, 130, 131, 132, 134, 136, 140, 128, 127, 126, 125, 124, 122, 120, 116}
)

// valuesOf is a table for VPSHUFB of values plus 128, or with their sign.
func valuesOf(name string, plus []uint8) VecVirtual {
	if wide() {
		return inLanes(name+"Codes", plus...)
	}
	var signed []uint8
	for _, v := range plus {
		signed = append(signed, v^128)
	}
	return inLanes(name+"Values", signed...)
}

// withSign takes zero, a power of two above all low bits of codes, from codes,
// where they have a sign.
func withSign(v VecVirtual, zero uint8) VecVirtual {
	if !wide() {
		VPSUBB(everyByte(zero), v, v)
	}
	return v
}
