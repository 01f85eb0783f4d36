package quant

import "github.com/llama-pajamas/pj/kernels/tier"

// kernels are the inner loops that have an implementation for vectors. All
// implementations give the same bits. Callers have checked lengths: w is as
// long as x or z, lanes.n is not above laneCount.
type kernels struct {
	tier.Tier

	// Loops over runs, of which the lengths are positive multiples of vectorRun.
	top     func(x []float32) int
	times   func(dst, x []float32, by float32)
	costs   func(cost, x, w []float32, from float32) int
	ends    func(x []float32) (least, most float32)
	moments func(z, x, w []float32, f *affineFacts)
	codes   func(dst []uint8, x []float32, inv, off, lo, hi float32)

	// Sums over codes for the lanes of a batch, see the methods of lanes. They
	// give the first lane with the largest gain, any where there is none.
	fitAffine, rateAffine func(l *lanes, z, w []float32, f *affineFacts) int
	rateIntegers          func(l *lanes, z, w []float32, f *affineFacts) int
	fitScale, rateScale   func(l *lanes, x, w []float32, v *levels) int
	fitTable, rateTable   func(l *lanes, x, w []float32, t *levelTable) int

	// For every d or dmin of a choice, of which there are at most choiceCount.
	chooseScales func(c *choice, n, count int, most float32)
	chooseMinima func(c *choice, k, n, count int, most float32)

	// What searches blocks by columns; see there.
	turn16, turn32 func(dst *[superBlock]float32, x []float32)
	searchScales   [columnKinds]func(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)
	integerScales  [columnKinds]func(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)
	searchAffine   [columnsTable32]func(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan)
	integerGrids   [columnsTable32]func(c *columns, w *[superBlock]float32, n, d, dmin, most float32)
	columnCodes    [columnsTable32]func(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32)
	tableCodes32   func(dst *[superBlock]uint8, x []float32, c *columns, t *levelTable)
	rateScales     [columnKinds]func(c *columns, w *[superBlock]float32, v *levels)
	level32        func(dst *[superBlock]float32, x []float32, c *columns) (most uint32)

	// Codewords for all lanes of a block.
	nearWords8 func(l *gridLanes, t *gridTable, n int, shift float32)
	nearWords4 func(l *gridLanes, t *gridTable, n int)

	// Roundings of runs of a multiple of 16 weights.
	packBF16, packF16 func(dst []byte, x []float32)

	// What writes blocks until one needs care, see streamQuantizer.
	streamQ8_0, streamMXFP4 func(dst []byte, x []float32) int

	// Sums of a row whose length is a positive multiple of 8.
	measure         func(s *rowSums, x, y []float32)
	measureWeighted func(s *rowSums, x, y, w []float32)

	// Of rounding under second moments. addScaled is for runs; row's length is a
	// positive multiple of 8.
	dotLanes  func(out *[4][rowLanes]float32, a *[4][]float32, e []float32, used int)
	addScaled func(to, x []float32, by float32)
	takeOff   func(row []float64, rows *[4][]float32, by *[4]float64)

	// Decoders of whole blocks, nil where there is none. Those of halves take
	// vectorRun at a time.
	unpack [unpackKinds]func(dst []float32, src []byte)
}

// use is the implementation in use.
var use = tier.Pick(available())

// available lists what this machine can run, best first.
func available() []*kernels { return tier.Available(impls, &scalar) }

// vectorRun divides the length of what kernels of runs are given; other runs
// are left to scalar code.
const vectorRun = 16

func kernelTop(x []float32) int {
	if len(x)%vectorRun != 0 {
		return top(x)
	}
	return use.top(x)
}

func kernelCosts(cost, x, w []float32, from float32) int {
	cost, w = cost[:len(x)], w[:len(x)]
	if len(x)%vectorRun != 0 {
		return costs(cost, x, w, from)
	}
	return use.costs(cost, x, w, from)
}

func kernelEnds(x []float32) (least, most float32) {
	if len(x)%vectorRun != 0 {
		return ends(x)
	}
	return use.ends(x)
}

func kernelCodes(dst []uint8, x []float32, inv, off, lo, hi float32) {
	dst = dst[:len(x)]
	if len(x)%vectorRun != 0 {
		codes(dst, x, inv, off, lo, hi)
		return
	}
	use.codes(dst, x, inv, off, lo, hi)
}
