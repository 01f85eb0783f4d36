package quant

import "math"

// levels are the values that a code stands for, in units of the scale: the
// integers lo..hi, or a table of unevenly spaced ones.
type levels struct {
	lo, hi float32
	table  *levelTable
}

// levelTable finds the nearest of up to 16 ascending levels. All midpoints of
// neighbours are multiples of 1/res, so that rounding res*v - 1/2 to an
// integer, counted from first, tells which level is nearest to v.
type levelTable struct {
	value [16]float32
	count int
	res   float32
	first int32
	code  []uint8
	near  []float32 // value[code]
}

// newLevels makes levels of ascending values.
func newLevels(res float32, values []float32) levels {
	t := &levelTable{res: res, count: len(values)}
	copy(t.value[:], values)
	lo, hi := values[0], values[len(values)-1]
	t.first = int32(math.Floor(float64(lo * res)))
	last := int32(math.Ceil(float64(hi * res)))
	c := 0
	for i := t.first; i <= last; i++ {
		// The middle of what rounds to i.
		v := (float32(i) + 0.5) / res
		for c+1 < len(values) && v > (values[c]+values[c+1])/2 {
			c++
		}
		t.code = append(t.code, uint8(c))
		t.near = append(t.near, values[c])
	}
	return levels{lo, hi, t}
}

// Adding magic to a float32 of small magnitude rounds it to an integer, ties
// to even, that stands in the low bits, counted from magicBits. As int32 the
// bits keep the order of all floats that are not NaN, so that clamping them is
// safe whatever the magnitude.
const (
	magic     = 3 << 22
	magicBits = 0x4b400000
)

// roundTo rounds to an integer within lo..hi.
func roundTo(v float32, lo, hi int32) int32 {
	q := int32(math.Float32bits(float32(v)+magic)) - magicBits
	return min(max(q, lo), hi)
}

// lanes is a batch of candidate grids for a run of weights, and what becomes
// of them: each weight v is rounded to the level q nearest to v*inv + off, and
// q, qq and qx are the sums of w*q, w*q*q and w*q*v. Every lane adds up in the
// order of the weights, so that an implementation with a lane per vector
// element gives the same bits.
type lanes struct {
	n            int
	inv, off     [laneCount]float32
	q, qq, qx    [laneCount]float32
	note1, note2 [laneCount]float32 // what the caller wants to remember
}

const laneCount = 16

// evalScale fills qx and qq of the lanes, off being 0.
func (b *lanes) evalScale(l *levels, x, w []float32) {
	for i := range b.n {
		if l.table != nil {
			b.qx[i], b.qq[i] = l.table.sums(x, w, b.inv[i])
		} else {
			b.qx[i], b.qq[i] = l.sums(x, w, b.inv[i])
		}
	}
}

func (l *levels) sums(x, w []float32, inv float32) (qx, qq float32) {
	lo, hi := int32(magicBits)+int32(l.lo), int32(magicBits)+int32(l.hi)
	w = w[:len(x)]
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) + magic))
		r := math.Float32frombits(uint32(min(max(q, lo), hi))) - magic
		wr := float32(w[i] * r)
		qx += float32(wr * v)
		qq += float32(wr * r)
	}
	return qx, qq
}

func (t *levelTable) sums(x, w []float32, inv float32) (qx, qq float32) {
	lo, hi := magicBits+t.first, magicBits+t.first+int32(len(t.near)-1)
	near := t.near
	inv *= t.res
	w = w[:len(x)]
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) - 0.5 + magic))
		r := near[min(max(q, lo), hi)-lo]
		wr := float32(w[i] * r)
		qx += float32(wr * v)
		qq += float32(wr * r)
	}
	return qx, qq
}

// ends are the least and the largest of x.
func ends(x []float32) (least, most float32) {
	least, most = x[0], x[0]
	for _, v := range x {
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
	}
	return least, most
}

// codes rounds every x*inv to the number of its nearest level, counted from 0.
func (l *levels) codes(codes []uint8, x []float32, inv float32) {
	codes = codes[:len(x)]
	if t := l.table; t != nil {
		lo, hi := magicBits+t.first, magicBits+t.first+int32(len(t.near)-1)
		inv *= t.res
		for i, v := range x {
			q := int32(math.Float32bits(float32(v*inv) - 0.5 + magic))
			codes[i] = t.code[min(max(q, lo), hi)-lo]
		}
		return
	}
	lo, hi := int32(magicBits)+int32(l.lo), int32(magicBits)+int32(l.hi)
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) + magic))
		codes[i] = uint8(min(max(q, lo), hi) - lo)
	}
}

// evalAffine fills q, qq and qx of the lanes for f's weights and levels 0..n.
func (b *lanes) evalAffine(f *affineBlock) {
	hi := int32(magicBits) + int32(f.n)
	for i := range b.n {
		inv, off := b.inv[i], b.off[i]
		// Rounding keeps order and inv is never negative, so what holds for the
		// ends holds in between.
		first := int32(math.Float32bits(off + magic))
		last := int32(math.Float32bits(float32(f.top*inv) + off + magic))
		if first >= magicBits && last <= hi {
			b.q[i], b.qq[i], b.qx[i] = affineSumsInside(f.z, f.w, inv, off)
		} else {
			b.q[i], b.qq[i], b.qx[i] = affineSums(f.z, f.w, inv, off, f.n)
		}
	}
}

func affineSums(z, w []float32, inv, off, n float32) (sq, sqq, szq float32) {
	lo, hi := int32(magicBits), int32(magicBits)+int32(n)
	w = w[:len(z)]
	for i, v := range z {
		q := int32(math.Float32bits(float32(v*inv) + off + magic))
		r := math.Float32frombits(uint32(min(max(q, lo), hi))) - magic
		wr := float32(w[i] * r)
		sq += wr
		sqq += float32(wr * r)
		szq += float32(wr * v)
	}
	return sq, sqq, szq
}

// affineSumsInside is affineSums where no code is outside of 0..n.
func affineSumsInside(z, w []float32, inv, off float32) (sq, sqq, szq float32) {
	w = w[:len(z)]
	for i, v := range z {
		r := float32(v*inv) + off + magic - magic
		wr := float32(w[i] * r)
		sq += wr
		sqq += float32(wr * r)
		szq += float32(wr * v)
	}
	return sq, sqq, szq
}

// affineCodes writes the q of affineSums.
func affineCodes(codes []uint8, z []float32, inv, off, n float32) {
	hi := int32(magicBits) + int32(n)
	codes = codes[:len(z)]
	for i, v := range z {
		q := int32(math.Float32bits(float32(v*inv) + off + magic))
		codes[i] = uint8(min(max(q, magicBits), hi) - magicBits)
	}
}

// inverse is 1/d, and 0 where that is too large to count with.
func inverse(d float32) float32 {
	if abs(d) < 0x1p-100 {
		return 0
	}
	return 1 / d
}

// span lists n numbers from a to b at equal distances.
func span(a, b float32, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = a
		if n > 1 {
			s[i] = a + float32((b-a)*float32(i))/float32(n-1)
		}
	}
	return s
}
