//go:build interop

package interop

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/infer"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
)

// Bounds of the mean divergence of two engines' logits for the same file. Where
// neither rounds activations they agree. Else both do, not at the same places:
// in small models that changes now and then which expert is chosen, so that each
// is held against the logits in float32, and ours must be no farther from them,
// over all files, than llama.cpp's are.
const (
	sameKLD = 1e-6
	eachKLD = 0.02
)

// Our own runtime gives what llama.cpp does for the same file.
func TestOwnRuntime(t *testing.T) {
	c := stock(t)
	files, ours, theirs := 0, 0.0, 0.0
	for _, a := range artifacts(t) {
		if a.model == nil {
			continue
		}
		t.Run(filepath.Base(a.path), func(t *testing.T) {
			if a.tiered() {
				t.Skip("llama.cpp does not load it")
			}
			require.NoError(t, c.Load(a.path, window))
			var stock [][]float32
			for _, s := range a.model.Sequences {
				rows, err := c.Logits(s.IDs, 0)
				require.NoError(t, err)
				for _, row := range rows {
					stock = append(stock, append([]float32(nil), row...))
				}
			}
			exact, fast := own(t, a, true), own(t, a, false)
			their, err := Compare(exact, stock)
			require.NoError(t, err)
			our, err := Compare(exact, fast)
			require.NoError(t, err)
			between, err := Compare(stock, fast)
			require.NoError(t, err)
			t.Logf("KLD from float32: %.2g ours, %.2g llama.cpp's; from llama.cpp: %.2g", our.KLD, their.KLD, between.KLD)
			if Exact(a.file) {
				require.LessOrEqual(t, between.KLD, sameKLD)
			}
			require.LessOrEqual(t, between.KLD, eachKLD)
			files, ours, theirs = files+1, ours+our.KLD, theirs+their.KLD
		})
	}
	require.Positive(t, files)
	t.Logf("%d files, mean KLD from float32: %.3g ours, %.3g llama.cpp's", files, ours/float64(files), theirs/float64(files))
	require.LessOrEqual(t, ours, theirs)
}

// own are our logits of a model's sequences.
func own(t *testing.T, a artifact, exact bool) (rows [][]float32) {
	m, err := infer.Open(t.Context(), a.path, infer.Options{LlamaRope: true, Exact: exact})
	require.NoError(t, err)
	defer m.Close()
	f32, err := kv.ParseTypes("f32")
	require.NoError(t, err)
	c, err := m.NewContext(infer.ContextOptions{Cache: m.UniformCache(f32)})
	require.NoError(t, err)
	for _, s := range a.model.Sequences {
		seq := c.NewSequence()
		require.NoError(t, c.Decode(t.Context(), []infer.Part{{Seq: seq, Tokens: s.IDs, Want: infer.All}}, func(_, _ int, logits []float32) error {
			rows = append(rows, append([]float32(nil), logits...))
			return nil
		}))
		seq.Free()
	}
	return rows
}
