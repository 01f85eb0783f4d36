package quant

// descend goes once over the blocks of the group: each is changed where that
// makes the error under the whole matrix less, all else being held.
func (j *secondJob) descend(dst []byte, size, sweep int) {
	for first, at := 0, 0; first < j.m.cols; first, at = first+j.t.Block, at+j.t.Bytes {
		j.dots(func(i int) []float32 { return j.m.h[(first+i)*j.m.cols:] }, j.m.cols)
		for r := range j.n {
			j.improve(dst[r*size+at:][:j.t.Bytes], first, r, sweep)
		}
	}
}

// improve changes the block of row r that begins at column first. g is H times
// the error of the whole row, for the block's columns: changing the block by
// step adds step*(2g + H step) to the row's error.
func (j *secondJob) improve(block []byte, first, r, sweep int) {
	s := &j.block
	j.l.take(&s.parts, block, j.fields)
	for i := range j.t.Block {
		s.g[i] = -j.sums[i][r]
	}
	j.values(s.y[:], j.down[r])
	for at := 0; at < j.t.Block; at += j.l.run {
		j.improveRun(first, at, r, sweep)
	}
	j.improveCodes(first, j.down[r])
	if shared, ok := j.l.scales.(sharedRule); ok {
		shared.improve(j, first, r)
	}
	for i, y := range s.y[:j.t.Block] {
		at := (first+i)*rowLanes + r
		j.e[at] = j.x[at] - y
	}
	j.l.give(block, &s.parts, j.fields)
}

// values decodes the block.
func (j *secondJob) values(y []float32, down float32) {
	s := &j.block
	for at := 0; at < j.t.Block; at += j.l.run {
		b, a := j.l.scales.value(&s.parts, pair{s.sc[at/j.l.run], s.mn[at/j.l.run]})
		b, a = float32(b*down), float32(a*down)
		for i, c := range s.code[at:][:j.l.run] {
			y[at+i] = float32(b*j.l.levels.level[c]) + a
		}
	}
}

// improveRun codes a run anew towards the values that would be best if any could
// be stored, with the scale that it has and those near it.
func (j *secondJob) improveRun(first, at, r, sweep int) {
	s, run := &j.block, j.l.run
	tri := j.runs.of(first + at)
	y, g := s.y[at:at+run], s.g[at:at+run]
	// z = H^-1 g within the run; g*z is what the present codes cost.
	var z [superBlock]float32
	copy(z[:], g)
	for i := run - 1; i > 0; i-- {
		for k, l := range tri.before(i) {
			z[k] -= float32(l * z[i])
		}
	}
	for i := range run {
		z[i] /= tri.d[i]
	}
	cost := float32(0)
	for i := range run {
		for k, l := range tri.after(i) {
			z[i+1+k] -= float32(l * z[i])
		}
		cost += float32(z[i] * g[i])
		s.t[i] = y[i] - z[i]
	}
	t := s.t[:run]
	n := at / run
	now := pair{s.sc[n], s.mn[n]}
	better := false
	s.try.pair = now
	if c, ok := j.code(&s.try, tri, t, t, j.down[r], cost); ok {
		cost, better = c, true
		s.best, s.try = s.try, s.best
	}
	if _, ok := j.choose(tri, t, t, now, sweep, j.down[r], cost); !ok && !better {
		return
	}
	clear(s.step[:j.t.Block])
	for i, v := range s.best.y[:run] {
		s.step[at+i] = v - y[i]
	}
	if !j.accept(first, at, at+run) {
		return
	}
	copy(y, s.best.y[:run])
	copy(s.code[at:], s.best.code[:run])
	s.sc[n], s.mn[n] = s.best.sc, s.best.mn
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
			h := j.m.h[(first+i)*j.m.cols+first:][:size]
			for k, v := range h {
				product[k] += float32(v * d)
			}
		}
	}
}

// improveCodes moves single weights to other levels.
func (j *secondJob) improveCodes(first int, down float32) {
	s, levels, size := &j.block, j.l.levels, j.t.Block
	for at := 0; at < size; at += j.l.run {
		b, a := j.l.scales.value(&s.parts, pair{s.sc[at/j.l.run], s.mn[at/j.l.run]})
		b, a = float32(b*down), float32(a*down)
		inv := inverse(b)
		for i := at; i < at+j.l.run; i++ {
			h := j.m.h[(first+i)*j.m.cols+first:][:size]
			c := levels.nearest(float32((s.y[i] - s.g[i]/h[i] - a) * inv))
			if c == s.code[i] {
				continue
			}
			y := float32(b*levels.level[c]) + a
			d := y - s.y[i]
			if !(float32(d*(float32(2*s.g[i])+float32(h[i]*d))) < 0) {
				continue
			}
			s.code[i], s.y[i] = c, y
			for k, v := range h {
				s.g[k] += float32(v * d)
			}
		}
	}
}

// sharedRule is a scaleRule with scales that all runs of a block share.
type sharedRule interface {
	improve(j *secondJob, first, r int)
}

func (sharedAffine) improve(j *secondJob, first, r int) {
	s := &j.block
	j.improveShared(&s.d, first, r, func(run int, level float32) float32 { return float32(s.sc[run]) * level })
	j.improveShared(&s.dmin, first, r, func(run int, _ float32) float32 { return -float32(s.mn[run]) })
}

func (sharedScale) improve(j *secondJob, first, r int) {
	s := &j.block
	j.improveShared(&s.d, first, r, func(run int, level float32) float32 { return float32(s.sc[run]) * level })
}

// improveShared moves a scale that all runs share to what suits their codes
// best; slope is by how much a weight grows with it.
func (j *secondJob) improveShared(scale *uint16, first, r int, slope func(run int, level float32) float32) {
	s, size := &j.block, j.t.Block
	for i, c := range s.code[:size] {
		s.step[i] = slope(i/j.l.run, j.l.levels.level[c])
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
	j.values(y, j.down[r])
	for i, v := range y {
		s.step[i] = v - s.y[i]
	}
	if !j.accept(first, 0, size) {
		*scale = before
		return
	}
	copy(s.y[:], y)
}
