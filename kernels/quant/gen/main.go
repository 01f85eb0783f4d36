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
		t.turn("turn16", false)
		t.turn("turn32", true)
		t.searchScales("searchScales16", false, false)
		t.searchScales("searchScales32", true, false)
		t.searchScales("searchTable32", true, true)
		t.integerScales("integerScales16", false, false)
		t.integerScales("integerScales32", true, false)
		t.integerScales("integerTable32", true, true)
		t.searchAffine("searchAffine16", false)
		t.searchAffine("searchAffine32", true)
		t.integerGrids("integerGrids16", false)
		t.integerGrids("integerGrids32", true)
		t.columnCodes("columnCodes16", false)
		t.columnCodes("columnCodes32", true)
		t.tableCodes32()
		t.level32()
		t.rateScales("rateScales32", false)
		t.rateScales("rateTable32", true)
		t.streamQ8_0()
		t.packBF16()
		t.packF16()
		t.nearWords(8)
		t.nearWords(4)
		t.streamMXFP4()
		t.chooseScales()
		t.chooseMinima()
		t.measure("measure", false)
		t.measure("measureWeighted", true)
		t.small()
		t.large()
		t.floats()
		t.dotLanes()
		t.addScaled()
		t.takeOff()
	}
	Generate()
}
