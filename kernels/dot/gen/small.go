package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of a smallRecord are.
const (
	smallD    = 256
	smallSums = 288
)

// A panel of unpacked blocks of 32 has these vectors for each: codes, d and m.
const (
	smallPanelD = 8
	smallPanelM = smallPanelD + 1
	smallPanel  = smallPanelM + 1
)

// smallType says how a block of 32 weights is unpacked. Codes are values plus
// 128, but with mins.
type smallType struct {
	name  string
	bytes int
	mins  bool
	// begin makes constants, once, and gives what reads the scales and the
	// codes of a block.
	begin func(p *panel) (scales func() (d, m VecVirtual), codes func(quad func(q int, v VecVirtual)))
}

// one writes the product of panels with one vector.
func (t *smallType) one() {
	begin("one"+t.name, "multiplies panels with one vector", signatureOne)
	w, stride, dst := param("w"), param("stride"), param("dst")
	panels, row, left, record := AllocLocal(8), AllocLocal(8), AllocLocal(8), AllocLocal(8)
	MOVQ(param("count"), panels)
	MOVQ(w, row)
	p := newPanel(w, stride)
	p.first(row)
	scales, codes := t.begin(p)
	Label("panel")
	total := zero()
	MOVQ(param("units"), left)
	MOVQ(param("rec"), record)
	a, b, ahead := GP64(), GP64(), p.ahead(row, panels)
	Label("record")
	MOVQ(record, a)
	XORQ(b, b)
	Label("block")
	p.prefetch(ahead, t.bytes)
	d, m := scales()
	kept := keep(d, m)
	dots := t.start(Mem{Base: a, Index: b, Scale: 1, Disp: smallSums})
	other := zero()
	codes(func(q int, v VecVirtual) {
		to := dots
		if q%2 == 1 {
			to = other
		}
		dot(Mem{Base: a, Index: b, Scale: 8, Disp: 4 * q}, ready(v, !t.mins), to)
	})
	VPADDD(other, dots, dots)
	t.add(total, dots, kept[0], kept[1], Mem{Base: a, Index: b, Scale: 1})
	p.prefetchRest()
	p.next(t.bytes)
	DECQ(left)
	JZ(LabelRef("done"))
	ADDQ(Imm(4), b)
	CMPQ(b, Imm(32))
	JLT(LabelRef("block"))
	next := param("step")
	ADDQ(next, a)
	MOVQ(a, record)
	JMP(LabelRef("record"))
	Label("done")
	p.end(total, dst, row, panels)
}

// start is the sum that products begin with: that of 128 too much in codes.
func (t *smallType) start(sums Mem) VecVirtual {
	if t.mins || !wide() {
		return zero()
	}
	return every(sums)
}

// add adds a block's sum to total. a is the start of its record's scales, less
// smallD.
func (t *smallType) add(total, sum VecVirtual, d, m Op, a Mem) {
	VCVTDQ2PS(sum, sum)
	VMULPS(mulEvery(a.Offset(smallD), d), sum, sum)
	VADDPS(sum, total, total)
	if t.mins {
		plain := every(a.Offset(smallSums))
		VCVTDQ2PS(plain, plain)
		plain = mulEvery(constant("minus128th", 0, 0, 0, 0xbc), plain)
		VMULPS(mulEvery(a.Offset(smallD), m), plain, plain)
		VADDPS(plain, total, total)
	}
}

// fill writes the unpacking of some blocks of 16 rows.
func (t *smallType) fill() {
	begin("fill"+t.name, "unpacks blocks of 16 rows", signatureFill)
	to, left := param("to"), param("units")
	p := newPanel(param("w"), param("stride"))
	scales, codes := t.begin(p)
	Label("block")
	d, m := scales()
	put := func(v VecVirtual, i int) { store(v, Mem{Base: to, Disp: tier.bytes * i}) }
	put(d, smallPanelD)
	if t.mins {
		put(m, smallPanelM)
	}
	codes(func(q int, v VecVirtual) { put(v, q) })
	ADDQ(U32(uint32(tier.bytes*smallPanel)), to)
	p.next(t.bytes)
	DECQ(left)
	JNZ(LabelRef("block"))
	finish()
}

// smallProduct writes the product of a panel with vectors.
func smallProduct(mins bool) {
	name := "productSmall"
	if mins {
		name += "Mins"
	}
	begin(name, "multiplies a panel with vectors", signatureProduct)
	t := &smallType{mins: mins}
	left := AllocLocal(8)
	tiled(func(b *tile) {
		codes, at := GP64(), GP64()
		MOVQ(b.panel, codes)
		XORQ(at, at)
		MOVQ(param("units"), left)
		total := b.load()
		Label(b.label("block"))
		dots := b.each(func(j int) VecVirtual {
			return t.start(Mem{Base: b.a[j], Index: at, Scale: 1, Disp: smallSums})
		})
		for q := range 8 {
			w := ready(load(Mem{Base: codes, Disp: tier.bytes * q}), !mins)
			for j, a := range b.a {
				dot(Mem{Base: a, Index: at, Scale: 8, Disp: 4 * q}, w, dots[j])
			}
		}
		d, m := load(Mem{Base: codes, Disp: tier.bytes * smallPanelD}), VecVirtual(nil)
		if mins {
			m = load(Mem{Base: codes, Disp: tier.bytes * smallPanelM})
		}
		for j, a := range b.a {
			t.add(total[j], dots[j], d, m, Mem{Base: a, Index: at, Scale: 1})
		}
		ADDQ(U32(uint32(tier.bytes*smallPanel)), codes)
		ADDQ(Imm(4), at)
		DECQ(left)
		JNZ(LabelRef(b.label("block")))
		b.store(total)
	})
}

