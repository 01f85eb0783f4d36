package quant

import (
	"math"
	"math/bits"
	"slices"
	"testing"
)

// gridsInUse are the codebooks with what decoders use of them.
func gridsInUse() map[string]struct {
	grid *grid
	at   func(number uint16) []int8
} {
	type entry = struct {
		grid *grid
		at   func(number uint16) []int8
	}
	eight := func(lazy func() *grid, points [][8]int8) entry {
		return entry{lazy(), func(n uint16) []int8 { return points[n][:] }}
	}
	four := func(lazy func() *grid, points [][4]int8) entry {
		return entry{lazy(), func(n uint16) []int8 { return points[n][:] }}
	}
	return map[string]entry{
		"iq1":     eight(ternaryGrid, gridIQ1S),
		"iq2_xxs": eight(iq2XXSCodec.grid, gridIQ2XXS),
		"iq2_xs":  eight(iq2XSCodec.grid, gridIQ2XS),
		"iq2_s":   eight(iq2SCodec.grid, gridIQ2S),
		"iq3_xxs": four(iq3XXSCodec.grid, gridIQ3XXS),
		"iq3_s":   four(iq3SCodec.grid, gridIQ3S),
	}
}

// TestGridArrangement wants every codeword once, in its place.
func TestGridArrangement(t *testing.T) {
	for name, e := range gridsInUse() {
		g := e.grid
		numbers := slices.Clone(g.number)
		slices.Sort(numbers)
		for i, n := range numbers {
			if int(n) != i {
				t.Fatalf("%s: codeword %d is missing", name, i)
			}
		}
		for at, n := range g.number {
			h := int(g.head[at])
			if at < int(g.first[h]) || at >= int(g.first[h+1]) {
				t.Errorf("%s: place %d is not among those of head %#x", name, at, h)
			}
			for i, v := range e.at(n) {
				if float32(v) != g.point[at][i] {
					t.Errorf("%s: codeword %d: weight %d is %v, not %d", name, n, i, g.point[at][i], v)
				}
			}
		}
	}
}

// unitsToCode gives units of every kind, and a scale for each.
func unitsToCode(g *grid, signs gridSigns, count int, fn func(u *gridUnit, s float32)) {
	r := random(60)
	for i := range count {
		var x, w [8]float32
		for j := range x {
			x[j] = r.weight(0)
			w[j] = 1
			if i%2 != 0 {
				w[j] = abs(r.weight(0)*r.weight(0)) + 0x1p-20
			}
			if i%7 == 3 && j%3 == 1 {
				x[j] = 0
			}
		}
		if i%50 == 4 {
			x = [8]float32{} // every codeword of the lowest levels is as good
		}
		var u gridUnit
		u.load(x[:], w[:], signs)
		fn(&u, float32(1+r.below(40))*0.08/g.top)
	}
}

// TestNearestCodeword compares the search with one that looks at every
// codeword in order: it must find the first of the cheapest, whatever the
// guess.
func TestNearestCodeword(t *testing.T) {
	for name, e := range gridsInUse() {
		g := e.grid
		r := random(61)
		unitsToCode(g, evenCount, 300, func(u *gridUnit, s float32) {
			c := new(gridCosts)
			if g.weights == 8 {
				c.fill8(g, &u.x, &u.w, s, 0)
				c.flip8(g, &u.wx, s)
			} else {
				l := g.level
				for i := range l {
					l[i] = float32(s * l[i])
				}
				c.fill4(&l, (*[4]float32)(u.x[:]), (*[4]float32)(u.w[:]))
				c.flip4(&l, (*[4]float32)(u.wx[:]))
			}
			var want, wantOdd uint16
			for at := range g.number {
				if at := uint16(at); c.cost(g, at) < c.cost(g, want) {
					want = at
				}
				if at := uint16(at); c.costOdd(g, at) < c.costOdd(g, wantOdd) {
					wantOdd = at
				}
			}
			for range 3 {
				guess := uint16(r.below(len(g.number)))
				if at, cost := c.nearest(g, guess); at != want || cost != c.cost(g, want) {
					t.Errorf("%s: found %d at %v, not %d at %v", name, at, cost, want, c.cost(g, want))
				}
				at, cost, ok := c.nearestOdd(g, above(c.costOdd(g, guess)))
				if at != wantOdd || cost != c.costOdd(g, wantOdd) || !ok {
					t.Errorf("%s: with a sign wrong found %d at %v, not %d at %v", name, at, cost, wantOdd, c.costOdd(g, wantOdd))
				}
			}
			if _, _, ok := c.nearestOdd(g, c.costOdd(g, wantOdd)); ok {
				t.Errorf("%s: found something below the least", name)
			}
		})
	}
}

