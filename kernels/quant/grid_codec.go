package quant

// gridCodec encodes blocks of 256 with one scale d and integers n of a few
// bits: the weights of a run are d*unit*(2n+1) times values of a grid.
type gridCodec struct {
	grid   func() *grid
	signs  gridSigns
	run    int // weights that share an integer: 32 or 16
	unit   float32
	most   float32  // largest n: 15 or 7
	shifts bool     // each unit of 8 weights has its own shift, not each run
	plan   gridPlan // of the best effort
	table  func() *gridTable
	lanes  [2]gridLanePlan // by effort below the best
}

// gridPlan says what a search tries.
type gridPlan struct {
	// tops are the scales of a run, in units of what maps its largest weight to
	// the largest level; at most 16.
	tops []float32
	// steps are the d, in units of what maps the largest scale to the largest
	// integer; at most 32.
	steps []float32
	keep  int // number of d, best first, to settle from
	// reach has a number for each turn of: integers and points for d, d for
	// them. It is how many integers are tried on each side; at most 7.
	reach []int
}

// gridBlock is what a block stores: d, the integers and the points.
type gridBlock struct {
	grid  *grid
	d     uint16
	n     [16]float32
	point [32]gridPoint
}

// gridState is what a gridCodec finds, and its scratch.
type gridState struct {
	gridBlock
	dv  float32 // d in units of work.x
	err float32 // squared error, less a constant

	costs [2]gridCosts
	tries [16]gridTries
	turn  struct {
		n     [16]float32
		point [32]gridPoint
	}
}

// gridTries are the points that a run got at several scales, by their sums: at
// scale s they cost loss + qq*(s-best)^2, less a constant.
type gridTries struct {
	n              int
	best, qq, loss [laneCount]float32
}

// encode fills k.grid. It gives false where d overflows.
func (c *gridCodec) encode(k *work) bool {
	if k.effort < Best {
		return c.encodeLanes(k, &c.lanes[k.effort])
	}
	s, p := &k.grid, &c.plan
	s.grid = c.grid()
	top := float32(0)
	for j := range superBlock / c.run {
		top = max(top, c.try(k, p, j))
	}
	s.err, s.d, s.dv, s.n, s.point = 0, 0, 0, [16]float32{}, [32]gridPoint{}
	if top == 0 {
		return true
	}
	var room [32]float32
	fits := false
	for _, d := range c.rank(k, p, top, &room) {
		fits = c.settle(k, p, d) || fits
	}
	return fits
}

// part is run j.
func (c *gridCodec) part(k *work, j int) (x, w []float32, points []gridPoint) {
	return k.x[j*c.run:][:c.run], k.w[j*c.run:][:c.run], k.grid.turn.point[j*c.run/8:][:c.run/8]
}

// try fills tries[j] and gives the best scale.
func (c *gridCodec) try(k *work, p *gridPlan, j int) float32 {
	t, b := &k.grid.tries[j], &k.lanes
	x, _, _ := c.part(k, j)
	t.n = 0
	var size float32
	for _, v := range x {
		size = max(size, abs(v))
	}
	if size < 0x1p-60 {
		return 0
	}
	size /= k.grid.grid.top
	b.n = len(p.tops)
	for i, f := range p.tops {
		b.inv[i] = float32(f * size)
	}
	c.eval(k, b, j)
	var best, loss float32
	for i := range b.n {
		if !(b.qx[i] > 0) {
			continue
		}
		v := b.qx[i] / b.qq[i]
		l := -float32(v * b.qx[i])
		t.best[t.n], t.qq[t.n], t.loss[t.n] = v, b.qq[i], l
		t.n++
		if l < loss {
			best, loss = v, l
		}
	}
	return best
}

