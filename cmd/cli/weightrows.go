package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/model"
)

// rowSource streams a tensor's rows, slice after slice.
type rowSource struct {
	w     *weights
	t     *weight
	skip  int64 // rows to leave out before the first
	slice int   // of t.slices, the one that rows reads
	rows  *model.RowReader
}

// Read decodes whole rows into dst and says how many; io.EOF after the last.
func (r *rowSource) Read(dst []float32) (rows int, err error) {
	for {
		if err := r.next(); err != nil {
			return 0, err
		}
		n, err := r.rows.Read(dst)
		if !errors.Is(err, io.EOF) {
			return n, r.named(err)
		}
		r.rows = nil
	}
}

// Raw copies whole rows as they are stored; io.EOF after the last.
func (r *rowSource) Raw(dst []byte) (rows int, err error) {
	for {
		if err := r.next(); err != nil {
			return 0, err
		}
		n, ok, err := r.rows.Raw(dst, r.t.Type)
		if !ok {
			return 0, fmt.Errorf("%s: tensor %s is not stored as %s", r.w.path, r.t.Name, r.t.Type)
		}
		if !errors.Is(err, io.EOF) {
			return n, r.named(err)
		}
		r.rows = nil
	}
}

// next makes sure that rows is a reader, of the slice whose turn it is.
func (r *rowSource) next() error {
	for r.rows == nil {
		if r.slice == len(r.t.slices) {
			return io.EOF
		}
		s := &r.t.slices[r.slice]
		r.slice++
		if r.skip >= s.Layout.Rows {
			r.skip -= s.Layout.Rows
			continue
		}
		if err := r.open(s); err != nil {
			return r.named(err)
		}
	}
	return nil
}

// open begins to read a slice, r.skip rows after its start.
func (r *rowSource) open(s *model.Slice) error {
	layout, parts := s.Layout, append([]model.Part(nil), s.Parts...)
	if plainLayout(layout) {
		bytes := r.t.Type.RowBytes(layout.Cols) * r.skip
		parts[0].Offset += bytes
		parts[0].Size -= bytes
		layout.Rows -= r.skip
		r.skip = 0
	}
	readers := make([]io.Reader, len(parts))
	for i, p := range parts {
		readers[i] = io.NewSectionReader(r.w.files[p.File].data, p.Offset, p.Size)
	}
	rows, err := model.NewRowReader(layout, readers)
	if err != nil {
		return err
	}
	row := make([]byte, r.t.Type.RowBytes(layout.Cols))
	for ; r.skip > 0; r.skip-- {
		if _, _, err := rows.Raw(row, r.t.Type); err != nil {
			return err
		}
	}
	r.rows = rows
	return nil
}

// plainLayout says that the rows lie in their one part as they are read.
func plainLayout(l model.Layout) bool {
	_, known := quant.Lookup(l.Encoding)
	return known && l.Values == nil && l.Stride <= 1 && l.First == 0 && !l.Columns && !l.Transpose && l.PermuteHeads == 0
}

// named says which tensor an error is about.
func (r *rowSource) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: tensor %s: %w", r.w.path, r.t.Name, err)
}
