package quant

import (
	"math"
	"math/bits"
)

// gridLanePlan says what a search by lanes tries; see gridPlan.
type gridLanePlan struct {
	tops  []float32
	steps []float32
	reach []int
	near  int // codewords tried for a pattern of levels, up to gridNear
	// exact looks at all codewords in the end.
	exact bool
}

// gridBatch is the scratch of a search by lanes.
type gridBatch struct {
	lanes gridLanes
	signs [32]uint8
	table *gridTable
	near  int // codewords tried for a pattern

	// What a scale gives each run; words are its lanes'.
	qx, qq, cost [16]float32
	word         [64]uint32
	minus        [32]bool // by unit

	best struct {
		n, qx, qq, cost [16]float32
		word            [64]uint32
		minus           [32]bool
	}
}

// encodeLanes fills k.grid. It gives false where d overflows.
func (c *gridCodec) encodeLanes(k *work, p *gridLanePlan) bool {
	s, b := &k.grid, &k.batch
	s.grid, b.table, b.near = c.grid(), c.table(), p.near
	s.err, s.d, s.dv, s.n, s.point = 0, 0, 0, [16]float32{}, [32]gridPoint{}
	c.load(k)
	runs := superBlock / c.run
	var own, weight, size, scale [16]float32
	for j := range runs {
		run := k.x[j*c.run:][:c.run]
		size[j] = abs(run[kernelTop(run)])
		if size[j] < 0x1p-60 {
			size[j] = 0
		}
		size[j] /= s.grid.top
	}
	var gain [16]float32
	for _, f := range p.tops {
		for j := range runs {
			scale[j] = float32(f * size[j])
		}
		c.evalLanes(b, &scale)
		for j := range runs {
			if qx, qq := b.qx[j], b.qq[j]; qx > 0 {
				if v := qx / qq; float32(v*qx) > gain[j] {
					own[j], weight[j], gain[j] = v, qq, float32(v*qx)
				}
			}
		}
	}
	var top float32
	for _, v := range own[:runs] {
		top = max(top, v)
	}
	if top == 0 {
		return true
	}
	d := c.stepFor(own[:runs], weight[:runs], top, p.steps)
	for turn, reach := range p.reach {
		h, dv, ok := k.scale(d)
		if !ok {
			return turn > 0
		}
		step := dv * c.unit
		inv := inverse(step)
		var n [16]float32
		for j := range runs {
			if turn == 0 {
				n[j] = min(float32(roundTo(float32(0.5*float32(own[j]*inv))-0.5, 0, 15)), c.most)
			} else {
				n[j] = s.n[j]
			}
		}
		c.integers(b, step, &n, reach)
		var err, num, den float32
		for j := range runs {
			m := 2*b.best.n[j] + 1
			err += b.best.cost[j]
			num += float32(m * b.best.qx[j])
			den += float32(float32(m*m) * b.best.qq[j])
		}
		if !(err < s.err) {
			break
		}
		s.err, s.d, s.dv, s.n = err, h, dv, b.best.n
		c.points(s, b)
		if d = num / (den * c.unit); F32ToF16(d*k.up) == h {
			break
		}
	}
	if p.exact {
		c.exact(k)
	}
	return true
}

// exact looks for better codewords among all, integers being what they are.
func (c *gridCodec) exact(k *work) {
	s := &k.grid
	s.turn.point = s.point
	step := s.dv * c.unit
	var err float32
	for j := range superBlock / c.run {
		b := &k.lanes
		b.n, b.inv[0] = 1, float32(step*(2*s.n[j]+1))
		c.eval(k, b, j)
		v := b.inv[0]
		err += float32(v * (float32(v*b.qq[0]) - 2*b.qx[0]))
	}
	if err < s.err {
		s.err, s.point = err, s.turn.point
	}
}

// load fills the lanes with magnitudes, and sees to an even number of signs
// where only such can be stored: that of the weight changes which it costs
// least.
func (c *gridCodec) load(k *work) {
	b := &k.batch
	l := &b.lanes
	four := k.grid.grid.weights == 4
	for i := range 32 {
		var signs uint32
		x, w := (*[8]float32)(k.x[8*i:]), (*[8]float32)(k.w[8*i:])
		unit := *x
		if c.signs != inGrid {
			for r, v := range unit {
				u := math.Float32bits(v)
				signs |= u >> 31 << r
				unit[r] = math.Float32frombits(u & 0x7fffffff)
			}
		}
		if c.signs == evenCount && bits.OnesCount32(signs)&1 != 0 {
			at, least := 0, float32(maxFloat)
			for r, v := range unit {
				if e := float32(w[r]*v) * v; e < least {
					at, least = r, e
				}
			}
			unit[at] = -unit[at]
			signs ^= 1 << at
		}
		b.signs[i] = uint8(signs)
		if four {
			for r, v := range unit {
				at := (64*(r&3) + 2*i + r>>2) & 255
				l.x[at], l.w[at], l.wx[at] = v, w[r], float32(w[r]*v)
			}
			continue
		}
		for r, v := range unit {
			at := (32*r + i) & 255
			l.x[at], l.w[at], l.wx[at] = v, w[r], float32(w[r]*v)
		}
	}
}

