package model

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

// info is a tensor of a GGUF file that is to be written.
func info(t testing.TB, name, typ string, dims ...int64) gguf.TensorInfo {
	t.Helper()
	q, ok := quant.Lookup(typ)
	require.True(t, ok, typ)
	return gguf.TensorInfo{Name: name, Dims: dims, Type: q}
}

// writeGGUF writes a file of zeros, or its shards, and returns its path.
func writeGGUF(t testing.TB, kvs []gguf.KV, tensors []gguf.TensorInfo, shardBytes int64) string {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "model")
	if shardBytes == 0 {
		h, err := gguf.EncodeHeader(kvs, tensors, 0)
		require.NoError(t, err)
		b := append(h.Bytes, make([]byte, h.FileSize-int64(len(h.Bytes)))...)
		require.NoError(t, os.WriteFile(prefix+".gguf", b, 0o644))
		return prefix + ".gguf"
	}
	shards, err := gguf.Split(kvs, tensors, 0, shardBytes)
	require.NoError(t, err)
	for i, s := range shards {
		b := append(s.Header.Bytes, make([]byte, s.Header.FileSize-int64(len(s.Header.Bytes)))...)
		require.NoError(t, os.WriteFile(gguf.SplitPath(prefix, i, len(shards)), b, 0o644))
	}
	return gguf.SplitPath(prefix, 0, len(shards))
}

func kv(key string, value any) gguf.KV { return gguf.KV{Key: key, Value: value} }

// gptossKVs are keys of a model with two layers and four experts.
func gptossKVs() []gguf.KV {
	return []gguf.KV{
		kv("general.architecture", "gpt-oss"), kv("general.type", "model"), kv("general.name", "Small"),
		kv("gpt-oss.block_count", uint32(2)), kv("gpt-oss.embedding_length", uint32(64)), kv("gpt-oss.attention.head_count", uint32(8)), kv("gpt-oss.attention.head_count_kv", uint32(2)),
		kv("gpt-oss.expert_count", uint32(4)), kv("gpt-oss.expert_used_count", uint32(2)), kv("gpt-oss.attention.sliding_window", uint32(16)),
		kv("tokenizer.ggml.tokens", []string{"a", "b"}),
		kv("general.file_type", uint32(38)), kv("general.quantization_version", uint32(2)), kv("general.alignment", uint32(64)),
		kv("quantize.imatrix.file", "x.dat"), kv("pj.recipe", "…"), kv("split.no", uint16(0)), kv("general.url", "kept"),
	}
}

func gptossInfos(t testing.TB, experts string) []gguf.TensorInfo {
	out := []gguf.TensorInfo{info(t, "token_embd.weight", "bf16", 64, 2), info(t, "output_norm.weight", "f32", 64), info(t, "output.weight", "f16", 64, 2)}
	for l := range 2 {
		p := fmt.Sprintf("blk.%d.", l)
		out = append(out,
			info(t, p+"attn_q.weight", "bf16", 64, 64), info(t, p+"attn_q.bias", "f32", 64), info(t, p+"attn_sinks.weight", "f32", 8),
			info(t, p+"ffn_gate_inp.weight", "f32", 64, 4), info(t, p+"ffn_gate_exps.weight", experts, 64, 32, 4), info(t, p+"ffn_gate_exps.bias", "f32", 32, 4))
	}
	return out
}

