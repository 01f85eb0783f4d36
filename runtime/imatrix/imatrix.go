// Package imatrix reads and writes importance matrices: for each tensor how
// large the inputs of its columns were, squared and summed over the tokens of a
// calibration text. Two forms are read, llama.cpp's GGUF files and the .dat
// files before them; the first is written.
package imatrix

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// File is an importance matrix. Its tensors' values are read when they are
// asked for, from the reader that Read was given.
type File struct {
	Datasets  []string // what it was made from
	Chunks    int      // how many pieces of text
	ChunkSize int      // tokens of one; 0: not known
	// Legacy says that it is a .dat file: how many tokens each expert saw is
	// not known then.
	Legacy  bool
	Tensors []Tensor // in the file's order
}

// Tensor is what a File knows of one tensor.
type Tensor struct {
	Name    string
	Columns int64 // of one expert's matrix
	Experts int   // 1 where the tensor is no stack
	// Counts are the tokens that each expert saw; nil in a legacy file.
	Counts []float64

	r      io.ReaderAt
	offset int64   // of the sums
	calls  float32 // what sums of a legacy file were multiplied by
}

// notIt begins the message on a file that is something else.
const notIt = "not an importance matrix"

// Read reads what is in a file of size bytes; name stands for it in messages.
func Read(r io.ReaderAt, size int64, name string) (*File, error) {
	var magic [4]byte
	if size < int64(len(magic)) {
		return nil, fmt.Errorf("%s: %s: it has %d bytes", name, notIt, size)
	}
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	read := readLegacy
	if string(magic[:]) == "GGUF" {
		read = readGGUF
	}
	f, err := read(r, size, name)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range f.Tensors {
		if t := &f.Tensors[i]; seen[t.Name] {
			return nil, fmt.Errorf("%s: tensor %s is there twice", name, t.Name)
		}
		seen[f.Tensors[i].Name] = true
	}
	return f, nil
}

// Values are the importances of an expert's columns: the mean of the squared
// inputs; all 1 for an expert that saw no token, as llama.cpp has it.
func (t *Tensor) Values(expert int) ([]float32, error) {
	if expert < 0 || expert >= t.Experts {
		return nil, fmt.Errorf("%s: expert %d of %d", t.Name, expert, t.Experts)
	}
	out := make([]float32, t.Columns)
	count := t.calls
	if t.Counts != nil {
		count = float32(t.Counts[expert])
		if count <= 0 {
			for i := range out {
				out[i] = 1
			}
			return out, nil
		}
	}
	raw := make([]byte, 4*t.Columns)
	if _, err := t.r.ReadAt(raw, t.offset+int64(expert)*int64(len(raw))); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	for i := range out {
		v := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if count > 0 {
			v /= count
		}
		if v < 0 || v-v != 0 {
			return nil, fmt.Errorf("%s: importance [%d, %d] is %v: the file is damaged, or the model that it was made with diverged", t.Name, expert, i, v)
		}
		out[i] = v
	}
	return out, nil
}

// Suffixes and keys of the GGUF form.
const (
	sumsSuffix   = ".in_sum2"
	countsSuffix = ".counts"

	generalType  = "general.type"
	imatrixType  = "imatrix"
	keyDatasets  = "imatrix.datasets"
	keyChunks    = "imatrix.chunk_count"
	keyChunkSize = "imatrix.chunk_size"
)

func readGGUF(r io.ReaderAt, size int64, name string) (*File, error) {
	g, err := gguf.Parse(r, size, name)
	if err != nil {
		return nil, err
	}
	if kind, _ := g.String(generalType); kind != imatrixType {
		return nil, fmt.Errorf("%s: %s: its general.type is %q", name, notIt, kind)
	}
	f := &File{}
	f.Datasets, _ = g.Strings(keyDatasets)
	f.Chunks = number(g, keyChunks)
	f.ChunkSize = number(g, keyChunkSize)
	for i := range g.Tensors {
		sums := &g.Tensors[i]
		base, ok := cutSuffix(sums.Name, sumsSuffix)
		if !ok {
			continue
		}
		counts, ok := g.Tensor(base + countsSuffix)
		if !ok {
			return nil, fmt.Errorf("%s: it has %s, but no %s%s", name, sums.Name, base, countsSuffix)
		}
		t, err := newTensor(r, base, sums, counts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.Tensors = append(f.Tensors, t)
	}
	if len(f.Tensors) == 0 {
		return nil, fmt.Errorf("%s: %s: it has no tensor", name, notIt)
	}
	return f, nil
}

func cutSuffix(s, suffix string) (string, bool) {
	n := len(s) - len(suffix)
	if n <= 0 || s[n:] != suffix {
		return s, false
	}
	return s[:n], true
}

// number is a count that the file gives, 0 where it is missing or makes no sense.
func number(g *gguf.File, key string) int {
	n, ok := g.Uint(key)
	if !ok || n > math.MaxInt32 {
		return 0
	}
	return int(n)
}

func newTensor(r io.ReaderAt, name string, sums, counts *gguf.Tensor) (Tensor, error) {
	t := Tensor{Name: name, r: r, offset: sums.Offset}
	for _, g := range []*gguf.Tensor{sums, counts} {
		if g.Type.Name != "f32" {
			return t, fmt.Errorf("%s is %s, not f32", g.Name, g.Type)
		}
	}
	n, experts := sums.Size/4, counts.Size/4
	if experts == 0 || n == 0 || n%experts != 0 {
		return t, fmt.Errorf("%s has %d sums for %d experts", name, n, experts)
	}
	raw := make([]byte, counts.Size)
	if _, err := r.ReadAt(raw, counts.Offset); err != nil {
		return t, fmt.Errorf("%s: %w", counts.Name, err)
	}
	t.Columns, t.Experts = n/experts, int(experts)
	t.Counts = make([]float64, experts)
	for i := range t.Counts {
		c := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if c < 0 || c-c != 0 {
			return t, fmt.Errorf("%s: count %d is %v", name, i, c)
		}
		t.Counts[i] = float64(c)
	}
	return t, nil
}
