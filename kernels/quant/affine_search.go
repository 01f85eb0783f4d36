package quant

// affinePlan says which grids a search tries.
type affinePlan struct {
	grid []affineTry
	// pairs is the number of pairs of heavy weights that are tried on pairs of
	// levels, which finds grids that suit the few weights that an importance
	// puts above the others: with steps from reach[0] to reach[1] times finer
	// than the range asks. Where that cuts something off, the grid is also
	// shifted by up to shift levels: shift[1] with an importance, shift[0]
	// without, where cutting both ends evenly is hardly ever beaten.
	pairs int
	reach [2]float32
	shift [2]int
	// rounds is the number of refinements: codes for the grid, grid for the
	// codes.
	rounds int
}

// affineTry is a grid: inv in units of the range, off in steps.
type affineTry struct{ inv, off float32 }

// clips lists the grids whose ends lie the given numbers of steps (of n)
// inside the range, below and above.
func clips(n float32, below, above []float32) []affineTry {
	var t []affineTry
	for _, lo := range below {
		for _, hi := range above {
			inv := n / (1 - (lo+hi)/n)
			t = append(t, affineTry{inv, -float32(lo/n) * inv})
		}
	}
	return t
}

// affineBlock is a run of weights to be written as b*q + a, q in 0..n, seen
// from the base that makes them positive: z = x - base, a counted from base
// too. That keeps sums of squares as small as the range allows.
type affineBlock struct {
	affineFacts
	z, w    []float32
	lanes   *lanes
	weighed int // 1 with an importance, else 0

	b, a  float32 // the best found
	q, qq float32 // sum w*q and w*q*q of its codes
	qz    float32 // sum w*q*z
	gain  float32 // szz less its squared error
}

// affineFacts are what kernels need to know of a block besides its weights.
type affineFacts struct {
	n       float32 // codes are 0..n
	top     float32 // largest z
	sw, swz float32 // sum w, sum w*z
	ceiling float32 // a must not exceed this
	szz     float32 // sum w*z*z
	base    float32
	d, dmin float32 // what integer scales and minima are multiplied with
}

// set points the block to x, a part of k.x, whose z go to room. With signed,
// a's value from zero must not be positive.
func (f *affineBlock) set(k *work, x, w, room []float32, n float32, signed bool) {
	f.lanes, f.weighed = &k.lanes, k.weighed
	lo, hi := kernelEnds(x)
	f.ceiling = 0x1p100
	if signed {
		if lo > 0 {
			lo = 0
		}
		f.ceiling = -lo
	}
	f.base, f.top, f.n = lo, hi-lo, n
	f.w = w[:len(x)]
	f.z = room[:len(x)]
	if len(x)%vectorRun == 0 {
		use.moments(f.z, x, f.w, &f.affineFacts)
	} else {
		moments(f.z, x, f.w, &f.affineFacts)
	}
}

// run does the whole search.
func (f *affineBlock) run(p *affinePlan) {
	// To begin with: a constant.
	f.b, f.q, f.qq, f.qz = 0, 0, 0, 0
	f.a = min(f.swz/f.sw, f.ceiling)
	f.gain = float32(f.a * (2*f.swz - float32(f.a*f.sw)))
	if f.top < 0x1p-60 {
		return
	}
	f.lanes.n = 0
	unit := 1 / f.top
	for _, t := range p.grid {
		f.add(t.inv*unit, t.off)
	}
	f.tryPairs(p, unit)
	f.flush()
	for range p.rounds {
		before := f.b
		if inv := inverse(f.b); inv != 0 {
			f.add(inv, float32(-f.a*inv))
			f.flush()
		}
		if f.b == before {
			break
		}
	}
}

