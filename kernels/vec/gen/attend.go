package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// offsets gives pointers n bytes apart, and the first.
func offsets(first, n Register, count int) []Register {
	out := []Register{first}
	for i := 1; i < count; i++ {
		p := GP64()
		MOVQ(out[i-1], p)
		ADDQ(n, p)
		out = append(out, p)
	}
	return out
}

func (t tier) dots() {
	t.begin("dots1", "func(dst, q, k []float32)")
	dst, q, k, size, left := base("dst"), base("q"), base("k"), bytesOf("q"), bytesOf("k")
	rows := offsets(k, size, 4)
	Label("tokens")
	t.quad("dim", rows, []Register{q}, size, func(_ int, sums VecVirtual) { VMOVUPS(sums.AsX(), Mem{Base: dst}) })
	ADDQ(Imm(16), dst)
	t.nextQuad(rows, size, left)

	t.begin("dots4", "func(dst []float32, stride int, q, k []float32)")
	dst, q, k, size, left = base("dst"), base("q"), base("k"), bytesOf("q"), bytesOf("k")
	stride := Load(Param("stride"), GP64())
	SHRQ(Imm(2), size)
	SHLQ(Imm(2), stride)
	rows = offsets(k, size, 4)
	Label("tokens")
	to := GP64()
	MOVQ(dst, to)
	put := func(_ int, sums VecVirtual) {
		VMOVUPS(sums.AsX(), Mem{Base: to})
		ADDQ(stride, to)
	}
	if t.wide() {
		queries := offsets(q, size, 4)
		t.quad("dim", rows, queries, size, put)
	} else {
		query := GP64()
		MOVQ(q, query)
		for h := range 4 {
			t.quad(fmt.Sprintf("dim%d", h), rows, []Register{query}, size, put)
			ADDQ(size, query)
		}
	}
	ADDQ(Imm(16), dst)
	t.nextQuad(rows, size, left)
}

// nextQuad ends a loop over four rows at a time.
func (t tier) nextQuad(rows []Register, size, left Register) {
	four := GP64()
	MOVQ(size, four)
	SHLQ(Imm(2), four)
	for _, r := range rows {
		ADDQ(four, r)
	}
	SUBQ(four, left)
	JG(LabelRef("tokens"))
	finish()
}

// quad multiplies queries with four rows, and puts each query's four sums.
func (t tier) quad(label string, rows, queries []Register, size Register, put func(h int, sums VecVirtual)) {
	n := t.perStep()
	var sums [4][4][]VecVirtual // query, row
	for h := range queries {
		for i := range rows {
			sums[h][i] = t.vecs(n)
			for _, v := range sums[h][i] {
				t.zero(v)
			}
		}
	}
	at := GP64()
	XORQ(at, at)
	Label(label)
	here := func(base Register, i int) Mem { return Mem{Base: base, Index: at, Scale: 1, Disp: i * t.bytes} }
	for i := range n {
		var k []VecVirtual
		if len(queries) > 1 {
			for _, row := range rows {
				k = append(k, t.load(here(row, i)))
			}
		}
		for h, query := range queries {
			q := t.load(here(query, i))
			for j, row := range rows {
				v := t.vec()
				if k != nil {
					VMULPS(k[j], q, v)
				} else {
					VMULPS(here(row, i), q, v)
				}
				VADDPS(v, sums[h][j][i], sums[h][j][i])
			}
		}
	}
	ADDQ(Imm(4*lanes), at)
	CMPQ(at, size)
	JLT(LabelRef(label))
	for h := range queries {
		put(h, t.reduce(sums[h]))
	}
}