// TestNearestPoint wants the codewords and signs of 8 weights to be the best
// there are, by the definition of the format, and the sums to be theirs.
func TestNearestPoint(t *testing.T) {
	for name, c := range map[string]*gridCodec{"iq2_xxs": &iq2XXSCodec, "iq2_s": &iq2SCodec, "iq3_xxs": &iq3XXSCodec, "iq3_s": &iq3SCodec} {
		g := c.grid()
		costs := new([2]gridCosts)
		unitsToCode(g, c.signs, 200, func(u *gridUnit, s float32) {
			var p gridPoint
			sums := u.nearest(g, costs, s, &p)
			if c.signs == evenCount && bits.OnesCount8(p.signs)%2 != 0 {
				t.Fatalf("%s: signs %08b", name, p.signs)
			}
			q := pointValues(g, &p)
			var got, qx, qq float64
			for i, q := range q {
				v := u.value(i)
				got += u.error(i, v, float64(s)*q)
				qx += float64(u.w[i]) * q * v
				qq += float64(u.w[i]) * q * q
			}
			if best := u.least(g, float64(s)); got > best*(1+1e-5)+1e-9 {
				t.Errorf("%s: error %v, but %v is possible", name, got, best)
			}
			if math.Abs(float64(sums.qx)-qx) > 1e-5*math.Sqrt(qq)*10 || math.Abs(float64(sums.qq)-qq) > 1e-5*qq {
				t.Errorf("%s: sums %v, not %v and %v", name, sums, qx, qq)
			}
		})
	}
}

// value is weight i with its sign.
func (u *gridUnit) value(i int) float64 {
	if u.signs>>i&1 != 0 {
		return -float64(u.x[i])
	}
	return float64(u.x[i])
}

func (u *gridUnit) error(i int, x, y float64) float64 {
	return float64(u.w[i]) * (x - y) * (x - y)
}

// pointValues are a point's values in units of the scale.
func pointValues(g *grid, p *gridPoint) (q [8]float64) {
	for i := range q {
		q[i] = float64(g.point[p.at[i/g.weights]][i%g.weights])
		if p.signs>>i&1 != 0 {
			q[i] = -q[i]
		}
	}
	return q
}

// least is the error of the best codewords and signs.
func (u *gridUnit) least(g *grid, s float64) float64 {
	// For each codeword: the error with right signs, and with one wrong.
	right, wrong := 0.0, math.Inf(1)
	for first := 0; first < 8; first += g.weights {
		a, b := math.Inf(1), math.Inf(1)
		for _, point := range g.point {
			sum, flip := 0.0, math.Inf(1)
			for j := range g.weights {
				i := first + j
				x, y := float64(u.x[i]), s*float64(point[j])
				e := u.error(i, x, y)
				sum += e
				flip = min(flip, u.error(i, x, -y)-e)
			}
			a, b = min(a, sum), min(b, sum+flip)
		}
		right, wrong = right+a, min(right+b, wrong+a)
	}
	if u.odd {
		return wrong
	}
	return right
}

// BenchmarkArrange is what the first use of a codebook costs.
func BenchmarkArrange(b *testing.B) {
	for b.Loop() {
		lazyGrid8(packedIQ1S[:], -1, 0, 1)()
	}
}
