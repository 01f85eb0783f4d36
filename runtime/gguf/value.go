package gguf

import (
	"fmt"
	"math"
)

// typeNames are the short names that GGUF tools print.
var typeNames = [...]string{"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "str", "arr", "u64", "i64", "f64"}

func (t ValueType) String() string {
	if int64(t) < int64(len(typeNames)) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// width is the size of a value in bytes; 0 for strings, arrays and unknown
// types.
func (t ValueType) width() int64 {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16:
		return 2
	case Uint32, Int32, Float32:
		return 4
	case Uint64, Int64, Float64:
		return 8
	}
	return 0
}

// TypeOf is the type under which a KV's value is stored; for an array, elem is
// the type of its elements (Array for an array of arrays). ok is false for Go
// types that GGUF cannot hold.
func TypeOf(v any) (t, elem ValueType, ok bool) {
	switch v.(type) {
	case uint8:
		return Uint8, 0, true
	case int8:
		return Int8, 0, true
	case uint16:
		return Uint16, 0, true
	case int16:
		return Int16, 0, true
	case uint32:
		return Uint32, 0, true
	case int32:
		return Int32, 0, true
	case float32:
		return Float32, 0, true
	case bool:
		return Bool, 0, true
	case string:
		return String, 0, true
	case uint64:
		return Uint64, 0, true
	case int64:
		return Int64, 0, true
	case float64:
		return Float64, 0, true
	case []uint8:
		return Array, Uint8, true
	case []int8:
		return Array, Int8, true
	case []uint16:
		return Array, Uint16, true
	case []int16:
		return Array, Int16, true
	case []uint32:
		return Array, Uint32, true
	case []int32:
		return Array, Int32, true
	case []float32:
		return Array, Float32, true
	case []bool:
		return Array, Bool, true
	case []string:
		return Array, String, true
	case []uint64:
		return Array, Uint64, true
	case []int64:
		return Array, Int64, true
	case []float64:
		return Array, Float64, true
	case []any:
		return Array, Array, true
	}
	return 0, 0, false
}

// Get returns a key's value.
func (f *File) Get(key string) (any, bool) {
	// A file has some fifty keys; a map would cost more than it saves.
	for i := range f.KVs {
		if f.KVs[i].Key == key {
			return f.KVs[i].Value, true
		}
	}
	return nil, false
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	if f.byName != nil {
		i, ok := f.byName[name]
		if !ok {
			return nil, false
		}
		return &f.Tensors[i], true
	}
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i], true
		}
	}
	return nil, false
}

// get is Get for one Go type: ok is false where the key holds another.
func get[T any](f *File, key string) (T, bool) {
	v, _ := f.Get(key)
	t, ok := v.(T)
	return t, ok
}

// String returns the value of a key that holds a string.
func (f *File) String(key string) (string, bool) { return get[string](f, key) }

// Bool returns the value of a key that holds a bool.
func (f *File) Bool(key string) (value, ok bool) { return get[bool](f, key) }

// Strings returns the value of a key that holds an array of strings.
func (f *File) Strings(key string) ([]string, bool) { return get[[]string](f, key) }

// Int32s returns the value of a key that holds an array of int32.
func (f *File) Int32s(key string) ([]int32, bool) { return get[[]int32](f, key) }

// Uint32s returns the value of a key that holds an array of uint32.
func (f *File) Uint32s(key string) ([]uint32, bool) { return get[[]uint32](f, key) }

// Float32s returns the value of a key that holds an array of float32.
func (f *File) Float32s(key string) ([]float32, bool) { return get[[]float32](f, key) }

// Bools returns the value of a key that holds an array of bools.
func (f *File) Bools(key string) ([]bool, bool) { return get[[]bool](f, key) }

// Uint returns the value of a key that holds an integer of any type which is
// not negative.
func (f *File) Uint(key string) (uint64, bool) {
	v, _ := f.Get(key)
	return toUint(v)
}

// Int returns the value of a key that holds an integer of any type which an
// int64 can hold.
func (f *File) Int(key string) (int64, bool) {
	v, _ := f.Get(key)
	return toInt(v)
}

// Float returns the value of a key that holds a float32 or float64.
func (f *File) Float(key string) (float64, bool) {
	switch v, _ := f.Get(key); v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// Ints returns the value of a key that holds an array of integers of any type
// which fit int64. Writers differ in the type of per-layer settings.
func (f *File) Ints(key string) ([]int64, bool) {
	switch v, _ := f.Get(key); v := v.(type) {
	case []uint8:
		return widen(v), true
	case []int8:
		return widen(v), true
	case []uint16:
		return widen(v), true
	case []int16:
		return widen(v), true
	case []uint32:
		return widen(v), true
	case []int32:
		return widen(v), true
	case []int64:
		return widen(v), true
	case []uint64:
		for _, x := range v {
			if x > math.MaxInt64 {
				return nil, false
			}
		}
		return widen(v), true
	}
	return nil, false
}

func widen[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64](v []T) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

func toUint(v any) (uint64, bool) {
	if v, ok := v.(uint64); ok {
		return v, true
	}
	n, ok := toInt(v)
	if !ok || n < 0 {
		return 0, false
	}
	return uint64(n), true
}
