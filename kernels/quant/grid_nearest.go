package quant

import "math"

// gridCosts holds what the values of a codeword's parts cost: squared errors,
// which are never negative. Sums are made in a fixed order, so that an
// implementation with a scale per vector element, which may look at every
// codeword, finds the same.
type gridCosts struct {
	part, flip [4][16]float32 // flip: what it costs more to have one sign wrong
	tail       [256]float32   // of the last two parts together
	tailFlip   [256]float32
	low        float32 // the least of tail
}

// fill8 sets the costs of parts of 2 weights at a scale, the levels being
// shifted.
func (t *gridCosts) fill8(g *grid, x, w *[8]float32, s, shift float32) {
	l0, l1, l2 := float32(s*(g.level[0]+shift)), float32(s*(g.level[1]+shift)), float32(s*(g.level[2]+shift))
	for k := range t.part {
		xa, xb, wa, wb := x[2*k&7], x[(2*k+1)&7], w[2*k&7], w[(2*k+1)&7]
		a0, a1, a2 := squared(wa, xa-l0), squared(wa, xa-l1), squared(wa, xa-l2)
		b0, b1, b2 := squared(wb, xb-l0), squared(wb, xb-l1), squared(wb, xb-l2)
		p := &t.part[k]
		p[0], p[1], p[2] = a0+b0, a1+b0, a2+b0
		p[3], p[4], p[5] = a0+b1, a1+b1, a2+b1
		p[6], p[7], p[8] = a0+b2, a1+b2, a2+b2
	}
	t.fillTails(9)
}

// fill4 is fill8 for parts of 1 weight, l being the levels at the scale.
func (t *gridCosts) fill4(l *[8]float32, x, w *[4]float32) {
	for k := range t.part {
		v, w, p := x[k], w[k], (*[8]float32)(t.part[k][:])
		for i, l := range l {
			p[i] = squared(w, v-l)
		}
	}
	t.fillTails(8)
}

func squared(w, e float32) float32 { return float32(w * float32(e*e)) }

func (t *gridCosts) fillTails(values int) {
	p, q := &t.part[2], &t.part[3]
	// Of 8 values the ninth is never looked at.
	a0, a1, a2, a3, a4, a5, a6, a7, a8 := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]
	low := min(a0, a1, a2, a3, a4, a5, a6, a7)
	if values == 9 {
		low = min(low, a8)
	}
	lowQ := q[0]
	for j := range values {
		c := q[j&15]
		lowQ = min(lowQ, c)
		r := (*[9]float32)(t.tail[j&15*16:])
		r[0], r[1], r[2] = a0+c, a1+c, a2+c
		r[3], r[4], r[5] = a3+c, a4+c, a5+c
		r[6], r[7], r[8] = a6+c, a7+c, a8+c
	}
	t.low = low + lowQ
}

// flip8 sets what it costs more to have the sign of one weight wrong, wx being
// w*x of the magnitudes.
func (t *gridCosts) flip8(g *grid, wx *[8]float32, s float32) {
	l0, l1, l2 := 4*s*g.level[0], 4*s*g.level[1], 4*s*g.level[2]
	for k := range t.flip {
		a, b := wx[2*k&7], wx[(2*k+1)&7]
		a0, a1, a2, b0, b1, b2 := a*l0, a*l1, a*l2, b*l0, b*l1, b*l2
		p := &t.flip[k]
		p[0], p[1], p[2] = min(a0, b0), min(a1, b0), min(a2, b0)
		p[3], p[4], p[5] = min(a0, b1), min(a1, b1), min(a2, b1)
		p[6], p[7], p[8] = min(a0, b2), min(a1, b2), min(a2, b2)
	}
	t.flipTails(9)
}

func (t *gridCosts) flip4(l *[8]float32, wx *[4]float32) {
	for k := range t.flip {
		v, p := 4*wx[k], (*[8]float32)(t.flip[k][:])
		for i, l := range l {
			p[i] = v * l
		}
	}
	t.flipTails(8)
}

func (t *gridCosts) flipTails(values int) {
	p, q := &t.flip[2], &t.flip[3]
	for j := range values {
		c := q[j&15]
		r := (*[9]float32)(t.tailFlip[j&15*16:])
		for i := range r {
			r[i] = min(p[i], c)
		}
	}
}

// cost is that of a codeword.
func (t *gridCosts) cost(g *grid, at uint16) float32 {
	h := g.head[at]
	return t.part[0][h&15] + t.part[1][h>>4] + t.tail[g.tail[at]]
}

// costOdd is cost with one sign wrong.
func (t *gridCosts) costOdd(g *grid, at uint16) float32 {
	h, q := g.head[at], g.tail[at]
	return t.cost(g, at) + min(t.flip[0][h&15], t.flip[1][h>>4], t.tailFlip[q])
}

// nearest is the first of the cheapest codewords. The better the guess, the
// fewer are looked at.
func (t *gridCosts) nearest(g *grid, guess uint16) (at uint16, cost float32) {
	// The guess costs less than this, so something is found below.
	best := above(t.cost(g, guess))
	p, q, tail, low := &t.part[0], &t.part[1], &t.tail, t.low
	values := g.values
	lowP := p[0]
	for i := 1; i < values; i++ {
		lowP = min(lowP, p[i&15])
	}
	for j := range values {
		b := q[j&15]
		if lowP+b+low >= best {
			continue
		}
		for i := range values {
			c := p[i&15] + b
			if c+low >= best {
				continue
			}
			h := (i | j<<4) & 255
			first := g.first[h]
			for k, q := range g.tail[first:g.first[h+1]] {
				if e := c + tail[q]; e < best {
					best, at = e, first+uint16(k)
				}
			}
		}
	}
	return at, best
}

// nearestOdd is nearest with one sign wrong, among codewords that cost less
// than the limit: false where there are none.
func (t *gridCosts) nearestOdd(g *grid, limit float32) (at uint16, cost float32, found bool) {
	best := limit
	p, q, tail, low := &t.part[0], &t.part[1], &t.tail, t.low
	f, e, flip := &t.flip[0], &t.flip[1], &t.tailFlip
	values := g.values
	lowP, lowF, lowFlip := p[0], f[0], t.flip[2][0]
	for i := range values {
		lowP, lowF = min(lowP, p[i&15]), min(lowF, f[i&15])
		lowFlip = min(lowFlip, t.flip[2][i&15], t.flip[3][i&15])
	}
	for j := range values {
		b, m := q[j&15], e[j&15]
		if lowP+b+low+min(lowF, m, lowFlip) >= best {
			continue
		}
		for i := range values {
			c, m := p[i&15]+b, min(f[i&15], m)
			if c+low+min(m, lowFlip) >= best {
				continue
			}
			h := (i | j<<4) & 255
			first := g.first[h]
			for k, q := range g.tail[first:g.first[h+1]] {
				if e := c + tail[q] + min(m, flip[q]); e < best {
					best, at, found = e, first+uint16(k), true
				}
			}
		}
	}
	return at, best, found
}

// above is the number next to a cost.
func above(cost float32) float32 { return math.Float32frombits(math.Float32bits(cost) + 1) }
