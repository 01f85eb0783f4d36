package quant

// superAffineCodec encodes blocks of 256 with a scale d and a minimum dmin,
// and for each sub-block an integer scale and an integer minimum:
// weight = d*sc*q - dmin*mn, q in 0..n.
type superAffineCodec struct {
	n     float32
	most  float32 // largest integer scale and minimum
	sub   int     // weights in a sub-block
	plans [3]affinePlan
	super [3]superAffinePlan
	fast  superAffineColumnPlan
}

// superAffinePlan says how d, dmin and the integers are searched.
type superAffinePlan struct {
	factors []float32 // d and dmin to try, relative to largest/most; at most 32
	corners bool      // also move an integer scale and its minimum together
	turns   int       // turns of: integers for d and dmin, d and dmin for the integers
}

// affineState is the scratch of a superAffineCodec.
type affineState struct {
	block  [16]affineBlock
	z      [superBlock]float32
	choice choice
}

// choice is what kernels work on that help to choose d and dmin.
type choice struct {
	b, q, qq, qz, sw, swz, base [16]float32 // of the sub-blocks, as in affineBlock

	d, dmin [choiceCount]float32 // to choose from
	least   [choiceCount]float32 // error that d adds
	errs    [choiceCount]float32 // error that dmin adds
	minima  [16][choiceCount]float32
}

// choiceCount is the most d, and the most dmin, to choose from.
const choiceCount = 32

// encode fills k.super. It gives false where d or dmin overflows.
func (c *superAffineCodec) encode(k *work) bool {
	// A minimum is subtracted. Where all weights are positive they are written
	// negated, with d and dmin negative, so that there is something to subtract.
	mirror := true
	for _, v := range k.x {
		if v <= 0 {
			mirror = false
			break
		}
	}
	if mirror {
		for i, v := range k.x {
			k.x[i] = -v
		}
	}
	ok := true
	if k.effort == Fast {
		ok = c.encodeColumns(k, &c.fast)
	} else {
		ok = c.encodeRuns(k)
	}
	if mirror {
		k.super.d ^= 0x8000
		k.super.dmin ^= 0x8000
	}
	return ok
}

// encodeRuns searches run after run.
func (c *superAffineCodec) encodeRuns(k *work) bool {
	s, as, p := &k.super, &k.affine, &c.super[k.effort]
	n := superBlock / c.sub
	var topB, topM float32
	for j := range n {
		f := &as.block[j]
		at := j * c.sub
		f.set(k, k.x[at:at+c.sub], k.w[at:at+c.sub], as.z[at:], c.n, true)
		f.run(&c.plans[k.effort])
		topB = max(topB, f.b)
		topM = max(topM, -(f.a + f.base))
	}
	s.d, s.dmin, s.dv, s.dminv = 0, 0, 0, 0
	s.sc, s.mn = [16]int32{}, [16]int32{}
	t := &as.choice
	for j := range n {
		f := &as.block[j]
		t.b[j], t.q[j], t.qq[j], t.qz[j] = f.b, f.q, f.qq, f.qz
		t.sw[j], t.swz[j], t.base[j] = f.sw, f.swz, f.base
	}
	d, dmin := t.pick(n, c.most, topB/c.most, topM/c.most, p.factors)
	if !c.settle(k, d, dmin, p) {
		return false
	}
	for j := range n {
		f := &as.block[j]
		a := -float32(s.dminv*float32(s.mn[j])) - f.base
		f.codes(s.codes[j*c.sub:][:c.sub], s.dv*float32(s.sc[j]), a)
	}
	return true
}

// minimumFor is the minimum that suits the scale b while codes, of sum q, stay
// as they are.
func (f *affineFacts) minimumFor(b, q float32) float32 {
	return max(-(f.swz-float32(b*q))/f.sw-f.base, 0)
}

// pick chooses d and dmin by the error that rounding the scales and minima of
// n sub-blocks adds while codes stay as they are. What d alone adds is the least
// that it can come to, so that most d need no look at every dmin.
func (t *choice) pick(n int, most, d0, dmin0 float32, factors []float32) (d, dmin float32) {
	for i, f := range factors {
		t.d[i], t.dmin[i] = d0*f, dmin0*f
	}
	use.chooseScales(t, n, len(factors), most)
	least, errs := t.least[:len(factors)], t.errs[:len(factors)]
	best := float32(0x1p120)
	d, dmin = d0, dmin0
	for range factors {
		k := 0
		for i, e := range least {
			if e < least[k] {
				k = i
			}
		}
		if least[k] >= best {
			break
		}
		use.chooseMinima(t, k, n, len(factors), most)
		for i, e := range errs {
			if e += least[k]; e < best {
				best, d, dmin = e, t.d[k], t.dmin[i]
			}
		}
		least[k] = 0x1p125
	}
	return d, dmin
}

