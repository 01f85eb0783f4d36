package quant

import "math"

// top is the index of the first weight of the largest magnitude; NaN counts
// as the largest.
func top(x []float32) int {
	at, most := 0, uint32(0)
	for i, v := range x {
		if a := math.Float32bits(v) & 0x7fffffff; a > most {
			at, most = i, a
		}
	}
	return at
}

func times(dst, x []float32, by float32) {
	for i, v := range x {
		dst[i] = v * by
	}
}

// costs are what a value at from instead of each weight would cost. It gives
// the first of the largest.
func costs(cost, x, w []float32, from float32) int {
	for i, v := range x {
		v -= from
		cost[i] = w[i] * float32(v*v)
	}
	return top(cost)
}

// ends are the least and the largest of x, where zeros are positive.
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
	return least + 0, most + 0
}

// moments writes z = x - base and its sums, which are sums of eight sums: of
// the weights 0, 8, 16, ..., of the weights 1, 9, 17, ... and so on.
func moments(z, x, w []float32, f *affineFacts) {
	var s0, s1, s2 [8]float32
	for i, v := range x {
		v -= f.base
		z[i] = v
		wv := float32(w[i] * v)
		s0[i&7] += w[i]
		s1[i&7] += wv
		s2[i&7] += float32(wv * v)
	}
	f.sw, f.swz, f.szz = sumOf8(&s0), sumOf8(&s1), sumOf8(&s2)
}

func sumOf8[T float32 | float64](s *[8]T) T {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// codes writes the integer from lo to hi that is nearest to x*inv + off, as
// counted from lo.
func codes(dst []uint8, x []float32, inv, off, lo, hi float32) {
	least, most := int32(magicBits)+int32(lo), int32(magicBits)+int32(hi)
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) + off + magic))
		dst[i] = uint8(min(max(q, least), most) - least)
	}
}

// chooseScales finds for each d the least error that it adds, and the minima
// that go with it.
func chooseScales(c *choice, n, count int, most float32) {
	for k, d := range c.d[:count] {
		inv := inverse(d)
		c.least[k] = 0
		for j := range n {
			f := affineFacts{sw: c.sw[j], swz: c.swz[j], base: c.base[j]}
			b := d * float32(roundTo(float32(c.b[j]*inv), 0, int32(most)))
			m := f.minimumFor(b, c.q[j])
			c.minima[j][k] = m
			c.least[k] -= f.gainOf(b, -m-f.base, c.q[j], c.qq[j], c.qz[j])
		}
	}
}

// chooseMinima finds the error that each dmin adds to that of d number k.
func chooseMinima(c *choice, k, n, count int, most float32) {
	for i, dmin := range c.dmin[:count] {
		inv := inverse(dmin)
		var e float32
		for j := range n {
			m := c.minima[j][k]
			r := m - float32(dmin*float32(roundTo(float32(m*inv), 0, int32(most))))
			e += float32(c.sw[j] * float32(r*r))
		}
		c.errs[i] = e
	}
}
