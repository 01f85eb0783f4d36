package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// plainHeads are those of a block with one scale.
func plainHeads(d VecVirtual) heads {
	return heads{
		d:     keep(d)[0],
		scale: func(int) VecVirtual { return everyWord(1) },
		pair:  func(int) VecVirtual { return everyWord(0x00010001) },
	}
}

// digits makes the ternary digits of bytes, from the top: a byte is a fraction
// of 3^5 times 256, and times 3 pushes a digit out.
func digits(v VecVirtual, count int, digit func(n int, v VecVirtual)) {
	low := everyWord(0x00ff00ff)
	even, odd := and(low, v), vec()
	VPSRLW(Imm(8), v, odd)
	times3 := func(v VecVirtual) VecVirtual {
		r := vec()
		VPADDW(v, v, r)
		VPADDW(v, r, r)
		return r
	}
	for n := range count {
		a, b := times3(even), times3(odd)
		r := vec()
		VPSRLW(Imm(8), a, r)
		digit(n, withSign(andOr(b, everyWord(0xff00ff00), r), 1))
		even, odd = and(low, a), and(low, b)
	}
}

// fours are bytes 48 to 51 of every row: two words of those read here have half
// of them each.
func fours(p *panel) VecVirtual {
	w := p.words(38)
	high := vec()
	VPSLLD(Imm(16), w[3], high)
	return or(upperHalf(w[2]), high)
}

var ternaryTypes = []*superType{
	{name: "TQ1", bytes: 54, group: 32, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		return func() heads {
				return plainHeads(halfFloats(upperHalf(p.lastWord(38))))
			}, func(quad func(int, VecVirtual)) {
				for i := range 2 {
					for l, v := range p.words(16 * i) {
						digits(v, 5, func(n int, v VecVirtual) { quad(8*n+4*i+l, v) })
					}
				}
				for l, v := range p.words(32) {
					digits(v, 5, func(n int, v VecVirtual) { quad(40+4*n+l, v) })
				}
				digits(fours(p), 4, func(n int, v VecVirtual) { quad(60+n, v) })
			}
	}},
	{name: "TQ2", bytes: 66, group: 32, begin: func(p *panel) (func() heads, func(func(int, VecVirtual))) {
		return func() heads {
				return plainHeads(halfFloats(upperHalf(p.lastWord(50))))
			}, func(quad func(int, VecVirtual)) {
				for i := range 4 {
					for l, v := range p.words(16 * i) {
						for pair := range 4 {
							quad(32*(i/2)+8*pair+i%2*4+l, withSign(bits(v, 2*pair, 2, 0), 1))
						}
					}
				}
			}
	}},
}
