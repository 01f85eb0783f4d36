package quant

// scalePlan says which scales a search tries.
type scalePlan struct {
	// tops are the levels, in units of the scale, that the extreme weight is
	// tried on.
	tops []float32
	// heavy is the number of weights, those that weigh most first, that are
	// tried on every level: heavy[1] with an importance, where it finds scales
	// that suit the few weights that count, heavy[0] without, where it finds
	// little that tops did not. The extreme then lies within reach of the
	// largest level: from reach[0] to reach[1] times it.
	heavy [2]int
	reach [2]float32
	// rounds is the number of refinements: codes for the scale, scale for the
	// codes.
	rounds int
}

// scaleSearch looks for the scale d that minimises sum w*(x - d*q)^2.
type scaleSearch struct {
	levels  *levels
	x, w    []float32
	weighed int // 1 with an importance, else 0
	lanes   *lanes
	gain    float32 // what d takes off sum w*x*x
	d, qq   float32 // the best scale; sum w*q*q of its codes
}

// run does the whole search.
func (s *scaleSearch) run(p *scalePlan) {
	s.gain, s.d, s.qq = 0, 0, 0
	top := s.x[kernelTop(s.x)]
	size := abs(top)
	if size < 0x1p-60 {
		return
	}
	b := s.lanes
	b.n = 0
	unit := 1 / top
	for _, t := range p.tops {
		s.add(t * unit)
	}
	s.tryHeavy(p, 1/size)
	s.flush()
	for range p.rounds {
		before := s.d
		if inv := inverse(before); inv != 0 {
			s.add(inv)
			s.flush()
		}
		if s.d == before {
			break
		}
	}
}

func (s *scaleSearch) tryHeavy(p *scalePlan, unit float32) {
	heavy := p.heavy[s.weighed]
	if heavy == 0 {
		return
	}
	cost := s.lanes.cost[:len(s.x)]
	at := kernelCosts(cost, s.x, s.w, 0)
	for n := range heavy {
		if n > 0 {
			cost[at] = 0
			at = kernelTop(cost)
		}
		if !(cost[at] > 0) {
			return
		}
		inv := 1 / s.x[at]
		s.tryLevels(inv, p.reach[0]*s.levels.hi*unit, p.reach[1]*s.levels.hi*unit)
	}
}

// tryLevels tries every level as that of 1/inv, where the scale is within
// reach: its inverse from least to most.
func (s *scaleSearch) tryLevels(inv, least, most float32) {
	if t := s.levels.table; t != nil {
		for _, v := range t.value[:t.count] {
			t := v * inv
			if a := abs(t); a >= least && a <= most {
				s.add(t)
			}
		}
		return
	}
	// What is within reach are the integers of certain magnitudes.
	size := abs(inv)
	first := max(float32(int32(least/size))-1, 1)
	for float32(first*size) < least && first <= -s.levels.lo {
		first++
	}
	last := min(float32(int32(min(most/size, 0x1p20)))+1, max(-s.levels.lo, s.levels.hi))
	for last > 0 && float32(last*size) > most {
		last--
	}
	s.addIntegers(-min(last, -s.levels.lo), -first, inv)
	s.addIntegers(first, min(last, s.levels.hi), inv)
}

// addIntegers adds all of from*inv to to*inv.
func (s *scaleSearch) addIntegers(from, to, inv float32) {
	l := s.lanes
	for from <= to {
		if l.n == laneCount {
			s.flush()
		}
		free := l.inv[l.n:]
		free = free[:min(int(to-from)+1, len(free))]
		for i := range free {
			free[i] = from * inv
			from++
		}
		l.n += len(free)
	}
}

// add tries the scale 1/inv, now or later.
func (s *scaleSearch) add(inv float32) {
	l := s.lanes
	if l.n == laneCount {
		s.flush()
	}
	l.inv[l.n&(laneCount-1)] = inv
	l.n++
}

// flush tries what is waiting and keeps the best.
func (s *scaleSearch) flush() {
	l := s.lanes
	if i := l.fitScale(s.levels, s.x, s.w); l.n > 0 && l.gain[i] > s.gain {
		s.gain, s.d, s.qq = l.gain[i], l.b[i], l.qq[i]
	}
	l.n = 0
}

// count is the number of levels.
func (l *levels) count() int {
	if l.table != nil {
		return l.table.count
	}
	return int(l.hi-l.lo) + 1
}

// at is level i, counted from 0.
func (l *levels) at(i int) float32 {
	if l.table != nil {
		return l.table.value[i]
	}
	return l.lo + float32(i)
}

// scaleCodec encodes blocks of one scale and no minimum: weight = d * level.
type scaleCodec struct {
	levels  levels
	plans   [3]scalePlan          // by effort
	columns [2][2]columnScalePlan // by effort below the best; without and with an importance
}

// fit finds the block's scale: the stored half and its value in units of k.x.
// Rounding to a half moves the scale, so its neighbours are tried too where
// that can matter.
func (c *scaleCodec) fit(k *work) (h uint16, d float32, ok bool) {
	s := scaleSearch{levels: &c.levels, x: k.x, w: k.w, weighed: k.weighed, lanes: &k.lanes}
	s.run(&c.plans[k.effort])
	h, d, ok = k.half(s.d)
	if !ok || (k.effort == Fast && h&0x7fff >= 0x400) {
		return h, d, ok
	}
	b := &k.lanes
	b.n = 0
	var near [3]uint16
	for _, n := range [3]uint16{h, h + 1, h - 1} {
		if n&0x7c00 != 0x7c00 && (n^h)&0x8000 == 0 && n&0x7fff != 0 {
			near[b.n] = n
			b.b[b.n] = F16ToF32(n) * k.down
			b.inv[b.n] = inverse(b.b[b.n])
			b.n++
		}
	}
	// No scale at all is best where rounding to halves leaves nothing better.
	if i := b.rateScale(&c.levels, k.x, k.w); b.n > 0 && b.gain[i] > 0 {
		return near[i], b.b[i], true
	}
	return 0, 0, true
}

// bySign gives tries for integer levels -n..n-1: the extreme is mapped to
// about -n with one sign of the scale, to about n-1 with the other.
func bySign(n float32, lo, hi float32, count int) []float32 {
	var s []float32
	for _, f := range span(lo, hi, count) {
		s = append(s, -n*f, (n-0.5)*f)
	}
	return s
}
