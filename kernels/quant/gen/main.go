// Command gen writes the kernels of package quant for amd64, in two versions:
// AVX-512 and AVX2. Both do the operations of the scalar code in its order,
// multiplications and additions apart, so that results are the same bits.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("!noasm")
	for _, t := range []tier{{"AVX512", 64}, {"AVX2", 32}} {
		t.top()
		t.times()
		t.costs()
		t.ends()
		t.moments()
		t.codes()
		t.affine("fitAffine", true, true)
		t.affine("rateAffine", true, false)
		t.affine("rateIntegers", false, false)
		t.scale("fitScale", false, true)
		t.scale("rateScale", false, false)
		t.scale("fitTable", true, true)
		t.scale("rateTable", true, false)
		t.chooseScales()
		t.chooseMinima()
		t.measure("measure", false)
		t.measure("measureWeighted", true)
		t.small()
		t.large()
		t.floats()
	}
	Generate()
}
