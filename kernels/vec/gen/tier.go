package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tier is a width of vectors, and how to write for it what differs.
type tier struct {
	name  string
	bytes int // of a vector
	// big decodes 64 numbers, nil: the steps are enough.
	big func(d *decoder)
}

func (t tier) wide() bool { return t.bytes == 64 }

// lanes are the numbers that one step of a run takes: a vector, or two.
const lanes = 16

// perStep is the number of vectors in sixteen lanes.
func (t tier) perStep() int { return 4 * lanes / t.bytes }

func (t tier) vec() VecVirtual {
	if t.wide() {
		return ZMM()
	}
	return YMM()
}

func (t tier) vecs(n int) (out []VecVirtual) {
	for range n {
		out = append(out, t.vec())
	}
	return out
}

// begin starts the function name of the tier, which is declared in vec.
func (t tier) begin(name, signature string) {
	TEXT(name+t.name, NOSPLIT, signature)
	Doc(fmt.Sprintf("%s%s is kernels.%s.", name, t.name, name))
}

func finish() {
	VZEROUPPER()
	RET()
}

func base(name string) Register { return Load(Param(name).Base(), GP64()) }

// bytesOf is the length of a slice of float32s in bytes.
func bytesOf(name string) Register {
	n := Load(Param(name).Len(), GP64())
	SHLQ(Imm(2), n)
	return n
}

func (t tier) zero(v VecVirtual) {
	if t.wide() {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

// load and store move a vector, aligned or not.
func (t tier) load(m Mem) VecVirtual {
	v := t.vec()
	VMOVUPS(m, v)
	return v
}

func (t tier) store(v Op, m Mem) { VMOVUPS(v, m) }

// every repeats a float32 of memory.
func (t tier) every(m Op) VecVirtual {
	v := t.vec()
	VBROADCASTSS(m, v)
	return v
}

// scalarParam repeats a float32 parameter.
func (t tier) scalarParam(name string) VecVirtual {
	x, v := XMM(), t.vec()
	Load(Param(name), x)
	VBROADCASTSS(x, v)
	return v
}

var data = map[string]Mem{}

// words gives constant vectors a place; what there is of them is repeated.
func words(name string, values ...uint32) Mem {
	if m, ok := data[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(values[i%len(values)]))
	}
	data[name] = m
	return m
}

// float is a constant, as an operand in memory.
func float(name string, f float64) Mem { return words(name, math.Float32bits(float32(f))) }

// bytes16 gives 16 constant bytes a place.
func bytes16(name string, values ...uint8) Mem {
	if m, ok := data[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(i, U8(values[i%len(values)]))
	}
	data[name] = m
	return m
}

func (t tier) mul(a, b Op) VecVirtual { v := t.vec(); VMULPS(b, a, v); return v }

// negative turns the sign, in place.
func (t tier) negative(v VecVirtual) {
	sign := words("sign", 1<<31)
	if t.wide() {
		VPXORD(sign, v, v)
	} else {
		VPXOR(sign, v, v)
	}
}

// run is a loop over vectors.
type run struct {
	tier
	at   GPVirtual // bytes
	size Register
}

// run starts a loop over as many float32s as name has.
func (t tier) run(name string) *run {
	r := &run{tier: t, at: GP64(), size: bytesOf(name)}
	XORQ(r.at, r.at)
	return r
}

func (r *run) here(base Register) Mem { return Mem{Base: base, Index: r.at, Scale: 1} }

// each runs step for every vector; at is then its offset.
func (r *run) each(step func()) {
	Label("next")
	step()
	ADDQ(Imm(uint64(r.bytes)), r.at)
	CMPQ(r.at, r.size)
	JLT(LabelRef("next"))
}

// high is the upper half of a vector.
func (t tier) high(v VecVirtual) VecVirtual {
	if t.wide() {
		y := YMM()
		VEXTRACTF32X8(Imm(1), v, y)
		return y
	}
	x := XMM()
	VEXTRACTF128(Imm(1), v, x)
	return x
}

// low is the lower half of a vector.
func (t tier) low(v VecVirtual) Op {
	if t.wide() {
		return v.AsY()
	}
	return v.AsX()
}
