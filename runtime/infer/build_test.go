package infer

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// Models that tests make themselves.

// weight is a tensor to write, as float32.
type weight struct {
	name string
	dims []int64
	v    []float32
	typ  string // "": float32
}

func quantType(t testing.TB, name string) *quant.Type {
	typ, ok := quant.Lookup(name)
	require.True(t, ok, name)
	return typ
}

// stored are weights as a type stores them.
func stored(t testing.TB, typ *quant.Type, v []float32, cols int64) []byte {
	b := make([]byte, typ.RowBytes(cols)*(int64(len(v))/cols))
	require.NoError(t, typ.Quantize(b, v, quant.Options{Cols: int(cols)}))
	return b
}

// writeGGUF writes a file and gives its path.
func writeGGUF(t testing.TB, kvs []gguf.KV, weights []weight) string {
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, w := range weights {
		typ := quantType(t, "f32")
		if w.typ != "" {
			typ = quantType(t, w.typ)
		}
		infos = append(infos, gguf.TensorInfo{Name: w.name, Dims: w.dims, Type: typ})
		data = append(data, stored(t, typ, w.v, w.dims[0]))
	}
	h, err := gguf.EncodeHeader(kvs, infos, 0)
	require.NoError(t, err)
	b := make([]byte, h.FileSize)
	copy(b, h.Bytes)
	for i, d := range data {
		copy(b[h.Offsets[i]:], d)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// shape is a small model of random weights.
type shape struct {
	arch                      string
	layers, hidden, heads, kv int
	headWidth, width, vocab   int
	experts, used, window     int
	typ                       string // of matrices
	seed                      uint64
	tiered                    bool
	expertTypes               []string // of a tiered model's experts, in turn
	cacheRules                string
}

func smallShape(arch string) shape {
	s := shape{arch: arch, layers: 2, hidden: 64, heads: 4, kv: 2, headWidth: 32, width: 96, vocab: 100, seed: 1}
	if arch == "qwen3moe" || arch == "gpt-oss" {
		s.experts, s.used = 4, 2
	}
	if arch == "gpt-oss" {
		s.window = 40
	}
	return s
}

// keys are the model's own.
func (s shape) keys() []gguf.KV {
	kvs := []gguf.KV{{Key: "general.architecture", Value: s.arch}}
	add := func(key string, v any) { kvs = append(kvs, gguf.KV{Key: s.arch + "." + key, Value: v}) }
	for key, n := range map[string]int{
		"block_count": s.layers, "embedding_length": s.hidden, "attention.head_count": s.heads, "attention.head_count_kv": s.kv,
		"attention.key_length": s.headWidth, "attention.value_length": s.headWidth, "context_length": 4096, "feed_forward_length": s.width,
	} {
		add(key, uint32(n))
	}
	add("attention.layer_norm_rms_epsilon", float32(1e-5))
	add("rope.freq_base", float32(10000))
	if s.experts > 0 {
		add("expert_count", uint32(s.experts))
		add("expert_used_count", uint32(s.used))
		add("expert_feed_forward_length", uint32(s.width))
	}
	if s.window > 0 {
		add("attention.sliding_window", uint32(s.window))
	}
	if s.cacheRules != "" {
		kvs = append(kvs, gguf.KV{Key: "pj.kv", Value: s.cacheRules})
	}
	return kvs
}

// weights are random: matrices keep the size of what they are given.
func (s shape) weights() []weight {
	rng := rand.New(rand.NewPCG(s.seed, 2))
	var all []weight
	add := func(typ, name string, scale, mean float64, dims ...int) {
		w := weight{name: name, typ: typ}
		n := 1
		for _, d := range dims {
			w.dims = append(w.dims, int64(d))
			n *= d
		}
		w.v = make([]float32, n)
		for i := range w.v {
			w.v[i] = float32(rng.NormFloat64()*scale + mean)
		}
		all = append(all, w)
	}
	matrix := func(name string, cols, rows int) {
		add(s.typ, name, 1/math.Sqrt(float64(cols)), 0, cols, rows)
	}
	moe, oss := s.experts > 0, s.arch == "gpt-oss"
	matrix("token_embd.weight", s.hidden, s.vocab)
	add("", "output_norm.weight", 0.1, 1, s.hidden)
	add(s.typ, "output.weight", 3/math.Sqrt(float64(s.hidden)), 0, s.hidden, s.vocab)
	for i := range s.layers {
		b := fmt.Sprintf("blk.%d.", i)
		add("", b+"attn_norm.weight", 0.1, 1, s.hidden)
		second := "ffn_norm"
		if oss {
			second = "post_attention_norm"
			add("", b+"attn_sinks.weight", 1, 0, s.heads)
		}
		add("", b+second+".weight", 0.1, 1, s.hidden)
		for _, p := range []struct {
			name string
			rows int
		}{{"q", s.heads * s.headWidth}, {"k", s.kv * s.headWidth}, {"v", s.kv * s.headWidth}} {
			matrix(b+"attn_"+p.name+".weight", s.hidden, p.rows)
			if oss {
				add("", b+"attn_"+p.name+".bias", 0.1, 0, p.rows)
			}
		}
		matrix(b+"attn_output.weight", s.heads*s.headWidth, s.hidden)
		if oss {
			add("", b+"attn_output.bias", 0.1, 0, s.hidden)
		}
		if strings.HasPrefix(s.arch, "qwen3") {
			add("", b+"attn_q_norm.weight", 0.1, 1, s.headWidth)
			add("", b+"attn_k_norm.weight", 0.1, 1, s.headWidth)
		}
		if !moe {
			matrix(b+"ffn_gate.weight", s.hidden, s.width)
			matrix(b+"ffn_up.weight", s.hidden, s.width)
			matrix(b+"ffn_down.weight", s.width, s.hidden)
			continue
		}
		add("", b+"ffn_gate_inp.weight", 2/math.Sqrt(float64(s.hidden)), 0, s.hidden, s.experts)
		if oss {
			add("", b+"ffn_gate_inp.bias", 0.1, 0, s.experts)
		}
		for _, p := range []struct {
			name       string
			cols, rows int
		}{{"gate", s.hidden, s.width}, {"up", s.hidden, s.width}, {"down", s.width, s.hidden}} {
			add(s.typ, b+"ffn_"+p.name+"_exps.weight", 1/math.Sqrt(float64(p.cols)), 0, p.cols, p.rows, s.experts)
			if oss {
				add("", b+"ffn_"+p.name+"_exps.bias", 0.1, 0, p.rows, s.experts)
			}
		}
	}
	if s.tiered {
		all = s.tier(all)
	}
	return all
}

// tier makes a tensor of each expert.
func (s shape) tier(all []weight) (out []weight) {
	for _, w := range all {
		base, ok := strings.CutSuffix(w.name, "_exps.weight")
		if !ok {
			out = append(out, w)
			continue
		}
		size := len(w.v) / s.experts
		for e := range s.experts {
			one := weight{name: strings.Replace(base, "ffn_", fmt.Sprintf("expert.%d.", e), 1) + ".weight", dims: w.dims[:2], v: w.v[e*size : (e+1)*size], typ: s.typ}
			if len(s.expertTypes) > 0 {
				one.typ = s.expertTypes[e%len(s.expertTypes)]
			}
			out = append(out, one)
		}
	}
	return out
}

func (s shape) write(t testing.TB) string { return writeGGUF(t, s.keys(), s.weights()) }

// someTokens are n tokens of a vocabulary.
func someTokens(n, vocab int) []int32 {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(rng.IntN(vocab))
	}
	return out
}

func floats(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// greedy continues tokens by the most likely ones.
func greedy(t testing.TB, c *Context, tokens []int32, n int) []int32 {
	s := c.NewSequence()
	defer s.Free()
	var out []int32
	for range n {
		require.NoError(t, c.Decode(context.Background(), []Part{{s, tokens, Last}}, func(_, _ int, logits []float32) error {
			tokens = []int32{int32(largest(logits))}
			return nil
		}))
		out = append(out, tokens[0])
	}
	return out
}
