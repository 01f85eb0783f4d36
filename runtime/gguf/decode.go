package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// value reads a value of type t.
func (r *reader) value(t ValueType, depth int) (any, error) {
	switch t {
	case String:
		return r.str()
	case Array:
		return r.array(depth)
	}
	width := t.width()
	if width == 0 {
		return nil, fmt.Errorf("unknown value type id %d: the file is damaged or newer than this program", uint32(t))
	}
	b, err := r.take(width)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	switch t {
	case Uint8:
		return b[0], nil
	case Int8:
		return int8(b[0]), nil
	case Uint16:
		return le.Uint16(b), nil
	case Int16:
		return int16(le.Uint16(b)), nil
	case Uint32:
		return le.Uint32(b), nil
	case Int32:
		return int32(le.Uint32(b)), nil
	case Float32:
		return math.Float32frombits(le.Uint32(b)), nil
	case Bool:
		if b[0] > 1 {
			return nil, fmt.Errorf("a bool is %d: the file is damaged", b[0])
		}
		return b[0] == 1, nil
	case Uint64:
		return le.Uint64(b), nil
	case Int64:
		return int64(le.Uint64(b)), nil
	default: // Float64
		return math.Float64frombits(le.Uint64(b)), nil
	}
}

func (r *reader) array(depth int) (any, error) {
	if depth++; depth > maxDepth {
		return nil, fmt.Errorf("arrays are nested more than %d deep", maxDepth)
	}
	if _, err := r.peek(4 + 8); err != nil {
		return nil, err
	}
	elem, count := ValueType(r.u32()), r.u64()
	width := elem.width()
	switch elem {
	case String:
		width = 8
	case Array:
		width = 4 + 8
	default:
		if width == 0 {
			return nil, fmt.Errorf("unknown element type id %d: the file is damaged or newer than this program", uint32(elem))
		}
	}
	if left := uint64(r.size - int64(r.pos)); count > left/uint64(width) {
		return nil, fmt.Errorf("an array claims %d elements of %s, more than fit the %d bytes after it: the file is damaged", count, elem, left)
	}
	n := int64(count)
	switch elem {
	case String:
		return r.strings(n)
	case Array:
		out := []any{}
		for range n {
			v, err := r.array(depth)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	b, err := r.take(n * width)
	if err != nil {
		return nil, err
	}
	switch elem {
	case Uint8:
		return slices.Clone(b), nil
	case Int8:
		return decode[int8](b, n), nil
	case Uint16:
		return decode[uint16](b, n), nil
	case Int16:
		return decode[int16](b, n), nil
	case Uint32:
		return decode[uint32](b, n), nil
	case Int32:
		return decode[int32](b, n), nil
	case Float32:
		return decode[float32](b, n), nil
	case Bool:
		for _, x := range b {
			if x > 1 {
				return nil, fmt.Errorf("a bool is %d: the file is damaged", x)
			}
		}
		return decode[bool](b, n), nil
	case Uint64:
		return decode[uint64](b, n), nil
	case Int64:
		return decode[int64](b, n), nil
	default: // Float64
		return decode[float64](b, n), nil
	}
}

// decode reads n values from b, which holds exactly that many.
func decode[T any](b []byte, n int64) []T {
	out := make([]T, n)
	if _, err := binary.Decode(b, binary.LittleEndian, out); err != nil {
		panic("gguf: " + err.Error()) // the length is right and T has a fixed size
	}
	return out
}
