package quant

import (
	"slices"
	"sync"
)

// grid is a codebook arranged for finding the nearest codeword exactly. A
// codeword has four parts: 2 neighbouring weights of three levels, or 1 weight
// of eight. It costs what its parts cost together. Codewords that share their
// first two parts, the head, share that half of the sum, and what the cheapest
// tail costs bounds the other: few codewords need to be looked at, and no lists
// of neighbours are kept. The largest grid takes 74 KB and half a millisecond.
type grid struct {
	weights int        // of a codeword: 8 or 4
	level   [8]float32 // 3 or 8 in use
	top     float32    // the largest level
	values  int        // that a part takes: 9 or 8

	// The codewords, heads (a pair of nibbles) ascending: those with head h are
	// first[h] to first[h+1]. A place in this order is what searches speak of.
	first  [257]uint16
	head   []uint8
	tail   []uint8
	number []uint16     // in the file format
	place  []uint16     // by number
	point  [][8]float32 // levels of the weights
}

// lazyGrid8 arranges codewords of 8 two-bit codes of three levels, when first
// asked.
func lazyGrid8(packed []uint16, level ...float32) func() *grid {
	return sync.OnceValue(func() *grid {
		return newGrid(packed, level, 8, 2, func(p uint16) uint8 {
			return uint8(p&3 + 3*(p>>2&3) | (p>>4&3+3*(p>>6&3))<<4)
		})
	})
}

// lazyGrid4 arranges codewords of 4 three-bit codes of eight levels, when first
// asked.
func lazyGrid4(packed []uint16, level ...float32) func() *grid {
	return sync.OnceValue(func() *grid {
		return newGrid(packed, level, 4, 3, func(p uint16) uint8 { return uint8(p&7 | p>>3&7<<4) })
	})
}

// newGrid's pattern gives the two parts that the low bits of a packed codeword
// hold.
func newGrid(packed []uint16, level []float32, weights, width int, pattern func(uint16) uint8) *grid {
	g := &grid{weights: weights, top: level[len(level)-1], values: 8}
	if weights == 8 {
		g.values = 9
	}
	copy(g.level[:], level)
	for i := range packed {
		g.number = append(g.number, uint16(i))
	}
	slices.SortStableFunc(g.number, func(a, b uint16) int {
		return int(pattern(packed[a])) - int(pattern(packed[b]))
	})
	g.place = make([]uint16, len(packed))
	for place, i := range g.number {
		g.place[i] = uint16(place)
		p := packed[i]
		h := pattern(p)
		g.head = append(g.head, h)
		g.tail = append(g.tail, pattern(p>>(width*weights/2)))
		g.first[int(h)+1]++
		var point [8]float32
		for j := range weights {
			point[j] = level[p>>(width*j)&(1<<width-1)]
		}
		g.point = append(g.point, point)
	}
	for h := range 256 {
		g.first[h+1] += g.first[h]
	}
	return g
}
