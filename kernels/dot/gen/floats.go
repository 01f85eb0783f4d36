package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// floatType says how 16 bytes of every row are widened to float32s.
type floatType struct {
	name  string
	bytes int // of a weight
	// begin makes constants, once, and gives what widens a word of every row:
	// one or two columns.
	begin func() func(word VecVirtual) []VecVirtual
}

var floatTypes = []*floatType{
	{"F32", 4, func() func(VecVirtual) []VecVirtual {
		return func(w VecVirtual) []VecVirtual { return []VecVirtual{w} }
	}},
	{"BF16", 2, func() func(VecVirtual) []VecVirtual {
		upper := everyWord(0xffff0000)
		return func(w VecVirtual) []VecVirtual {
			low := vec()
			VPSLLD(Imm(16), w, low)
			return []VecVirtual{low, and(upper, w)}
		}
	}},
	{"F16", 2, func() func(VecVirtual) []VecVirtual {
		return func(w VecVirtual) []VecVirtual {
			return []VecVirtual{halfFloats(w), halfFloats(upperHalf(w))}
		}
	}},
}

// columns reads 16 bytes of every row.
func (t *floatType) columns(p *panel, widen func(VecVirtual) []VecVirtual, column func(c int, v VecVirtual)) {
	for i, w := range p.words(0) {
		for j, v := range widen(w) {
			column(4/t.bytes*i+j, v)
		}
	}
	p.prefetchRest()
	p.next(16)
}

// one writes the product of panels with one vector.
func (t *floatType) one() {
	begin("one"+t.name, "multiplies panels with one vector", signatureOne)
	stride, dst, w := param("stride"), param("dst"), param("w")
	panels, row, left := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	MOVQ(param("count"), panels)
	MOVQ(w, row)
	p := newPanel(w, stride)
	p.first(row)
	widen := t.begin()
	Label("panel")
	total, x, ahead := zero(), param("rec"), p.ahead(row, panels)
	MOVQ(param("units"), left)
	Label("chunk")
	even, odd := zero(), zero()
	size, now := GP64(), GP64()
	MOVQ(left, size)
	MOVQ(U32(256), now)
	CMPQ(size, now)
	CMOVQGT(now, size)
	SUBQ(size, left)
	Label("columns")
	p.prefetch(ahead, 16)
	t.columns(p, widen, func(c int, v VecVirtual) {
		fused(Mem{Base: x, Disp: 4 * c}, v, []VecVirtual{even, odd}[c%2])
	})
	ADDQ(Imm(64/uint64(t.bytes)), x)
	SUBQ(Imm(16/uint64(t.bytes)), size)
	JNZ(LabelRef("columns"))
	VADDPS(odd, even, even)
	VADDPS(even, total, total)
	CMPQ(left, Imm(0))
	JNE(LabelRef("chunk"))
	p.end(total, dst, row, panels)
}

// fill writes the unpacking of some columns of 16 rows.
func (t *floatType) fill() {
	begin("fill"+t.name, "widens columns of 16 rows", signatureFill)
	to, left := param("to"), param("units")
	p := newPanel(param("w"), param("stride"))
	widen := t.begin()
	Label("columns")
	t.columns(p, widen, func(c int, v VecVirtual) { store(v, Mem{Base: to, Disp: tier.bytes * c}) })
	ADDQ(U32(uint32(16/t.bytes*tier.bytes)), to)
	SUBQ(Imm(16/uint64(t.bytes)), left)
	JNZ(LabelRef("columns"))
	finish()
}

// floatProduct writes the product of a panel with vectors, four columns at a
// time; even and odd ones are added up apart.
func floatProduct() {
	begin("productFloats", "multiplies a panel with vectors", signatureProduct)
	left := AllocLocal(8)
	tiled(func(b *tile) {
		w, at := GP64(), GP64()
		MOVQ(b.panel, w)
		XORQ(at, at)
		MOVQ(param("units"), left)
		even := b.each(func(int) VecVirtual { return zero() })
		odd := b.each(func(int) VecVirtual { return zero() })
		Label(b.label("columns"))
		for c := range 4 {
			v := load(Mem{Base: w, Disp: tier.bytes * c})
			for j, a := range b.a {
				fused(Mem{Base: a, Index: at, Scale: 1, Disp: 4 * c}, v, [][]VecVirtual{even, odd}[c%2][j])
			}
		}
		ADDQ(U32(uint32(4*tier.bytes)), w)
		ADDQ(Imm(16), at)
		SUBQ(Imm(4), left)
		JNZ(LabelRef(b.label("columns")))
		total := b.load()
		for j, v := range total {
			VADDPS(odd[j], even[j], even[j])
			VADDPS(even[j], v, v)
		}
		b.store(total)
	})
}
