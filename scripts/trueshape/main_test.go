package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	open "github.com/llama-pajamas/pj/runtime/model"
)

// TestHeaders holds the shards' headers against the SHA-256 of those that the
// models' owners published, one after the other.
func TestHeaders(t *testing.T) {
	for name, want := range map[string]string{
		"Qwen3-30B-A3B": "ef359684d0c6f381c966da76466579926517488953bcebce802d3b76d959a363",
		"gpt-oss-20b":   "b34530fcb4ead7b0abd68036c8c17deb976855435f7c8a8ed7f3b40d8f4d1ade",
	} {
		m := models[name]
		h := sha256.New()
		for _, shard := range split(m.tensors(), m.shardLimit) {
			h.Write(header(shard, m.metadata))
		}
		require.Equal(t, want, hex.EncodeToString(h.Sum(nil)), name)
	}
}

func TestVocabularies(t *testing.T) {
	for name, m := range models {
		words := m.tokenizer.vocabulary()
		require.Len(t, words, m.tokenizer.words, name)
		known := map[string]bool{}
		for _, w := range words {
			known[joined(w)] = true
		}
		require.Len(t, known, len(words), "%s: no word twice", name)
		pairs := m.tokenizer.pairs(words)
		require.Len(t, pairs, m.tokenizer.merges, name)
		once := map[[2]string]bool{}
		for _, p := range pairs {
			require.True(t, known[p[0]] && known[p[1]] && known[p[0]+p[1]], "%s: %q", name, p)
			once[p] = true
		}
		require.Len(t, once, len(pairs), "%s: no pair twice", name)
	}
}

// TestFolders opens what is written: whole and without weights, and one layer
// of holes.
func TestFolders(t *testing.T) {
	for name, m := range models {
		for _, layers := range []int{0, 1} {
			dir := t.TempDir()
			require.NoError(t, run(name, dir, layers, false))
			got, err := open.Open(t.Context(), dir, open.Options{})
			require.NoError(t, err, "%s, %d layers", name, layers)
			want := m.layers
			if layers > 0 {
				want = layers
			}
			require.Equal(t, want, got.Layers)
			require.NoError(t, got.Close())
		}
	}
}

// TestRandom writes a small shard twice.
func TestRandom(t *testing.T) {
	tensors := []tensor{{"a.weight", 0, "BF16", []int64{300, 7000}}, {"b_norm.weight", 0, "BF16", []int64{8}}, {"c_scales", 0, "U8", []int64{5}}}
	var all []string
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(t.TempDir(), name)
		size, err := writeShard(path, tensors, true, true)
		require.NoError(t, err)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Len(t, b, int(size))
		require.Equal(t, []byte{120, 120, 120, 120, 120}, b[len(b)-5:])
		require.Equal(t, []byte{0x80, 0x3f, 0x80, 0x3f}, b[len(b)-21:len(b)-17])
		all = append(all, string(b))
	}
	require.Equal(t, all[0], all[1])
}
