package dot

import (
	"fmt"
	"math"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// Input is some vectors of activations in the forms that products read. A form
// is made once for all matrices of types that want it.
type Input struct {
	// Exact keeps activations as they are and dequantizes weights: products
	// are sums in float32 without any other rounding. Slower, for reference.
	// To be set before Prepare.
	Exact bool

	cols, n int
	x       []float32
	ready   [forms]bool
	super   []superRecord // chunk by chunk, of each its n vectors
	small   []smallRecord

	products products
}

// form is what a product wants activations to be.
type form int

const (
	floats    form = iota // as they are
	superForm             // integers with a scale per 256: ggml's q8_K
	smallForm             // integers with a scale per 32: ggml's q8_0

	forms
)

func (f form) String() string {
	return [forms]string{"floats", "integers with a scale per 256", "integers with a scale per 32"}[f]
}

// chunk is the number of columns that a record holds.
const chunk = 256

// superRecord is a chunk of one vector: x is about q*d. Its sums are exact.
type superRecord struct {
	q      [chunk]int8
	sums16 [16]int16 // of 16 neighbours in q
	sums32 [8]int16  // of 32
	d      float32
	_      [3]float32
}

// smallRecord is a chunk of one vector with a scale per 32; what is beyond the
// last column is zero.
type smallRecord struct {
	q    [chunk]int8
	d    [8]float32
	sums [8]int32 // of 32 neighbours in q, times -128
}

// NewInput makes room for vectors of cols numbers.
func NewInput(cols int) *Input { return &Input{cols: cols} }

// Cols is the length of a vector.
func (in *Input) Cols() int { return in.cols }

// N is the number of vectors.
func (in *Input) N() int { return in.n }

// Set gives the input n vectors: x is n x cols, row by row. x is not copied: it
// must not change until the next Set.
func (in *Input) Set(x []float32, n int) error {
	if in.cols <= 0 || n < 0 || len(x)/in.cols < n {
		return fmt.Errorf("input of a product: %d numbers are not %d vectors of %d", len(x), n, in.cols)
	}
	in.x, in.n = x[:n*in.cols], n
	in.ready = [forms]bool{floats: true}
	return nil
}

// Prepare makes the form that products with t want, unless there is one. A NaN
// or an infinity makes NaN of all products of its block.
func (in *Input) Prepare(t *quant.Type) error {
	if err := checkCols(t, in.cols); err != nil {
		return err
	}
	f := in.formFor(t)
	if in.ready[f] {
		return nil
	}
	chunks := (in.cols + chunk - 1) / chunk
	switch f {
	case superForm:
		in.super = grow(in.super, chunks*in.n)
		in.each(func(at int, x []float32) { use.roundSuper(&in.super[at], x) })
	case smallForm:
		in.small = grow(in.small, chunks*in.n)
		in.each(func(at int, x []float32) { use.roundSmall(&in.small[at], x) })
	}
	in.ready[f] = true
	return nil
}

// each runs fn for every chunk of every vector, with the number of its record.
func (in *Input) each(fn func(at int, x []float32)) {
	for v := range in.n {
		x := in.x[v*in.cols:][:in.cols]
		for at := v; len(x) > 0; at += in.n {
			size := min(len(x), chunk)
			fn(at, x[:size])
			x = x[size:]
		}
	}
}

func (in *Input) formFor(t *quant.Type) form {
	if l := layouts[t.Name]; l != nil && !in.Exact {
		return l.form
	}
	return floats
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// least is what counts as zero where no number is larger: 127 steps would not be
// finite as a factor.
const least = 0x1p-119

// roundSuper rounds a chunk as ggml's quantize_row_q8_K does: the largest
// magnitude becomes -127.
func roundSuper(r *superRecord, x []float32) {
	top := largest(x)
	r.d = 0
	switch {
	case abs(top) < least:
		r.q = [chunk]int8{}
	case top-top != 0: // not finite
		r.q, r.d = [chunk]int8{}, nan
	default:
		inv := -127 / top
		roundInto(r.q[:], x, inv)
		r.d = 1 / inv
	}
	for g := range r.sums16 {
		sum := 0
		for _, q := range r.q[16*g:][:16] {
			sum += int(q)
		}
		r.sums16[g] = int16(sum)
	}
	r.addSums()
}

// addSums makes sums32 of sums16.
func (r *superRecord) addSums() {
	for g := range r.sums32 {
		r.sums32[g] = r.sums16[2*g] + r.sums16[2*g+1]
	}
}

// roundSmall rounds up to a chunk as ggml's quantize_row_q8_0 does; the scales
// are halves.
func roundSmall(r *smallRecord, x []float32) {
	*r = smallRecord{}
	for b := 0; len(x) > 0; b++ {
		size := min(len(x), 32)
		top := abs(largest(x[:size]))
		q := r.q[32*b:][:32]
		switch {
		case top < least:
		case top-top != 0:
			r.d[b] = nan
		default:
			roundInto(q, x[:size], 127/top)
			r.d[b] = quant.F16ToF32(quant.F32ToF16(top / 127))
		}
		sum := int32(0)
		for _, v := range q {
			sum += int32(v)
		}
		r.sums[b] = -128 * sum
		x = x[size:]
	}
}

// largest is the first number of the largest magnitude, NaN if there is one.
func largest(x []float32) float32 {
	var top float32
	for _, v := range x {
		if v != v {
			return v
		}
		if abs(v) > abs(top) {
			top = v
		}
	}
	return top
}

// roundInto rounds x*inv to the nearest integers, ties to even.
func roundInto(q []int8, x []float32, inv float32) {
	const magic, magicBits = 3 << 22, 0x4b400000
	for i, v := range x {
		n := int32(math.Float32bits(float32(v*inv)+magic)) - magicBits
		q[i] = int8(max(min(n, 127), -127))
	}
}

func abs(f float32) float32 { return math.Float32frombits(math.Float32bits(f) & 0x7fffffff) }

var nan = float32(math.NaN())