func (f *affineBlock) tryPairs(p *affinePlan, unit float32) {
	if p.pairs == 0 {
		return
	}
	l := f.lanes
	cost := l.cost[:len(f.z)]
	first := kernelCosts(cost, f.z, f.w, f.swz/f.sw)
	if !(cost[first] > 0) {
		return
	}
	// From the heaviest on, the others in the order of what its value would
	// cost them.
	z1 := f.z[first]
	at := kernelCosts(cost, f.z, f.w, z1)
	for n := range p.pairs {
		if n > 0 {
			cost[at] = 0
			at = kernelTop(cost)
		}
		if !(cost[at] > 0) {
			return
		}
		gap := abs(f.z[at] - z1)
		steps := gap * f.n * unit
		for m := float32(int32(steps*p.reach[0])) + 1; m <= steps*p.reach[1]; m++ {
			inv := m / gap
			// The level of z1, such that what is cut off is cut evenly.
			q := float32(roundTo(float32(inv*z1)-float32(0.5*(float32(inv*f.top)-f.n)), -1<<20, 1<<20))
			q -= float32(inv * z1)
			shift := 0
			if m >= steps {
				shift = p.shift[f.weighed]
			}
			if l.n+2*shift >= laneCount {
				f.flush()
			}
			for s := -shift; s <= shift; s++ {
				l.inv[l.n&(laneCount-1)], l.off[l.n&(laneCount-1)] = inv, q+float32(s)
				l.n++
			}
		}
	}
}

// add tries a grid, now or later.
func (f *affineBlock) add(inv, off float32) {
	l := f.lanes
	if l.n == laneCount {
		f.flush()
	}
	l.inv[l.n&(laneCount-1)], l.off[l.n&(laneCount-1)] = inv, off
	l.n++
}

// flush tries what is waiting and keeps the best.
func (f *affineBlock) flush() {
	l := f.lanes
	if i := l.fitAffine(f); l.n > 0 && l.gain[i] > f.gain {
		f.gain, f.b, f.a, f.q, f.qq, f.qz = l.gain[i], l.b[i], l.a[i], l.q[i], l.qq[i], l.qx[i]
	}
	l.n = 0
}

// gainOf is what b and a take off szz for codes with the given sums.
func (f *affineFacts) gainOf(b, a, q, qq, qz float32) float32 {
	return float32(b*(2*qz-float32(b*qq)-2*float32(a*q))) + float32(a*(2*f.swz-float32(a*f.sw)))
}

// codes writes the codes for fixed b and a.
func (f *affineBlock) codes(codes []uint8, b, a float32) {
	inv := inverse(b)
	kernelCodes(codes, f.z, inv, float32(-a*inv), 0, f.n)
}

// affineCodec encodes blocks of one scale and one minimum, both halves:
// weight = d*q + m.
type affineCodec struct {
	n       float32
	plans   [3]affinePlan
	turns   [3]int
	columns [2]columnAffinePlan // by effort below the best
}

// encode gives the stored halves and writes the codes; false where one
// overflows.
func (c *affineCodec) encode(k *work, codes []uint8) (d, m uint16, ok bool) {
	f := &k.affine.block[0]
	f.set(k, k.x, k.w, k.affine.z[:], c.n, false)
	f.run(&c.plans[k.effort])
	b, a := f.b, f.a
	var bestB, bestA, best float32
	found := false
	for range c.turns[k.effort] {
		// The minimum is rounded first, the scale follows, then its rounding.
		h, mv, fits := k.half(a + f.base)
		if !fits {
			return 0, 0, false
		}
		a = mv - f.base
		if q, qq, qz := f.sums(b, a); qq > 0 {
			b = (qz - float32(a*q)) / qq
		}
		g, dv, fits := k.scale(b)
		if !fits {
			return 0, 0, false
		}
		q, qq, qz := f.sums(dv, a)
		gain := f.gainOf(dv, a, q, qq, qz)
		if found && !(gain > best) {
			break
		}
		found, best, bestB, bestA, d, m = true, gain, dv, a, g, h
		b, a = dv, (f.swz-float32(dv*q))/f.sw
	}
	f.codes(codes, bestB, bestA)
	return d, m, true
}

// sums are those of the codes for fixed b and a.
func (f *affineBlock) sums(b, a float32) (q, qq, qz float32) {
	inv := inverse(b)
	if inv == 0 {
		return 0, 0, 0
	}
	return affineSums(f.z, f.w, inv, float32(-a*inv), f.n)
}