// stepFor chooses the d that adds the least error to the runs' own scales.
func (c *gridCodec) stepFor(own, weight []float32, top float32, steps []float32) float32 {
	var best, least float32
	for i, f := range steps {
		step := f * top / (2*c.most + 1)
		inv := inverse(step)
		var loss float32
		for j, v := range own {
			n := min(float32(roundTo(float32(0.5*float32(v*inv))-0.5, 0, 15)), c.most)
			e := float32(step*(2*n+1)) - v
			loss += float32(float32(e*e) * weight[j])
		}
		if i == 0 || loss < least {
			best, least = step/c.unit, loss
		}
	}
	return best
}

// evalLanes finds the codewords of all runs, each at a scale.
func (c *gridCodec) evalLanes(b *gridBatch, scale *[16]float32) {
	l := &b.lanes
	each := c.run / 8 // lanes of a run
	four := len(b.table.near) == 4096*gridNear
	if four {
		each *= 2
	}
	runs := superBlock / c.run
	for j := range runs {
		for i := range l.scale[j*each:][:each] {
			l.scale[j*each+i] = scale[j]
		}
	}
	switch {
	case four:
		use.nearWords4(l, b.table, b.near)
	case c.signs != inGrid:
		use.nearWords8(l, b.table, b.near, 0)
	default:
		c.evalShifts(b, each)
		return
	}
	b.sum(each, runs)
	b.word = l.word
}

// sum adds up the lanes of runs.
func (b *gridBatch) sum(each, runs int) {
	l := &b.lanes
	for j := range runs {
		var qx, qq, cost float32
		for i := j * each; i < (j+1)*each; i++ {
			qx, qq, cost = qx+l.qx[i], qq+l.qq[i], cost+l.cost[i]
		}
		b.qx[j], b.qq[j], b.cost[j] = qx, qq, cost
	}
}

// evalShifts also chooses the shifts, of runs or of units.
func (c *gridCodec) evalShifts(b *gridBatch, each int) {
	l := &b.lanes
	use.nearWords8(l, b.table, b.near, gridShift)
	qx, qq, cost := l.qx, l.qq, l.cost
	b.word, b.minus = l.word, [32]bool{}
	use.nearWords8(l, b.table, b.near, -gridShift)
	group := each
	if c.shifts {
		group = 1
	}
	for i := 0; i < 32; i += group {
		var up, down float32
		for j := i; j < i+group; j++ {
			up, down = up+cost[j], down+l.cost[j]
		}
		for j := i; j < i+group; j++ {
			if down < up {
				b.word[j], b.minus[j] = l.word[j], true
			} else {
				l.qx[j], l.qq[j], l.cost[j] = qx[j], qq[j], cost[j]
			}
		}
	}
	b.sum(each, superBlock/c.run)
}

// integers finds the best integer of each run near n.
func (c *gridCodec) integers(b *gridBatch, step float32, n *[16]float32, reach int) {
	runs := superBlock / c.run
	var scale, tried [16]float32
	for j := range b.best.cost {
		b.best.cost[j] = 0x1p126
	}
	units := c.run / 8
	words := units
	if len(b.table.near) == 4096*gridNear {
		words *= 2
	}
	for i := -reach; i <= reach; i++ {
		for j := range runs {
			tried[j] = min(max(n[j]+float32(i), 0), c.most)
			scale[j] = float32(step * (2*tried[j] + 1))
		}
		c.evalLanes(b, &scale)
		for j := range runs {
			if !(b.cost[j] < b.best.cost[j]) {
				continue
			}
			b.best.cost[j], b.best.n[j], b.best.qx[j], b.best.qq[j] = b.cost[j], tried[j], b.qx[j], b.qq[j]
			copy(b.best.word[j*words:][:words], b.word[j*words:])
			copy(b.best.minus[j*units:][:units], b.minus[j*units:])
		}
	}
}

// points writes what was found as the file stores it.
func (c *gridCodec) points(s *gridState, b *gridBatch) {
	four := len(b.table.near) == 4096*gridNear
	for i := range s.point {
		p := &s.point[i]
		p.signs, p.minus = b.signs[i], b.best.minus[i]
		if four {
			p.at = [2]uint16{uint16(b.best.word[2*i] >> 16), uint16(b.best.word[2*i+1] >> 16)}
		} else {
			p.at[0] = uint16(b.best.word[i] >> 16)
		}
	}
}
