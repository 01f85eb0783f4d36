package dot

import "unsafe"

// panels is an implementation that takes some rows together, a row to an element
// of its vectors. One vector meets weights as they are unpacked; for more, a
// chunk of these rows is unpacked once into a panel, in the first cache, that
// all vectors are multiplied with.
type panels struct {
	// height is the number of rows of a panel; it divides RowStep.
	height int
	// signed says that codes have a sign, where there are no minima.
	signed bool
	// one writes the products of height rows, count times, with one vector. Rows are
	// stride bytes apart and have so many units of columns. The vector's records
	// are step bytes apart.
	one [kinds]func(dst *float32, w *byte, stride, count, units int, rec *byte, step int)
	// fill unpacks some units of a chunk of height rows.
	fill [kinds]func(to *panel, w *byte, stride, units int)
	// prefetch asks for memory, which need not be there.
	prefetch func(at uintptr, size int)
	// product adds a panel's product with n vectors to sums, RowStep for each. The
	// vectors' records are at recs plus offsets.
	product [methods]func(sums *float32, from *panel, recs *byte, offsets *int, n, units int)
}

// method is how a panel is multiplied.
type method int

const (
	methodFloats method = iota
	method16            // integers, scales per 16 below one per 256
	method16Mins
	method32
	method32Mins
	methodSmall // integers, a scale per 32
	methodSmallMins

	methods
)

func (l *layout) method() method {
	m := methodFloats
	switch {
	case l.form == smallForm:
		m = methodSmall
	case l.form == superForm && l.group == 16:
		m = method16
	case l.form == superForm:
		m = method32
	}
	if l.mins {
		m++
	}
	return m
}

// panel is room for a chunk of RowStep rows as a product wants it, its parts being
// known to the assembly.
type panel [RowStep * chunk * 4]byte

const (
	// fewVectors are multiplied one by one.
	fewVectors = 2
	// manyVectors is how many meet a panel before the next chunk is unpacked:
	// their records stay in the second cache while panels pass.
	manyVectors = 128
	// callBytes is about what a call of a kernel, which can't be interrupted,
	// may read; and what the second cache keeps for the next vector.
	callBytes = 1 << 19
)

func (k *panels) mul(p *product) {
	if p.l == nil {
		p.l, p.dequantize = layouts["f32"], true
	}
	if p.l.form == floats {
		if p.in.cols%4 != 0 || k.product[methodFloats] == nil {
			mulFloats(p) // kernels take 16 bytes of a row
			return
		}
		p.dequantize = p.dequantize || p.bytes%16 != 0
	}
	full := p.rows / k.height
	k.rows(p, p.w, p.dst, full, k.height)
	switch rest := p.rows % k.height; {
	case rest == 0:
	case full > 0:
		// The last rows: some of them once more.
		first := p.rows - k.height
		k.rows(p, p.w[first*p.bytes:], p.dst[first:], 1, k.height)
	default:
		p.padded = grow(p.padded, k.height*p.bytes)
		clear(p.padded[copy(p.padded, p.w[:rest*p.bytes]):])
		k.rows(p, p.padded, p.dst, 1, rest)
	}
}

// records is where the vectors' records are: that of vector v and chunk c is
// v*apart + c*step bytes from first. Kernels count columns by units.
func (p *product) records() (first *byte, apart, step, unit int) {
	in := p.in
	switch p.l.form {
	case superForm:
		size := int(unsafe.Sizeof(superRecord{}))
		return (*byte)(unsafe.Pointer(unsafe.SliceData(in.super))), size, in.n * size, chunk
	case smallForm:
		size := int(unsafe.Sizeof(smallRecord{}))
		return (*byte)(unsafe.Pointer(unsafe.SliceData(in.small))), size, in.n * size, 32
	}
	return (*byte)(unsafe.Pointer(unsafe.SliceData(in.x))), 4 * in.cols, 4 * chunk, 1
}

// rows multiplies count panels, of which the first rows count, with all vectors.
func (k *panels) rows(p *product, w []byte, dst []float32, count, rows int) {
	if p.n <= fewVectors && !p.dequantize && rows == k.height && k.one[p.l.kind] != nil {
		most := max(1, callBytes/(k.height*p.bytes))
		for at := 0; at < count; at += most {
			now := min(most, count-at)
			for i := range p.n {
				to := dst[i*p.stride+at*k.height:][:now*k.height]
				k.oneVector(p, w[at*k.height*p.bytes:], to, now, p.vector(i))
			}
		}
		return
	}
	_, apart, _, _ := p.records()
	k.prefetch(address(w), k.height*p.bytes)
	for first := 0; first < p.n; first += manyVectors {
		n := min(manyVectors, p.n-first)
		for i := range n {
			p.offsets[i] = p.vector(first+i) * apart
		}
		for at := range count {
			k.vectors(p, w[at*k.height*p.bytes:], n, at == count-1)
			for i := range n {
				copy(dst[(first+i)*p.stride+at*k.height:][:rows], p.sums[i][:])
			}
		}
	}
}

// oneVector writes the products of count panels with one vector.
func (k *panels) oneVector(p *product, w []byte, dst []float32, count, vector int) {
	first, apart, step, unit := p.records()
	rec := (*byte)(unsafe.Add(unsafe.Pointer(first), vector*apart))
	k.one[p.l.kind](&dst[0], &w[0], p.bytes, count, p.in.cols/unit, rec, step)
}

// vectors leaves in sums the products of a panel, maybe the last, with the n
// vectors at offsets.
func (k *panels) vectors(p *product, w []byte, n int, last bool) {
	first, _, step, unit := p.records()
	fill, product := k.fill[p.l.kind], k.product[p.l.method()]
	clear(p.sums[:n])
	// The next rows are asked for in their order in memory: the machine foresees
	// one stream, and not one for each row. What is behind the last may be work
	// of others.
	next := address(w) + uintptr(k.height*p.bytes)
	for col := 0; col < p.in.cols; col += chunk {
		units := min(chunk, p.in.cols-col) / unit
		from, stride := &w[col/p.t.Block*p.t.Bytes], p.bytes
		if p.dequantize {
			from, stride = p.decode(w, col, units, k.height), 4*chunk
		}
		if !last {
			ahead := k.height * (units * unit / p.t.Block * p.t.Bytes)
			k.prefetch(next, ahead)
			next += uintptr(ahead)
		}
		if fill == nil {
			p.fillUnits(w[col/p.t.Block*p.t.Bytes:], k, units)
		} else {
			fill(&p.panel, from, stride, units)
		}
		recs := (*byte)(unsafe.Add(unsafe.Pointer(first), col/chunk*step))
		product(&p.sums[0][0], &p.panel, recs, &p.offsets[0], n, units)
	}
}

func address(w []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(w))) }

// decode dequantizes some columns of a panel's rows, which are then a chunk apart.
func (p *product) decode(w []byte, col, cols, rows int) *byte {
	for row := range rows {
		p.t.Dequantize(p.decoded[row][:cols], w[row*p.bytes+col/p.t.Block*p.t.Bytes:])
	}
	return (*byte)(unsafe.Pointer(&p.decoded))
}
