package infer

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// fileTypes are those that a GGUF file can hold weights in.
func fileTypes() (types []*quant.Type) {
	for _, t := range quant.All() {
		if t.GGML >= 0 && t.Quantize != nil && t.Name != "f64" && t.Name != "q8_k" && t.Name != "q8_1" && t.GGML != 24 && t.GGML != 25 && t.GGML != 26 && t.GGML != 27 {
			types = append(types, t)
		}
	}
	return types
}

// dequantized are weights as they are after a type has stored them.
func dequantized(t testing.TB, all []weight) []weight {
	out := make([]weight, len(all))
	for i, w := range all {
		if w.typ != "" {
			typ := quantType(t, w.typ)
			v := make([]float32, len(w.v))
			typ.Dequantize(v, stored(t, typ, w.v, w.dims[0]))
			w.v, w.typ = v, ""
		}
		out[i] = w
	}
	return out
}

// A file of any type gives the logits of the weights that it stands for:
// exactly so in float32, nearly with activations rounded to 8 bits.
func TestTypes(t *testing.T) {
	for _, typ := range fileTypes() {
		t.Run(typ.Name, func(t *testing.T) {
			s := smallShape("qwen3moe")
			s.layers, s.typ = 1, typ.Name
			if s.hidden%typ.Block != 0 || s.width%typ.Block != 0 {
				s.hidden, s.width, s.heads, s.headWidth, s.experts, s.vocab = 256, 256, 4, 64, 2, 40
			}
			s.used = s.experts // rounding may change a choice, and then everything
			all := s.weights()
			tokens := someTokens(20, s.vocab)
			want := logitsOf(t, writeGGUF(t, s.keys(), dequantized(t, all)), Options{Exact: true}, tokens)
			path := writeGGUF(t, s.keys(), all)
			exact := logitsOf(t, path, Options{Exact: true}, tokens)
			fast := logitsOf(t, path, Options{}, tokens)
			kld := 0.0
			for i := range want {
				require.Less(t, apart(t, want[i], exact[i]), 1e-4)
				kld += divergence(want[i], fast[i])
			}
			require.Less(t, kld/float64(len(want)), 2e-3)
		})
	}
}

func logitsOf(t *testing.T, path string, o Options, tokens []int32) [][]float32 {
	m, err := Open(context.Background(), path, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	return allLogits(t, newContext(t, m, ContextOptions{}), tokens)
}

// divergence is the Kullback-Leibler divergence of two rows of logits.
func divergence(p, q []float32) float64 {
	zp, zq, sum := negLog(p, 0)+float64(p[0]), negLog(q, 0)+float64(q[0]), 0.0
	for i := range p {
		a, b := float64(p[i])-zp, float64(q[i])-zq
		sum += math.Exp(a) * (a - b)
	}
	return sum
}

// Qwen3 without experts is that with one.
func TestDenseQwen3(t *testing.T) {
	moe := smallShape("qwen3moe")
	moe.experts, moe.used = 1, 1
	all := moe.weights()
	var plain []weight
	for _, w := range all {
		switch {
		case len(w.dims) == 3:
			w.name = w.name[:len(w.name)-len("_exps.weight")] + ".weight"
			w.dims = w.dims[:2]
		case w.dims[0] == int64(moe.hidden) && len(w.dims) == 2 && w.dims[1] == 1:
			continue // the router
		}
		plain = append(plain, w)
	}
	tokens := someTokens(30, moe.vocab)
	dense := smallShape("qwen3")
	a := logitsOf(t, writeGGUF(t, moe.keys(), all), Options{Exact: true}, tokens)
	b := logitsOf(t, writeGGUF(t, dense.keys(), plain), Options{Exact: true}, tokens)
	require.Equal(t, a, b)
}

// Experts that are tensors of their own give what stacked ones do, and may be
// of several types.
func TestTiered(t *testing.T) {
	s := smallShape("qwen3moe")
	tokens := someTokens(30, s.vocab)
	want := logitsOf(t, s.write(t), Options{Exact: true}, tokens)
	s.tiered = true
	require.Equal(t, want, logitsOf(t, s.write(t), Options{Exact: true}, tokens))

	s.expertTypes = []string{"q8_0", "bf16", "q4_0", "f16"}
	mixed := s.weights()
	a := logitsOf(t, writeGGUF(t, s.keys(), mixed), Options{Exact: true}, tokens)
	b := logitsOf(t, writeGGUF(t, s.keys(), dequantized(t, mixed)), Options{Exact: true}, tokens)
	for i := range a {
		require.Less(t, apart(t, a[i], b[i]), 1e-4)
	}
	require.NotEqual(t, want, a)
}
