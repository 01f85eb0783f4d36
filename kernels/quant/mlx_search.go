package quant

import "math"

// mlxEffort says how hard an affine type is searched.
type mlxEffort struct {
	// plan finds the scale and bias that would suit the weights if any number
	// could be stored.
	plan *affinePlan
	// rounds is the number of times that storable scales and biases are tried
	// around the best fit of the codes found so far.
	rounds int
}

// lanesMost is the largest width for which sums over lanes are fine enough to
// tell what is best. Beyond it they only say where to look.
const lanesMost = 5

// mlxEfforts has the settings by width.
func mlxEfforts(bits int) [3]mlxEffort {
	n := float32(int(1)<<bits - 1)
	normal := affinePlan{grid: clips(n, span(-0.2, 1, 4), span(-0.2, 1, 4)), pairs: 2, shift: [2]int{0, 1}, reach: [2]float32{0.7, 1.6}, rounds: 2}
	best := affinePlan{grid: clips(n, span(-0.4, 2, 10), span(-0.4, 2, 10)), pairs: 4, shift: [2]int{1, 2}, reach: [2]float32{0.6, 2}, rounds: 5}
	// There are as many pairs of levels to try as there are levels.
	switch bits {
	case 6:
		normal.pairs, normal.reach = 1, [2]float32{0.9, 1.2}
		best.pairs, best.reach = 2, [2]float32{0.8, 1.6}
	case 8:
		normal.pairs, normal.reach = 1, [2]float32{0.97, 1.05}
		best.pairs, best.reach = 2, [2]float32{0.9, 1.2}
	}
	return [3]mlxEffort{Normal: {&normal, 2}, Best: {&best, 5}}
}

// encode writes a block.
func (c *mlxAffine) encode(dst []byte, k *work) bool {
	if k.effort == Fast {
		return c.stock(dst, k)
	}
	var room [128]float32
	s := mlxSearch{c: c, k: k, gain: noGain}
	s.f.set(k, k.x, k.w, room[:], c.n, false)
	s.run(&c.effort[k.effort])
	if s.gain == noGain {
		return !s.refused && s.putConstant(dst)
	}
	var all [128]uint8
	codes := all[:len(k.x)]
	s.f.codes(codes, s.b, s.a)
	if s.scale < 0 {
		for i, q := range codes {
			codes[i] = uint8(c.n) - q
		}
	}
	c.put(dst, s.scale*k.up, s.bias*k.up, codes)
	return true
}

// mlxSearch looks for a scale and a bias that can be stored. The bias may be
// at either end of the grid, the scale being negative at the upper one.
type mlxSearch struct {
	c *mlxAffine
	k *work
	f affineBlock

	scale, bias float32 // the best found, in units of k.x
	b, a        float32 // the same as f sees it
	gain        float32
	refused     bool // a scale or bias was too large to be stored
}

func (s *mlxSearch) run(e *mlxEffort) {
	f, k := &s.f, s.k
	f.lanes.n = 0
	if f.top < 0x1p-60 {
		return
	}
	b, a := f.top/f.n, float32(0)
	s.add(s.c.stockScale(float32(f.base*k.up), float32((f.base+f.top)*k.up)))
	s.addAround(b, a)
	s.flush()
	if f.run(e.plan); f.b != 0 {
		s.addAround(f.b, f.a)
		s.flush()
	}
	for range e.rounds {
		before := s.gain
		b, a, ok := f.refit(s.b, s.a)
		if !ok {
			return
		}
		s.addAround(b, a)
		if s.flush(); s.gain == before {
			return
		}
	}
}

// addAround tries what can be stored near b and a: with the bias on either
// side of its end of the grid, and with the scale on either side of what then
// reaches the other end.
func (s *mlxSearch) addAround(b, a float32) {
	low := a + s.f.base
	high := low + float32(b*s.f.n)
	up, down := s.k.up, s.k.down
	for _, ends := range [2][2]float32{{low, high}, {high, low}} {
		biases, count := s.c.scales.around(ends[0] * up)
		for _, bias := range biases[:count] {
			step := (ends[1] - float32(bias*down)) / s.f.n
			scales, count := s.c.scales.around(step * up)
			for _, scale := range scales[:count] {
				if (scale > 0) == (ends[1] > ends[0]) {
					s.add(scale, bias)
				}
			}
		}
	}
}

