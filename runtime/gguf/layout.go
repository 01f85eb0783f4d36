package gguf

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/llama-pajamas/pj/kernels/quant"
)

const (
	magic       = "GGUF"
	fixedHeader = 4 + 4 + 8 + 8 // magic, version, tensor count, key count
	version     = 3
	maxDims     = 4
	// maxName is what llama.cpp can load: it keeps names in 64 bytes, the last
	// of them zero.
	maxName = 63
	// maxDepth bounds arrays of arrays, which no known writer makes.
	maxDepth = 8
	// minAlignment is the least that the format's description allows.
	minAlignment = 8
)

// Alignment is the alignment that a file with these keys has: its
// general.alignment, else DefaultAlignment.
func Alignment(kvs []KV) (int64, error) {
	for _, kv := range kvs {
		if kv.Key != KeyAlignment {
			continue
		}
		a, ok := kv.Value.(uint32)
		if !ok {
			return 0, fmt.Errorf("key %s is a %T: it must be a uint32", KeyAlignment, kv.Value)
		}
		if a < minAlignment || bits.OnesCount32(a) != 1 {
			return 0, fmt.Errorf("key %s is %d: it must be a power of two, at least %d", KeyAlignment, a, minAlignment)
		}
		return int64(a), nil
	}
	return DefaultAlignment, nil
}

// HeaderSize is the size of the header that EncodeHeader would build and of
// the whole file, without building it.
func HeaderSize(kvs []KV, tensors []TensorInfo, alignment int64) (header, file int64, err error) {
	l, err := layOut(kvs, tensors, alignment)
	if err != nil {
		return 0, 0, err
	}
	return l.header, l.file, nil
}

// HeaderSizeOf is HeaderSize for a file whose first keys take kvBytes (KVSize)
// and are not at hand; kvs come after them. An alignment is among kvs.
func HeaderSizeOf(kvBytes int64, kvs []KV, tensors []TensorInfo) (header, file int64, err error) {
	l, err := layOutAfter(kvBytes, kvs, tensors, 0)
	if err != nil {
		return 0, 0, err
	}
	return l.header, l.file, nil
}

// TensorSize is the size of a tensor's data in bytes, without padding.
func TensorSize(t TensorInfo) (int64, error) {
	if t.Type == nil {
		return 0, fmt.Errorf("tensor %q has no type", t.Name)
	}
	return dataSize(t.Name, t.Dims, t.Type)
}

// layout is the arithmetic of a file, checked.
type layout struct {
	alignment    int64
	header, file int64
	sizes        []int64 // of the tensors' data, without padding
}

func layOut(kvs []KV, tensors []TensorInfo, alignment int64) (*layout, error) {
	return layOutAfter(0, kvs, tensors, alignment)
}

func layOutAfter(kvBytes int64, kvs []KV, tensors []TensorInfo, alignment int64) (*layout, error) {
	if err := checkKVs(kvs); err != nil {
		return nil, err
	}
	own, err := Alignment(kvs)
	if err != nil {
		return nil, err
	}
	if alignment != 0 && alignment != own {
		return nil, fmt.Errorf("alignment %d: the keys say %d, and a reader goes by them: set the key %s (uint32) to %d",
			alignment, own, KeyAlignment, alignment)
	}
	l := &layout{alignment: own, header: fixedHeader + kvBytes + KVSize(kvs), sizes: make([]int64, len(tensors))}
	seen := make(map[string]bool, len(tensors))
	data := int64(0)
	for i := range tensors {
		t := &tensors[i]
		if err := checkInfo(t); err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q is there twice", t.Name)
		}
		seen[t.Name] = true
		l.header += 8 + int64(len(t.Name)) + 4 + 8*int64(len(writtenDims(t.Dims))) + 4 + 8
		if l.sizes[i], err = dataSize(t.Name, t.Dims, t.Type); err != nil {
			return nil, err
		}
		if l.sizes[i] > math.MaxInt64/2-data {
			return nil, fmt.Errorf("tensor %q: the file would be larger than %d bytes", t.Name, int64(math.MaxInt64/2))
		}
		data += pad(l.sizes[i], own)
	}
	l.header = pad(l.header, own)
	l.file = l.header + data
	return l, nil
}

func checkInfo(t *TensorInfo) error {
	switch {
	case t.Name == "":
		return errors.New("a tensor has no name")
	case len(t.Name) > maxName:
		return fmt.Errorf("tensor %q: the name has %d bytes, and llama.cpp reads at most %d: shorten it", t.Name, len(t.Name), maxName)
	case t.Type == nil:
		return fmt.Errorf("tensor %q has no type", t.Name)
	case t.Type.GGML < 0:
		return fmt.Errorf("tensor %q: GGUF has no type %s: choose a type that it has", t.Name, t.Type.Name)
	}
	return nil
}

// dataSize checks a shape against its type and counts its bytes.
func dataSize(name string, dims []int64, typ *quant.Type) (int64, error) {
	if len(dims) > maxDims {
		return 0, fmt.Errorf("tensor %q has %d dimensions: GGUF allows %d", name, len(dims), maxDims)
	}
	n := int64(1)
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("tensor %q: dimension %d of %v is negative", name, d, dims)
		}
		hi, lo := bits.Mul64(uint64(n), uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("tensor %q: the product of the dimensions %v is too large", name, dims)
		}
		n = int64(lo)
	}
	ne0 := int64(1)
	if len(dims) > 0 {
		ne0 = dims[0]
	}
	if ne0%int64(typ.Block) != 0 {
		return 0, fmt.Errorf("tensor %q: its rows have %d weights, not a multiple of %d, the block of %s", name, ne0, typ.Block, typ)
	}
	hi, lo := bits.Mul64(uint64(n/int64(typ.Block)), uint64(typ.Bytes))
	if hi != 0 || lo > math.MaxInt64/2 {
		return 0, fmt.Errorf("tensor %q: %v weights of %s are too many bytes", name, dims, typ)
	}
	return int64(lo), nil
}

// writtenDims leaves trailing dimensions of 1 out, and gives a scalar one
// dimension, as ggml does.
func writtenDims(dims []int64) []int64 {
	for len(dims) > 1 && dims[len(dims)-1] == 1 {
		dims = dims[:len(dims)-1]
	}
	if len(dims) == 0 {
		return []int64{1}
	}
	return dims
}

func pad(n, alignment int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }
