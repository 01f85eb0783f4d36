package main

import (
	mathbits "math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// panel is a reader of the same place in all rows of a vector, which holds four
// bytes of each.
type panel struct {
	base    []GPVirtual // of every fourth row
	stride  GPVirtual
	stride3 GPVirtual
	lane    []Op // masks of the lanes of a vector

	asked      GPVirtual // what prefetch is at
	ask, block int
}

// newPanel reads from w on; rows are stride bytes apart.
func newPanel(w, stride GPVirtual) *panel {
	p := &panel{stride: stride, stride3: GP64()}
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, p.stride3)
	for i := range rows() / 4 {
		p.base, p.lane = append(p.base, GP64()), append(p.lane, K())
		if i == 0 {
			MOVQ(w, p.base[0])
			continue
		}
		LEAQ(Mem{Base: p.base[i-1], Index: stride, Scale: 4}, p.base[i])
		if wide() {
			bits := GP32()
			MOVL(U32(0xf<<(4*i)), bits)
			KMOVW(bits, p.lane[i])
		}
	}
	return p
}

// rowsLog is the logarithm of rows.
func rowsLog() uint64 { return uint64(mathbits.TrailingZeros(uint(rows()))) }

// next goes on by some bytes of every row.
func (p *panel) next(bytes int) {
	for _, b := range p.base {
		ADDQ(U32(uint32(bytes)), b)
	}
}

// nextPanel goes to the start of the rows behind those that start at row.
func (p *panel) nextPanel(row Mem) {
	MOVQ(p.stride, p.base[0])
	SHLQ(Imm(rowsLog()), p.base[0])
	ADDQ(row, p.base[0])
	MOVQ(p.base[0], row)
	for i := 1; i < len(p.base); i++ {
		LEAQ(Mem{Base: p.base[i-1], Index: p.stride, Scale: 4}, p.base[i])
	}
}

// end writes a panel's sums, and goes to the next one or returns.
func (p *panel) end(total Op, dst GPVirtual, row, left Mem) {
	store(total, Mem{Base: dst})
	ADDQ(Imm(uint64(tier.bytes)), dst)
	p.nextPanel(row)
	DECQ(left)
	JNZ(LabelRef("panel"))
	finish()
}

// first asks for the first rows, which no rows before them have asked for.
func (p *panel) first(row Mem) {
	at, end := GP64(), GP64()
	MOVQ(row, at)
	MOVQ(p.stride, end)
	SHLQ(Imm(rowsLog()), end)
	ADDQ(at, end)
	Label("first")
	PREFETCHT0(Mem{Base: at})
	ADDQ(Imm(64), at)
	CMPQ(at, end)
	JLT(LabelRef("first"))
}

// prefetch writes a kernel that asks for memory.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(at uintptr, size int)")
	Doc("prefetch asks for memory.")
	at, left := param("at"), param("size")
	Label("line")
	PREFETCHT0(Mem{Base: at})
	ADDQ(Imm(64), at)
	SUBQ(Imm(64), left)
	JG(LabelRef("line"))
	RET()
}

// ahead is the start of the rows behind those that start at row; of these
// rows, which are there, where no more panels are left than one: what comes
// behind them may be work of others.
func (p *panel) ahead(row, left Mem) GPVirtual {
	r, here := GP64(), GP64()
	MOVQ(row, here)
	MOVQ(p.stride, r)
	SHLQ(Imm(rowsLog()), r)
	ADDQ(here, r)
	CMPQ(left, Imm(1))
	CMOVQEQ(here, r)
	return r
}

// prefetch makes loads, from now on, ask for the next rows: as many bytes of
// them as a block has, in their order in memory, so that the machine foresees
// one stream and not one for each row; and a line at a time among the loads,
// which would wait for more.
func (p *panel) prefetch(ahead GPVirtual, bytes int) {
	p.asked, p.ask, p.block = ahead, 0, rows()*bytes
}

// prefetchRest is for what there were too few loads for.
func (p *panel) prefetchRest() {
	if p.block == 0 {
		return
	}
	for p.ask < p.block {
		p.prefetchLine()
	}
	ADDQ(U32(uint32(p.block)), p.asked)
	p.block = 0
}

func (p *panel) prefetchLine() {
	if p.ask < p.block {
		PREFETCHT0(Mem{Base: p.asked, Disp: p.ask})
		p.ask += 64
	}
}

// at is a place in row i, from the row's present place on.
func (p *panel) at(i, disp int) Mem {
	m := Mem{Base: p.base[i/4], Disp: disp}
	switch i % 4 {
	case 1, 2:
		m.Index, m.Scale = p.stride, uint8(i%4)
	case 3:
		m.Index, m.Scale = p.stride3, 1
	}
	return m
}

// load reads 16 bytes of each row: vector g has those of rows g, 4+g, and so
// on.
func (p *panel) load(disp int) (v [4]VecVirtual) {
	for g := range v {
		v[g] = vec()
		if wide() {
			VBROADCASTI32X4(p.at(g, disp), v[g]) // lane 0, and all of the register for the allocator
			for lane := 1; lane < 4; lane++ {
				VBROADCASTI32X4(p.at(4*lane+g, disp), p.lane[lane], v[g])
			}
		} else {
			VBROADCASTI128(p.at(g, disp), v[g])
			VINSERTI128(Imm(1), p.at(4+g, disp), v[g], v[g])
		}
		p.prefetchLine()
	}
	return v
}

// words reads 16 bytes of each row: vector i has word i of all rows.
func (p *panel) words(disp int) (out [4]VecVirtual) {
	v := p.load(disp)
	var t [4]VecVirtual
	for i := range t {
		t[i], out[i] = vec(), vec()
	}
	VPUNPCKLDQ(v[1], v[0], t[0])
	VPUNPCKHDQ(v[1], v[0], t[2])
	VPUNPCKLDQ(v[3], v[2], t[1])
	VPUNPCKHDQ(v[3], v[2], t[3])
	VPUNPCKLQDQ(t[1], t[0], out[0])
	VPUNPCKHQDQ(t[1], t[0], out[1])
	VPUNPCKLQDQ(t[3], t[2], out[2])
	VPUNPCKHQDQ(t[3], t[2], out[3])
	return out
}

// lastWord is the last of words.
func (p *panel) lastWord(disp int) VecVirtual {
	v := p.load(disp)
	a, b := vec(), vec()
	VPUNPCKHDQ(v[1], v[0], a)
	VPUNPCKHDQ(v[3], v[2], b)
	VPUNPCKHQDQ(b, a, a)
	return a
}

// firstWord is the first of words.
func (p *panel) firstWord(disp int) VecVirtual {
	v := p.load(disp)
	a, b := vec(), vec()
	VPUNPCKLDQ(v[1], v[0], a)
	VPUNPCKLDQ(v[3], v[2], b)
	VPUNPCKLQDQ(b, a, a)
	return a
}
