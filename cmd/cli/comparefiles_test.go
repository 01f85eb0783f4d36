package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

func TestCompareFiles(t *testing.T) {
	dir := t.TempDir()
	f32, ok := quant.Lookup("f32")
	require.True(t, ok)
	f16, ok := quant.Lookup("f16")
	require.True(t, ok)
	write := func(name string, kvs []gguf.KV, tensors []gguf.TensorInfo, change func(b []byte, offsets []int64)) *gguf.File {
		h, err := gguf.EncodeHeader(kvs, tensors, 0)
		require.NoError(t, err)
		b := append(h.Bytes, make([]byte, h.FileSize-int64(len(h.Bytes)))...)
		if change != nil {
			change(b, h.Offsets)
		}
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o644))
		f, err := gguf.Open(t.Context(), path)
		require.NoError(t, err)
		return f
	}
	kvs := []gguf.KV{{Key: "a", Value: "one"}, {Key: "b", Value: uint32(2)}}
	tensors := []gguf.TensorInfo{{Name: "x", Dims: []int64{5}, Type: f32}, {Name: "y", Dims: []int64{4}, Type: f32}}
	was := write("was.gguf", kvs, tensors, nil)
	for _, tt := range []struct {
		name    string
		kvs     []gguf.KV
		tensors []gguf.TensorInfo
		change  func(b []byte, offsets []int64)
		want    string
	}{
		{"equal", kvs, tensors, nil, ""},
		{"value", []gguf.KV{kvs[0], {Key: "b", Value: uint32(3)}}, tensors, nil, "the key b is another one: 2, and 3 when built again"},
		{"missing key", kvs[:1], tensors, nil, "the key b is not there when it is built again"},
		{"more keys", append(kvs[:2:2], gguf.KV{Key: "c", Value: true}), tensors, nil, "the key c is there only when it is built again"},
		{"order", []gguf.KV{kvs[1], kvs[0]}, tensors, nil, "the key a stands where b stands when it is built again"},
		{"type", kvs, []gguf.TensorInfo{tensors[0], {Name: "y", Dims: []int64{4}, Type: f16}}, nil, "the tensor y is f32 4, and f16 4 when built again"},
		{"tensor", kvs, tensors[:1], nil, "the tensor y is not in its place when it is built again"},
		{"data", kvs, tensors, func(b []byte, offsets []int64) { b[offsets[1]+3] = 1 }, "the tensor y differs from its byte 3 on (byte "},
		{"padding", kvs, tensors, func(b []byte, offsets []int64) { b[offsets[0]+21] = 1 }, " is another one"},
	} {
		now := write("now.gguf", tt.kvs, tt.tensors, tt.change)
		got, err := compareFiles(t.Context(), was, []engine.ArtifactFile{{Path: now.Paths[0]}})
		require.NoError(t, err)
		if tt.want == "" {
			require.Empty(t, got, tt.name)
		} else {
			require.Contains(t, got, tt.want, tt.name)
		}
	}
	got, err := compareFiles(t.Context(), was, make([]engine.ArtifactFile, 2))
	require.NoError(t, err)
	require.Equal(t, "it has 1 file, and 2 were built", got)
}
