// Command gen writes the kernels of package vec for amd64, in two versions:
// AVX-512 and AVX2. Both do the operations of the scalar code in its order,
// multiplications and additions apart, so that results are the same bits.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("!noasm")
	for _, t := range []tier{{name: "AVX512", bytes: 64}, {name: "AVX2", bytes: 32}} {
		t.top()
		t.expSum()
		t.squares()
		t.norm()
		t.activations()
		t.arith()
		t.rope()
		t.dots()
		t.sums()
		t.decoders()
		t.fetch()
	}
	Generate()
}