// settle alternates between the integers that suit d and dmin, and the d and
// dmin that suit the integers, and leaves the best in k.super.
func (c *superAffineCodec) settle(k *work, d, dmin float32, p *superAffinePlan) bool {
	s := &k.super
	for turn := range p.turns {
		h, dv, ok := k.scale(d)
		hm, dminv, okm := k.scale(dmin)
		if !ok || !okm {
			return false
		}
		pick := integerPick{most: c.most, dv: dv, dminv: dminv}
		var sc, mn [16]int32
		var err float32
		var eq normalEquations
		for j := range superBlock / c.sub {
			f := &k.affine.block[j]
			pick.start(f)
			if turn == 0 {
				pick.around(f.b * inverse(dv))
			} else {
				pick.beside(float32(s.sc[j]), float32(s.mn[j]), p.corners)
			}
			pick.flush()
			sc[j], mn[j] = int32(pick.sc), int32(pick.mn)
			err += f.szz - pick.gain
			eq.add(f, &pick)
		}
		if turn > 0 && !(err < s.err) {
			break
		}
		s.err, s.d, s.dmin, s.dv, s.dminv, s.sc, s.mn = err, h, hm, dv, dminv, sc, mn
		d, dmin = eq.solve(dv, dminv)
	}
	return true
}

// integerPick finds the integer scale and minimum of a sub-block for given d
// and dmin.
type integerPick struct {
	most, dv, dminv float32
	f               *affineBlock
	sc, mn          float32 // the best so far
	gain            float32
	q, qq, qz       float32 // sums of its codes
}

func (p *integerPick) start(f *affineBlock) {
	p.f, p.gain = f, -0x1p120
	f.d, f.dmin = p.dv, p.dminv
	f.lanes.n = 0
}

// around tries the integers next to t and, for each, next to the minimum that
// suits it.
func (p *integerPick) around(t float32) {
	low := float32(int32(min(t, p.most)))
	for _, sc := range [2]float32{low, low + 1} {
		u := min(p.f.minimumFor(p.dv*sc, p.f.q)*inverse(p.dminv), p.most)
		down := float32(int32(u))
		p.try(sc, down)
		p.try(sc, down+1)
	}
}

// beside tries what differs from sc and mn by one.
func (p *integerPick) beside(sc, mn float32, corners bool) {
	p.try(sc, mn)
	p.try(sc+1, mn)
	p.try(sc-1, mn)
	p.try(sc, mn+1)
	p.try(sc, mn-1)
	if corners {
		p.try(sc+1, mn+1)
		p.try(sc-1, mn-1)
		p.try(sc+1, mn-1)
		p.try(sc-1, mn+1)
	}
}

// try puts a candidate in the lanes, of which there are enough.
func (p *integerPick) try(sc, mn float32) {
	if sc < 0 || mn < 0 || sc > p.most || mn > p.most {
		return
	}
	b := p.f.lanes
	b.note1[b.n], b.note2[b.n] = sc, mn
	b.n++
}

func (p *integerPick) flush() {
	l := p.f.lanes
	if i := l.rateIntegers(p.f); l.n > 0 && l.gain[i] > p.gain {
		p.gain, p.sc, p.mn, p.q, p.qq, p.qz = l.gain[i], l.note1[i], l.note2[i], l.q[i], l.qq[i], l.qx[i]
	}
	l.n = 0
}

// normalEquations are those of d and dmin for fixed codes and integers.
type normalEquations struct{ dd, dm, mm, dx, mx float64 }

func (e *normalEquations) add(f *affineBlock, p *integerPick) {
	sc, mn, base := float64(p.sc), float64(p.mn), float64(f.base)
	e.dd += float64(float64(sc*sc) * float64(p.qq))
	e.dm -= float64(float64(sc*mn) * float64(p.q))
	e.mm += float64(float64(mn*mn) * float64(f.sw))
	e.dx += float64(sc * (float64(p.qz) + float64(base*float64(p.q))))
	e.mx -= float64(mn * (float64(f.swz) + float64(base*float64(f.sw))))
}

// solve gives the best d and dmin, none of them negative; what can't be
// determined stays as it is.
func (e *normalEquations) solve(d, dmin float32) (float32, float32) {
	det := float64(e.dd*e.mm) - float64(e.dm*e.dm)
	switch {
	case det > float64(float64(1e-9*e.dd)*e.mm):
		nd := (float64(e.dx*e.mm) - float64(e.mx*e.dm)) / det
		nm := (float64(e.mx*e.dd) - float64(e.dx*e.dm)) / det
		if nd >= 0 && nm >= 0 {
			return float32(nd), float32(nm)
		}
	case e.dd > 0:
		if nd := (e.dx - float64(e.dm*float64(dmin))) / e.dd; nd >= 0 {
			return float32(nd), dmin
		}
	case e.mm > 0:
		if nm := e.mx / e.mm; nm >= 0 {
			return d, float32(nm)
		}
	}
	return d, dmin
}
