package quant

// eval finds the points of run j for each lane, inv being a scale here, and
// fills qx and qq. The last lane's points stay in k.grid.turn. What is there
// before is a first guess, and the points of a lane are one for the next:
// guesses save time and change nothing.
func (c *gridCodec) eval(k *work, b *lanes, j int) {
	x, w, points := c.part(k, j)
	b.qx, b.qq = [laneCount]float32{}, [laneCount]float32{}
	var u gridUnit
	switch {
	case c.signs != inGrid:
		for i := range points {
			u.load(x[8*i:], w[8*i:], c.signs)
			for lane := range b.n {
				b.add(lane, u.nearest(k.grid.grid, &k.grid.costs, b.inv[lane], &points[i]))
			}
		}
	case c.shifts:
		for i := range points {
			u.load(x[8*i:], w[8*i:], c.signs)
			c.evalUnit(k, b, &u, &points[i])
		}
	default:
		c.evalRun(k, b, x, w, points)
	}
}

func (b *lanes) add(lane int, s unitSums) {
	b.qx[lane] += s.qx
	b.qq[lane] += s.qq
}

// evalUnit chooses the shift of a unit.
func (c *gridCodec) evalUnit(k *work, b *lanes, u *gridUnit, p *gridPoint) {
	up, down := gridPoint{at: p.at}, gridPoint{at: p.at, minus: true}
	for lane := range b.n {
		s := b.inv[lane]
		upSums, upCost := u.nearestShifted(k.grid.grid, &k.grid.costs, s, &up)
		downSums, downCost := u.nearestShifted(k.grid.grid, &k.grid.costs, s, &down)
		if downCost < upCost {
			*p = down
			b.add(lane, downSums)
		} else {
			*p = up
			b.add(lane, upSums)
		}
	}
}

// evalRun chooses a shift for all units of a run.
func (c *gridCodec) evalRun(k *work, b *lanes, x, w []float32, points []gridPoint) {
	var cost, qx, qq [2][laneCount]float32
	var both [2][4]gridPoint
	var u gridUnit
	for i := range points {
		u.load(x[8*i:], w[8*i:], c.signs)
		for m := range both {
			p := &both[m][i]
			p.at, p.minus = points[i].at, m == 1
			for lane := range b.n {
				s, e := u.nearestShifted(k.grid.grid, &k.grid.costs, b.inv[lane], p)
				cost[m][lane] += e
				qx[m][lane] += s.qx
				qq[m][lane] += s.qq
			}
		}
	}
	for lane := range b.n {
		m := 0
		if cost[1][lane] < cost[0][lane] {
			m = 1
		}
		b.qx[lane], b.qq[lane] = qx[m][lane], qq[m][lane]
		copy(points, both[m][:])
	}
}
