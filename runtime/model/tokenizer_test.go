package model

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
	"github.com/stretchr/testify/require"
)

func TestOpenTokenizer(t *testing.T) {
	models := filepath.Join("..", "..", "examples", "models")
	want := map[string]int{"nano-qwen3moe": 2048, "nano-gptoss": 2048}
	for name, size := range want {
		dir := filepath.Join(models, name)
		direct, err := OpenTokenizer(t.Context(), dir)
		require.NoError(t, err)
		require.Equal(t, size, direct.VocabSize())

		// From a GGUF file of the same model.
		m, err := Open(t.Context(), dir, Options{})
		require.NoError(t, err)
		defer m.Close()
		kvs, err := m.Metadata(t.Context())
		require.NoError(t, err)
		h, err := gguf.EncodeHeader(kvs, nil, gguf.DefaultAlignment)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "m.gguf")
		require.NoError(t, os.WriteFile(path, h.Bytes, 0o600))
		again, err := OpenTokenizer(t.Context(), path)
		require.NoError(t, err)

		// From the small files alone.
		alone := t.TempDir()
		b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(alone, "tokenizer.json"), b, 0o600))
		small, err := OpenTokenizer(t.Context(), alone)
		require.NoError(t, err)

		const text = "The cat sat on 12 mats.<|im_end|><|return|>\n\té"
		ids := direct.Encode(nil, text, tokenizer.EncodeOptions{})
		require.Equal(t, ids, again.Encode(nil, text, tokenizer.EncodeOptions{}))
		require.Equal(t, ids, small.Encode(nil, text, tokenizer.EncodeOptions{}))
		require.Equal(t, text, again.Decode(ids, tokenizer.DecodeOptions{}))
	}
	_, err := OpenTokenizer(t.Context(), "none")
	require.ErrorContains(t, err, "no such file")
	_, err = OpenTokenizer(t.Context(), t.TempDir())
	require.ErrorContains(t, err, "there is no tokenizer")
	bad := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bad, "config.json"), []byte(`{"vocab_size":-1}`), 0o600))
	_, err = OpenTokenizer(t.Context(), bad)
	require.ErrorContains(t, err, "vocab_size")
}
