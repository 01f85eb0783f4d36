package quant

import (
	"errors"
	"fmt"
	"math"
)

// Rounding under second moments, for types with a lattice. It is put together
// from the error feedback of GPTQ and LDLQ and from coordinate descent (as in
// CDQuant, Nair and Suggala, 2024), with the scales of the block formats in both:
//
//  1. Blocks from left to right. What the errors of the columns before ask of a
//     block's weights is added to them, and the weighted search of the type,
//     with H's diagonal as importance, chooses the block's scales for what
//     comes out.
//  2. Runs of the block, then columns of the run, from left to right, each
//     rounded to the level nearest to its weight and what the errors before ask
//     of it. Scales next to the search's are tried for each run.
//  3. Sweeps of descent over all blocks, see descent.go.
//
// Each row is quantized on its own; rows go in groups only so that the matrix is
// read once for all of them.

// rowLanes is how many rows go together.
const rowLanes = 16

// sweeps is the number of turns of the descent.
const sweeps = 3

// secondStep is how far rounding under second moments goes; all but the last
// are for tests.
type secondStep int

const (
	searchOnly secondStep = iota
	heldScales            // error feedback, with the scales that the search found
	rounded               // and scales chosen again for each run
	descended             // and descent
)

// secondJob quantizes rows of one matrix.
type secondJob struct {
	t      *Type
	l      *lattice
	m      *SecondMoments
	step   secondStep
	fields [][]codeField
	runs   *runFactors

	// The group: rows in units in which their largest weight is about 1, column
	// k of row r at k*rowLanes + r.
	n        int
	x, e     []float32 // weights; weights less their values
	up, down [rowLanes]float32

	// Scratch of a block.
	lines  [4][]float32
	sums   [superBlock][rowLanes]float32
	asks   [superBlock][rowLanes]float32 // targets
	parts  [rowLanes]parts
	target []float32 // the same in units of the weights, row after row
	found  []byte
	tri    []float32
	block  blockState
	pairs  []pair
	asked  [superBlock]float32
	unit   pointSearch
}

// blockState is a block of one row at work, in units of the row.
type blockState struct {
	x, t, y [superBlock]float32
	g       [superBlock]float32
	try     *runTry // what was tried last
	best    *runTry // the best so far
	step    [superBlock]float32
	product [superBlock]float32
}

// runTry is a run coded with some scale.
type runTry struct {
	pair
	code  [superBlock]uint8
	point [4]gridPoint
	y     [superBlock]float32
}

// keep makes the run's code that of a block.
func (t *runTry) keep(p *parts, at, run int) {
	p.sc[at/run], p.mn[at/run] = t.sc, t.mn
	copy(p.code[at:], t.code[:run])
	if points := run / 8; points <= len(t.point) {
		copy(p.point[at/8:], t.point[:points])
	}
}

// quantizeSecond is a Quantize under second moments.
func (t *Type) quantizeSecond(dst []byte, src []float32, opt Options, step secondStep) error {
	if err := checkEncode(t.Name, t.Block, t.Bytes, dst, src, opt); err != nil {
		return err
	}
	if i := notFinite(src); i >= 0 {
		return &ValueError{t.Name, i, src[i]}
	}
	j := &secondJob{
		t: t, l: t.lattice, m: opt.Second, step: step,
		fields: t.lattice.fields(t.Block), runs: opt.Second.factorsOf(t.lattice.run),
		x: make([]float32, opt.Cols*rowLanes), e: make([]float32, opt.Cols*rowLanes),
		target: make([]float32, rowLanes*t.Block), found: make([]byte, rowLanes*t.Bytes),
		tri: make([]float32, t.Block*t.lattice.run), block: blockState{try: new(runTry), best: new(runTry)},
	}
	size := int(t.RowBytes(int64(opt.Cols)))
	for row := 0; row*opt.Cols < len(src); row += j.n {
		j.load(src[row*opt.Cols:])
		to := dst[row*size:][:j.n*size]
		if err := j.feedback(to, size); err != nil {
			var v *ValueError
			if errors.As(err, &v) {
				v.Index += row * opt.Cols
			}
			return err
		}
		if step == descended {
			for sweep := range sweeps {
				j.descend(to, size, sweep)
			}
		}
	}
	return nil
}

