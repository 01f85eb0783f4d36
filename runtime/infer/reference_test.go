package infer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/stretchr/testify/require"
)

// referenceModels are those with logits computed by another program.
func referenceModels(t *testing.T, f func(t *testing.T, path string)) {
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		t.Run(name, func(t *testing.T) { f(t, examples+name) })
	}
	for _, name := range []string{"pico-qwen3moe", "pico-gptoss"} {
		t.Run(name, func(t *testing.T) { f(t, sharedtest.Path(t, "models/"+name)) })
	}
}

// Logits, the most likely token and the routes are the reference's.
func TestReference(t *testing.T) {
	referenceModels(t, func(t *testing.T, path string) {
		ref := tensors(t, path+"/reference/forward.safetensors")
		m := openModel(t, path, Options{Exact: true})
		routes := make([][]int32, m.Layers)
		c := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, "f32"), Observer: &Observer{
			Router: func(layer int, _ []float32, chosen []int32, _ []float32) {
				routes[layer] = append(routes[layer], chosen...)
			},
		}})
		most := 0.0
		for j := 0; ref[fmt.Sprintf("tokens.%d", j)] != nil; j++ {
			clear(routes)
			tokens := toTokens(ref[fmt.Sprintf("tokens.%d", j)])
			got, want := allLogits(t, c, tokens), ref[fmt.Sprintf("logits.%d", j)]
			rows := len(want) / m.Vocab
			for i := range rows {
				a, b := got[len(tokens)-rows+i], want[i*m.Vocab:(i+1)*m.Vocab]
				most = max(most, apart(t, a, b))
				require.Equal(t, largest(b), largest(a), "sequence %d, token %d", j, len(tokens)-rows+i)
			}
			for layer, chosen := range routes {
				for i := 0; i < len(chosen); i += m.ExpertsUsed {
					slices.Sort(chosen[i : i+m.ExpertsUsed])
				}
				require.Equal(t, toTokens(ref[fmt.Sprintf("routes.%d.%d", j, layer)]), chosen, "sequence %d, layer %d", j, layer)
			}
		}
		t.Logf("largest difference of a logit: %.2g", most)
		require.Less(t, most, 1e-4)
	})
}

// Rounded as llama.cpp does it, logits of gpt-oss are llama.cpp's.
func TestLlamaRope(t *testing.T) {
	path := examples + "nano-gptoss"
	ref := tensors(t, path+"/reference/forward.safetensors")
	stock := tensors(t, "../../interop/testdata/nano-gptoss-stock.safetensors")
	apartFromStock := func(o Options) (most float64) {
		m := openModel(t, path, o)
		c := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, "f32")})
		for j := range 3 {
			tokens := toTokens(ref[fmt.Sprintf("tokens.%d", j)])
			want, likeliest := stock[fmt.Sprintf("logits.%d", j)], stock[fmt.Sprintf("likeliest.%d", j)]
			got := allLogits(t, c, tokens)
			for i, v := range want {
				row := got[len(got)-len(want)/64+i/64]
				most = max(most, math.Abs(float64(v-row[int(likeliest[i])])))
			}
		}
		return most
	}
	rounded, own := apartFromStock(Options{Exact: true, LlamaRope: true}), apartFromStock(Options{Exact: true})
	t.Logf("largest difference to llama.cpp: %.2g rounded, %.2g not", rounded, own)
	require.Less(t, rounded, 1e-3)
	require.Greater(t, own, 0.1)
}
