package gguf

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

const (
	// minKV and minInfo are the fewest bytes that a key with its value and a
	// tensor's info take; they bound the counts that a file can claim.
	minKV   = 8 + 1 + 4 + 1
	minInfo = 8 + 4 + 4 + 8
	// prealloc bounds what is allocated for a count before its items were seen.
	prealloc = 1 << 14
)

// Parse reads the header of one file of the given size; name stands for it in
// errors and in Paths. The tensors' data is not read. What comes back is
// consistent: keys and tensor names are unique, and each tensor's data lies
// within the file, aligned, and overlaps no other.
func Parse(r io.ReaderAt, size int64, name string) (*File, error) {
	f, err := parse(&reader{r: r, size: size})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.Paths, f.Sizes = []string{name}, []int64{size}
	return f, nil
}

func parse(r *reader) (*File, error) {
	f := &File{}
	nTensors, nKVs, err := parseFixed(r, f)
	if err != nil {
		return nil, err
	}
	if err := parseKVs(r, f, nKVs); err != nil {
		return nil, err
	}
	if f.Alignment, err = Alignment(f.KVs); err != nil {
		return nil, err
	}
	if err := parseInfos(r, f, nTensors); err != nil {
		return nil, err
	}
	if err := place(f, pad(int64(r.pos), f.Alignment), r.size); err != nil {
		return nil, err
	}
	return f, nil
}

// parseFixed reads magic, version and counts.
func parseFixed(r *reader, f *File) (tensors, kvs int64, err error) {
	head, err := r.peek(fixedHeader)
	if err != nil {
		return 0, 0, err
	}
	if strings.HasPrefix(string(head), "version https:") {
		return 0, 0, errors.New("this is a git-lfs pointer, not the model: run git lfs pull")
	}
	if string(head[:4]) != magic {
		return 0, 0, fmt.Errorf("not a GGUF file: it starts with %q instead of %q", head[:4], magic)
	}
	r.pos = 4
	f.Version = r.u32()
	switch {
	case f.Version == 1:
		return 0, 0, errors.New("GGUF version 1 is too old to read: convert the model again")
	case f.Version == bits.ReverseBytes32(2) || f.Version == bits.ReverseBytes32(3):
		return 0, 0, errors.New("a big-endian GGUF file: convert it to little-endian, for example with gguf_convert_endian.py of llama.cpp")
	case f.Version != 2 && f.Version != 3:
		return 0, 0, fmt.Errorf("GGUF version %d: this program reads versions 2 and 3", f.Version)
	}
	nTensors, nKVs := r.u64(), r.u64()
	room := uint64(min(r.size, maxHeader) - fixedHeader)
	if nKVs > room/minKV {
		return 0, 0, fmt.Errorf("the header claims %d keys, more than fit the %d bytes after it: the file is damaged", nKVs, room)
	}
	if nTensors > room/minInfo {
		return 0, 0, fmt.Errorf("the header claims %d tensors, more than fit the %d bytes after it: the file is damaged", nTensors, room)
	}
	return int64(nTensors), int64(nKVs), nil
}

func parseKVs(r *reader, f *File, n int64) error {
	f.KVs = make([]KV, 0, min(n, prealloc))
	seen := make(map[string]bool, cap(f.KVs))
	for i := range n {
		key, err := r.str()
		if err != nil {
			return fmt.Errorf("key %d of %d: %w", i+1, n, err)
		}
		if key == "" {
			return fmt.Errorf("key %d of %d is empty: the file is damaged", i+1, n)
		}
		if seen[key] {
			return fmt.Errorf("key %q is there twice: the file is damaged", key)
		}
		seen[key] = true
		if _, err := r.peek(4); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		v, err := r.value(ValueType(r.u32()), 0)
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		f.KVs = append(f.KVs, KV{key, v})
	}
	return nil
}

