// Command gen writes the kernels of package dot for amd64 with AVX-512.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("!noasm")
	for _, t := range superTypes {
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
	prefetch()
	roundSuper()
	roundSmall()
	Generate()
}
