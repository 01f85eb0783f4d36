package gguf

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/stretchr/testify/require"
)

// Type ids that the tests use.
const (
	idF32  = 0
	idF16  = 1
	idQ4_0 = 2
	idQ8_0 = 8
)

func typ(t testing.TB, id int) *quant.Type {
	t.Helper()
	typ, ok := quant.ByGGML(id)
	require.True(t, ok, "type id %d is not registered", id)
	return typ
}

// rawFile builds a file field by field, so that any of them can be wrong.
type rawFile struct {
	magic            string
	version          uint32
	tensors, kvs     uint64
	kvBytes, tiBytes []byte
	data             int // bytes of data after the padding to 32
}

func (r rawFile) bytes() []byte {
	b := []byte(r.magic)
	b = le32(b, r.version)
	b = le64(b, r.tensors)
	b = le64(b, r.kvs)
	b = append(b, r.kvBytes...)
	b = append(b, r.tiBytes...)
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return append(b, make([]byte, r.data)...)
}

func le32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
func le64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// rawKV is a key, a type and whatever follows it.
func rawKV(key string, t ValueType, value ...byte) []byte {
	return append(le32(appendString(nil, key), uint32(t)), value...)
}

// rawInfo is a tensor's info.
func rawInfo(name string, id uint32, offset uint64, dims ...uint64) []byte {
	b := le32(appendString(nil, name), uint32(len(dims)))
	for _, d := range dims {
		b = le64(b, d)
	}
	return le64(le32(b, id), offset)
}

// plain is a good file with one key and one tensor of 32 bytes.
func plain() rawFile {
	return rawFile{"GGUF", 3, 1, 1, rawKV("k", Uint8, 7), rawInfo("t", idF32, 0, 4, 2), 32}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func parseBytes(b []byte) (*File, error) {
	return Parse(bytes.NewReader(b), int64(len(b)), "x.gguf")
}

// infos are a file's tensors as they would be written.
func infos(f *File) []TensorInfo {
	out := make([]TensorInfo, len(f.Tensors))
	for i, t := range f.Tensors {
		out[i] = TensorInfo{t.Name, t.Dims, t.Type}
	}
	return out
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
