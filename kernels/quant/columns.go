package quant

import (
	"math"
	"slices"
)

// columns is a block of 256 weights, turned for kernels that look at 16 runs
// of weights at once: row r holds weight r of each of 16 columns. Runs of 32
// weights are pairs of columns j and j+8, and what is known of a run stands in
// the lanes of both.
type columns struct {
	x [superBlock]float32

	// What a search found for each run; weights are b*q + a.
	b, a, q, qq, qx, gain [16]float32
	sw, swz, szz, base    [16]float32 // as in affineFacts
	sc, mn                [16]float32 // integer scales and minima
	inv, off              [16]float32 // codes are (x-base)*inv + off, rounded
	room                  [2][16]float32
	up, down              [16]float32 // of each run, as in work
}

// columnKind says how the runs of a block lie in columns, and whether their
// levels are a table.
type columnKind int

const (
	columns16      columnKind = iota // runs of 16 weights
	columns32                        // of 32, in pairs of columns
	columnsTable32                   // of 32, with a table

	columnKinds
	noColumns columnKind = -1
)

func (k columnKind) paired() bool { return k != columns16 }

// runs is the number of runs in a block.
func (k columnKind) runs() int {
	if k.paired() {
		return 8
	}
	return 16
}

// turn makes columns of a block.
func (k columnKind) turn(dst *[superBlock]float32, x []float32) {
	if k.paired() {
		use.turn32(dst, x[:superBlock])
	} else {
		use.turn16(dst, x[:superBlock])
	}
}

// turnAll makes columns of a row of weights of errors, with ones where a block
// has no more.
func (k columnKind) turnAll(w []float32) [][superBlock]float32 {
	if k == noColumns {
		return nil
	}
	n := max((len(w)+superBlock-1)/superBlock, 1)
	w = slices.Clone(w)
	for len(w) < n*superBlock {
		w = append(w, 1)
	}
	turned := make([][superBlock]float32, n)
	for i := range turned {
		k.turn(&turned[i], w[superBlock*i:])
	}
	return turned
}

// turn16 makes columns of runs of 16 weights.
func turn16(dst *[superBlock]float32, x []float32) {
	x = x[:superBlock]
	for j := range 16 {
		for r := range 16 {
			dst[16*r+j] = x[16*j+r]
		}
	}
}

// turn32 makes pairs of columns of runs of 32 weights.
func turn32(dst *[superBlock]float32, x []float32) {
	x = x[:superBlock]
	for j := range 16 {
		for r := range 16 {
			dst[16*r+j] = x[j%8*32+j/8*16+r]
		}
	}
}

// column copies run j back, and gives its length.
func column(dst *[32]float32, x *[superBlock]float32, j int, paired bool) int {
	for r := range 16 {
		dst[r] = x[16*r+j]
	}
	if !paired {
		return 16
	}
	for r := range 16 {
		dst[16+r] = x[16*r+j+8]
	}
	return 32
}

// level32 brings 8 runs of 32 weights to a magnitude of about 1, each by its
// own power of two. It gives the bits of the largest magnitude.
func level32(dst *[superBlock]float32, x []float32, c *columns) (most uint32) {
	for j := range 8 {
		run := x[32*j:][:32]
		bits := math.Float32bits(run[top(run)]) & 0x7fffffff
		most = max(most, bits)
		c.up[j], c.down[j] = powers(bits)
		times(dst[32*j:], run, c.down[j])
	}
	return most
}

// columnScalePlan says which scales a search of columns tries.
type columnScalePlan struct {
	tops   [64]float32 // levels, in units of the scale, that the extreme weight is tried on
	count  int         // of tops, with heavy at least 1
	rounds int         // of refinements
	heavy  int         // levels, for each sign of the scale, that the heaviest weight is tried on
	from   float32     // the least level that the extreme weight then has
}

// searchScales looks for the b of each run that minimises sum w*(x - b*level)^2.
func searchScales(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan, kind columnKind) {
	var x, ws [32]float32
	for j := range kind.runs() {
		n := column(&x, &c.x, j, kind.paired())
		column(&ws, w, j, kind.paired())
		s := columnScale{v: v, x: x[:n], w: ws[:n]}
		s.run(p)
		c.b[j], c.qq[j], c.gain[j] = s.b, s.qq, s.gain
	}
}

// columnScale is the search of a run.
type columnScale struct {
	v           *levels
	x, w        []float32
	b, qq, gain float32
}

