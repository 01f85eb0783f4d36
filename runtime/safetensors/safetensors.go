// Package safetensors reads the headers of safetensors files and the index of
// sharded models, strictly: whatever the header claims has been checked against
// the file's size before a Header is returned.
//
// A file is an 8-byte little-endian header length, a JSON object from tensor
// name to {dtype, shape, data_offsets} (and "__metadata__", strings to
// strings), then the tensors' bytes without gaps.
package safetensors

// Tensor is where a tensor's bytes lie.
type Tensor struct {
	Name   string
	DType  string  // as in the file: "BF16"
	Shape  []int64 // slowest dimension first; empty for a scalar
	Offset int64   // from the start of its file
	Size   int64   // in bytes
	File   int     // left 0 by ParseHeader, for callers that join shards
}

// Header is a parsed header.
type Header struct {
	Tensors   []Tensor          // by offset
	Metadata  map[string]string // nil if the file has none
	DataStart int64             // of the tensors' bytes, from the start of the file
}

// Index is a parsed model.safetensors.index.json.
type Index struct {
	WeightMap map[string]string // tensor name to shard's file name
	TotalSize int64             // of all tensors in bytes; 0 if the file does not say
}

// WriteTensor is a tensor for Write.
type WriteTensor struct {
	Name  string
	DType string
	Shape []int64
	Data  []byte
}

// DTypeSize is the size of an element in bytes; ok is false for a dtype that
// the program does not know.
func DTypeSize(dtype string) (bytes int, ok bool) {
	switch dtype {
	case "F64", "I64", "U64", "C64":
		return 8, true
	case "F32", "I32", "U32":
		return 4, true
	case "F16", "BF16", "I16", "U16":
		return 2, true
	case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0":
		return 1, true
	}
	return 0, false
}