func TestGGUF(t *testing.T) {
	ctx := context.Background()
	path := writeGGUF(t, gptossKVs(), gptossInfos(t, "mxfp4"), 0)
	m, err := Open(ctx, path, Options{})
	require.NoError(t, err)
	require.Equal(t, "gpt-oss", m.Architecture)
	require.True(t, m.Known)
	require.Equal(t, []int{2, 4, 2, 8, 2}, []int{m.Layers, m.Experts, m.ExpertsUsed, m.Heads, m.HeadsKV})
	require.Equal(t, []string{arch.Sliding, arch.Full}, m.Attention)
	require.Zero(t, m.Quantized, "MXFP4 is how the original is published")
	require.Empty(t, m.MetaFiles)
	require.Equal(t, path, m.Files[0].Path)
	require.Equal(t, "model.gguf", m.Files[0].Name)

	for _, c := range []struct {
		name, role, projection string
		layer, slices          int
		attention              string
	}{
		{"token_embd.weight", arch.Embedding, "", -1, 1, ""},
		{"output_norm.weight", arch.Norm, "", -1, 1, ""},
		{"output.weight", arch.Output, "", -1, 1, ""},
		{"blk.0.attn_q.weight", arch.AttentionQ, "", 0, 1, arch.Sliding},
		{"blk.1.attn_q.weight", arch.AttentionQ, "", 1, 1, arch.Full},
		{"blk.0.attn_q.bias", arch.Other, "", 0, 1, arch.Sliding},
		{"blk.0.attn_sinks.weight", arch.Other, "", 0, 1, arch.Sliding},
		{"blk.1.ffn_gate_inp.weight", arch.Router, "", 1, 1, arch.Full},
		{"blk.1.ffn_gate_exps.weight", arch.Expert, arch.Gate, 1, 4, arch.Full},
		{"blk.1.ffn_gate_exps.bias", arch.Other, arch.Gate, 1, 1, arch.Full},
	} {
		x, ok := m.Tensor(c.name)
		require.True(t, ok, c.name)
		require.Equal(t, []any{c.role, c.projection, c.layer, c.slices, c.attention}, []any{x.Role, x.Projection, x.Layer, len(x.Slices), x.Attention}, c.name)
	}
	f, err := gguf.Open(ctx, path)
	require.NoError(t, err)
	stored, _ := f.Tensor("blk.1.ffn_gate_exps.weight")
	x, _ := m.Tensor("blk.1.ffn_gate_exps.weight")
	require.Equal(t, Layout{Encoding: "mxfp4", Rows: 32, Cols: 64}, x.Slices[3].Layout)
	require.Equal(t, []Part{{File: 0, Offset: stored.Offset + 3*32*2*17, Size: 32 * 2 * 17, Name: "blk.1.ffn_gate_exps.weight"}}, x.Slices[3].Parts)
	require.Equal(t, "blk.1.ffn_gate_exps.weight[3]", x.Slices[3].Name)

	kvs, err := m.Metadata(ctx)
	require.NoError(t, err)
	var keys []string
	for _, k := range kvs {
		keys = append(keys, k.Key)
	}
	require.Equal(t, []string{
		"general.architecture", "general.type", "general.name", "gpt-oss.block_count", "gpt-oss.embedding_length", "gpt-oss.attention.head_count", "gpt-oss.attention.head_count_kv",
		"gpt-oss.expert_count", "gpt-oss.expert_used_count", "gpt-oss.attention.sliding_window", "tokenizer.ggml.tokens", "general.url",
	}, keys)
	require.NoError(t, m.Close())
}

// Another program's architecture is described by its names alone.
func TestGGUFUnknownArchitecture(t *testing.T) {
	kvs := []gguf.KV{
		kv("general.architecture", "strange"), kv("strange.block_count", uint32(2)),
		kv("strange.attention.head_count", []int32{4, 8}), kv("strange.attention.sliding_window", uint32(512)),
	}
	m, err := Open(context.Background(), writeGGUF(t, kvs, []gguf.TensorInfo{
		info(t, "blk.0.ffn_up_shexp.weight", "bf16", 32, 4), info(t, "blk.1.conv.weight", "f16", 4, 3, 2, 2), info(t, "scalar", "f32"),
		info(t, "blk.1.expert.7.down.weight", "bf16", 32, 4), info(t, "ids", "i32", 9),
	}, 0), Options{})
	require.NoError(t, err)
	require.False(t, m.Known)
	require.Equal(t, []string{"", ""}, m.Attention, "a window, and nobody says for which layers")
	require.Equal(t, 8, m.Heads)
	require.Equal(t, arch.SharedExpert, m.Tensors[0].Role)
	require.Equal(t, Layout{Encoding: "f16", Rows: 12, Cols: 4}, m.Tensors[1].Slices[0].Layout)
	require.Equal(t, []int64{1}, m.Tensors[2].Dims)
	require.Equal(t, []any{arch.Expert, arch.Down, 1}, []any{m.Tensors[3].Role, m.Tensors[3].Projection, m.Tensors[3].Layer})
	require.Zero(t, m.Quantized)

	var layers []gguf.TensorInfo
	for l := range 5 {
		layers = append(layers, info(t, fmt.Sprintf("blk.%d.attn_q.weight", l), "f16", 4, 4))
	}
	m, err = Open(context.Background(), writeGGUF(t, kvs[:1], layers, 0), Options{})
	require.NoError(t, err)
	require.Equal(t, 5, m.Layers, "by the tensors' names where no key says it")
	require.Equal(t, arch.Full, m.Attention[4])
}

func TestGGUFSplit(t *testing.T) {
	whole, err := Open(context.Background(), writeGGUF(t, gptossKVs(), gptossInfos(t, "bf16"), 0), Options{})
	require.NoError(t, err)
	first := writeGGUF(t, gptossKVs(), gptossInfos(t, "bf16"), 20000)
	m, err := Open(context.Background(), first, Options{})
	require.NoError(t, err)
	require.Greater(t, len(m.Files), 1)
	require.Len(t, m.Tensors, len(whole.Tensors))
	last := m.Tensors[len(m.Tensors)-1]
	require.Equal(t, len(m.Files)-1, last.Slices[0].Parts[0].File)
	a, err := whole.Metadata(context.Background())
	require.NoError(t, err)
	b, err := m.Metadata(context.Background())
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.NoError(t, os.Remove(m.Files[1].Path))
	_, err = Open(context.Background(), first, Options{})
	require.ErrorContains(t, err, "shard 2 of")
}

