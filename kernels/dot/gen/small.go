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

// A panel of unpacked blocks of 32 has these parts for each.
const (
	smallPanelD = 512
	smallPanelM = smallPanelD + 64
	smallPanel  = smallPanelM + 64
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
	a, b, ahead := GP64(), GP64(), p.ahead(row)
	Label("record")
	MOVQ(record, a)
	XORQ(b, b)
	Label("block")
	p.prefetch(ahead, t.bytes)
	d, m := scales()
	dots := t.start(Mem{Base: a, Index: b, Scale: 1, Disp: smallSums})
	other := zero()
	codes(func(q int, v VecVirtual) {
		to := dots
		if q%2 == 1 {
			to = other
		}
		VPDPBUSD_BCST(Mem{Base: a, Index: b, Scale: 8, Disp: 4 * q}, v, to)
	})
	VPADDD(other, dots, dots)
	t.add(total, dots, d, m, Mem{Base: a, Index: b, Scale: 1})
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
	VMOVUPS(total, Mem{Base: dst})
	ADDQ(Imm(64), dst)
	p.nextPanel(row)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	finish()
}

// start is the sum that products begin with.
func (t *smallType) start(sums Mem) VecVirtual {
	if t.mins {
		return zero()
	}
	v := ZMM()
	VPBROADCASTD(sums, v)
	return v
}

// add adds a block's sum to total. a is the start of its record's scales, less
// smallD.
func (t *smallType) add(total, sum, d, m VecVirtual, a Mem) {
	scale := ZMM()
	VCVTDQ2PS(sum, sum)
	VMULPS_BCST(a.Offset(smallD), d, scale)
	VMULPS(scale, sum, sum)
	VADDPS(sum, total, total)
	if t.mins {
		plain := ZMM()
		VCVTDQ2PS_BCST(a.Offset(smallSums), plain)
		VMULPS_BCST(constant("minus128th", 0, 0, 0, 0xbc), plain, plain)
		VMULPS_BCST(a.Offset(smallD), m, scale)
		VMULPS(scale, plain, plain)
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
	VMOVUPS(d, Mem{Base: to, Disp: smallPanelD})
	if t.mins {
		VMOVUPS(m, Mem{Base: to, Disp: smallPanelM})
	}
	codes(func(q int, v VecVirtual) { VMOVDQU32(v, Mem{Base: to, Disp: 64 * q}) })
	ADDQ(U32(smallPanel), to)
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
		w := ZMM()
		for q := range 8 {
			VMOVDQU32(Mem{Base: codes, Disp: 64 * q}, w)
			for j, a := range b.a {
				VPDPBUSD_BCST(Mem{Base: a, Index: at, Scale: 8, Disp: 4 * q}, w, dots[j])
			}
		}
		d, m := ZMM(), ZMM()
		VMOVUPS(Mem{Base: codes, Disp: smallPanelD}, d)
		if mins {
			VMOVUPS(Mem{Base: codes, Disp: smallPanelM}, m)
		}
		for j, a := range b.a {
			t.add(total[j], dots[j], d, m, Mem{Base: a, Index: at, Scale: 1})
		}
		ADDQ(U32(smallPanel), codes)
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
		nibble, values, d := everyByte(15), inLanes("values"+name, table...), scales(p)
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
		e, v, low := and(byte, p.firstWord(0)), ZMM(), K()
		VPCMPUD(Imm(2), one, e, low) // at most 1
		VPSUBD(one, e, v)
		VPSLLD(Imm(23), v, v)
		VPSLLVD(e, tiny, low, v)
		return v
	}
}

// withFifth makes codes of nibbles and fifth bits, those of a row in a word.
func (p *panel) withFifth(fifth VecVirtual, disp int, mask VecVirtual, quad func(q int, v VecVirtual)) {
	p.nibbles(disp, mask, func(l int, low, high VecVirtual) {
		for i, v := range []VecVirtual{low, high} {
			q, b := 4*i+l, ZMM()
			VPMULTISHIFTQB(fifth, shifts("fifth", 4*q, 1), b)
			quad(q, or(v, bits(b, 0, 1, 4)))
		}
	})
}

var smallTypes = []*smallType{
	tableType("Q4_0", 18, 2, []uint8{120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135}, firstHalf),
	tableType("IQ4NL", 18, 2, iq4Codes, firstHalf),
	tableType("MXFP4", 17, 1, fp4Codes, halfE8M0),
	{name: "Q8_0", bytes: 34, begin: func(p *panel) (func() (d, m VecVirtual), func(func(int, VecVirtual))) {
		top, d := everyByte(128), firstHalf(p)
		return func() (VecVirtual, VecVirtual) { return d(), nil }, func(quad func(int, VecVirtual)) {
			for i := range 2 {
				for l, v := range p.words(2 + 16*i) {
					VPXORD(top, v, v)
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
		nibble, add := everyByte(15), everyByte(128-16)
		var fifth VecVirtual
		return func() (VecVirtual, VecVirtual) {
				w := p.words(0)
				fifth = ZMM()
				VPSLLD(Imm(16), w[1], fifth)
				VPORD(upperHalf(w[0]), fifth, fifth)
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
