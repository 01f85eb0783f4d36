package infer

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// Perplexity of whole texts is the reference's: windows of 512 tokens, all
// predictions.
func TestPerplexity(t *testing.T) {
	if os.Getenv("PJ_LONG_TESTS") == "" {
		t.Skip("SKIPPED: it takes minutes; PJ_LONG_TESTS=1 runs it")
	}
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss", "pico-qwen3moe", "pico-gptoss"} {
		t.Run(name, func(t *testing.T) {
			path := sharedtest.Path(t, "models/"+name)
			m := openModel(t, path, Options{Exact: true})
			tok := tokenizerOf(t, m)
			for domain, want := range readExpected(t, path).Perplexity {
				text, err := os.ReadFile(sharedtest.Path(t, "eval/"+domain+".txt"))
				require.NoError(t, err)
				tokens := tok.Encode(nil, string(text), tokenizer.EncodeOptions{})
				var windows [][]int32
				for len(tokens) >= 512 {
					windows, tokens = append(windows, tokens[:512]), tokens[512:]
				}
				sum := 0.0
				require.NoError(t, m.Stream(t.Context(), windows, StreamOptions{Cache: cacheOf(t, m, "f32"), KeepWeights: true}, func(w, i int, logits []float32) error {
					if i < 511 {
						sum += negLog(logits, windows[w][i+1])
					}
					return nil
				}))
				got := math.Exp(sum / float64(511*len(windows)))
				t.Logf("%s: %.5f of %.5f in %d windows", domain, got, want.PPL, len(windows))
				require.InEpsilon(t, want.PPL, got, 0.0005)
			}
		})
	}
}
