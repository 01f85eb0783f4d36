package quant

// descend goes once over the blocks of the group: each is changed where that
// makes the error under the whole matrix less, all else being held.
func (j *secondJob) descend(dst []byte, size, sweep int) {
	for first, at := 0, 0; first < j.m.cols; first, at = first+j.t.Block, at+j.t.Bytes {
		j.dots(0, j.t.Block, 0, j.m.cols, func(i int) []float32 { return j.m.h[(first+i)*j.m.cols:] })
		for r := range j.n {
			j.improve(dst[r*size+at:][:j.t.Bytes], first, r, sweep)
		}
	}
}

// improve changes the block of row r that begins at column first. g is H times
// the error of the whole row, for the block's columns: changing the block by
// step adds step*(2g + H step) to the row's error.
func (j *secondJob) improve(block []byte, first, r, sweep int) {
	s, p := &j.block, &j.parts[r]
	j.l.take(p, block, j.fields)
	for i := range j.t.Block {
		s.g[i] = -j.sums[i][r]
	}
	j.values(p, s.y[:], j.down[r])
	for at := 0; at < j.t.Block; at += j.l.run {
		j.improveRun(first, at, r, sweep)
	}
	if j.l.codec != nil {
		j.improvePoints(first, r)
	} else {
		j.improveCodes(first, r)
	}
	if shared, ok := j.l.scales.(sharedRule); ok {
		shared.improve(j, first, r)
	}
	for i, y := range s.y[:j.t.Block] {
		at := (first+i)*rowLanes + r
		j.e[at] = j.x[at] - y
	}
	j.l.give(block, p, j.fields)
}

// values decodes the block.
func (j *secondJob) values(p *parts, y []float32, down float32) {
	for at := 0; at < j.t.Block; at += j.l.run {
		b, a := j.l.scales.value(p, pair{p.sc[at/j.l.run], p.mn[at/j.l.run]})
		b, a = float32(b*down), float32(a*down)
		if j.l.codec != nil {
			j.l.codec.values(y[at:][:j.l.run], p.point[at/8:], b)
			continue
		}
		for i, c := range p.code[at:][:j.l.run] {
			y[at+i] = float32(b*j.l.levels.level[c]) + a
		}
	}
}

// improveRun codes a run anew towards the values that would be best if any could
// be stored, with the scale that it has and those near it.
func (j *secondJob) improveRun(first, at, r, sweep int) {
	s, p, run := &j.block, &j.parts[r], j.l.run
	tri := j.runs.of(first + at)
	y, t := s.y[at:at+run], s.t[:run]
	cost := tri.targets(t, y, s.g[at:at+run])
	n := at / run
	now := pair{p.sc[n], p.mn[n]}
	better := false
	s.try.pair = now
	if c, ok := j.code(p, s.try, tri, t, t, j.down[r], cost); ok {
		cost, better = c, true
		s.best, s.try = s.try, s.best
	}
	if _, ok := j.choose(p, tri, t, t, now, sweep, j.down[r], cost); !ok && !better {
		return
	}
	clear(s.step[:j.t.Block])
	for i, v := range s.best.y[:run] {
		s.step[at+i] = v - y[i]
	}
	if j.accept(first, at, at+run) {
		copy(y, s.best.y[:run])
		s.best.keep(p, at, run)
	}
}

// targets sets t to the values that would be best if any could be stored, y
// being the present ones and g H times the error: y - H^-1 g. It gives what the
// present ones cost beside them, g^T H^-1 g.
func (tri triangle) targets(t, y, g []float32) (cost float32) {
	var room [superBlock]float32
	z := room[:tri.n]
	copy(z, g)
	for i := tri.n - 1; i > 0; i-- {
		for k, l := range tri.before(i) {
			z[k] -= float32(l * z[i])
		}
	}
	for i := range z {
		z[i] /= tri.d[i]
	}
	for i := range z {
		for k, l := range tri.after(i) {
			z[i+1+k] -= float32(l * z[i])
		}
		cost += float32(z[i] * g[i])
		t[i] = y[i] - z[i]
	}
	return cost
}

// accept takes a step in columns from..to-1 of the block if the error falls, and
// brings g up to date.
func (j *secondJob) accept(first, from, to int) bool {
	s, size := &j.block, j.t.Block
	j.multiply(first, from, to)
	change := float32(0)
	for i := from; i < to; i++ {
		change += float32(s.step[i] * (float32(2*s.g[i]) + s.product[i]))
	}
	if !(change < 0) {
		return false
	}
	for i, v := range s.product[:size] {
		s.g[i] += v
	}
	return true
}