func TestGGUFErrors(t *testing.T) {
	base := func() []gguf.KV {
		return []gguf.KV{kv("general.architecture", "llama"), kv("llama.block_count", uint32(1))}
	}
	one := []gguf.TensorInfo{info(t, "blk.0.attn_q.weight", "bf16", 32, 4)}
	quantized := append(one, info(t, "blk.0.attn_k.weight", "q8_0", 32, 4), info(t, "blk.0.attn_v.weight", "q4_0", 32, 4))
	for name, c := range map[string]struct {
		kvs     []gguf.KV
		tensors []gguf.TensorInfo
		o       Options
		want    string
	}{
		"no architecture": {base()[1:], one, Options{}, "model.gguf: the key general.architecture is missing: this file is no model, or damaged"},
		"imatrix":         {append(base(), kv("general.type", "imatrix")), one, Options{}, `the key general.type says "imatrix": this file is no model`},
		"vocabulary":      {base(), nil, Options{}, "the file has no tensors: it is a vocabulary, not a model"},
		"layers":          {[]gguf.KV{kv("general.architecture", "llama"), kv("llama.block_count", uint32(1<<31))}, one, Options{}, "the key llama.block_count says 2147483648 layers, and the file has 1 tensors: the file is damaged"},
		"other":           {base(), one, Options{Architecture: "qwen3moe"}, `the model is of architecture "llama", not "qwen3moe": correct or drop the architecture`},
		"empty tensor":    {base(), []gguf.TensorInfo{info(t, "x", "f32", 4, 0)}, Options{}, `tensor "x" has the shape [4 0] and no weights`},
		"quantized":       {base(), quantized, Options{}, `2 tensors are quantized already ("blk.0.attn_k.weight" is q8_0), and quantizing them again loses more than doing it once: take the model's unquantized release, or say requantize = true`},
		"one quantized":   {base(), quantized[:2], Options{Name: "model.m"}, `model.m: 1 tensor is quantized already`},
		"many experts":    {base(), []gguf.TensorInfo{info(t, "blk.0.ffn_up_exps.weight", "f32", 1, 1, 1<<16+1)}, Options{}, "has 65537 experts, and 65536 is the most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(context.Background(), writeGGUF(t, c.kvs, c.tensors, 0), c.o)
			require.ErrorContains(t, err, c.want)
		})
	}
	whole := append(base(), kv("llama.embedding_length", uint32(32)), kv("llama.attention.head_count", uint32(1)), kv("llama.attention.key_length", uint32(4)), kv("llama.attention.value_length", uint32(4)))
	quantized = append(quantized, info(t, "token_embd.weight", "f32", 32, 3), info(t, "output_norm.weight", "f32", 32))
	m, err := Open(context.Background(), writeGGUF(t, whole, quantized, 0), Options{Requantize: true, Architecture: "LlamaForCausalLM"})
	require.NoError(t, err)
	require.Equal(t, 2, m.Quantized)
}

// What a folder becomes and is read again from is the same model.
func TestGGUFOfAFolder(t *testing.T) {
	hub, err := Open(context.Background(), example("nano-qwen3moe"), Options{})
	require.NoError(t, err)
	defer hub.Close()
	kvs, err := hub.Metadata(context.Background())
	require.NoError(t, err)
	var infos []gguf.TensorInfo
	for _, x := range hub.Tensors {
		infos = append(infos, gguf.TensorInfo{Name: x.Name, Dims: x.Dims, Type: x.Type})
	}
	m, err := Open(context.Background(), writeGGUF(t, kvs, infos, 0), Options{})
	require.NoError(t, err)
	again, err := m.Metadata(context.Background())
	require.NoError(t, err)
	require.Equal(t, kvs, again)
	require.Equal(t, []any{hub.Architecture, hub.Layers, hub.Experts, hub.ExpertsUsed, hub.Heads, hub.HeadsKV, hub.Attention, hub.Parameters},
		[]any{m.Architecture, m.Layers, m.Experts, m.ExpertsUsed, m.Heads, m.HeadsKV, m.Attention, m.Parameters})
	for i, x := range hub.Tensors {
		y := m.Tensors[i]
		require.Equal(t, []any{x.Name, x.Dims, x.Role, x.Layer, x.Attention, x.Projection, x.Type, len(x.Slices)},
			[]any{y.Name, y.Dims, y.Role, y.Layer, y.Attention, y.Projection, y.Type, len(y.Slices)})
	}
}
