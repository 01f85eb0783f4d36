// Package gguf reads and writes the GGUF container: typed keys and values, the
// table of tensors, and where their bytes lie. It knows no model.
//
// Files are little-endian: magic, version, counts, key/value pairs, tensor
// infos, padding to the alignment, then each tensor's data padded to the
// alignment. Versions 2 and 3 are read, version 3 is written.
package gguf

import "github.com/llama-pajamas/pj/kernels/quant"

// ValueType is the id that says how a value is stored.
type ValueType uint32

const (
	Uint8   ValueType = 0
	Int8    ValueType = 1
	Uint16  ValueType = 2
	Int16   ValueType = 3
	Uint32  ValueType = 4
	Int32   ValueType = 5
	Float32 ValueType = 6
	Bool    ValueType = 7
	String  ValueType = 8
	Array   ValueType = 9
	Uint64  ValueType = 10
	Int64   ValueType = 11
	Float64 ValueType = 12
)

// Well-known keys that the container itself gives a meaning.
const (
	KeyAlignment         = "general.alignment"   // uint32, a power of two
	KeySplitNo           = "split.no"            // uint16, from 0
	KeySplitCount        = "split.count"         // uint16
	KeySplitTensorsCount = "split.tensors.count" // int32, over all shards
)

// DefaultAlignment is the alignment of a file that has no general.alignment.
const DefaultAlignment = 32

// KV is one key with its value. Value is a uint8, int8, uint16, int16, uint32,
// int32, uint64, int64, float32, float64, bool or string, a slice of one of
// these, or []any for an array of arrays, whose elements are such slices.
type KV struct {
	Key   string
	Value any
}

// TensorInfo is a tensor that is to be written.
type TensorInfo struct {
	Name string
	Dims []int64 // ne0 (the row's length) first; at most 4
	Type *quant.Type
}

// Tensor is a tensor of a file.
type Tensor struct {
	Name   string
	Dims   []int64 // ne0 (the row's length) first; at most 4
	Type   *quant.Type
	Offset int64 // of the data, from the start of its file
	Size   int64 // of the data in bytes, without padding
	File   int   // index into File.Paths
}

// File is a parsed GGUF file, or all shards of a split one. Treat it as
// read-only; it holds no open files.
type File struct {
	Version uint32
	// KVs are in the order of the file; those of a split file are its first
	// shard's. Open leaves the split.* keys out, since a File is the whole.
	KVs []KV
	// Tensors are in the order of their infos, shard after shard.
	Tensors   []Tensor
	Alignment int64
	Paths     []string // one per shard
	Sizes     []int64  // of the files in bytes, one per shard

	byName map[string]int // index into Tensors; nil in a File that a caller built
}

// Header is the part of a file before the tensors' data.
type Header struct {
	Bytes    []byte  // up to and including the padding before the data
	Offsets  []int64 // of each tensor's data, from the start of the file
	FileSize int64   // of the whole file, each tensor's data padded, the last one's too
}

// Shard is one file of a split model.
type Shard struct {
	KVs        []KV
	Start, End int // the shard's tensors are tensors[Start:End]
	Header     *Header
}
