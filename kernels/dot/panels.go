package dot

import "unsafe"

// panels is an implementation that takes RowStep rows together, a row to an
// element of its vectors. One vector meets weights as they are unpacked; for
// more, a chunk of 16 rows is unpacked once into a panel, in the first cache,
// that all vectors are multiplied with.
type panels struct {
	one       [kinds]oneFunc
	fillSuper [kinds]func(to *panel, w *byte, stride int)
	fillSmall [kinds]func(to *panel, w *byte, stride, blocks int)

	product16, product16Mins, product32, product32Mins superFunc
	productSmall, productSmallMins                     smallFunc
}

// oneFunc writes the products of 16 rows, panels times, with one vector.
// Rows are stride bytes apart and have so many blocks, chunks in superForm.
// The vector's records are step bytes apart.
type oneFunc func(dst *float32, w *byte, stride, panels, blocks int, rec *byte, step int)

// superFunc and smallFunc add a panel's product with n vectors to sums, 16 for
// each. The vectors' records are at recs plus offsets.
type (
	superFunc func(sums *float32, panel *panel, recs *byte, offsets *int, n int)
	smallFunc func(sums *float32, panel *panel, recs *byte, offsets *int, n, blocks int)
)

// panel is room for unpacked weights, of which the assembly knows the parts.
type panel [4096 + 16*64 + 8*64 + 2*64]byte

const (
	recordBytes = int(unsafe.Sizeof(superRecord{}))

	// fewVectors are multiplied one by one.
	fewVectors = 2
	// manyVectors is how many meet a panel before the next chunk is unpacked:
	// their records stay in the second cache while panels pass.
	manyVectors = 128
	// callBytes is about what a call of a kernel may read, which can't be
	// interrupted.
	callBytes = 1 << 19
)

func (k *panels) mul(p *product) {
	if p.l == nil || p.l.form == floats {
		mulScalar(p)
		return
	}
	full := p.rows / RowStep
	k.rows(p, p.w, p.dst, full, RowStep)
	switch rest := p.rows % RowStep; {
	case rest == 0:
	case full > 0:
		// The last 16 rows: some of them once more.
		first := p.rows - RowStep
		k.rows(p, p.w[first*p.bytes:], p.dst[first:], 1, RowStep)
	default:
		p.padded = grow(p.padded, RowStep*p.bytes)
		clear(p.padded[copy(p.padded, p.w[:rest*p.bytes]):])
		k.rows(p, p.padded, p.dst, 1, rest)
	}
}

// rows multiplies panels of 16 rows, of which the first rows count, with all
// vectors.
func (k *panels) rows(p *product, w []byte, dst []float32, panels, rows int) {
	if panels == 0 {
		return
	}
	if p.n <= fewVectors {
		for i := range p.n {
			k.oneVector(p, w, dst[i*p.stride:], panels, rows, p.vector(i))
		}
		return
	}
	for first := 0; first < p.n; first += manyVectors {
		n := min(manyVectors, p.n-first)
		for i := range n {
			p.offsets[i] = p.vector(first+i) * recordBytes
		}
		for at := range panels {
			k.vectors(p, w[at*RowStep*p.bytes:], n)
			for i := range n {
				copy(dst[(first+i)*p.stride+at*RowStep:][:rows], p.sums[i][:])
			}
		}
	}
}

// records are those of the first chunk, with the number of blocks of a row.
func (p *product) records() (recs *byte, blocks int) {
	if p.l.form == superForm {
		recs = (*byte)(unsafe.Pointer(unsafe.SliceData(p.in.super)))
	} else {
		recs = (*byte)(unsafe.Pointer(unsafe.SliceData(p.in.small)))
	}
	return recs, p.in.cols / p.t.Block
}

func (k *panels) oneVector(p *product, w []byte, dst []float32, panels, rows, vector int) {
	recs, blocks := p.records()
	rec := (*byte)(unsafe.Add(unsafe.Pointer(recs), vector*recordBytes))
	step := p.in.n * recordBytes
	one := k.one[p.l.kind]
	if rows < RowStep {
		one(&p.sums[0][0], &w[0], p.bytes, 1, blocks, rec, step)
		copy(dst, p.sums[0][:rows])
		return
	}
	for most := max(1, callBytes/(RowStep*p.bytes)); panels > 0; panels -= most {
		now := min(panels, most)
		_ = dst[now*RowStep-1]
		one(&dst[0], &w[0], p.bytes, now, blocks, rec, step)
		if now < panels {
			dst, w = dst[now*RowStep:], w[now*RowStep*p.bytes:]
		}
	}
}

// vectors leaves in sums the products of 16 rows with the n vectors at offsets.
func (k *panels) vectors(p *product, w []byte, n int) {
	recs, blocks := p.records()
	clear(p.sums[:n])
	sums, offsets := &p.sums[0][0], &p.offsets[0]
	each := 1
	if p.l.form == smallForm {
		each = chunk / p.t.Block
	}
	for at := 0; at < blocks; at += each {
		from := &w[at*p.t.Bytes]
		recs := (*byte)(unsafe.Add(unsafe.Pointer(recs), at/each*p.in.n*recordBytes))
		if p.l.form == superForm {
			k.fillSuper[p.l.kind](&p.panel, from, p.bytes)
			k.superProduct(p.l)(sums, &p.panel, recs, offsets, n)
		} else {
			now := min(each, blocks-at)
			k.fillSmall[p.l.kind](&p.panel, from, p.bytes, now)
			k.smallProduct(p.l)(sums, &p.panel, recs, offsets, n, now)
		}
	}
}

func (k *panels) superProduct(l *layout) superFunc {
	switch {
	case l.group == 16 && l.mins:
		return k.product16Mins
	case l.group == 16:
		return k.product16
	case l.mins:
		return k.product32Mins
	}
	return k.product32
}

func (k *panels) smallProduct(l *layout) smallFunc {
	if l.mins {
		return k.productSmallMins
	}
	return k.productSmall
}
