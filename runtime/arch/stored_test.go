package arch

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// storedModel is a GGUF file of a small dense Llama: two layers, two heads of
// four, one of keys and values, three tokens.
func storedModel() *gguf.File {
	f := &gguf.File{KVs: []gguf.KV{
		{Key: "llama.block_count", Value: uint32(2)}, {Key: "llama.embedding_length", Value: uint32(8)}, {Key: "llama.feed_forward_length", Value: uint32(12)},
		{Key: "llama.attention.head_count", Value: uint32(2)}, {Key: "llama.attention.head_count_kv", Value: uint32(1)},
		{Key: "tokenizer.ggml.tokens", Value: []string{"a", "b", "c"}},
	}}
	add := func(name string, dims ...int64) {
		f.Tensors = append(f.Tensors, gguf.Tensor{Name: name, Dims: dims})
	}
	add("token_embd.weight", 8, 3)
	add("output_norm.weight", 8)
	add("rope_freqs.weight", 2)
	for l := range 2 {
		p := fmt.Sprintf("blk.%d.", l)
		add(p+"attn_norm.weight", 8)
		add(p+"attn_q.weight", 8, 8)
		add(p+"attn_k.weight", 8, 4)
		add(p+"attn_v.weight", 8, 4)
		add(p+"attn_output.weight", 8, 8)
		add(p+"ffn_norm.weight", 8)
		add(p+"ffn_gate.weight", 8, 12)
		add(p+"ffn_up.weight", 8, 12)
		add(p+"ffn_down.weight", 12, 8)
	}
	return f
}

func TestCheckStored(t *testing.T) {
	set := func(f *gguf.File, key string, value any) {
		for i := range f.KVs {
			if f.KVs[i].Key == key {
				f.KVs[i].Value = value
				return
			}
		}
		f.KVs = append(f.KVs, gguf.KV{Key: key, Value: value})
	}
	tensor := func(f *gguf.File, name string) *gguf.Tensor {
		for i := range f.Tensors {
			if f.Tensors[i].Name == name {
				return &f.Tensors[i]
			}
		}
		t.Fatal(name)
		return nil
	}
	for name, c := range map[string]struct {
		change func(f *gguf.File)
		want   string // "" for a sound file
	}{
		"sound":              {func(*gguf.File) {}, ""},
		"ones behind":        {func(f *gguf.File) { tensor(f, "output_norm.weight").Dims = []int64{8, 1, 1} }, ""},
		"heads of own width": {func(f *gguf.File) { set(f, "llama.attention.key_length", uint32(4)) }, ""},
		"width of each layer": {func(f *gguf.File) {
			set(f, "llama.feed_forward_length", []int32{12, 16})
			tensor(f, "blk.1.ffn_up.weight").Dims = []int64{8, 16}
		}, ""},
		"no vocabulary":    {func(f *gguf.File) { f.KVs = f.KVs[:5] }, ""},
		"tiered":           {func(f *gguf.File) { tensor(f, "rope_freqs.weight").Name = "blk.0.expert.0.gate.weight" }, ""},
		"tokens":           {func(f *gguf.File) { set(f, "tokenizer.ggml.tokens", []string{"a"}) }, `tensor "token_embd.weight" has a row for 3 tokens, and the vocabulary has 1: the file is damaged`},
		"hidden":           {func(f *gguf.File) { set(f, "llama.embedding_length", uint32(16)) }, `tensor "token_embd.weight" has the shape [8 3], and by the keys it is [16 3]: the file is damaged`},
		"rows":             {func(f *gguf.File) { tensor(f, "blk.1.attn_k.weight").Dims = []int64{8, 8} }, `tensor "blk.1.attn_k.weight" has the shape [8 8], and by the keys it is [8 4]`},
		"a dimension more": {func(f *gguf.File) { tensor(f, "blk.1.attn_k.weight").Dims = []int64{8, 4, 2} }, `has the shape [8 4 2]`},
		"key length":       {func(f *gguf.File) { set(f, "llama.attention.key_length", uint32(8)) }, `tensor "blk.0.attn_q.weight" has the shape [8 8], and by the keys it is [8 16]`},
		"feed forward":     {func(f *gguf.File) { set(f, "llama.feed_forward_length", uint32(13)) }, `tensor "blk.0.ffn_gate.weight" has the shape [8 12], and by the keys it is [8 13]`},
		"heads":            {func(f *gguf.File) { set(f, "llama.attention.head_count_kv", uint32(3)) }, "the keys say 2 heads and 3 of keys and values, which has to divide them"},
		"no heads":         {func(f *gguf.File) { set(f, "llama.attention.head_count", "two") }, "the key llama.attention.head_count is missing or no number"},
		"experts":          {func(f *gguf.File) { set(f, "llama.expert_used_count", uint32(3)) }, "the keys say that 3 of 0 experts are used"},
		"norm":             {func(f *gguf.File) { tensor(f, "output_norm.weight").Name = "output_nor.weight" }, `tensor "output_norm.weight" is missing`},
		"layer's weight":   {func(f *gguf.File) { tensor(f, "blk.1.ffn_up.weight").Name = "other" }, `tensor "blk.1.ffn_up.weight" is missing, which other layers have`},
	} {
		t.Run(name, func(t *testing.T) {
			f := storedModel()
			c.change(f)
			err := CheckStored(f, "llama", 2)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NoError(t, CheckStored(f, "unheard-of", 2), "of others nothing is known")
		})
	}
	require.ErrorContains(t, CheckStored(storedModel(), "llama", 3), `tensor "blk.2.attn_norm.weight" is missing`)
	require.ErrorContains(t, CheckStored(storedModel(), "llama", 1), `tensor "blk.1.attn_norm.weight" is of layer 1, and the key llama.block_count says that there are 1`)
	f := storedModel()
	f.Tensors = f.Tensors[:3]
	require.ErrorContains(t, CheckStored(f, "llama", 2), "says 2 layers, and no tensor is of one")
}