// multiply sets product to H times step, which is zero but for columns
// from..to-1.
func (j *secondJob) multiply(first, from, to int) {
	s, size := &j.block, j.t.Block
	product := s.product[:size]
	clear(product)
	for i := from; i < to; i++ {
		if d := s.step[i]; d != 0 {
			kernelAddScaled(product, j.m.h[(first+i)*j.m.cols+first:][:size], d)
		}
	}
}

// improveCodes moves single weights to other levels.
func (j *secondJob) improveCodes(first, r int) {
	s, p, levels, size := &j.block, &j.parts[r], j.l.levels, j.t.Block
	for at := 0; at < size; at += j.l.run {
		b, a := j.l.scales.value(p, pair{p.sc[at/j.l.run], p.mn[at/j.l.run]})
		b, a = float32(b*j.down[r]), float32(a*j.down[r])
		inv := inverse(b)
		for i := at; i < at+j.l.run; i++ {
			h := j.m.h[(first+i)*j.m.cols+first:][:size]
			c := levels.nearest(float32((s.y[i] - s.g[i]/h[i] - a) * inv))
			if c == p.code[i] {
				continue
			}
			y := float32(b*levels.level[c]) + a
			d := y - s.y[i]
			if !(float32(d*(float32(2*s.g[i])+float32(h[i]*d))) < 0) {
				continue
			}
			p.code[i], s.y[i] = c, y
			kernelAddScaled(s.g[:size], h, d)
		}
	}
}

// sharedRule is a scaleRule with scales that all runs of a block share.
type sharedRule interface {
	improve(j *secondJob, first, r int)
}

func (sharedAffine) improve(j *secondJob, first, r int) {
	p := &j.parts[r]
	j.improveShared(&p.d, first, r, func(i int) float32 {
		return float32(p.sc[i/j.l.run]) * j.l.levels.level[p.code[i]]
	})
	j.improveShared(&p.dmin, first, r, func(i int) float32 { return -float32(p.mn[i/j.l.run]) })
}

func (sharedScale) improve(j *secondJob, first, r int) { j.improveD(first, r) }

func (gridScale) improve(j *secondJob, first, r int) { j.improveD(first, r) }

// improveD moves d where all weights are in proportion to it.
func (j *secondJob) improveD(first, r int) {
	s, p := &j.block, &j.parts[r]
	inv := inverse(F16ToF32(p.d) * j.down[r])
	j.improveShared(&p.d, first, r, func(i int) float32 { return s.y[i] * inv })
}

// improveShared moves a scale that all runs share to what suits their codes
// best; slope is by how much weight i grows with it.
func (j *secondJob) improveShared(scale *uint16, first, r int, slope func(i int) float32) {
	s, size := &j.block, j.t.Block
	for i := range size {
		s.step[i] = slope(i)
	}
	j.multiply(first, 0, size)
	var down, curve float32
	for i, u := range s.step[:size] {
		down -= float32(u * s.g[i])
		curve += float32(u * s.product[i])
	}
	if !(curve > 0) {
		return
	}
	before := *scale
	h := F32ToF16(F16ToF32(before) + float32(down/curve*j.up[r]))
	if h == before || h&0x7c00 == 0x7c00 {
		return
	}
	*scale = h
	y := s.t[:size]
	j.values(&j.parts[r], y, j.down[r])
	for i, v := range y {
		s.step[i] = v - s.y[i]
	}
	if !j.accept(first, 0, size) {
		*scale = before
		return
	}
	copy(s.y[:], y)
}

// improvePoints moves units of a codebook to other points.
func (j *secondJob) improvePoints(first, r int) {
	s, p, c := &j.block, &j.parts[r], j.l.codec
	units := j.m.factorsOf(8)
	var t [8]float32
	for at := 0; at < j.t.Block; at += 8 {
		run := at / j.l.run
		b, _ := j.l.scales.value(p, pair{p.sc[run], p.mn[run]})
		tri := units.of(first + at)
		y := s.y[at:][:8]
		cost := tri.targets(t[:], y, s.g[at:][:8])
		j.unit.load(tri, 0, t[:], t[:])
		shift := 0
		if c.signs == inGrid && !c.shifts {
			shift = 1
			if p.point[at/8].minus {
				shift = -1
			}
		}
		if _, ok := j.unit.choose(c, float32(b*j.down[r]), cost, shift, &s.best.point[0], s.best.y[:]); !ok {
			continue
		}
		clear(s.step[:j.t.Block])
		for i, v := range s.best.y[:8] {
			s.step[at+i] = v - y[i]
		}
		if j.accept(first, at, at+8) {
			copy(y, s.best.y[:8])
			p.point[at/8] = s.best.point[0]
		}
	}
}
