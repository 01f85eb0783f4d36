package infer

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// All windows through a layer at a time give what each alone does, in memory
// and by way of a file.
func TestStream(t *testing.T) {
	eachArchitecture(t, func(t *testing.T, s shape) {
		m := openModel(t, s.write(t), Options{})
		windows := [][]int32{someTokens(30, s.vocab), someTokens(5, s.vocab), nil, someTokens(120, s.vocab), someTokens(1, s.vocab), someTokens(31, s.vocab)}
		c := newContext(t, m, ContextOptions{})
		var want [][][]float32
		for _, w := range windows {
			want = append(want, allLogits(t, c, w))
		}
		for _, o := range []StreamOptions{{}, {Batch: 50}, {Memory: 1, Dir: t.TempDir(), Batch: 64}, {From: 10, KeepWeights: true}} {
			seen := 0
			require.NoError(t, m.Stream(t.Context(), windows, o, func(window, index int, logits []float32) error {
				seen++
				require.GreaterOrEqual(t, index, o.From)
				require.LessOrEqual(t, apart(t, want[window][index], logits), rounding, "window %d, token %d", window, index)
				return nil
			}))
			n := 0
			for _, w := range windows {
				n += max(0, len(w)-o.From)
			}
			require.Equal(t, n, seen)
			if o.Dir != "" {
				left, err := os.ReadDir(o.Dir)
				require.NoError(t, err)
				require.Empty(t, left)
			}
		}
	})
}

// A streamed evaluation of the reference model is that of the reference.
func TestStreamReference(t *testing.T) {
	path := examples + "nano-gptoss"
	ref := tensors(t, path+"/reference/forward.safetensors")
	tokens, want := toTokens(ref["tokens.0"]), ref["logits.0"]
	m := openModel(t, path, Options{Exact: true})
	first := len(tokens) - len(want)/m.Vocab
	require.NoError(t, m.Stream(t.Context(), [][]int32{tokens}, StreamOptions{Cache: cacheOf(t, m, "f32"), From: first}, func(_, i int, logits []float32) error {
		require.Less(t, apart(t, want[(i-first)*m.Vocab:(i-first+1)*m.Vocab], logits), 1e-4)
		return nil
	}))
}

func TestStreamEnds(t *testing.T) {
	s := smallShape("llama")
	m := openModel(t, s.write(t), Options{})
	windows := [][]int32{someTokens(10, s.vocab), {int32(s.vocab)}}
	require.ErrorContains(t, m.Stream(t.Context(), windows, StreamOptions{}, nil), "window 1: token 0 is 100")
	enough := errors.New("enough")
	require.ErrorIs(t, m.Stream(t.Context(), windows[:1], StreamOptions{}, func(int, int, []float32) error { return enough }), enough)
	ctx, cancel := context.WithCancel(t.Context())
	layers := 0
	err := m.Stream(ctx, windows[:1], StreamOptions{Observer: &Observer{Layer: func(int, []float32, int) { layers++; cancel() }}}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, layers)
	require.ErrorContains(t, m.Stream(t.Context(), windows[:1], StreamOptions{Memory: 1, Dir: "/none"}, nil), "no room for them on disk")
	require.NoError(t, m.Stream(t.Context(), nil, StreamOptions{}, nil))
}
