package quant

// superState is the result of a search over a block of 256: what a K type's
// packer stores.
type superState struct {
	d, dmin   uint16    // halves
	dv, dminv float32   // their values in units of work.x
	sc, mn    [16]int32 // integer scales and minima of the sub-blocks
	err       float32   // squared error, less a constant
	codes     [superBlock]uint8

	free, weigh [16]float32 // the sub-blocks' own best scales; sum w*q*q there
}

// superScaleCodec encodes blocks of 256 with one scale d, an integer scale for
// each sub-block and no minima: weight = d * sc * level.
type superScaleCodec struct {
	levels  levels
	scales  levels             // the integer scales
	sub     int                // weights in a sub-block
	plan    scalePlan          // of the best effort
	super   superScalePlan     // likewise
	columns [2]superColumnPlan // by effort; best searches run after run
}

// superScalePlan says how d and the integer scales are searched.
type superScalePlan struct {
	plan   scalePlan // for d over the sub-blocks' own scales
	spread []float32 // further d to settle from, relative to the best
	reach  int       // integer scales tried on each side of the sub-block's own, 1..8
	turns  int       // turns of: integers for d, d for the integers
}

// encode fills k.super. It gives false where d overflows.
func (c *superScaleCodec) encode(k *work) bool {
	s, p := &k.super, &c.super
	s.err, s.d, s.dv, s.sc = 0, 0, 0, [16]int32{}
	if k.effort < Best {
		return c.encodeColumns(k, &c.columns[k.effort])
	}
	n := superBlock / c.sub
	search := scaleSearch{levels: &c.levels, weighed: k.weighed, lanes: &k.lanes}
	for j := range n {
		search.x, search.w = k.x[j*c.sub:][:c.sub], k.w[j*c.sub:][:c.sub]
		search.run(&c.plan)
		s.free[j], s.weigh[j] = search.d, search.qq
	}
	search = scaleSearch{levels: &c.scales, x: s.free[:n], w: s.weigh[:n], lanes: &k.lanes}
	search.run(&p.plan)
	if d := search.d; d != 0 {
		if !c.settle(k, d, p) {
			return false
		}
		for _, f := range p.spread {
			if !c.settle(k, d*f, p) {
				return false
			}
		}
	}
	return c.encodeColumns(k, &c.columns[Normal])
}

// settle alternates between the integer scales that suit d and the d that
// suits them, and keeps in k.super what is better than what is there.
func (c *superScaleCodec) settle(k *work, d float32, p *superScalePlan) bool {
	s := &k.super
	for range p.turns {
		h, dv, ok := k.scale(d)
		if !ok {
			return false
		}
		var sc [16]int32
		var err, num, den float32
		for j := range superBlock / c.sub {
			x, w := k.x[j*c.sub:][:c.sub], k.w[j*c.sub:][:c.sub]
			q, e, qx, qq := c.integer(&k.lanes, x, w, dv, s.free[j], p.reach)
			sc[j] = int32(q)
			err += e
			num += float32(q * qx)
			den += float32(float32(q*q) * qq)
		}
		if !(err < s.err) {
			break
		}
		s.err, s.d, s.dv, s.sc = err, h, dv, sc
		if !(den > 0) {
			break
		}
		if d = num / den; F32ToF16(d*k.up) == h {
			break
		}
	}
	return true
}

// integer finds a sub-block's best integer scale for the given d, among those
// up to reach on each side of the sub-block's own scale. It comes with the
// squared error, less a constant, and the sums of its codes.
func (c *superScaleCodec) integer(b *lanes, x, w []float32, d, free float32, reach int) (q, err, qx, qq float32) {
	t := min(max(free/d, c.scales.lo), c.scales.hi)
	low := float32(int32(t))
	if t < low {
		low--
	}
	b.n = 0
	for i := 1 - reach; i <= reach; i++ {
		if v := low + float32(i); v != 0 && v >= c.scales.lo && v <= c.scales.hi {
			b.note1[b.n], b.b[b.n] = v, d*v
			b.inv[b.n] = inverse(d * v)
			b.n++
		}
	}
	if i := b.rateScale(&c.levels, x, w); b.n > 0 && b.gain[i] > 0 {
		return b.note1[i], -b.gain[i], b.qx[i], b.qq[i]
	}
	return 0, 0, 0, 0
}
