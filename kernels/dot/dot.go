// Package dot multiplies matrices of quantized weights with vectors of
// activations. Activations are rounded to 8-bit integers as ggml does it, once
// for all matrices that they meet; sums of a block are exact integers, and
// what blocks add up to is rounded in one order, whatever the implementation,
// the rows of a call or the number of vectors.
package dot

import (
	"fmt"
	"sync"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// RowStep is the number of rows that kernels take together. Whoever divides a
// matrix among threads should cut at multiples of it: other cuts give the same
// numbers, slower.
const RowStep = 16

// MulRows multiplies rows of w, each in.Cols weights of type t, with all
// vectors of in: dst[v*stride+r] is row r times vector v. in was prepared for
// t. Calls for different rows may run at once.
func MulRows(t *quant.Type, dst []float32, stride int, w []byte, rows int, in *Input) error {
	return mulRows(t, dst, stride, w, rows, in, nil, in.n)
}

// MulRowsOf is MulRows with the vectors idx alone, in that order:
// dst[i*stride+r] is row r times vector idx[i].
func MulRowsOf(t *quant.Type, dst []float32, stride int, w []byte, rows int, in *Input, idx []int) error {
	for _, v := range idx {
		if v < 0 || v >= in.n {
			return fmt.Errorf("product with %s: vector %d of %d", t, v, in.n)
		}
	}
	if len(idx) == 0 {
		return nil
	}
	return mulRows(t, dst, stride, w, rows, in, idx, len(idx))
}

func mulRows(t *quant.Type, dst []float32, stride int, w []byte, rows int, in *Input, idx []int, n int) error {
	if rows <= 0 || n == 0 {
		return nil
	}
	f := in.formFor(t)
	if err := checkCols(t, in.cols); err != nil {
		return err
	}
	if !in.ready[f] {
		return fmt.Errorf("product with %s: the input has no %s; call Prepare after Set", t, f)
	}
	bytes := int(t.RowBytes(int64(in.cols)))
	if len(w)/bytes < rows {
		return fmt.Errorf("product with %s: %d bytes of weights where %d rows of %d take %d", t, len(w), rows, in.cols, rows*bytes)
	}
	if n > 1 && stride < rows || len(dst) < rows || (len(dst)-rows)/max(stride, 1) < n-1 {
		return fmt.Errorf("product with %s: %d numbers of room for %d vectors of %d rows, %d apart", t, len(dst), n, rows, stride)
	}
	l := layouts[t.Name]
	if l != nil && l.form != f {
		l = nil
	}
	p := in.products.get()
	scratch := p.scratch
	*p = product{t: t, l: l, dst: dst, stride: stride, w: w, bytes: bytes, rows: rows, in: in, idx: idx, n: n, scratch: scratch}
	use.mul(p)
	*p = product{scratch: scratch} // holds on to nothing
	in.products.put(p)
	return nil
}

func checkCols(t *quant.Type, cols int) error {
	if cols%t.Block != 0 {
		return fmt.Errorf("product with %s: rows of %d weights are no multiple of its block of %d", t, cols, t.Block)
	}
	return nil
}

// product is one call's work, checked.
type product struct {
	t      *quant.Type
	l      *layout // nil: by dequantized weights
	dst    []float32
	stride int
	w      []byte
	bytes  int // of a row
	rows   int
	in     *Input
	idx    []int // nil: all vectors
	n      int

	dequantize bool // weights before they are multiplied
	*scratch
}

// scratch is what a call needs room for.
type scratch struct {
	panel   panel // first, so that it lies as the allocator's sizes do: well
	sums    [manyVectors][RowStep]float32
	offsets [manyVectors]int
	decoded [RowStep][chunk]float32
	unit    unit
	padded  []byte // fewer than RowStep rows, and rows of zeros
}

// products are kept for calls to come.
type products struct{ pool sync.Pool }

func (s *products) get() *product {
	if p, ok := s.pool.Get().(*product); ok {
		return p
	}
	return &product{scratch: new(scratch)}
}

func (s *products) put(p *product) { s.pool.Put(p) }

// vector is the number, within the input, of the product's vector i.
func (p *product) vector(i int) int {
	if p.idx == nil {
		return i
	}
	return p.idx[i]
}