// nibbles makes quads of 16 bytes of every row: low ones are codes 0..15, high
// ones 16..31.
func (p *panel) nibbles(disp int, mask VecVirtual, then func(l int, low, high VecVirtual)) {
	for l, v := range p.words(disp) {
		then(l, and(mask, v), bits(v, 4, 4, 0))
	}
}

// tableType is a type whose nibbles stand for values of a table.
func tableType(name string, bytes, at int, table []uint8, scales func(p *panel) func() VecVirtual) *smallType {
	return &smallType{name: name, bytes: bytes, begin: func(p *panel) (func() (d, m VecVirtual), func(func(int, VecVirtual))) {
		nibble, values, d := everyByte(15), valuesOf(name, table), scales(p)
		return func() (VecVirtual, VecVirtual) { return d(), nil }, func(quad func(int, VecVirtual)) {
			p.nibbles(at, nibble, func(l int, low, high VecVirtual) {
				VPSHUFB(low, values, low)
				VPSHUFB(high, values, high)
				quad(l, low)
				quad(4+l, high)
			})
		}
	}}
}

// firstHalf is the scale of types whose blocks begin with it.
func firstHalf(p *panel) func() VecVirtual {
	return func() VecVirtual { return halfFloats(p.firstWord(0)) }
}

// halfE8M0 reads exponents: half of two to their power, denormals for the two
// lowest.
func halfE8M0(p *panel) func() VecVirtual {
	one, tiny, byte := everyWord(1), everyWord(0x00200000), everyWord(255)
	return func() VecVirtual {
		e, v := and(byte, p.firstWord(0)), vec()
		VPSUBD(one, e, v)
		VPSLLD(Imm(23), v, v)
		if wide() {
			low := K()
			VPCMPUD(Imm(2), one, e, low) // at most 1
			VPSLLVD(e, tiny, low, v)
		} else {
			high, low := vec(), vec()
			VPCMPGTD(one, e, high)
			VPSLLVD(e, tiny, low)
			VBLENDVPS(high, v, low, v)
		}
		return v
	}
}

// withFifth makes codes of nibbles and fifth bits, those of a row in a word.
func (p *panel) withFifth(fifth VecVirtual, disp int, mask VecVirtual, quad func(q int, v VecVirtual)) {
	p.nibbles(disp, mask, func(l int, low, high VecVirtual) {
		for i, v := range []VecVirtual{low, high} {
			q := 4*i + l
			quad(q, or(v, bits(eights(fifth, 4*q, 1), 0, 1, 4)))
		}
	})
}

var smallTypes = []*smallType{
	tableType("Q4_0", 18, 2, []uint8{120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135}, firstHalf),
	tableType("IQ4NL", 18, 2, iq4Codes, firstHalf),
	tableType("MXFP4", 17, 1, fp4Codes, halfE8M0),
	{name: "Q8_0", bytes: 34, begin: func(p *panel) (func() (d, m VecVirtual), func(func(int, VecVirtual))) {
		d := firstHalf(p)
		return func() (VecVirtual, VecVirtual) { return d(), nil }, func(quad func(int, VecVirtual)) {
			for i := range 2 {
				for l, v := range p.words(2 + 16*i) {
					if wide() {
						VPXORD(everyByte(128), v, v)
					}
					quad(4*i+l, v)
				}
			}
		}
	}},
	{name: "Q4_1", bytes: 20, mins: true, begin: func(p *panel) (func() (d, m VecVirtual), func(func(int, VecVirtual))) {
		nibble := everyByte(15)
		return func() (VecVirtual, VecVirtual) {
				w := p.firstWord(0)
				return halfFloats(w), halfFloats(upperHalf(w))
			}, func(quad func(int, VecVirtual)) {
				p.nibbles(4, nibble, func(l int, low, high VecVirtual) {
					quad(l, low)
					quad(4+l, high)
				})
			}
	}},
	{name: "Q5_0", bytes: 22, begin: func(p *panel) (func() (d, m VecVirtual), func(func(int, VecVirtual))) {
		zero := uint8(128)
		if !wide() {
			zero = 0
		}
		nibble, add := everyByte(15), everyByte(zero-16)
		var fifth VecVirtual
		return func() (VecVirtual, VecVirtual) {
				w := p.words(0)
				fifth = vec()
				VPSLLD(Imm(16), w[1], fifth)
				fifth = or(upperHalf(w[0]), fifth)
				return halfFloats(w[0]), nil
			}, func(quad func(int, VecVirtual)) {
				p.withFifth(fifth, 6, nibble, func(q int, v VecVirtual) {
					VPADDB(add, v, v)
					quad(q, v)
				})
			}
	}},
	{name: "Q5_1", bytes: 24, mins: true, begin: func(p *panel) (func() (d, m VecVirtual), func(func(int, VecVirtual))) {
		nibble := everyByte(15)
		var fifth VecVirtual
		return func() (VecVirtual, VecVirtual) {
				w := p.words(0)
				fifth = w[1]
				return halfFloats(w[0]), halfFloats(upperHalf(w[0]))
			}, func(quad func(int, VecVirtual)) {
				p.withFifth(fifth, 8, nibble, quad)
			}
	}},
}