// rank gives the d that promise most, best first.
func (c *gridCodec) rank(k *work, p *gridPlan, top float32, room *[32]float32) []float32 {
	ds, losses := room[:0], [32]float32{}
	for _, f := range p.steps {
		step := f * top / (2*c.most + 1)
		inv := inverse(step)
		var loss float32
		for j := range superBlock / c.run {
			l, _ := k.grid.tries[j].at(step, inv, c.most)
			loss += l
		}
		i := len(ds)
		ds = append(ds, 0)
		for ; i > 0 && loss < losses[i-1]; i-- {
			ds[i], losses[i] = ds[i-1], losses[i-1]
		}
		ds[i], losses[i] = step/c.unit, loss
	}
	return ds[:min(len(ds), p.keep)]
}

// at gives the least that the points cost at scales step*(2n+1), and the n.
func (t *gridTries) at(step, inv, most float32) (loss, n float32) {
	for i := range t.n {
		v := float32(roundTo(float32(0.5*float32(t.best[i]*inv))-0.5, 0, 15))
		v = min(v, most)
		e := float32(step*(2*v+1)) - t.best[i]
		if l := t.loss[i] + float32(float32(e*e)*t.qq[i]); i == 0 || l < loss {
			loss, n = l, v
		}
	}
	return loss, n
}

// settle alternates between the integers and points that suit d and the d that
// suits them, and keeps in k.grid what is better than what is there.
func (c *gridCodec) settle(k *work, p *gridPlan, d float32) bool {
	s := &k.grid
	for turn, reach := range p.reach {
		h, dv, ok := k.scale(d)
		if !ok {
			return turn > 0
		}
		step := dv * c.unit
		inv := inverse(step)
		var err, num, den float32
		for j := range superBlock / c.run {
			n := s.turn.n[j]
			if turn == 0 {
				_, n = s.tries[j].at(step, inv, c.most)
			}
			n, e, qx, qq := c.integer(k, j, step, n, reach)
			s.turn.n[j] = n
			m := 2*n + 1
			err += e
			num += float32(m * qx)
			den += float32(float32(m*m) * qq)
		}
		if !(err < s.err) {
			break
		}
		s.err, s.d, s.dv, s.n, s.point = err, h, dv, s.turn.n, s.turn.point
		if d = num / (den * c.unit); F32ToF16(d*k.up) == h {
			break
		}
	}
	return true
}

// integer finds the best integer of run j near n, and leaves its points. It
// comes with the squared error, less a constant, and the sums of the points.
func (c *gridCodec) integer(k *work, j int, step, n float32, reach int) (best, err, qx, qq float32) {
	b := &k.lanes
	b.n = 0
	add := func(n float32) {
		b.note1[b.n], b.inv[b.n] = n, float32(step*(2*n+1))
		b.n++
	}
	for i := 1; i <= reach; i++ {
		if v := n - float32(i); v >= 0 {
			add(v)
		}
		if v := n + float32(i); v <= c.most {
			add(v)
		}
	}
	add(n) // last, as it likely is the best: the last lane's points stay
	c.eval(k, b, j)
	at := b.n
	for i := b.n - 1; i >= 0; i-- {
		v := b.inv[i]
		if e := v * (float32(v*b.qq[i]) - 2*b.qx[i]); at == b.n || e < err {
			at, err = i, e
		}
	}
	best, qx, qq = b.note1[at], b.qx[at], b.qq[at]
	if at != b.n-1 {
		b.inv[0], b.n = b.inv[at], 1
		c.eval(k, b, j)
	}
	return best, err, qx, qq
}

// putIntegers packs pairs of integers of 4 bits.
func (s *gridBlock) putIntegers(dst []byte) {
	for i := range dst {
		dst[i] = uint8(s.n[2*i]) | uint8(s.n[2*i+1])<<4
	}
}

// takeIntegers is the way back.
func (s *gridBlock) takeIntegers(src []byte) {
	for i, b := range src {
		s.n[2*i], s.n[2*i+1] = float32(b&15), float32(b>>4)
	}
}
