package quant

import "math"

// random is splitmix64: integers only, so that its numbers are the same bits
// everywhere.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1.
func (r *random) below(n int) int { return int(r.next() >> 33 % uint64(n)) }

// weight is about normal (a sum of 8 uniform numbers), of deviation near
// 0.8 * 2^exp; every step is exact in float32.
func (r *random) weight(exp int) float32 {
	sum := 0
	for range 2 {
		for bits, i := r.next(), 0; i < 4; i, bits = i+1, bits>>16 {
			sum += int(bits&0xffff) - 0x8000
		}
	}
	return float32(sum) * math.Float32frombits(uint32(127+exp-16)<<23)
}

// randomRows gives rows as models have them: each of its own size, some with
// outliers, some shifted, some sparse.
func randomRows(seed uint64, rows, cols int) []float32 {
	r := random(seed)
	x := make([]float32, 0, rows*cols)
	for row := range rows {
		exp := -6 + r.below(5)
		shift := float32(0)
		if row%5 == 3 {
			shift = r.weight(exp)
		}
		for range cols {
			v := r.weight(exp)
			switch {
			case row%4 == 1 && r.below(50) == 0:
				v *= 8
			case row%7 == 5 && r.below(3) != 0:
				v = 0
			}
			x = append(x, float32(v+shift))
		}
	}
	return x
}

// randomImportance is positive, with a tail of large values and some zeros.
func randomImportance(seed uint64, cols int) []float32 {
	r := random(seed)
	w := make([]float32, cols)
	for i := range w {
		v := r.weight(0)
		w[i] = float32(v * v)
		switch r.below(20) {
		case 0:
			w[i] *= 32
		case 1:
			w[i] = 0
		}
	}
	return w
}

// encoders are the types that can be written.
func encoders() []*Type {
	var s []*Type
	for _, q := range All() {
		if q.Quantize != nil {
			s = append(s, q)
		}
	}
	return s
}

var effortNames = [...]string{Fast: "fast", Normal: "normal", Best: "best"}
