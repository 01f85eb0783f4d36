package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// rows is the number of rows that a kernel takes together. A vector holds four
// bytes of each; what a row's four codes and four activations add up to is one
// VPDPBUSD for all of them.
const rows = 16

// panel is a reader of the same place in 16 rows.
type panel struct {
	base    [4]GPVirtual // of rows 0, 4, 8 and 12
	stride  GPVirtual
	stride3 GPVirtual
	lane    [4]Op // masks of the four lanes of a vector, but the first

	asked      GPVirtual // what prefetch is at
	ask, block int
}

// newPanel reads from w on; rows are stride bytes apart.
func newPanel(w, stride GPVirtual) *panel {
	p := &panel{stride: stride, stride3: GP64()}
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, p.stride3)
	for i := range p.base {
		p.base[i] = GP64()
		if i == 0 {
			MOVQ(w, p.base[0])
			continue
		}
		LEAQ(Mem{Base: p.base[i-1], Index: stride, Scale: 4}, p.base[i])
		bits := GP32()
		MOVL(U32(0xf<<(4*i)), bits)
		k := K()
		KMOVW(bits, k)
		p.lane[i] = k
	}
	return p
}

// next goes on by some bytes of every row.
func (p *panel) next(bytes int) {
	for _, b := range p.base {
		ADDQ(U32(uint32(bytes)), b)
	}
}

// nextPanel goes to the start of the 16 rows behind those that start at row.
func (p *panel) nextPanel(row Mem) {
	MOVQ(p.stride, p.base[0])
	SHLQ(Imm(4), p.base[0])
	ADDQ(row, p.base[0])
	MOVQ(p.base[0], row)
	for i := 1; i < len(p.base); i++ {
		LEAQ(Mem{Base: p.base[i-1], Index: p.stride, Scale: 4}, p.base[i])
	}
}

// first asks for the first 16 rows, which no rows before them have asked for.
func (p *panel) first(row Mem) {
	at, end := GP64(), GP64()
	MOVQ(row, at)
	MOVQ(p.stride, end)
	SHLQ(Imm(4), end)
	ADDQ(at, end)
	Label("first")
	PREFETCHT0(Mem{Base: at})
	ADDQ(Imm(64), at)
	CMPQ(at, end)
	JLT(LabelRef("first"))
}

// prefetch writes a kernel that asks for memory.
func prefetch() {
	begin("prefetch", "asks for memory", "func(at uintptr, size int)")
	at, left := param("at"), param("size")
	Label("line")
	PREFETCHT0(Mem{Base: at})
	ADDQ(Imm(64), at)
	SUBQ(Imm(64), left)
	JG(LabelRef("line"))
	RET()
}

// ahead is the start of the 16 rows behind those that start at row.
func (p *panel) ahead(row Mem) GPVirtual {
	r := GP64()
	MOVQ(p.stride, r)
	SHLQ(Imm(4), r)
	ADDQ(row, r)
	return r
}

// prefetch makes loads, from now on, ask for the next 16 rows: as many bytes of
// them as a block has, in their order in memory, so that the machine foresees
// one stream and not the 16 of the rows; and a line at a time among the loads,
// which would wait for more.
func (p *panel) prefetch(ahead GPVirtual, bytes int) {
	p.asked, p.ask, p.block = ahead, 0, rows*bytes
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

// load reads 16 bytes of each row: vector g has those of rows g, 4+g, 8+g and
// 12+g.
func (p *panel) load(disp int) (v [4]VecVirtual) {
	for g := range v {
		v[g] = ZMM()
		VBROADCASTI32X4(p.at(g, disp), v[g]) // lane 0, and all of the register for the allocator
		for lane := 1; lane < 4; lane++ {
			VBROADCASTI32X4(p.at(4*lane+g, disp), p.lane[lane], v[g])
		}
		p.prefetchLine()
	}
	return v
}

// words reads 16 bytes of each row: vector i has word i of rows 0..15.
func (p *panel) words(disp int) (out [4]VecVirtual) {
	v := p.load(disp)
	var t [4]VecVirtual
	for i := range t {
		t[i], out[i] = ZMM(), ZMM()
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
	a, b := ZMM(), ZMM()
	VPUNPCKHDQ(v[1], v[0], a)
	VPUNPCKHDQ(v[3], v[2], b)
	VPUNPCKHQDQ(b, a, a)
	return a
}

// firstWord is the first of words.
func (p *panel) firstWord(disp int) VecVirtual {
	v := p.load(disp)
	a, b := ZMM(), ZMM()
	VPUNPCKLDQ(v[1], v[0], a)
	VPUNPCKLDQ(v[3], v[2], b)
	VPUNPCKLQDQ(b, a, a)
	return a
}

// halfFloats widens the low 16 bits of words, which are halves.
func halfFloats(v VecVirtual) VecVirtual {
	h, f := YMM(), ZMM()
	VPMOVDW(v, h)
	VCVTPH2PS(h, f)
	return f
}

// upperHalf brings the high 16 bits of words down.
func upperHalf(v VecVirtual) VecVirtual {
	r := ZMM()
	VPSRLD(Imm(16), v, r)
	return r
}

var constants = map[string]Mem{}

// constant gives bytes a place.
func constant(name string, values ...uint8) Mem {
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(i, U8(v))
	}
	constants[name] = m
	return m
}

// inLanes repeats 16 bytes in all lanes of a vector.
func inLanes(name string, values ...uint8) VecVirtual {
	v := ZMM()
	VBROADCASTI32X4(constant(name, values...), v)
	return v
}

// everyByte repeats a byte.
func everyByte(b uint8) VecVirtual {
	r, v := GP32(), ZMM()
	MOVL(U32(uint32(b)*0x01010101), r)
	VPBROADCASTD(r, v)
	return v
}

// zero clears a register. Whatever is in Z31, which nobody uses, the
// exclusive or with itself is zero; the allocator takes v with itself for a use.
func zero() VecVirtual {
	v := ZMM()
	VPXORD(Z31, Z31, v)
	return v
}

// bits moves bit from+i of every byte to bit to+i, count of them, and clears
// the others.
func bits(v VecVirtual, from, count, to int) VecVirtual {
	name := fmt.Sprintf("bits%d_%d_%d", from, count, to)
	m, ok := constants[name]
	if !ok {
		var rows [8]uint8 // row 7-i says which bits bit i is the sum of
		for i := range count {
			rows[7-to-i] = 1 << (from + i)
		}
		m = constant(name, rows[:]...)
	}
	r := ZMM()
	VGF2P8AFFINEQB_BCST(Imm(0), m, v, r)
	return r
}

// and masks in a register of its own.
func and(a, b Op) VecVirtual {
	r := ZMM()
	VPANDD(a, b, r)
	return r
}

// andOr is v&mask | also, in also.
func andOr(v, mask, also VecVirtual) VecVirtual {
	VPTERNLOGD(Imm(0xf8), mask, v, also) // also | v&mask
	return also
}

func or(a, b VecVirtual) VecVirtual {
	VPORD(a, b, b)
	return b
}

func finish() {
	VZEROUPPER()
	RET()
}

// The kinds of kernels, see panels.
const (
	signatureOne     = "func(dst *float32, w *byte, stride, count, units int, rec *byte, step int)"
	signatureFill    = "func(to *byte, w *byte, stride, units int)"
	signatureProduct = "func(sums *float32, from *byte, recs *byte, offsets *int, n, units int)"
)

func begin(name, doc, signature string) {
	TEXT(name+"AVX512", NOSPLIT, signature)
	Doc(name + "AVX512 " + doc + ".")
}

func param(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }
