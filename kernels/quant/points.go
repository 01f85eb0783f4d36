package quant

import (
	"math"
	"math/bits"
)

// Rounding under second moments for types with a codebook: 8 or 4 neighbours are
// chosen together, by the sum of what each of them costs once those before it
// are known.

// gridLattice is the lattice of a type with a codebook.
func gridLattice(c *gridCodec, take func(s *gridBlock, src []byte), put func(dst []byte, s *gridBlock)) *lattice {
	return &lattice{
		run: c.run, codec: c, scales: gridScale{c.unit, int32(c.most)},
		read: func(p *parts, b []byte) {
			s := gridBlock{grid: c.grid()}
			take(&s, b)
			p.d, p.point = s.d, s.point
			for i, n := range s.n {
				p.sc[i] = int32(n)
			}
		},
		write: func(b []byte, p *parts) {
			s := gridBlock{grid: c.grid(), d: p.d, point: p.point}
			for i, n := range p.sc {
				s.n[i] = float32(n)
			}
			put(b, &s)
		},
	}
}

// gridScale is the rule of runs with an integer 0..most under d: a step is
// d*unit*(2n+1).
type gridScale struct {
	unit float32
	most int32
}

func (r gridScale) value(p *parts, s pair) (b, a float32) {
	return F16ToF32(p.d) * r.unit * float32(2*s.sc+1), 0
}

func (r gridScale) near(_ *parts, s pair, fine int, to []pair) []pair {
	reach := int32(2)
	if fine > 0 {
		reach = 1
	}
	return integersAround(s, reach, 0, r.most, to)
}

// values decodes points at step b.
func (c *gridCodec) values(y []float32, points []gridPoint, b float32) {
	g := c.grid()
	for i := 0; i < len(y); i += 8 {
		p := &points[i/8]
		for k := range 8 {
			v := g.point[p.at[k/g.weights]][k%g.weights]
			if c.signs == inGrid {
				v += p.shift()
			} else if p.signs>>k&1 != 0 {
				v = -v
			}
			y[i+k] = float32(b * v)
		}
	}
}

func (p *gridPoint) shift() float32 {
	if p.minus {
		return -gridShift
	}
	return gridShift
}

// codePoints is code for a codebook at step b.
func (j *secondJob) codePoints(to *runTry, tri triangle, x, t []float32, b, limit float32) (cost float32, ok bool) {
	c := j.l.codec
	if c.signs != inGrid || c.shifts {
		return j.codeUnits(to, tri, x, t, b, limit, 0)
	}
	// One shift for the run.
	cost, ok = j.codeUnits(to, tri, x, t, b, limit, 1)
	first := *to
	if ok {
		limit = cost
	}
	if less, better := j.codeUnits(to, tri, x, t, b, limit, -1); better && (!ok || less < cost) {
		return less, true
	}
	*to = first
	return cost, ok
}

// codeUnits codes a run unit after unit; shift is that of all of them, 0 where
// each chooses its own or there is none.
func (j *secondJob) codeUnits(to *runTry, tri triangle, x, t []float32, b, limit float32, shift int) (cost float32, ok bool) {
	asked := j.asked[:len(t)]
	copy(asked, t)
	u := &j.unit
	for at := 0; at < len(x); at += 8 {
		u.load(tri, at, x, asked)
		p, y := &to.point[at/8], to.y[at:][:8]
		c, ok := u.choose(j.l.codec, b, limit-cost, shift, p, y)
		if cost += c; !ok || !(cost < limit) {
			if limit <= maxFloat {
				return cost, false
			}
			// No sum is finite; any point will do.
			*p = gridPoint{minus: shift < 0}
			j.l.codec.values(y, []gridPoint{*p}, b)
		}
		for i := range 8 {
			e := x[at+i] - to.y[at+i]
			after := tri.after(at + i)[7-i:]
			rest := asked[at+8:][:len(after)]
			for k, l := range after {
				rest[k] += float32(l * e)
			}
		}
	}
	return cost, true
}

// pointSearch looks for the point of a unit that costs least: with values v,
// sum of d_i*(c_i - v_i - sum over k<i of m_ik v_k)^2.
type pointSearch struct {
	c, d [8]float32
	m    [8][8]float32
}

// load prepares the unit of 8 columns from at on of a run: weights x, of which
// asked is asked before their own errors are known.
func (u *pointSearch) load(tri triangle, at int, x, asked []float32) {
	for i := range 8 {
		u.d[i] = tri.d[at+i]
		c := asked[at+i]
		for k, l := range tri.before(at + i)[at:] {
			u.m[i][k] = l
			c += float32(l * x[at+k])
		}
		u.c[i] = c
	}
}

// choose finds the point and its values at step b, and gives its cost; false
// where that would be no less than the limit.
func (u *pointSearch) choose(codec *gridCodec, b, limit float32, shift int, p *gridPoint, y []float32) (cost float32, ok bool) {
	g := codec.grid()
	y = y[:8]
	f := pointFinder{u: u, g: g, b: b}
	switch {
	case codec.signs == inGrid:
		f.best = limit
		for _, s := range [2]int{1, -1} {
			if s == -shift {
				continue
			}
			f.shift, f.minus = float32(s)*gridShift, s < 0
			f.run(0, -1)
		}
		f.give(p, y, 0)
		return f.best, f.best < limit
	case g.weights == 8:
		f.signed = true
		f.search(0, codec.signs == evenCount, 0, limit)
		f.give(p, y, 0)
		return f.best, f.best < limit
	}
	// Two codewords, the second one's choice following the first's.
	f.signed = true
	if codec.signs != evenCount {
		return f.both(p, y, false, 0, limit)
	}
	for parity := range 2 {
		var point gridPoint
		var values [8]float32
		if c, found := f.both(&point, values[:], true, parity, limit); found {
			cost, limit, ok, *p = c, c, true, point
			copy(y, values[:])
		}
	}
	return cost, ok
}

