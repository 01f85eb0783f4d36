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
	// What rounds to i from first to last has code[i-first] and the level
	// near[i-first]. As there is one midpoint at most in 1<<shift of these, a
	// bucket b = (i-first)>>shift holds one level, below[b], up to turn[b] and
	// another, above[b], from there on; their codes are lower[b] and the next.
	turn         [32]int32
	below, above [32]float32
	first, last  int32
	res          float32
	shift        uint32
	near         []float32 // value[code]
	code         []uint8
	count        int
	lower        [32]int32
}

// newLevels makes levels of ascending values.
func newLevels(res float32, values []float32) levels {
	t := &levelTable{res: res, count: len(values)}
	copy(t.value[:], values)
	lo, hi := values[0], values[len(values)-1]
	t.first = int32(math.Floor(float64(lo * res)))
	t.last = int32(math.Ceil(float64(hi * res)))
	c := 0
	for i := t.first; i <= t.last; i++ {
		// The middle of what rounds to i.
		v := (float32(i) + 0.5) / res
		for c+1 < len(values) && v > (values[c]+values[c+1])/2 {
			c++
		}
		t.code = append(t.code, uint8(c))
		t.near = append(t.near, values[c])
	}
	for len(t.near)>>t.shift >= len(t.turn) {
		t.shift++
	}
	const never = 1 << 16
	for i, v := range t.near {
		b := i >> t.shift
		switch first := i == b<<t.shift; {
		case first:
			t.below[b], t.above[b], t.turn[b] = v, v, never
			t.lower[b] = int32(t.code[i])
		case v != t.above[b]:
			if t.above[b] != t.below[b] {
				panic("quant: levels too close for their table")
			}
			t.above[b], t.turn[b] = v, int32(i)
		}
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

// codes rounds every x*inv to the number of its nearest level, counted from 0.
func (l *levels) codes(codes []uint8, x []float32, inv float32) {
	if l.table != nil {
		l.table.codes(codes, x, inv)
		return
	}
	kernelCodes(codes, x, inv, 0, l.lo, l.hi)
}

func (t *levelTable) codes(codes []uint8, x []float32, inv float32) {
	codes = codes[:len(x)]
	lo, hi := magicBits+t.first, magicBits+t.last
	inv *= t.res
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) - 0.5 + magic))
		codes[i] = t.code[min(max(q, lo), hi)-lo]
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