// parseInfos reads the tensors' infos. Offset is left as the file has it: from
// the start of the data.
func parseInfos(r *reader, f *File, n int64) error {
	f.Tensors = make([]Tensor, 0, min(n, prealloc))
	f.byName = make(map[string]int, cap(f.Tensors))
	for i := range n {
		name, err := r.str()
		if err != nil {
			return fmt.Errorf("tensor %d of %d: %w", i+1, n, err)
		}
		if name == "" {
			return fmt.Errorf("tensor %d of %d has no name: the file is damaged", i+1, n)
		}
		if _, dup := f.byName[name]; dup {
			return fmt.Errorf("tensor %q is there twice: the file is damaged", name)
		}
		f.byName[name] = int(i)
		t, err := parseInfo(r, name)
		if err != nil {
			return err
		}
		f.Tensors = append(f.Tensors, t)
	}
	return nil
}

func parseInfo(r *reader, name string) (Tensor, error) {
	t := Tensor{Name: name}
	if _, err := r.peek(4); err != nil {
		return t, fmt.Errorf("tensor %q: %w", name, err)
	}
	n := r.u32()
	if n > maxDims {
		return t, fmt.Errorf("tensor %q has %d dimensions: GGUF allows %d, so the file is damaged", name, n, maxDims)
	}
	if _, err := r.peek(8*int64(n) + 4 + 8); err != nil {
		return t, fmt.Errorf("tensor %q: %w", name, err)
	}
	t.Dims = make([]int64, n)
	for i := range t.Dims {
		d := r.u64()
		if d > math.MaxInt64 {
			return t, fmt.Errorf("tensor %q: dimension %d is %d, too large: the file is damaged", name, i, d)
		}
		t.Dims[i] = int64(d)
	}
	id, offset := r.u32(), r.u64()
	typ, ok := (*quant.Type)(nil), false
	if id <= math.MaxInt32 {
		typ, ok = quant.ByGGML(int(id))
	}
	if !ok {
		return t, fmt.Errorf("tensor %q has type id %d, which this program does not know: quantize the model again to a type that it knows", name, id)
	}
	t.Type = typ
	size, err := dataSize(name, t.Dims, typ)
	if err != nil {
		return t, fmt.Errorf("%w: the file is damaged", err)
	}
	if offset > math.MaxInt64/4 {
		return t, fmt.Errorf("tensor %q: offset %d is too large: the file is damaged", name, offset)
	}
	t.Offset, t.Size = int64(offset), size
	return t, nil
}

// place makes the offsets absolute and checks where the data lies.
func place(f *File, start, size int64) error {
	end, inOrder := int64(0), true // of the data so far
	var outside *Tensor
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.Offset%f.Alignment != 0 {
			return fmt.Errorf("tensor %q: offset %d is not a multiple of the alignment %d: the file is damaged", t.Name, t.Offset, f.Alignment)
		}
		t.Offset += start
		inOrder = inOrder && t.Offset >= end
		end = max(end, t.Offset+t.Size)
		if outside == nil && end > size {
			outside = t
		}
	}
	if outside != nil {
		return fmt.Errorf("tensor %q: its %d bytes at offset %d end past the end of the file, which has %d bytes: %d bytes are missing; copy or download the file again",
			outside.Name, outside.Size, outside.Offset, size, end-size)
	}
	if inOrder {
		return nil
	}
	sorted := make([]*Tensor, 0, len(f.Tensors))
	for i := range f.Tensors {
		if f.Tensors[i].Size > 0 {
			sorted = append(sorted, &f.Tensors[i])
		}
	}
	slices.SortStableFunc(sorted, func(a, b *Tensor) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	for i := 1; i < len(sorted); i++ {
		a, b := sorted[i-1], sorted[i]
		if a.Offset+a.Size > b.Offset {
			return fmt.Errorf("tensor %q: its data at offset %d overlaps that of tensor %q, %d bytes at offset %d: the file is damaged",
				b.Name, b.Offset, a.Name, a.Size, a.Offset)
		}
	}
	return nil
}