// withSecondMoments makes a type's Quantize heed Options.Second: with the best
// effort, and where the type has a lattice, as a matrix, else by its diagonal.
func withSecondMoments(t *Type) func([]byte, []float32, Options) error {
	return func(dst []byte, src []float32, opt Options) error {
		m := opt.Second
		if m == nil {
			return t.plain(dst, src, opt)
		}
		switch {
		case m.cols != opt.Cols:
			return fmt.Errorf("quantize to %s: second moments of %d columns for rows of %d weights", t.Name, m.cols, opt.Cols)
		case opt.Importance != nil:
			return fmt.Errorf("quantize to %s: an importance and second moments; give one of them", t.Name)
		case t.lattice != nil && opt.Effort == Best:
			return t.quantizeSecond(dst, src, opt, descended)
		}
		opt.Importance, opt.Second = m.diag, nil
		return t.plain(dst, src, opt)
	}
}

// load starts a group with the first rows of src.
func (j *secondJob) load(src []float32) {
	cols := j.m.cols
	j.n = min(len(src)/cols, rowLanes)
	for r := range j.n {
		row := src[r*cols:][:cols]
		e := min(max(int(math.Float32bits(abs(row[largest(row)]))>>23), 1), 253)
		j.down[r] = math.Float32frombits(uint32(254-e) << 23)
		j.up[r] = math.Float32frombits(uint32(e) << 23)
		for k, v := range row {
			j.x[k*rowLanes+r] = float32(v * j.down[r])
			j.e[k*rowLanes+r] = 0
		}
	}
}

// dots sets sums[i], for from <= i < to of a block, to the products of row i with
// the errors of columns first to last-1, which are elements 0 to last-first-1 of
// the row.
func (j *secondJob) dots(from, to, first, last int, row func(i int) []float32) {
	e := j.e[first*rowLanes : last*rowLanes]
	for i := from; i < to; i += 4 {
		for k := range j.lines {
			j.lines[k] = row(i + k)[:last-first]
		}
		use.dotLanes((*[4][rowLanes]float32)(j.sums[i:]), &j.lines, e, j.n)
	}
}

// feedback quantizes the group for the first time, into rows of size bytes.
func (j *secondJob) feedback(dst []byte, size int) error {
	for first, at := 0, 0; first < j.m.cols; first, at = first+j.t.Block, at+j.t.Bytes {
		if j.step == searchOnly {
			clear(j.e)
		}
		j.dots(0, j.t.Block, 0, first, func(i int) []float32 { return j.m.lRow(first + i) })
		for r := range j.n {
			for i := range j.t.Block {
				j.asks[i][r] = j.x[(first+i)*rowLanes+r] + j.sums[i][r]
				j.target[r*j.t.Block+i] = float32(j.asks[i][r] * j.up[r])
			}
		}
		if err := j.searchBlocks(first); err != nil {
			return err
		}
		if j.step != searchOnly {
			j.roundBlock(first)
		}
		for r := range j.n {
			copy(dst[r*size+at:][:j.t.Bytes], j.found[r*j.t.Bytes:])
		}
	}
	return nil
}

// searchBlocks finds scales for the targets of the block that begins at column
// first.
func (j *secondJob) searchBlocks(first int) error {
	opt := Options{Cols: j.t.Block, Importance: j.m.diag[first:][:j.t.Block], Effort: Best}
	if j.t.plain(j.found, j.target[:j.n*j.t.Block], opt) == nil {
		return nil
	}
	// Where feedback asks for more than the type can hold, the weights' own
	// scales have to do.
	for r := range j.n {
		target, found := j.target[r*j.t.Block:][:j.t.Block], j.found[r*j.t.Bytes:][:j.t.Bytes]
		if j.t.plain(found, target, opt) == nil {
			continue
		}
		for i := range target {
			target[i] = float32(j.x[(first+i)*rowLanes+r] * j.up[r])
		}
		if err := j.t.plain(found, target, opt); err != nil {
			var v *ValueError
			if errors.As(err, &v) {
				v.Index += r*j.m.cols + first
			}
			return err
		}
	}
	return nil
}