// reduce adds up the lanes of four sums, in halves; the results are the first
// four numbers.
func (t tier) reduce(sums [4][]VecVirtual) VecVirtual {
	// shuffled adds what two shuffles of a and b take.
	shuffled := func(op func(imm, b, a, to Op), first, second uint64, a, b VecVirtual) VecVirtual {
		u, v := t.vec(), t.vec()
		op(Imm(first), b, a, u)
		op(Imm(second), b, a, v)
		VADDPS(v, u, u)
		return u
	}
	neighbours := func(v VecVirtual) {
		u := t.vec()
		VPERMILPS(Imm(0xb1), v, u)
		VADDPS(u, v, v)
	}
	if t.wide() {
		halves := func(imm, b, a, to Op) { VSHUFF64X2(imm, b, a, to) }
		ab := shuffled(halves, 0x44, 0xee, sums[0][0], sums[1][0])
		cd := shuffled(halves, 0x44, 0xee, sums[2][0], sums[3][0])
		all := shuffled(func(imm, b, a, to Op) { VSHUFF32X4(imm, b, a, to) }, 0x88, 0xdd, ab, cd)
		u := t.vec()
		VPERMILPS(Imm(0x4e), all, u)
		VADDPS(u, all, all)
		neighbours(all)
		to := t.load(words("quarters", 0, 4, 8, 12))
		VPERMPS(all, to, to)
		return to
	}
	for _, s := range sums {
		VADDPS(s[1], s[0], s[0])
	}
	halves := func(imm, b, a, to Op) { VPERM2F128(imm, b, a, to) }
	ab := shuffled(halves, 0x20, 0x31, sums[0][0], sums[1][0])
	cd := shuffled(halves, 0x20, 0x31, sums[2][0], sums[3][0])
	all := shuffled(func(imm, b, a, to Op) { VSHUFPS(imm, b, a, to) }, 0x44, 0xee, ab, cd)
	neighbours(all)
	x := XMM()
	VBLENDPS(Imm(10), t.high(all), all.AsX(), x)
	return x
}

func (t tier) sums() {
	t.begin("sums1", "func(dst, w, v []float32)")
	t.weighted([]Register{base("dst")}, []Register{base("w")}, bytesOf("dst"), 64)

	t.begin("sums4", "func(dst []float32, dstStride int, w []float32, wStride int, v []float32, cols int)")
	strides := [3]Register{}
	for i, name := range []string{"dstStride", "wStride", "cols"} {
		strides[i] = Load(Param(name), GP64())
		SHLQ(Imm(2), strides[i])
	}
	cols := 16
	if t.wide() {
		cols = 64
	}
	t.weighted(offsets(base("dst"), strides[0], 4), offsets(base("w"), strides[1], 4), strides[2], cols)
}

// weighted adds rows to each dst, so many columns at a time, then sixteen.
func (t tier) weighted(dst, w []Register, size Register, columns int) {
	v, end, at := base("v"), bytesOf("v"), GP64()
	ADDQ(v, end)
	XORQ(at, at)
	t.columns(columns, dst, w, v, end, size, at)
	if columns > lanes {
		t.columns(lanes, dst, w, v, end, size, at)
	}
	finish()
}

// columns does n columns from at on, again and again while there are as many.
func (t tier) columns(n int, dst, w []Register, v, end, size, at Register) {
	label := fmt.Sprint(n)
	JMP(LabelRef("enough" + label))
	Label("columns" + label)
	var sums [][]VecVirtual
	here := func(base Register, i int) Mem { return Mem{Base: base, Index: at, Scale: 1, Disp: i * t.bytes} }
	vectors := 4 * n / t.bytes
	for _, d := range dst {
		var s []VecVirtual
		for i := range vectors {
			s = append(s, t.load(here(d, i)))
		}
		sums = append(sums, s)
	}
	row, number := GP64(), GP64()
	LEAQ(Mem{Base: v, Index: at, Scale: 1}, row)
	XORQ(number, number)
	Label("rows" + label)
	var loaded []VecVirtual
	if len(dst) > 1 {
		for i := range vectors {
			loaded = append(loaded, t.load(Mem{Base: row, Disp: i * t.bytes}))
		}
	}
	for h := range dst {
		weight := t.every(Mem{Base: w[h], Index: number, Scale: 4})
		for i := range vectors {
			p := t.vec()
			if loaded != nil {
				VMULPS(loaded[i], weight, p)
			} else {
				VMULPS(Mem{Base: row, Disp: i * t.bytes}, weight, p)
			}
			VADDPS(p, sums[h][i], sums[h][i])
		}
	}
	INCQ(number)
	ADDQ(size, row)
	CMPQ(row, end)
	JLT(LabelRef("rows" + label))
	for h, d := range dst {
		for i, s := range sums[h] {
			t.store(s, here(d, i))
		}
	}
	ADDQ(U32(uint32(4*n)), at)
	Label("enough" + label)
	rest := GP64()
	MOVQ(size, rest)
	SUBQ(at, rest)
	CMPQ(rest, U32(uint32(4*n)))
	JGE(LabelRef("columns" + label))
}
