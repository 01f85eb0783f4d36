package quant

// smallCodec encodes blocks of 32 weights, eight at a time.
type smallCodec struct {
	name  string
	bytes int
	kind  columnKind
	// batch fills k.super.codes and k.small for the columns of k.
	batch func(k *work)
	put   func(dst, codes []uint8, d, m uint16)
	// slow encodes a block that batch gives up, and every one where alone says so.
	slow  blockEncoder
	alone func(e Effort, weighed bool) bool
}

// smallState is what a batch finds for each block.
type smallState struct {
	d, m [8]uint16 // stored halves
	odd  [8]bool   // a half is tiny, where rounding it needs care, or overflows
}

func (s *smallCodec) quantize(dst []byte, src []float32, opt Options) error {
	if err := checkEncode(s.name, 32, s.bytes, dst, src, opt); err != nil {
		return err
	}
	k := &work{effort: opt.Effort}
	weights, row := errorWeights(opt.Importance), len(src)
	if s.alone(opt.Effort, weights != nil) {
		return encodeBlocks(s.name, 32, s.bytes, s.slow)(dst, src, opt)
	}
	if weights != nil {
		k.weighed, row = 1, opt.Cols
	}
	turned := s.kind.turnAll(weights)
	for start := 0; start < len(src); start += row {
		for at := 0; at < row; at += superBlock {
			n := min(superBlock, row-at)
			k.turned = &turned[at/superBlock%len(turned)]
			if i, v := s.encode(dst, src[start+at:][:n], k, weights, at); i >= 0 {
				return &ValueError{s.name, start + at + i, v}
			}
			dst = dst[n/32*s.bytes:]
		}
	}
	return nil
}

// encode writes up to eight blocks, from column col on. It gives the index and
// the value of a weight that can't be represented, -1 if there is none.
func (s *smallCodec) encode(dst []byte, x []float32, k *work, weights []float32, col int) (int, float32) {
	all := x
	if len(x) < superBlock {
		all = make([]float32, superBlock)
		copy(all, x)
	}
	k.x = k.buf[:]
	if use.level32(&k.buf, all, &k.columns) >= 0x7f800000 {
		i := notFinite(x)
		return i, x[i]
	}
	s.kind.turn(&k.columns.x, k.x)
	s.batch(k)
	for j := range len(x) / 32 {
		to := dst[j*s.bytes:][:s.bytes]
		if !k.small.odd[j] {
			s.put(to, k.super.codes[32*j:][:32], k.small.d[j], k.small.m[j])
			continue
		}
		run := x[32*j:][:32]
		k.w = ones[:]
		if weights != nil {
			k.w = weights[col+32*j:][:32]
		}
		k.load(run)
		if !s.slow(to, k) {
			i := largest(run)
			return 32*j + i, run[i]
		}
	}
	return -1, 0
}

var ones = func() (w [32]float32) {
	for i := range w {
		w[i] = 1
	}
	return w
}()

// isOdd says whether a half is tiny or not finite.
func isOdd(h uint16) bool { return h&0x7fff < 0x400 || h&0x7c00 == 0x7c00 }

// quantizer makes a Type's Quantize of a codec, and of what writes a block.
func (c *scaleCodec) quantizer(name string, bytes int, put func(dst, codes []uint8, d, m uint16)) func([]byte, []float32, Options) error {
	s := &smallCodec{name: name, bytes: bytes, kind: columns32, put: put}
	s.alone = func(e Effort, _ bool) bool { return e == Best }
	if c.levels.table != nil {
		s.kind = columnsTable32
	}
	s.batch = func(k *work) {
		cs := &k.columns
		use.searchScales[s.kind](cs, k.turned, &c.levels, &c.columns[k.effort][k.weighed])
		for j := range 8 {
			h := F32ToF16(cs.b[j] * cs.up[j])
			k.small.d[j], k.small.odd[j] = h, isOdd(h)
			cs.base[j], cs.inv[j], cs.off[j] = 0, inverse(F16ToF32(h)*cs.down[j]), 0
		}
		c.levels.columnCodes(s.kind, k)
	}
	s.slow = func(dst []byte, k *work) bool {
		h, d, ok := c.fit(k)
		var codes [32]uint8
		c.levels.codes(codes[:], k.x, inverse(d))
		put(dst, codes[:], h, 0)
		return ok
	}
	return s.quantize
}

// quantizer makes a Type's Quantize of a codec, and of what writes a block.
func (c *affineCodec) quantizer(name string, bytes int, put func(dst, codes []uint8, d, m uint16)) func([]byte, []float32, Options) error {
	s := &smallCodec{name: name, bytes: bytes, kind: columns32, put: put}
	// With an importance, pairs of heavy weights are worth a look.
	s.alone = func(e Effort, weighed bool) bool { return e == Best || e == Normal && weighed }
	s.batch = func(k *work) {
		cs := &k.columns
		use.searchAffine[columns32](cs, k.turned, c.n, &c.columns[k.effort])
		for j := range 8 {
			// The minimum is rounded first, and the scale follows.
			m := F32ToF16((cs.a[j] + cs.base[j]) * cs.up[j])
			a, b := float32(F16ToF32(m)*cs.down[j])-cs.base[j], cs.b[j]
			if cs.qq[j] > 0 {
				b = (cs.qx[j] - float32(a*cs.q[j])) / cs.qq[j]
			}
			d := F32ToF16(b * cs.up[j])
			k.small.d[j], k.small.m[j] = d, m
			k.small.odd[j] = isOdd(d) || isOdd(m)
			cs.inv[j] = inverse(F16ToF32(d) * cs.down[j])
			cs.off[j] = float32(-a * cs.inv[j])
		}
		use.columnCodes[columns32](&k.super.codes, k.x, cs, 0, c.n)
	}
	s.slow = func(dst []byte, k *work) bool {
		var codes [32]uint8
		d, m, ok := c.encode(k, codes[:])
		put(dst, codes[:], d, m)
		return ok
	}
	return s.quantize
}
