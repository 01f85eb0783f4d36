package dot

// mulScalar is the product in plain Go, to which the others are held: sums of
// integers are exact, and a row's chunks or blocks are added one by one, each
// sum times the product of the two scales.
func mulScalar(p *product) {
	switch {
	case p.l == nil || p.l.form == floats:
		mulFloats(p)
	case p.l.form == superForm:
		mulSuper(p)
	default:
		mulSmall(p)
	}
}

// each runs fn for every row, and every chunk of it with its weights.
func (p *product) each(block int, fn func(row, c int, w []byte)) {
	bytes := chunk / block * p.t.Bytes
	for r := range p.rows {
		row := p.w[r*p.bytes:][:p.bytes]
		for c := 0; len(row) > 0; c++ {
			size := min(len(row), bytes)
			fn(r, c, row[:size])
			row = row[size:]
		}
	}
}

// sum is where the product of row and vector i is added up.
func (p *product) sum(row, c, i int) *float32 {
	s := &p.dst[i*p.stride+row]
	if c == 0 {
		*s = 0
	}
	return s
}

func mulSuper(p *product) {
	u := &p.unit
	p.each(chunk, func(row, c int, w []byte) {
		p.l.unpack(u, w)
		for i := range p.n {
			a := &p.in.super[c*p.in.n+p.vector(i)]
			sum, mins := p.l.sums(u, a)
			s := p.sum(row, c, i)
			*s += float32(float32(u.d*a.d) * float32(sum))
			if p.l.mins {
				*s -= float32(float32(u.m*a.d) * float32(mins))
			}
		}
	})
}

// sums are the exact sums of a block.
func (l *layout) sums(u *unit, a *superRecord) (sum, mins int32) {
	for g := range chunk / l.group {
		dot, plain := int32(0), int32(0)
		q := a.q[l.group*g:][:l.group]
		for i, c := range u.q[l.group*g:][:l.group] {
			dot += int32(c) * int32(q[i])
			plain += int32(q[i])
		}
		sum += u.sc[g] * (dot - l.zero*plain)
		mins += u.mn[g] * plain
	}
	return sum, mins
}

func mulSmall(p *product) {
	u := &p.unit
	p.each(p.t.Block, func(row, c int, w []byte) {
		for b := 0; b*p.t.Bytes < len(w); b++ {
			p.l.unpack(u, w[b*p.t.Bytes:][:p.t.Bytes])
			for i := range p.n {
				a := &p.in.small[c*p.in.n+p.vector(i)]
				dot, plain := int32(0), a.sums[b]/-128
				q := a.q[32*b:][:32]
				for j, v := range u.q[:32] {
					dot += int32(v) * int32(q[j])
				}
				s := p.sum(row, c+b, i)
				*s += float32(float32(u.d*a.d[b]) * float32(dot-p.l.zero*plain))
				if p.l.mins {
					*s += float32(float32(u.m*a.d[b]) * float32(plain))
				}
			}
		}
	})
}

// mulFloats adds up the even and the odd columns of a chunk apart. Other
// implementations fuse multiplications and additions.
func mulFloats(p *product) {
	p.each(p.t.Block, func(row, c int, w []byte) {
		y := p.decoded[0][:len(w)/p.t.Bytes*p.t.Block]
		p.t.Dequantize(y, w)
		for i := range p.n {
			x := p.in.x[p.vector(i)*p.in.cols+c*chunk:][:len(y)]
			var even, odd float32
			j := 0
			for ; j+1 < len(y); j += 2 {
				even += float32(y[j] * x[j])
				odd += float32(y[j+1] * x[j+1])
			}
			if j < len(y) {
				even += float32(y[j] * x[j])
			}
			*p.sum(row, c, i) += even + odd
		}
	})
}