func (s *columnScale) run(p *columnScalePlan) {
	least, most := ends(s.x)
	top := most
	if -least > most {
		top = least
	}
	if abs(top) < 0x1p-60 {
		return
	}
	unit := 1 / top
	for _, t := range p.tops[:p.count] {
		s.try(t * unit)
	}
	if p.heavy > 0 {
		heavy := s.heaviest()
		m := float32(int32(float32(p.from*abs(heavy*unit)))) + 1
		inv := inverse(heavy)
		for range p.heavy {
			s.try(m * inv)
			s.try(-m * inv)
			m++
		}
	}
	for range p.rounds {
		s.try(inverse(s.b))
	}
}

// heaviest is the first of the weights of which zeros would cost most.
func (s *columnScale) heaviest() float32 {
	var heavy, most float32
	for i, v := range s.x {
		if c := float32(s.w[i]*v) * v; c > most {
			heavy, most = v, c
		}
	}
	return heavy
}

func (s *columnScale) try(inv float32) {
	qx, qq := columnSums(s.v, s.x, s.w, inv)
	b := qx / qq
	if gain := b * qx; qq > 0 && gain > s.gain {
		s.b, s.qq, s.gain = b, qq, gain
	}
}

// columnSums adds up the halves of a run by themselves.
func columnSums(v *levels, x, w []float32, inv float32) (qx, qq float32) {
	qx, qq = v.columnSums(x[:16], w[:16], inv)
	if len(x) > 16 {
		qx1, qq1 := v.columnSums(x[16:], w[16:], inv)
		qx, qq = qx+qx1, qq+qq1
	}
	return qx, qq
}

func (v *levels) columnSums(x, w []float32, inv float32) (qx, qq float32) {
	if v.table != nil {
		return v.table.sums(x, w, inv)
	}
	return v.sums(x, w, inv)
}

// integerScales finds each run's best integer scale for d, among those up to
// reach on each side of b/d. qx and qq are the sums of its codes.
func integerScales(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int, kind columnKind) {
	var x, ws [32]float32
	for j := range kind.runs() {
		n := column(&x, &c.x, j, kind.paired())
		column(&ws, w, j, kind.paired())
		t := min(max(c.b[j]/d, lo), hi)
		low := float32(int32(t))
		if t < low {
			low--
		}
		var sc, gain, qx, qq float32
		for i := 1 - reach; i <= reach; i++ {
			q := low + float32(i)
			if q < lo || q > hi {
				continue
			}
			b := d * q
			x, xx := columnSums(v, x[:n], ws[:n], inverse(b))
			if g := b * (2*x - float32(b*xx)); g > gain {
				sc, gain, qx, qq = q, g, x, xx
			}
		}
		c.sc[j] = sc
		c.gain[j] = gain
		c.qx[j] = qx
		c.q[j] = qq
	}
}

// rateScales finds what each run's b takes off its error.
func rateScales(c *columns, w *[superBlock]float32, v *levels, kind columnKind) {
	var x, ws [32]float32
	for j := range kind.runs() {
		n := column(&x, &c.x, j, kind.paired())
		column(&ws, w, j, kind.paired())
		b := c.b[j]
		qx, qq := columnSums(v, x[:n], ws[:n], inverse(b))
		c.gain[j] = b * (2*qx - float32(b*qq))
	}
}

// columnAffinePlan says which grids a search of columns tries.
type columnAffinePlan struct {
	grid   [32]affineTry
	count  int
	rounds int
}

// searchAffine looks for b and a of each run that minimise
// sum w*(z - b*q - a)^2, z being x less its least value or 0, which stays in
// c.x. With signed, a's value from zero is not positive.
func searchAffine(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan, kind columnKind) {
	var x, ws [32]float32
	for j := range kind.runs() {
		m := column(&x, &c.x, j, kind.paired())
		column(&ws, w, j, kind.paired())
		s := columnAffine{z: x[:m], w: ws[:m]}
		s.n = n
		s.run(p)
		for r, v := range s.z {
			c.x[16*(r%16)+j+r/16*8] = v
		}
		c.b[j] = s.b
		c.a[j] = s.a
		c.q[j] = s.q
		c.qq[j] = s.qq
		c.qx[j] = s.qz
		c.gain[j] = s.gain
		c.sw[j] = s.sw
		c.swz[j] = s.swz
		c.szz[j] = s.szz
		c.base[j] = s.base
	}
}

// columnAffine is the search of a run.
type columnAffine struct {
	affineFacts
	z, w                  []float32
	b, a, q, qq, qz, gain float32
}

