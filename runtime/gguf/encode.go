package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// EncodeHeader builds everything that stands before the tensors' data. The
// data of tensor i goes to Offsets[i] and is followed by zeros up to the next
// multiple of the alignment, the last one's too. Alignment is that of the keys
// (0), or says the same as they do.
//
// The bytes are those that llama.cpp's writer produces for the same keys and
// tensors, so dimensions of 1 at the end of Dims are not written.
func EncodeHeader(kvs []KV, tensors []TensorInfo, alignment int64) (*Header, error) {
	l, err := layOut(kvs, tensors, alignment)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, l.header)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(kvs)))
	for _, kv := range kvs {
		b = appendKV(b, kv)
	}
	offsets := make([]int64, len(tensors))
	next := int64(0)
	for i := range tensors {
		t := &tensors[i]
		b = appendString(b, t.Name)
		dims := writtenDims(t.Dims)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(dims)))
		for _, d := range dims {
			b = binary.LittleEndian.AppendUint64(b, uint64(d))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Type.GGML))
		b = binary.LittleEndian.AppendUint64(b, uint64(next))
		offsets[i] = l.header + next
		next += pad(l.sizes[i], l.alignment)
	}
	b = append(b, make([]byte, l.header-int64(len(b)))...)
	return &Header{Bytes: b, Offsets: offsets, FileSize: l.file}, nil
}

// EncodeKVs encodes keys and values as they stand in a header, one after the
// other and without their count.
func EncodeKVs(kvs []KV) ([]byte, error) {
	if err := checkKVs(kvs); err != nil {
		return nil, err
	}
	b := make([]byte, 0, KVSize(kvs))
	for _, kv := range kvs {
		b = appendKV(b, kv)
	}
	return b, nil
}

// KVSize is the length of what EncodeKVs returns, for keys that it accepts.
func KVSize(kvs []KV) int64 {
	n := int64(0)
	for _, kv := range kvs {
		n += 8 + int64(len(kv.Key)) + 4 + valueSize(kv.Value)
	}
	return n
}

func checkKVs(kvs []KV) error {
	seen := make(map[string]bool, len(kvs))
	for _, kv := range kvs {
		if kv.Key == "" {
			return errors.New("a key is empty: give it a name")
		}
		if seen[kv.Key] {
			return fmt.Errorf("key %q is there twice", kv.Key)
		}
		seen[kv.Key] = true
		if err := checkValue(kv.Value, 0); err != nil {
			return fmt.Errorf("key %q: %w", kv.Key, err)
		}
	}
	return nil
}

func checkValue(v any, depth int) error {
	if _, _, ok := TypeOf(v); !ok {
		return fmt.Errorf("GGUF cannot hold a %T", v)
	}
	nested, ok := v.([]any)
	if !ok {
		return nil
	}
	if depth++; depth >= maxDepth {
		return fmt.Errorf("arrays are nested more than %d deep", maxDepth)
	}
	for _, e := range nested {
		if t, _, ok := TypeOf(e); !ok || t != Array {
			return fmt.Errorf("an array of arrays holds a %T", e)
		}
		if err := checkValue(e, depth); err != nil {
			return err
		}
	}
	return nil
}

// valueSize is the length of a value, without its type; for an array with the
// type and number of its elements.
func valueSize(v any) int64 {
	switch v := v.(type) {
	case string:
		return 8 + int64(len(v))
	case []string:
		n := int64(4 + 8)
		for _, s := range v {
			n += 8 + int64(len(s))
		}
		return n
	case []any:
		n := int64(4 + 8)
		for _, e := range v {
			n += valueSize(e)
		}
		return n
	}
	if t, _, ok := TypeOf(v); ok && t == Array {
		return 4 + 8 + int64(binary.Size(v))
	} else if ok {
		return t.width()
	}
	return 0
}

func appendKV(b []byte, kv KV) []byte {
	t, _, _ := TypeOf(kv.Value)
	b = appendString(b, kv.Key)
	b = binary.LittleEndian.AppendUint32(b, uint32(t))
	return appendValue(b, kv.Value)
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, v any) []byte {
	t, elem, ok := TypeOf(v)
	if !ok {
		panic(fmt.Sprintf("gguf: %T was not checked", v))
	}
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case []string:
		b = appendArrayHead(b, elem, len(v))
		for _, s := range v {
			b = appendString(b, s)
		}
		return b
	case []any:
		b = appendArrayHead(b, elem, len(v))
		for _, e := range v {
			b = appendValue(b, e)
		}
		return b
	}
	if t == Array {
		b = appendArrayHead(b, elem, binary.Size(v)/int(elem.width()))
	}
	b, err := binary.Append(b, binary.LittleEndian, v)
	if err != nil {
		panic(fmt.Sprintf("gguf: %T has no fixed size", v))
	}
	return b
}

func appendArrayHead(b []byte, elem ValueType, n int) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(elem))
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}