// pointFinder walks over the codewords of a grid for a unit, or for half of it.
type pointFinder struct {
	u      *pointSearch
	g      *grid
	b      float32
	shift  float32
	minus  bool
	signed bool
	from   int  // the first column
	flip   int  // the column whose sign is to be wrong; -1: none
	even   bool // only what has an even number of minus signs, plus parity
	parity int
	v      [8]float32

	best  float32
	at    uint16
	signs uint8
	off   bool // minus of the best
	y     [8]float32
}

// search looks for the codeword of columns from on. With even, the number of
// minus signs plus parity has to be even; where it isn't, one sign is not that of
// the value asked for.
func (f *pointFinder) search(from int, even bool, parity int, limit float32) {
	f.best, f.even, f.parity = limit, false, parity
	f.run(from, -1)
	if !even || !(f.best < limit) || (bits.OnesCount8(f.signs)+parity)&1 == 0 {
		return
	}
	f.best, f.even = limit, true
	// The last columns first: less depends on them.
	for flip := from + f.g.weights - 1; flip >= from; flip-- {
		f.run(from, flip)
	}
	f.run(from, -1)
}

// both finds two codewords, the second one's choice following the first's; with
// even, each has that parity.
func (f *pointFinder) both(p *gridPoint, y []float32, even bool, parity int, limit float32) (cost float32, ok bool) {
	if f.search(0, even, parity, limit); !(f.best < limit) {
		return 0, false
	}
	cost = f.best
	f.give(p, y, 0)
	held := f.u.c
	for i := 4; i < 8; i++ {
		for k, v := range y[:4] {
			f.u.c[i] -= float32(f.u.m[i][k] * v)
		}
	}
	rest := limit - cost
	f.search(4, even, parity, rest)
	f.u.c = held
	f.give(p, y, 4)
	return cost + f.best, f.best < rest
}

// give writes what was found for columns from on.
func (f *pointFinder) give(p *gridPoint, y []float32, from int) {
	n := f.g.weights
	p.at[from/n] = f.at
	p.minus = f.off
	if from == 0 {
		p.signs = 0
	}
	p.signs |= f.signs
	copy(y[from:from+n], f.y[from:])
}

// run looks at all codewords whose cost may be below the best; flip is the
// column whose sign is to be wrong, -1 for none.
func (f *pointFinder) run(from, flip int) {
	f.from, f.flip = from, flip
	f.node(0, 0, 0, 0)
}

// node chooses the level of a column in the first half of codewords, the cheapest
// first, so that most others need no look (as in sphere decoding, Schnorr and
// Euchner, 1994). head are the levels before, as grid.first has them.
func (f *pointFinder) node(depth, head int, cost float32, signs uint8) {
	if depth == f.g.weights/2 {
		f.tails(head, cost, signs)
		return
	}
	i, count, weight := f.from+depth, 8, 1<<(4*depth)
	if f.g.weights == 8 {
		count, weight = 3, [4]int{1, 3, 16, 48}[depth]
	}
	asked := f.u.c[i]
	for k := f.from; k < i; k++ {
		asked -= float32(f.u.m[i][k] * f.v[k])
	}
	var costs, values [8]float32
	for l := range count {
		costs[l], values[l] = f.column(i, asked, f.g.level[l])
		costs[l] += cost
	}
	for range count {
		low := 0
		for l := 1; l < count; l++ {
			if costs[l] < costs[low] {
				low = l
			}
		}
		c := costs[low]
		if !(c < f.best) {
			return
		}
		costs[low] = maxFloat
		f.v[i] = values[low]
		f.node(depth+1, head+low*weight, c, signs|f.sign(i, values[low], f.g.level[low]))
	}
}

// tails looks at all codewords with a head.
func (f *pointFinder) tails(head int, cost float32, signs uint8) {
	g, u := f.g, f.u
	half, end := f.from+g.weights/2, f.from+g.weights
	rest := u.c // what is asked once the first half is known
	for i := half; i < end; i++ {
		for k := f.from; k < half; k++ {
			rest[i] -= float32(u.m[i][k] * f.v[k])
		}
	}
	for place := g.first[head]; place < g.first[head+1]; place++ {
		c, s := cost, signs
		word := g.point[place][end-half:]
		for i := half; i < end && c < f.best; i++ {
			asked := rest[i]
			for k := half; k < i; k++ {
				asked -= float32(u.m[i][k] * f.v[k])
			}
			level := word[i-half]
			e, v := f.column(i, asked, level)
			c += e
			f.v[i] = v
			s |= f.sign(i, v, level)
		}
		if c < f.best && !(f.even && (bits.OnesCount8(s)+f.parity)&1 != 0) {
			f.best, f.at, f.signs, f.off, f.y = c, place, s, f.minus, f.v
		}
	}
}

// column gives what a level costs in column i, which asks for a value, and the
// level's value with its sign.
func (f *pointFinder) column(i int, asked, level float32) (cost, v float32) {
	v = float32(f.b * (level + f.shift))
	if f.signed && (asked*v < 0) != (i == f.flip) {
		v = -v
	}
	r := asked - v
	return float32(f.u.d[i] * float32(r*r)), v
}

// sign is the bit of column i where the value is that of the level, negated.
func (f *pointFinder) sign(i int, v, level float32) uint8 {
	if f.signed && math.Signbit(float64(v)) != math.Signbit(float64(f.b*level)) {
		return 1 << i
	}
	return 0
}