// loadTriangles copies the factors within the block's runs.
func (j *secondJob) loadTriangles(first int) {
	run := j.l.run
	for at := 0; at < j.t.Block; at += run {
		t := j.triangle(first, at)
		for i := range run {
			copy(t.before(i), j.m.lRow(first + at + i)[first+at:])
		}
		t.mirror()
	}
}

func (j *secondJob) triangle(first, at int) triangle {
	run := j.l.run
	return triangle{run, j.tri[at*run:][:run*run], j.m.d[first+at:][:run]}
}

// roundBlock rounds the group's blocks that begin at column first, in found.
func (j *secondJob) roundBlock(first int) {
	j.loadTriangles(first)
	for r := range j.n {
		j.l.take(&j.parts[r], j.found[r*j.t.Bytes:][:j.t.Bytes], j.fields)
	}
	for at := 0; at < j.t.Block; at += j.l.run {
		j.dots(at, at+j.l.run, first, first+at, func(i int) []float32 { return j.m.lRow(first + i)[first:] })
		for r := range j.n {
			j.roundRun(first, at, r)
		}
	}
	for r := range j.n {
		j.l.give(j.found[r*j.t.Bytes:][:j.t.Bytes], &j.parts[r], j.fields)
	}
}

// roundRun rounds a run of row r.
func (j *secondJob) roundRun(first, at, r int) {
	s, run := &j.block, j.l.run
	p := &j.parts[r]
	x, t := s.x[:run], s.t[:run]
	for i := range x {
		x[i] = j.x[(first+at+i)*rowLanes+r]
		t[i] = j.asks[at+i][r] + j.sums[at+i][r]
	}
	now := pair{p.sc[at/run], p.mn[at/run]}
	tri := j.triangle(first, at)
	s.best.pair = now
	cost, _ := j.code(p, s.best, tri, x, t, j.down[r], float32(math.Inf(1)))
	if j.step > heldScales {
		j.choose(p, tri, x, t, now, 0, j.down[r], cost)
	}
	s.best.keep(p, at, run)
	for i, y := range s.best.y[:run] {
		j.e[(first+at+i)*rowLanes+r] = x[i] - y
	}
}

// choose tries what lies near now and keeps in best what costs less than it.
func (j *secondJob) choose(p *parts, tri triangle, x, t []float32, now pair, fine int, down, cost float32) (float32, bool) {
	s, better := &j.block, false
	j.pairs = j.l.scales.near(p, now, fine, j.pairs[:0])
	for _, n := range j.pairs {
		s.try.pair = n
		if c, ok := j.code(p, s.try, tri, x, t, down, cost); ok {
			cost, better = c, true
			s.best, s.try = s.try, s.best
		}
	}
	return cost, better
}

// code rounds a run with the scale of to, column after column: weights x, of
// which t is asked. It gives the error that this adds, and false as soon as
// that is no less than the limit.
func (j *secondJob) code(p *parts, to *runTry, tri triangle, x, t []float32, down, limit float32) (cost float32, ok bool) {
	b, a := j.l.scales.value(p, to.pair)
	b, a = float32(b*down), float32(a*down)
	if j.l.codec != nil {
		return j.codePoints(to, tri, x, t, b, limit)
	}
	inv := inverse(b)
	asked := j.asked[:len(t)]
	copy(asked, t)
	levels := j.l.levels
	for i, x := range x {
		v := asked[i]
		c := levels.nearest(float32((v - a) * inv))
		y := float32(b*levels.level[c]) + a
		to.code[i], to.y[i] = c, y
		r := v - y
		if cost += float32(tri.d[i] * float32(r*r)); !(cost < limit) && limit < maxFloat {
			return cost, false
		}
		e := x - y
		after := tri.after(i)
		rest := asked[i+1:][:len(after)]
		for k, l := range after {
			rest[k] += float32(l * e)
		}
	}
	return cost, true
}
