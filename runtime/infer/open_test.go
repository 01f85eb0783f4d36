package infer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// What does not fit together is an error before any work, which says what.
func TestOpenErrors(t *testing.T) {
	base := smallShape("qwen3moe")
	for name, test := range map[string]struct {
		change func(kvs []gguf.KV, all []weight) ([]gguf.KV, []weight)
		want   string
	}{
		"architecture":    {set("general.architecture", "mamba"), `architecture "mamba" cannot be run; those that can are [gpt-oss llama qwen3 qwen3moe]`},
		"no layers":       {set("qwen3moe.block_count", nil), "block_count is missing"},
		"more layers":     {set("qwen3moe.block_count", uint32(3)), `tensor "blk.2.attn_norm.weight" is missing`},
		"fewer layers":    {set("qwen3moe.block_count", uint32(1)), "blk.1."},
		"no size":         {set("qwen3moe.embedding_length", nil), "embedding_length is missing"},
		"size":            {set("qwen3moe.embedding_length", uint32(128)), "has the shape [64"},
		"size of a kind":  {set("qwen3moe.embedding_length", "64"), "embedding_length"},
		"huge":            {set("qwen3moe.embedding_length", uint32(1<<31)), "damaged"},
		"zero heads":      {set("qwen3moe.attention.head_count", uint32(0)), "whole number"},
		"heads":           {set("qwen3moe.attention.head_count", uint32(3)), "3 heads"},
		"experts":         {set("qwen3moe.expert_count", uint32(8)), "blk.0.ffn_gate_inp.weight"},
		"experts used":    {set("qwen3moe.expert_used_count", uint32(5)), "5 "},
		"eps":             {set("qwen3moe.attention.layer_norm_rms_epsilon", float32(-1)), "a number from 0 to 1"},
		"rope":            {set("qwen3moe.rope.scaling.type", "spiral"), `"spiral"; known are linear and yarn`},
		"rope dimensions": {set("qwen3moe.rope.dimension_count", uint32(34)), "cannot be turned"},
		"rules":           {set("pj.kv", "[]"), "rules of 0 layers"},
		"missing":         {drop("blk.1.attn_k.weight"), `tensor "blk.1.attn_k.weight" is missing`},
		"no embedding":    {drop("token_embd.weight"), `token_embd.weight`},
		"left over":       {rename("output.weight", "blk.0.attn_q.extra"), "attn_q.extra"},
		"another form":    {rename("blk.0.attn_q_norm.weight", "blk.0.attn_q_norm.bias"), `is missing`},
	} {
		t.Run(name, func(t *testing.T) {
			kvs, all := test.change(base.keys(), base.weights())
			path := writeGGUF(t, kvs, all)
			_, err := Open(context.Background(), path, Options{})
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, path)
		})
	}
	_, err := Open(context.Background(), filepath.Join(t.TempDir(), "none"), Options{})
	require.ErrorContains(t, err, "there is no such file")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Open(ctx, base.write(t), Options{})
	require.ErrorIs(t, err, context.Canceled)
}

type change = func(kvs []gguf.KV, all []weight) ([]gguf.KV, []weight)

// set replaces a key, or takes it out.
func set(key string, v any) change {
	return func(kvs []gguf.KV, all []weight) ([]gguf.KV, []weight) {
		var out []gguf.KV
		for _, kv := range kvs {
			if kv.Key != key {
				out = append(out, kv)
			}
		}
		if v != nil {
			out = append(out, gguf.KV{Key: key, Value: v})
		}
		return out, all
	}
}

func drop(name string) change {
	return func(kvs []gguf.KV, all []weight) ([]gguf.KV, []weight) {
		var out []weight
		for _, w := range all {
			if w.name != name {
				out = append(out, w)
			}
		}
		return kvs, out
	}
}

func rename(name, to string) change {
	return func(kvs []gguf.KV, all []weight) ([]gguf.KV, []weight) {
		for i := range all {
			if all[i].name == name {
				all[i].name = to
			}
		}
		return kvs, all
	}
}

// A vector that is damaged is found when the model is opened.
func TestOpenNotANumber(t *testing.T) {
	s := smallShape("llama")
	all := s.weights()
	path := writeGGUF(t, s.keys(), all)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := gguf.Open(t.Context(), path)
	require.NoError(t, err)
	x, ok := f.Tensor("blk.1.attn_norm.weight")
	require.True(t, ok)
	copy(b[x.Offset+8:], []byte{0, 0, 0xc0, 0x7f})
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err = Open(t.Context(), path, Options{})
	require.ErrorContains(t, err, `tensor "blk.1.attn_norm.weight": weight 2 is not a number`)
}

// FuzzOpen changes bytes of a file's header: it opens or not, and what opens
// runs.
func FuzzOpen(f *testing.F) {
	for _, arch := range Architectures() {
		s := smallShape(arch)
		s.layers, s.hidden, s.heads, s.kv, s.headWidth, s.width, s.vocab = 1, 32, 2, 1, 32, 32, 8
		b, err := os.ReadFile(s.write(f))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "m.gguf")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		m, err := Open(t.Context(), path, Options{Threads: 1})
		if err != nil {
			require.False(t, strings.Contains(err.Error(), "\x00"))
			return
		}
		defer m.Close()
		if m.Vocab > 1000 || m.Hidden > 1000 {
			return
		}
		c, err := m.NewContext(ContextOptions{Tokens: 8, Batch: 4})
		if err != nil {
			return
		}
		_ = c.Decode(t.Context(), []Part{{c.NewSequence(), []int32{0, 1, 2}, All}}, func(int, int, []float32) error { return nil })
	})
}