// add tries a scale and a bias, in units of the weights, at the next flush.
func (s *mlxSearch) add(scale, bias float32) {
	scale, bias = s.c.scales.round(scale), s.c.scales.round(bias)
	if !s.c.fits(scale, bias) {
		s.refused = true
		return
	}
	scale, bias = float32(scale*s.k.down), float32(bias*s.k.down)
	if abs(scale) < 0x1p-100 {
		return
	}
	l, at := s.f.lanes, s.f.lanes.n
	l.note1[at], l.note2[at] = scale, bias
	l.b[at], l.a[at] = scale, bias-s.f.base
	if scale < 0 {
		l.b[at], l.a[at] = -scale, float32(scale*s.f.n)+bias-s.f.base
	}
	l.inv[at] = inverse(l.b[at])
	l.off[at] = -float32(l.a[at] * l.inv[at])
	l.n++
}

// flush tries what is waiting and keeps the best.
func (s *mlxSearch) flush() {
	l := s.f.lanes
	if l.n == 0 {
		return
	}
	if i := s.rate(); l.gain[i] > s.gain {
		s.gain, s.scale, s.bias = l.gain[i], l.note1[i], l.note2[i]
		s.b, s.a = l.b[i], l.a[i]
	}
	l.n = 0
}

// rate weighs what is waiting and gives the best.
func (s *mlxSearch) rate() int {
	f, l := &s.f, s.f.lanes
	if s.c.bits <= lanesMost {
		return l.rateAffine(f)
	}
	best := 0
	for i := range l.n {
		if l.gain[i] = -f.error(l.b[i], l.a[i]); l.gain[i] > l.gain[best] {
			best = i
		}
	}
	return best
}

// putConstant writes a block of one value, where there is no step to be found:
// what the bias leaves of it is the scale.
func (s *mlxSearch) putConstant(dst []byte) bool {
	f, scales := &s.f, s.c.scales
	v := float32((min(f.swz/f.sw, f.top) + f.base) * s.k.up)
	bias := scales.round(v)
	scale := scales.round(v - bias)
	if !s.c.fits(scale, bias) {
		return false
	}
	codes := [128]uint8{}
	for i := range codes {
		codes[i] = 1
	}
	s.c.put(dst, scale, bias, codes[:len(f.z)])
	return true
}

// error is the weighted squared error of the nearest codes for b and a.
func (f *affineBlock) error(b, a float32) (sum float32) {
	inv := inverse(b)
	off := -float32(a * inv)
	hi := int32(magicBits) + int32(f.n)
	w := f.w[:len(f.z)]
	for i, v := range f.z {
		q := int32(math.Float32bits(float32(v*inv) + off + magic))
		r := math.Float32frombits(uint32(min(max(q, magicBits), hi))) - magic
		e := v - a - float32(r*b)
		sum += float32(w[i] * float32(e*e))
	}
	return sum
}

// refit gives the b and a that suit the codes of the given ones best: what
// these leave over is fitted, so that small errors are not lost in large sums.
// false where all codes are equal.
func (f *affineBlock) refit(b, a float32) (float32, float32, bool) {
	inv := inverse(b)
	off := -float32(a * inv)
	hi := int32(magicBits) + int32(f.n)
	var sq, sqq, se, sqe float32
	for i, v := range f.z {
		q := int32(math.Float32bits(float32(v*inv) + off + magic))
		r := math.Float32frombits(uint32(min(max(q, magicBits), hi))) - magic
		e := v - a - float32(r*b)
		wr, we := float32(f.w[i]*r), float32(f.w[i]*e)
		sq += wr
		sqq += float32(wr * r)
		se += we
		sqe += float32(we * r)
	}
	det := float32(f.sw*sqq) - float32(sq*sq)
	if !(det > float32(1e-6*f.sw)*sqq) || inv == 0 {
		return b, a, false
	}
	b += (float32(f.sw*sqe) - float32(sq*se)) / det
	a += (float32(sqq*se) - float32(sq*sqe)) / det
	return b, a, b > 0
}
