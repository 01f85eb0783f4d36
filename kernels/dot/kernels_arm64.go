//go:build !noasm

package dot

import (
	"unsafe"

	"github.com/llama-pajamas/pj/kernels/tier"
)

// impls are the implementations besides scalar, best first.
var impls = []kernels{
	{
		Tier:       tier.NEON,
		mul:        neon.mul,
		roundSuper: roundSuper,
		roundSmall: roundSmall,
	},
}

// neon has vectors in the sums of integers alone: weights are unpacked and sums
// scaled by plain code.
var neon = panels{
	height:   RowStep,
	signed:   true,
	prefetch: func(uintptr, int) {},
	product: [methods]func(sums *float32, from *panel, recs *byte, offsets *int, n, units int){
		method16:        superProduct(16, false),
		method16Mins:    superProduct(16, true),
		method32:        superProduct(32, false),
		method32Mins:    superProduct(32, true),
		methodSmall:     smallProduct(false),
		methodSmallMins: smallProduct(true),
	},
}

// groupSums writes, for each group, 16 rows' sums of codes times activations:
// runs of 16 columns a group.
//
//go:noescape
func groupSums(sums *int32, codes *byte, a *int8, runs, groups int)

// rowSums are the sums of groups of 16 rows.
type rowSums [16][RowStep]int32

func superProduct(group int, mins bool) func(sums *float32, from *panel, recs *byte, offsets *int, n, units int) {
	return func(sums *float32, from *panel, recs *byte, offsets *int, n, _ int) {
		var dots rowSums
		eachVector[superRecord](sums, recs, offsets, n, func(a *superRecord, to *[RowStep]float32) {
			groups := chunk / group
			groupSums(&dots[0][0], &from[0], &a.q[0], group/16, groups)
			d, m := from.floats(unitD), from.floats(unitM)
			for row := range RowStep {
				sum, minus := int32(0), int32(0)
				for g := range groups {
					sum += from.ints(unitScales + g)[row] * dots[g][row]
				}
				if mins {
					for g := range groups / 2 {
						pair := from.ints(unitPairs + g)[row]
						if group == 16 {
							minus += int32(int16(pair))*int32(a.sums16[2*g]) + pair>>16*int32(a.sums16[2*g+1])
						} else {
							minus += int32(int16(pair))*int32(a.sums32[2*g]) + pair>>16*int32(a.sums32[2*g+1])
						}
					}
				}
				to[row] += float32(float32(d[row]*a.d) * float32(sum))
				if mins {
					to[row] -= float32(float32(m[row]*a.d) * float32(minus))
				}
			}
		})
	}
}

func smallProduct(mins bool) func(sums *float32, from *panel, recs *byte, offsets *int, n, units int) {
	return func(sums *float32, from *panel, recs *byte, offsets *int, n, units int) {
		var dots rowSums
		eachVector[smallRecord](sums, recs, offsets, n, func(a *smallRecord, to *[RowStep]float32) {
			groupSums(&dots[0][0], &from[0], &a.q[0], 2, units)
			for b := range units {
				d, m := from.floats(unitScales+2*b), from.floats(unitScales+2*b+1)
				for row := range RowStep {
					to[row] += float32(float32(d[row]*a.d[b]) * float32(dots[b][row]))
					if mins {
						to[row] += float32(float32(m[row]*a.d[b]) * float32(a.sums[b]/-128))
					}
				}
			}
		})
	}
}

// ints and floats are a vector of a panel of RowStep rows.
func (p *panel) ints(i int) *[RowStep]int32 {
	return (*[RowStep]int32)(unsafe.Pointer(&p[4*RowStep*i]))
}

func (p *panel) floats(i int) *[RowStep]float32 {
	return (*[RowStep]float32)(unsafe.Pointer(&p[4*RowStep*i]))
}

// eachVector runs fn for the record of each vector, with its sums.
func eachVector[R any](sums *float32, recs *byte, offsets *int, n int, fn func(a *R, to *[RowStep]float32)) {
	all, at := unsafe.Slice((*[RowStep]float32)(unsafe.Pointer(sums)), n), unsafe.Slice(offsets, n)
	for i := range n {
		fn((*R)(unsafe.Add(unsafe.Pointer(recs), at[i])), &all[i])
	}
}
