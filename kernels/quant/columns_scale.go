package quant

// superColumnPlan says how columns of scales are searched.
type superColumnPlan struct {
	runs  [2]columnScalePlan // for each run's own scale: without and with an importance
	super scalePlan          // for d over these
	reach int                // integer scales tried on each side of the run's own
	turns int                // turns of: integers for d, d for the integers
}

// withTops makes a plan of tries. The heaviest weight is also tried on heavy
// levels of each sign, where the extreme one lies beyond level from.
func withTops(tops []float32, heavy int, from float32, rounds int) columnScalePlan {
	p := columnScalePlan{count: len(tops), rounds: rounds, heavy: heavy, from: from}
	copy(p.tops[:], tops)
	return p
}

// kind is that of the codec's columns.
func (c *superScaleCodec) kind() columnKind {
	switch {
	case c.levels.table != nil:
		return columnsTable32
	case c.sub == 32:
		return columns32
	}
	return columns16
}

// encodeColumns fills k.super, with what is better than what is there. It gives
// false where d overflows.
func (c *superScaleCodec) encodeColumns(k *work, p *superColumnPlan) bool {
	s, cs, kind := &k.super, &k.columns, c.kind()
	n := kind.runs()
	kind.turn(&cs.x, k.x)
	use.searchScales[kind](cs, k.turned, &c.levels, &p.runs[k.weighed])
	search := scaleSearch{levels: &c.scales, x: cs.b[:n], w: cs.qq[:n], lanes: &k.lanes}
	search.run(&p.super)
	d := search.d
	for turn := 0; turn < p.turns && d != 0; turn++ {
		h, dv, ok := k.scale(d)
		if !ok {
			return false
		}
		use.integerScales[kind](cs, k.turned, &c.levels, dv, c.scales.lo, c.scales.hi, p.reach)
		var err, num, den float32
		for j, q := range cs.sc[:n] {
			err -= cs.gain[j]
			num += float32(q * cs.qx[j])
			den += float32(float32(q*q) * cs.q[j])
		}
		if !(err < s.err) {
			break
		}
		s.err, s.d, s.dv = err, h, dv
		for j, q := range cs.sc[:n] {
			s.sc[j] = int32(q)
		}
		if d = num / den; F32ToF16(d*k.up) == h {
			break
		}
	}
	for j, q := range s.sc[:n] {
		cs.base[j], cs.inv[j], cs.off[j] = 0, inverse(s.dv*float32(q)), 0
	}
	c.levels.columnCodes(kind, k)
	return true
}

// columnCodes fills k.super.codes.
func (v *levels) columnCodes(kind columnKind, k *work) {
	if kind == columnsTable32 {
		use.tableCodes32(&k.super.codes, k.x, &k.columns, v.table)
	} else {
		use.columnCodes[kind](&k.super.codes, k.x, &k.columns, v.lo, v.hi)
	}
}
