package interop

import (
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

func int32s(v ...int32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func float32s(v ...float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// writeModel makes a folder with one small model.
func writeModel(t *testing.T, config string, tensors ...safetensors.WriteTensor) string {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "tiny/reference"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tiny/config.json"), []byte(config), 0o644))
	f, err := os.Create(filepath.Join(dir, "tiny/reference/forward.safetensors"))
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(f, tensors, nil))
	require.NoError(t, f.Close())
	return dir
}

const tinyConfig = `{"model_type": "gpt_oss", "num_hidden_layers": 2, "num_local_experts": 4, "hidden_size": 32, "vocab_size": 3}`

func TestReferences(t *testing.T) {
	refs, err := References(writeModel(t, tinyConfig,
		safetensors.WriteTensor{Name: "tokens.0", DType: "I32", Shape: []int64{3}, Data: int32s(2, 0, 1)},
		safetensors.WriteTensor{Name: "logits.0", DType: "F32", Shape: []int64{2, 3}, Data: float32s(1, 2, 3, 4, 5, 6)}))
	require.NoError(t, err)
	require.Equal(t, []Reference{{
		Name: "tiny", Architecture: "gpt-oss", Layers: 2, Experts: 4, Hidden: 32, Vocab: 3,
		Sequences: []Sequence{{[]int32{2, 0, 1}, [][]float32{{1, 2, 3}, {4, 5, 6}}}},
	}}, refs)
}

func TestReferencesErrors(t *testing.T) {
	tokens := safetensors.WriteTensor{Name: "tokens.0", DType: "I32", Shape: []int64{1}, Data: int32s(2)}
	logits := safetensors.WriteTensor{Name: "logits.0", DType: "F32", Shape: []int64{1, 3}, Data: float32s(1, 2, 3)}
	wide := safetensors.WriteTensor{Name: "logits.0", DType: "F32", Shape: []int64{1, 4}, Data: float32s(1, 2, 3, 4)}
	floatTokens := safetensors.WriteTensor{Name: "tokens.0", DType: "F32", Shape: []int64{1}, Data: float32s(1)}
	for _, c := range []struct {
		config  string
		tensors []safetensors.WriteTensor
		want    string
	}{
		{tinyConfig, nil, "no tensor tokens.0"},
		{tinyConfig, []safetensors.WriteTensor{tokens}, "no tensor logits.0"},
		{tinyConfig, []safetensors.WriteTensor{tokens, wide}, "shape [1 4], want rows of 3"},
		{tinyConfig, []safetensors.WriteTensor{floatTokens, logits}, "tokens.0 is F32, want I32"},
		{"{", []safetensors.WriteTensor{tokens, logits}, "config.json"},
		{`{"model_type": "none"}`, []safetensors.WriteTensor{tokens, logits}, `model_type "none" is not known`},
	} {
		_, err := References(writeModel(t, c.config, c.tensors...))
		require.ErrorContains(t, err, c.want)
	}
	_, err := References(t.TempDir())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// The file that the interop tests compare with.
func TestReadLikeliest(t *testing.T) {
	for sequence, positions := range []int{32, 32, 22} {
		rows, err := ReadLikeliest("testdata/nano-gptoss-stock.safetensors", sequence)
		require.NoError(t, err)
		require.Len(t, rows, positions)
		for _, row := range rows {
			require.Len(t, row, 64)
			for i := 1; i < len(row); i++ {
				require.GreaterOrEqual(t, row[i-1].Logit, row[i].Logit)
			}
		}
	}
	_, err := ReadLikeliest("testdata/nano-gptoss-stock.safetensors", 3)
	require.ErrorContains(t, err, "no tensor likeliest.3")
}

// file is a GGUF file of the tiny model with a matrix of some type.
func file(t *testing.T, typ string, hidden uint32) *gguf.File {
	q, ok := quant.Lookup(typ)
	require.True(t, ok)
	f32, ok := quant.Lookup("f32")
	require.True(t, ok)
	return &gguf.File{
		KVs: []gguf.KV{
			{Key: "general.architecture", Value: "gpt-oss"},
			{Key: "tokenizer.ggml.tokens", Value: []string{"a", "b", "c"}},
			{Key: "gpt-oss.block_count", Value: uint32(2)}, {Key: "gpt-oss.expert_count", Value: uint32(4)},
			{Key: "gpt-oss.embedding_length", Value: hidden},
		},
		Tensors: []gguf.Tensor{
			{Name: "output_norm.weight", Dims: []int64{256}, Type: f32, Size: 1024},
			{Name: "blk.0.ffn_up_exps.weight", Dims: []int64{256, 4, 4}, Type: q, Size: q.RowBytes(256) * 16},
		},
	}
}

func TestSameModel(t *testing.T) {
	r := Reference{Architecture: "gpt-oss", Layers: 2, Experts: 4, Hidden: 32, Vocab: 3}
	f := file(t, "f32", 32)
	require.True(t, r.SameVocabulary(f))
	require.True(t, r.SameModel(f))
	for _, change := range []func(*Reference){
		func(r *Reference) { r.Architecture = "qwen3moe" },
		func(r *Reference) { r.Vocab++ },
		func(r *Reference) { r.Layers++ },
		func(r *Reference) { r.Experts-- },
		func(r *Reference) { r.Hidden = 64 },
	} {
		other := r
		change(&other)
		require.False(t, other.SameModel(f))
	}
}

func TestBound(t *testing.T) {
	gptoss := Reference{Architecture: "gpt-oss", Hidden: 32}
	qwen := Reference{Architecture: "qwen3moe", Hidden: 32}
	for _, c := range []struct {
		r               Reference
		typ             string
		exact, releases bool
		kld             float64
	}{
		{qwen, "f32", true, true, 1e-6},
		{gptoss, "f32", true, true, 0.005},
		{gptoss, "bf16", false, true, 0.005},
		{gptoss, "mxfp4", false, true, 0.005},
		{gptoss, "q8_0", false, false, 0.01},
		{gptoss, "q4_k", false, false, 0.1}, // the norm is a large part of the tiny file
		{gptoss, "q2_k", false, false, 0.3},
	} {
		f := file(t, c.typ, 32)
		if c.r.Architecture == "qwen3moe" {
			f.KVs = append(f.KVs, gguf.KV{Key: "qwen3moe.embedding_length", Value: uint32(32)})
		}
		require.Equal(t, c.exact, Exact(f), c.typ)
		require.Equal(t, c.releases, Published(f), c.typ)
		require.Equal(t, c.kld, c.r.Bound(f).KLD, c.typ)
	}
	require.InDelta(t, (256*32+4096*8.5)/(256+4096), BitsPerWeight(file(t, "q8_0", 32)), 1e-9)
	// A padded model is not computed in the same order.
	padded := file(t, "f32", 64)
	padded.KVs = append(padded.KVs, gguf.KV{Key: "qwen3moe.embedding_length", Value: uint32(64)})
	require.Equal(t, 0.005, qwen.Bound(padded).KLD)
}
