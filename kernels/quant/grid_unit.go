package quant

import "math/bits"

// gridUnit is 8 weights, one codeword or two.
type gridUnit struct {
	x, w, wx [8]float32 // x: magnitudes where the type stores signs
	signs    uint8      // bits of the negative weights
	odd      bool       // an odd number of signs where only an even one is stored
}

// gridPoint is what the file stores of a unit.
type gridPoint struct {
	at    [2]uint16 // places of the codewords in the grid
	signs uint8
	minus bool // sign of the shift
}

// gridSigns says which signs a type stores.
type gridSigns uint8

const (
	anySigns  gridSigns = iota
	evenCount           // 7 of 8; an even number of weights is negative
	inGrid              // none: the codewords have signs, and are shifted
)

// gridShift is by how much codewords with signs are shifted, up or down.
const gridShift = 0.125

func (u *gridUnit) load(x, w []float32, signs gridSigns) {
	x, w = x[:8], w[:8]
	u.signs = 0
	for i, v := range x {
		if signs != inGrid && v < 0 {
			v = -v
			u.signs |= 1 << i
		}
		u.x[i], u.w[i], u.wx[i] = v, w[i], float32(w[i]*v)
	}
	u.odd = signs == evenCount && bits.OnesCount8(u.signs)&1 != 0
}

// unitSums are those of a unit's values q: w*q*x and w*q*q.
type unitSums struct{ qx, qq float32 }

func (u *gridUnit) sums(q *[8]float32) (s unitSums) {
	for i, q := range q {
		s.qx += float32(q * u.wx[i])
		s.qq += float32(float32(q*q) * u.w[i])
	}
	return s
}

// nearest finds the point at scale s. What p holds is the guess.
func (u *gridUnit) nearest(g *grid, t *[2]gridCosts, s float32, p *gridPoint) unitSums {
	p.signs = u.signs
	var q [8]float32
	if g.weights == 8 {
		c := &t[0]
		c.fill8(g, &u.x, &u.w, s, 0)
		if u.odd {
			c.flip8(g, &u.wx, s)
			p.at[0], _, _ = c.nearestOdd(g, above(c.costOdd(g, p.at[0])))
		} else {
			p.at[0], _ = c.nearest(g, p.at[0])
		}
		q = g.point[p.at[0]]
	} else {
		u.nearestPair(g, t, s, p)
		copy(q[:4], g.point[p.at[0]][:4])
		copy(q[4:], g.point[p.at[1]][:4])
	}
	sums := u.sums(&q)
	if u.odd {
		at, less := u.cheapest(&q)
		p.signs ^= 1 << at
		sums.qx -= 2 * less
	}
	return sums
}

// nearestPair is nearest for two codewords of 4 weights, only one of which may
// have a sign wrong.
func (u *gridUnit) nearestPair(g *grid, t *[2]gridCosts, s float32, p *gridPoint) {
	var cost [2]float32
	l := g.level
	for i := range l {
		l[i] = float32(s * l[i])
	}
	for i := range t {
		t[i].fill4(&l, (*[4]float32)(u.x[4*i:]), (*[4]float32)(u.w[4*i:]))
		p.at[i], cost[i] = t[i].nearest(g, p.at[i])
	}
	if !u.odd {
		return
	}
	for i := range t {
		t[i].flip4(&l, (*[4]float32)(u.wx[4*i:]))
	}
	first, costFirst, _ := t[0].nearestOdd(g, above(t[0].costOdd(g, p.at[0])))
	// The second need not be better than what is left.
	limit := min(above(t[1].costOdd(g, p.at[1])), costFirst-cost[0]+cost[1])
	if second, _, ok := t[1].nearestOdd(g, limit); ok {
		p.at[1] = second
	} else {
		p.at[0] = first
	}
}

// cheapest is the weight whose sign costs least, and its w*q*x.
func (u *gridUnit) cheapest(q *[8]float32) (at int, least float32) {
	least = q[0] * u.wx[0]
	for i := 1; i < 8; i++ {
		if e := q[i] * u.wx[i]; e < least {
			least, at = e, i
		}
	}
	return at, least
}

// nearestShifted is nearest for codewords with signs, p.minus being given. It
// also gives the squared error.
func (u *gridUnit) nearestShifted(g *grid, t *[2]gridCosts, s float32, p *gridPoint) (sums unitSums, cost float32) {
	shift := float32(gridShift)
	if p.minus {
		shift = -shift
	}
	c := &t[0]
	c.fill8(g, &u.x, &u.w, s, shift)
	p.at[0], cost = c.nearest(g, p.at[0])
	q := g.point[p.at[0]]
	for i := range q {
		q[i] += shift
	}
	return u.sums(&q), cost
}
