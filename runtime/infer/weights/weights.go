// Package weights gives a model's matrices as its files hold them: mapped into
// memory where the file has the bytes in order, else put together when they are
// first used.
package weights

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/llama-pajamas/pj/internal/mmap"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/model"
)

// Store holds a model's files open. Its matrices are not to be used after
// Close.
type Store struct {
	m     *model.Model
	files []*mmap.File
	index map[string]int
}

// Open maps a model's weight files. Nothing is read.
func Open(m *model.Model) (*Store, error) {
	s := &Store{m: m, index: make(map[string]int, len(m.Tensors))}
	for _, f := range m.Files {
		file, err := mmap.Open(f.Path)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.files = append(s.files, file)
		if int64(len(file.Bytes)) < f.Size {
			return nil, errors.Join(fmt.Errorf("%s: has %d bytes, and had %d a moment ago: it is being written", f.Path, len(file.Bytes), f.Size), s.Close())
		}
	}
	for i := range m.Tensors {
		s.index[m.Tensors[i].Name] = i
	}
	return s, nil
}

// Close unmaps the files. It may be called again.
func (s *Store) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Tensor finds a tensor by its name in GGUF.
func (s *Store) Tensor(name string) (*model.Tensor, bool) {
	i, ok := s.index[name]
	if !ok {
		return nil, false
	}
	return &s.m.Tensors[i], true
}

// Matrix is a matrix of weights: Rows rows of Cols weights of Type.
type Matrix struct {
	Name       string
	Type       *quant.Type
	Rows, Cols int

	store *Store
	slice *model.Slice

	mu    sync.Mutex
	built []byte // where the file has the bytes in another order
}

// Matrix gives slice i of a tensor: of stacked experts the i-th, else 0.
func (s *Store) Matrix(t *model.Tensor, i int) (*Matrix, error) {
	slice := &t.Slices[i]
	typ, err := slice.Layout.Type()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", slice.Name, err)
	}
	sizes, err := slice.Layout.PartSizes()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", slice.Name, err)
	}
	for j, p := range slice.Parts {
		if p.Size != sizes[j] || p.Offset < 0 || p.Offset > int64(len(s.files[p.File].Bytes))-p.Size {
			return nil, fmt.Errorf("%s: tensor %q does not lie within the file: it is cut off; download it again", s.m.Files[p.File].Path, slice.Name)
		}
	}
	return &Matrix{
		Name: slice.Name, Type: typ, Rows: int(slice.Layout.Rows), Cols: int(slice.Layout.Cols),
		store: s, slice: slice,
	}, nil
}

// Size is how many bytes the matrix takes.
func (m *Matrix) Size() int64 { return m.Type.RowBytes(int64(m.Cols)) * int64(m.Rows) }

// plain says that the file holds the rows as they are used.
func (m *Matrix) plain() bool {
	l := &m.slice.Layout
	return l.Encoding == m.Type.Name && l.Values == nil && l.Stride <= 1 && !l.Columns && !l.Transpose && l.PermuteHeads == 0
}

// Bytes are the rows, as Type stores them. They are read as they are touched,
// or here where they have to be put in order; not to be used after Forget or
// Close.
func (m *Matrix) Bytes() ([]byte, error) {
	if m.plain() {
		p := m.slice.Parts[0]
		return m.store.files[p.File].Bytes[p.Offset : p.Offset+p.Size : p.Offset+p.Size], nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.built == nil {
		b, err := m.build()
		if err != nil {
			return nil, err
		}
		m.built = b
	}
	return m.built, nil
}

func (m *Matrix) build() ([]byte, error) {
	r, err := m.rows()
	if err != nil {
		return nil, err
	}
	b := make([]byte, m.Size())
	if _, _, err := r.Raw(b, m.Type); err != nil {
		return nil, m.readError(err)
	}
	return b, nil
}

func (m *Matrix) rows() (*model.RowReader, error) {
	readers := make([]io.Reader, len(m.slice.Parts))
	for i, p := range m.slice.Parts {
		readers[i] = bytes.NewReader(m.store.files[p.File].Bytes[p.Offset : p.Offset+p.Size])
	}
	r, err := model.NewRowReader(m.slice.Layout, readers)
	if err != nil {
		return nil, m.readError(err)
	}
	return r, nil
}

func (m *Matrix) readError(err error) error {
	file := ""
	if len(m.slice.Parts) > 0 {
		file = m.store.m.Files[m.slice.Parts[0].File].Path + ": "
	}
	return fmt.Errorf("%stensor %q: %w", file, m.Name, err)
}

// Forget lets go of the memory that the matrix takes, until it is used again.
func (m *Matrix) Forget() {
	m.mu.Lock()
	m.built = nil
	m.mu.Unlock()
	for _, p := range m.slice.Parts {
		m.store.files[p.File].Forget(int(p.Offset), int(p.Size))
	}
}

// Floats reads the whole matrix as float32.
func (m *Matrix) Floats(ctx context.Context) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := m.rows()
	if err != nil {
		return nil, err
	}
	v := make([]float32, m.Rows*m.Cols)
	if _, err := r.Read(v); err != nil {
		return nil, m.readError(err)
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) {
			return nil, m.readError(fmt.Errorf("weight %d is not a number: the file is damaged; download it again", i))
		}
	}
	return v, nil
}
