package model

import (
	"fmt"
	"math/bits"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// hubMXFP4 is the encoding of MXFP4 as the hub stores it: a part of blocks and
// a part of scales.
const hubMXFP4 = "mxfp4_hub"

// chunkBytes is about how much a RowReader reads at a time.
const chunkBytes = 256 << 10

// Layout says how the bytes of a slice's parts become rows of weights. Its JSON
// is part of the key of whatever is made of the slice.
type Layout struct {
	// Encoding is the name of a type of package quant, or "mxfp4_hub".
	Encoding string `json:"encoding"`
	// Rows and Cols are those of the result.
	Rows int64 `json:"rows"`
	Cols int64 `json:"cols"`
	// First and Stride, where Stride is not 0, say that the part has
	// Rows*Stride rows of which row First + i*Stride is row i of the result.
	First  int64 `json:"first,omitempty"`
	Stride int64 `json:"stride,omitempty"`
	// Columns makes First, Stride and PermuteHeads count single weights, in the
	// order in which they are stored, instead of rows.
	Columns bool `json:"columns,omitempty"`
	// Transpose says that the part is stored [cols, rows].
	Transpose bool `json:"transpose,omitempty"`
	// PermuteHeads, the number of heads, says that in each head the rows of the
	// first half and of the second are to alternate, as llama.cpp wants the
	// rotary dimensions of the architecture llama.
	PermuteHeads int `json:"permute_heads,omitempty"`
	// Values are the weights themselves where they are computed; there are no
	// parts then, and Encoding is "f32".
	Values []float32 `json:"values,omitempty"`
}

// Type is the type that the rows have before they are decoded.
func (l Layout) Type() (*quant.Type, error) {
	name := l.Encoding
	if name == hubMXFP4 {
		name = "mxfp4"
	}
	t, ok := quant.Lookup(name)
	if !ok || t.Name != name {
		return nil, fmt.Errorf("layout: encoding %q is not known", l.Encoding)
	}
	return t, nil
}

// parts is the number of parts that the encoding takes.
func (l Layout) parts() int {
	switch {
	case l.Values != nil:
		return 0
	case l.Encoding == hubMXFP4:
		return 2
	}
	return 1
}

// whole says that the result is put together in memory before it is read.
func (l Layout) whole() bool { return l.Transpose || l.Columns }

// check makes sure that all sizes that follow from the layout fit an int and
// that its wishes go together.
func (l Layout) check() (*quant.Type, error) {
	t, err := l.Type()
	if err != nil {
		return nil, err
	}
	if l.Rows <= 0 || l.Cols <= 0 || l.Cols%int64(t.Block) != 0 {
		return nil, fmt.Errorf("layout: %d x %d weights of %s, whose blocks have %d", l.Rows, l.Cols, l.Encoding, t.Block)
	}
	stride := max(l.Stride, 1)
	n, over := uint64(l.Rows), false
	for _, m := range []uint64{uint64(l.Cols), uint64(stride), uint64(t.Bytes)} {
		hi, lo := bits.Mul64(n, m)
		n, over = lo, over || hi != 0 || lo > 1<<62
	}
	if over || l.Stride < 0 || l.First < 0 || l.First >= stride {
		return nil, fmt.Errorf("layout: row %d and every %dth after it of %d x %d weights is not possible", l.First, l.Stride, l.Rows, l.Cols)
	}
	if l.whole() && (t.Block != 1 || l.Transpose && l.Columns) {
		return nil, fmt.Errorf("layout: weights of %s cannot be transposed or taken one by one", l.Encoding)
	}
	if l.PermuteHeads != 0 {
		units := l.Rows
		if l.Columns {
			units = l.Rows * l.Cols
		}
		if l.PermuteHeads < 0 || l.Transpose || l.Stride > 1 || units%(2*int64(l.PermuteHeads)) != 0 {
			return nil, fmt.Errorf("layout: %d rows cannot be put in rotary order for %d heads", units, l.PermuteHeads)
		}
	}
	if l.Values != nil && (int64(len(l.Values)) != l.Rows*l.Cols || l.Encoding != "f32" || l.whole() || l.PermuteHeads != 0 || stride != 1) {
		return nil, fmt.Errorf("layout: %d values for %d x %d weights", len(l.Values), l.Rows, l.Cols)
	}
	return t, nil
}

// chunkRows is the number of result rows that are made at a time.
func (l Layout) chunkRows(t *quant.Type) int64 {
	switch {
	case l.whole():
		return l.Rows
	case l.PermuteHeads != 0:
		return l.Rows / int64(l.PermuteHeads)
	}
	return min(l.Rows, max(1, chunkBytes/(t.RowBytes(l.Cols)*max(l.Stride, 1))))
}

// Memory is about how many bytes a RowReader of the layout holds: the whole
// result where it is transposed, a head where rows are permuted, else a chunk.
func (l Layout) Memory() int64 {
	t, err := l.check()
	if err != nil || l.Values != nil {
		return 0
	}
	row := t.RowBytes(l.Cols)
	chunk := l.chunkRows(t) * row
	if l.whole() {
		return chunk + chunkBytes
	}
	return chunk + chunk*max(l.Stride, 1)
}

// PartSizes are the bytes that each part of a slice has.
func (l Layout) PartSizes() ([]int64, error) {
	t, err := l.check()
	if err != nil {
		return nil, err
	}
	rows := l.Rows * max(l.Stride, 1)
	switch l.parts() {
	case 0:
		return nil, nil
	case 2:
		blocks := rows * (l.Cols / 32)
		return []int64{blocks * 16, blocks}, nil
	}
	return []int64{rows * t.RowBytes(l.Cols)}, nil
}
