package infer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/infer/kv"
)

// What each type of keys and values costs: bytes, and the divergence from f16.
func TestCacheTypes(t *testing.T) {
	most := map[string]float64{
		"f32": 1e-3, "f16": 0, "bf16": 1e-3, "q8_0": 0.01, "e4m3": 0.05, "e5m2": 0.1,
		"q4_0": 0.5, "q4_1": 0.5, "iq4_nl": 0.5, "int3": 0.5, "int2": 1,
	}
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		ref := tensors(t, examples+name+"/reference/forward.safetensors")
		tokens := append(toTokens(ref["tokens.0"]), toTokens(ref["tokens.1"])...)
		m := openModel(t, examples+name, Options{})
		want := allLogits(t, newContext(t, m, ContextOptions{Cache: cacheOf(t, m, "f16")}), tokens)
		for _, types := range kv.Types() {
			c := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, types)})
			s := c.NewSequence()
			kld := 0.0
			require.NoError(t, c.Decode(t.Context(), []Part{{s, tokens, All}}, func(_, i int, logits []float32) error {
				kld += divergence(want[i], logits) / float64(len(tokens))
				return nil
			}))
			t.Logf("%s %-7s KLD %.6f, %d bytes", name, types, kld, s.Bytes())
			require.LessOrEqual(t, kld, most[types], types)
		}
	}
}

// A file's own rules are used, by layer.
func TestCacheRules(t *testing.T) {
	s := smallShape("gpt-oss")
	tokens := someTokens(200, s.vocab)
	plain := openModel(t, s.write(t), Options{})
	s.cacheRules = `[[{"max_context":64,"key":"f32","value":"f32"},{"min_age":64,"key":"q4_0","value":"q4_0"},{"key":"q8_0","value":"q8_0"}],[{"key":"q8_0","value":"bf16"}]]`
	m := openModel(t, s.write(t), Options{})
	require.Len(t, m.Cache, 2)
	ruled := newContext(t, m, ContextOptions{})
	a, b := allLogits(t, newContext(t, plain, ContextOptions{}), tokens), allLogits(t, ruled, tokens)
	kld := 0.0
	for i := range a {
		kld += divergence(a[i], b[i]) / float64(len(a))
	}
	require.Positive(t, kld)
	require.Less(t, kld, 0.01)

	s.cacheRules = `[[]]`
	_, err := Open(t.Context(), s.write(t), Options{})
	require.ErrorContains(t, err, "rules of 1 layers")
}