func (s *columnAffine) run(p *columnAffinePlan) {
	least, most := ends(s.z)
	s.base = least
	if !(least < 0) {
		s.base = 0
	}
	s.top, s.ceiling = most-s.base, -s.base
	s.sw, s.swz, s.szz = s.moments(0)
	if len(s.z) > 16 {
		sw, swz, szz := s.moments(16)
		s.sw, s.swz, s.szz = s.sw+sw, s.swz+swz, s.szz+szz
	}
	if s.a = s.swz / s.sw; !(s.a < s.ceiling) {
		s.a = s.ceiling
	}
	s.gain = float32(s.a * (2*s.swz - float32(s.a*s.sw)))
	var unit float32 // without a range all tries have one code, and the run stays a constant
	if s.top >= 0x1p-60 {
		unit = 1 / s.top
	}
	for _, t := range p.grid[:p.count] {
		s.try(t.inv*unit, t.off)
	}
	for range p.rounds {
		inv := inverse(s.b)
		s.try(inv, float32(-s.a*inv))
	}
}

// moments are those of 16 weights from at on; they become z.
func (s *columnAffine) moments(at int) (sw, swz, szz float32) {
	for i := at; i < at+16; i++ {
		z := s.z[i] - s.base
		s.z[i] = z
		wz := float32(s.w[i] * z)
		sw += s.w[i]
		swz += wz
		szz += float32(wz * z)
	}
	return sw, swz, szz
}

func (s *columnAffine) sums(inv, off float32) (q, qq, qz float32) {
	q, qq, qz = affineSums(s.z[:16], s.w[:16], inv, off, s.n)
	if len(s.z) > 16 {
		q1, qq1, qz1 := affineSums(s.z[16:], s.w[16:], inv, off, s.n)
		q, qq, qz = q+q1, qq+qq1, qz+qz1
	}
	return q, qq, qz
}

func (s *columnAffine) try(inv, off float32) {
	q, qq, qz := s.sums(inv, off)
	det := float32(s.sw*qq) - float32(q*q)
	b := (float32(s.sw*qz) - float32(s.swz*q)) / det
	a := (float32(s.swz*qq) - float32(q*qz)) / det
	if a > s.ceiling {
		a = s.ceiling
		b = (qz - float32(a*q)) / qq
	}
	ok := det > float32(1e-6*s.sw)*qq && b > 0
	if gain := s.gainOf(b, a, q, qq, qz); ok && gain > s.gain {
		s.b, s.a, s.q, s.qq, s.qz, s.gain = b, a, q, qq, qz, gain
	}
}

// integerGrids finds each run's better integer scale of the two next to b/d,
// with the integer minimum that suits it. The sums become those of its codes.
func integerGrids(c *columns, w *[superBlock]float32, n, d, dmin, most float32, kind columnKind) {
	var x, ws [32]float32
	for j := range kind.runs() {
		m := column(&x, &c.x, j, kind.paired())
		column(&ws, w, j, kind.paired())
		s := columnAffine{z: x[:m], w: ws[:m]}
		s.n, s.sw, s.swz, s.base = n, c.sw[j], c.swz[j], c.base[j]
		best := float32(-0x1p120)
		var sc, mn float32
		var q, qq, qz float32
		try := func(i, k float32) {
			if i > most {
				return
			}
			b, a := d*i, -float32(dmin*k)-s.base
			inv := inverse(b)
			q1, qq1, qz1 := s.sums(inv, float32(-a*inv))
			if gain := s.gainOf(b, a, q1, qq1, qz1); gain > best {
				best, sc, mn, q, qq, qz = gain, i, k, q1, qq1, qz1
			}
		}
		low := float32(int32(min(c.b[j]*inverse(d), most)))
		for i := range 2 {
			i := low + float32(i)
			u := min(s.minimumFor(d*i, c.q[j])*inverse(dmin), most)
			try(i, float32(roundTo(u, 0, int32(most))))
		}
		c.sc[j] = sc
		c.mn[j] = mn
		c.gain[j] = best
		c.q[j] = q
		c.qq[j] = qq
		c.qx[j] = qz
	}
}

// tableCodes32 is columnCodes32 for levels of a table.
func tableCodes32(dst *[superBlock]uint8, x []float32, c *columns, t *levelTable) {
	for j := range 8 {
		t.codes(dst[32*j:][:32], x[32*j:][:32], c.inv[j])
	}
}

// columnCodes writes the codes of a block that is not turned, lo being 0.
func columnCodes(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32, kind columnKind) {
	least, most := int32(magicBits)+int32(lo), int32(magicBits)+int32(hi)
	size := superBlock / kind.runs()
	for i, v := range x[:superBlock] {
		j := i / size
		q := int32(math.Float32bits(float32((v-c.base[j])*c.inv[j]) + c.off[j] + magic))
		dst[i] = uint8(min(max(q, least), most) - least)
	}
}
