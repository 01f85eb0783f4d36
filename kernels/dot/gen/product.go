package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tiles gives the numbers of vectors that are multiplied together, so that each
// vector of codes is read once for all of them.
func tiles() []int {
	if wide() {
		return []int{8, 4, 2, 1}
	}
	return []int{4, 2, 1}
}

// tile is a product of a panel of unpacked weights with some vectors.
type tile struct {
	m     int
	panel GPVirtual
	a     []GPVirtual // the vectors' records
	sums  Mem         // where the sums of the first are
}

func (t *tile) label(s string) string { return fmt.Sprintf("%s%d", s, t.m) }

// each gives a vector of registers.
func (t *tile) each(f func(j int) VecVirtual) (v []VecVirtual) {
	for j := range t.m {
		v = append(v, f(j))
	}
	return v
}

// load and store move the 16 sums of each vector.
func (t *tile) load() []VecVirtual {
	to := GP64()
	MOVQ(t.sums, to)
	return t.each(func(j int) VecVirtual {
		return load(Mem{Base: to, Disp: 64 * j})
	})
}

func (t *tile) store(v []VecVirtual) {
	to := GP64()
	MOVQ(t.sums, to)
	for j, v := range v {
		store(v, Mem{Base: to, Disp: 64 * j})
	}
	t.next(to)
}

// next goes on to the sums of the next vectors.
func (t *tile) next(sums GPVirtual) {
	ADDQ(U32(uint32(64*t.m)), sums)
	MOVQ(sums, t.sums)
}

// tiled writes a product of a panel with n vectors, whose records are at recs
// plus offsets.
func tiled(body func(t *tile)) {
	sums, offsets, n := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	MOVQ(param("sums"), sums)
	MOVQ(param("offsets"), offsets)
	MOVQ(param("n"), n)
	panel := param("from")
	for i, m := range tiles() {
		next := "done"
		if i+1 < len(tiles()) {
			next = fmt.Sprintf("tile%d", tiles()[i+1])
		}
		Label(fmt.Sprintf("tile%d", m))
		CMPQ(n, Imm(uint64(m)))
		JLT(LabelRef(next))
		at, recs := GP64(), param("recs")
		MOVQ(offsets, at)
		t := &tile{m: m, panel: panel, sums: sums}
		for j := range m {
			a := GP64()
			MOVQ(Mem{Base: at, Disp: 8 * j}, a)
			ADDQ(recs, a)
			t.a = append(t.a, a)
		}
		ADDQ(Imm(uint64(8*m)), at)
		MOVQ(at, offsets)
		body(t)
		SUBQ(Imm(uint64(m)), n)
		JMP(LabelRef(fmt.Sprintf("tile%d", m)))
	}
	Label("done")
	finish()
}

// superProduct writes the product for types of one group size.
func superProduct(t *superType) {
	name := fmt.Sprintf("product%d", t.group)
	if t.mins {
		name += "Mins"
	}
	begin(name, "multiplies a panel with vectors", signatureProduct)
	tiled(func(b *tile) {
		codes, at := GP64(), GP64()
		MOVQ(b.panel, codes)
		XORQ(at, at)
		sum := b.each(func(int) VecVirtual { return zero() })
		Label(b.label("group"))
		dots := b.each(func(int) VecVirtual { return zero() })
		for q := range t.group / 4 {
			w := ready(load(Mem{Base: codes, Disp: tier.bytes * q}), !t.mins)
			for j, a := range b.a {
				dot(Mem{Base: a, Index: at, Scale: 1, Disp: 4 * q}, w, dots[j])
			}
		}
		scale := load(Mem{Base: b.panel, Index: at, Scale: uint8(tier.bytes / t.group), Disp: tier.bytes * panelScales})
		for j := range b.a {
			VPMULLD(scale, dots[j], dots[j])
			VPADDD(dots[j], sum[j], sum[j])
		}
		ADDQ(U32(uint32(tier.bytes*t.group/4)), codes)
		ADDQ(Imm(uint64(t.group)), at)
		CMPQ(at, U32(256))
		JLT(LabelRef(b.label("group")))

		mins := make([]VecVirtual, b.m)
		if t.pairs() {
			mins = b.each(func(int) VecVirtual { return zero() })
			for g := range t.groups() / 2 {
				pair := load(Mem{Base: b.panel, Disp: tier.bytes * (panelPairs + g)})
				for j, a := range b.a {
					pairDot(Mem{Base: a, Disp: t.sumsAt(g)}, pair, mins[j])
				}
			}
		}
		d, m, to := load(Mem{Base: b.panel, Disp: tier.bytes * panelD}), VecVirtual(nil), GP64()
		if t.mins {
			m = load(Mem{Base: b.panel, Disp: tier.bytes * panelM})
		}
		MOVQ(b.sums, to)
		for j, a := range b.a {
			total := load(Mem{Base: to, Disp: 64 * j})
			t.add(total, sum[j], mins[j], d, m, Mem{Base: a, Disp: superD})
			store(total, Mem{Base: to, Disp: 64 * j})
		}
		b.next(to)
	})
}
