package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Where the fields of rowSums are.
const (
	rowSq   = 0
	rowRef  = 64
	rowWSq  = 128
	rowWRef = 192
	rowMost = 256
)

// measure adds up eight sums of each kind, in float64: in one vector, or in
// two.
func (t tier) measure(name string, weighted bool) {
	signature := "func(s *byte, x, y []float32)"
	if weighted {
		signature = "func(s *byte, x, y, w []float32)"
	}
	t.begin(name, "does what "+name+" does", signature)
	sums, x, y := Load(Param("s"), GP64()), base("x"), base("y")
	var w Register
	if weighted {
		w = base("w")
	}
	mask, quad := t.vec(), GP64()
	MOVQ(U64(1<<63-1), quad)
	low := XMM()
	VMOVQ(quad, low)
	VPBROADCASTQ(low, mask)
	n := t.bytes / 8
	kinds := []int{rowSq, rowRef, rowMost}
	if weighted {
		kinds = append(kinds, rowWSq, rowWRef)
	}
	acc := map[int][]VecVirtual{}
	for _, kind := range kinds {
		for range 8 / n {
			v := t.vec()
			t.zero(v)
			acc[kind] = append(acc[kind], v)
		}
	}
	r := &run{tier: tier{t.name, 32}, at: GP64(), size: GP64()}
	Load(Param("x").Len(), r.size)
	SHLQ(Imm(2), r.size)
	XORQ(r.at, r.at)
	r.each("weights", func() {
		for i := range 8 / n {
			double := func(base Register) VecVirtual {
				v := t.vec()
				VCVTPS2PD(Mem{Base: base, Index: r.at, Scale: 1, Disp: 16 * i}, v)
				return v
			}
			v, e, a := double(x), double(y), t.vec()
			VSUBPD(e, v, e)
			if t.wide() {
				VPANDQ(mask, e, a)
			} else {
				VPAND(mask, e, a)
			}
			VMAXPD(acc[rowMost][i], a, acc[rowMost][i])
			VMULPD(e, e, e)
			VMULPD(v, v, v)
			VADDPD(e, acc[rowSq][i], acc[rowSq][i])
			VADDPD(v, acc[rowRef][i], acc[rowRef][i])
			if weighted {
				f := double(w)
				VMULPD(f, e, e)
				VMULPD(f, v, v)
				VADDPD(e, acc[rowWSq][i], acc[rowWSq][i])
				VADDPD(v, acc[rowWRef][i], acc[rowWRef][i])
			}
		}
	})
	for _, kind := range kinds {
		for i, v := range acc[kind] {
			VMOVUPD(v, Mem{Base: sums, Disp: kind + 8*n*i})
		}
	}
	finish()
}
