package quant

// superAffineColumnPlan says how columns of scales and minima are searched.
type superAffineColumnPlan struct {
	runs    columnAffinePlan // for each run's own scale and minimum
	factors []float32        // as in superAffinePlan
}

func affineTries(grid []affineTry, rounds int) columnAffinePlan {
	p := columnAffinePlan{count: len(grid), rounds: rounds}
	copy(p.grid[:], grid)
	return p
}

// kind is that of the codec's columns.
func (c *superAffineCodec) kind() columnKind {
	if c.sub == 32 {
		return columns32
	}
	return columns16
}

// encodeColumns fills k.super. It gives false where d or dmin overflows.
func (c *superAffineCodec) encodeColumns(k *work, p *superAffineColumnPlan) bool {
	s, cs, t, kind := &k.super, &k.columns, &k.affine.choice, c.kind()
	n := kind.runs()
	kind.turn(&cs.x, k.x)
	use.searchAffine[kind](cs, k.turned, c.n, &p.runs)
	var topB, topM float32
	for j := range n {
		topB = max(topB, cs.b[j])
		topM = max(topM, -(cs.a[j] + cs.base[j]))
	}
	t.b, t.q, t.qq, t.qz, t.sw, t.swz, t.base = cs.b, cs.q, cs.qq, cs.qx, cs.sw, cs.swz, cs.base
	d, dmin := t.pick(n, c.most, topB/c.most, topM/c.most, p.factors)
	var ok, okm bool
	s.d, s.dv, ok = k.scale(d)
	s.dmin, s.dminv, okm = k.scale(dmin)
	if !ok || !okm {
		return false
	}
	use.integerGrids[kind](cs, k.turned, c.n, s.dv, s.dminv, c.most)
	for j := range n {
		s.sc[j], s.mn[j] = int32(cs.sc[j]), int32(cs.mn[j])
		a := -float32(s.dminv*cs.mn[j]) - cs.base[j]
		cs.inv[j] = inverse(s.dv * cs.sc[j])
		cs.off[j] = float32(-a * cs.inv[j])
	}
	use.columnCodes[kind](&s.codes, k.x, cs, 0, c.n)
	return true
}
