// Command gen writes the kernels of package dot for amd64: for AVX-512, and for
// AVX2 with FMA and F16C.
package main

import (
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	books, err := codebooks("../../quant/iq_grids.go")
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
	ConstraintExpr("!noasm")
	prefetch()
	roundSuper()
	roundSmall()
	products()
	for _, t := range iqTypes(books) {
		t.one()
		t.fill()
	}
	tier.name, tier.bytes = "AVX2", 32
	products()
	Generate()
}

func products() {
	for _, t := range append(superTypes, ternaryTypes...) {
		t.one()
		t.fill()
	}
	for _, t := range []*superType{{group: 16}, {group: 16, mins: true}, {group: 32}, {group: 32, mins: true}} {
		superProduct(t)
	}
	for _, t := range smallTypes {
		t.one()
		t.fill()
	}
	smallProduct(false)
	smallProduct(true)
	for _, t := range floatTypes {
		t.one()
		t.fill()
	}
	floatProduct()
}
