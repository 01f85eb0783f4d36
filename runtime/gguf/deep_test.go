package gguf

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/stretchr/testify/require"
)

// Real vocabularies survive a round trip to the byte.
func TestVocabularies(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "llamacpp/vocab"), "*.gguf"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		f, err := Open(context.Background(), path)
		require.NoError(t, err)
		tokens, ok := f.Strings("tokenizer.ggml.tokens")
		require.True(t, ok, path)
		require.Greater(t, len(tokens), 30_000)
		h, err := EncodeHeader(f.KVs, infos(f), 0)
		require.NoError(t, err)
		b := readFile(t, path)
		h.Bytes[4] = b[4] // older files say version 2
		require.Equal(t, b, h.Bytes[:len(b)], path)
	}
}

// The sizes of real files come out of their tensors' shapes alone.
func TestTrueShapes(t *testing.T) {
	for _, path := range []string{"shapes/gguf/Qwen3-30B-A3B-Q4_K_M.tensors.json", "shapes/gguf/gpt-oss-20b-mxfp4.tensors.json"} {
		var want struct {
			TensorBytes int64 `json:"tensor_bytes"`
			Tensors     []struct {
				Name   string
				Dims   []int64
				Type   string
				NBytes int64
			}
		}
		require.NoError(t, json.Unmarshal(readFile(t, sharedtest.Path(t, path)), &want))
		var tensors []TensorInfo
		for _, x := range want.Tensors {
			typ, ok := quant.Lookup(x.Type)
			require.True(t, ok, x.Type)
			tensors = append(tensors, TensorInfo{x.Name, x.Dims, typ})
		}
		header, file, err := HeaderSize(peerKVs, tensors, 0)
		require.NoError(t, err)
		require.Equal(t, want.TensorBytes, file-header, "no tensor needs padding")
		h, err := EncodeHeader(peerKVs, tensors, 0)
		require.NoError(t, err)
		f, err := Parse(hugeFile{h.Bytes}, file, "x")
		require.NoError(t, err)
		for i, x := range f.Tensors {
			require.Equal(t, want.Tensors[i].NBytes, x.Size, x.Name)
			require.Equal(t, want.Tensors[i].Dims, x.Dims)
		}
		// Shards hold it all, in order.
		shards, err := Split(peerKVs, tensors, 0, 2e9)
		require.NoError(t, err)
		next := 0
		for _, s := range shards {
			require.Equal(t, next, s.Start)
			require.LessOrEqual(t, s.Header.FileSize-int64(len(s.Header.Bytes)), int64(2e9))
			next = s.End
		}
		require.Equal(t, len(tensors), next)
	}
}
