package infer

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rounding is how much logits may differ where the same sums are formed in
// another grouping; all these tests find less.
const rounding = 1e-4

func eachArchitecture(t *testing.T, f func(t *testing.T, s shape)) {
	for _, a := range Architectures() {
		t.Run(a, func(t *testing.T) { f(t, smallShape(a)) })
	}
}

// Neither the size of a batch nor the number of threads changes results.
func TestBatchAndThreads(t *testing.T) {
	eachArchitecture(t, func(t *testing.T, s shape) {
		path, tokens := s.write(t), someTokens(200, s.vocab)
		for _, exact := range []bool{true, false} {
			for _, cache := range []string{"f16", "q8_0", "int3/int2"} {
				var want [][]float32
				for _, threads := range []int{1, 3} {
					m := openModel(t, path, Options{Exact: exact, Threads: threads})
					for _, batch := range []int{200, 1, 33} {
						got := allLogits(t, newContext(t, m, ContextOptions{Batch: batch, Cache: cacheOf(t, m, cache)}), tokens)
						if want == nil {
							want = got
						}
						for i := range want {
							require.LessOrEqual(t, apart(t, want[i], got[i]), rounding, "exact %v, cache %s, %d threads, %d at a time, token %d", exact, cache, threads, batch, i)
						}
					}
				}
			}
		}
	})
}

// Sequences of different lengths in one batch do not see each other.
func TestRagged(t *testing.T) {
	eachArchitecture(t, func(t *testing.T, s shape) {
		m := openModel(t, s.write(t), Options{})
		c := newContext(t, m, ContextOptions{Batch: 40})
		lengths := []int{3, 50, 1, 17}
		var parts, more []Part
		want := map[string][]float32{}
		for i, n := range lengths {
			tokens := someTokens(n+5, s.vocab)
			for j, logits := range allLogits(t, c, tokens) {
				want[fmt.Sprint(i, " ", j)] = logits
			}
			seq := c.NewSequence()
			parts = append(parts, Part{seq, tokens[:n], Want(i % 3)})
			more = append(more, Part{seq, tokens[n:], All})
		}
		seen := 0
		see := func(at []int) func(part, index int, logits []float32) error {
			return func(part, index int, logits []float32) error {
				seen++
				require.LessOrEqual(t, apart(t, want[fmt.Sprint(part, " ", at[part]+index)], logits), rounding, "part %d, token %d", part, index)
				return nil
			}
		}
		require.NoError(t, c.Decode(context.Background(), parts, see(make([]int, 4))))
		require.Equal(t, 1+0+1+1, seen) // Last, None, All, Last
		require.NoError(t, c.Decode(context.Background(), more, see(lengths)))
		require.Equal(t, 3+20, seen)
	})
}

// A sequence that was saved goes on as the one that it was.
func TestSaveLoad(t *testing.T) {
	eachArchitecture(t, func(t *testing.T, s shape) {
		m := openModel(t, s.write(t), Options{})
		tokens := someTokens(100, s.vocab)
		for _, cache := range []string{"f16", "q4_0"} {
			c := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, cache)})
			want := allLogits(t, c, tokens)
			seq := c.NewSequence()
			require.NoError(t, c.Decode(context.Background(), []Part{{seq, tokens[:60], None}}, nil))
			state, err := seq.Save()
			require.NoError(t, err)
			other := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, cache)}).NewSequence()
			require.NoError(t, other.Load(state))
			require.Equal(t, 60, other.Len())
			require.NoError(t, other.c.Decode(context.Background(), []Part{{other, tokens[60:], All}}, func(_, i int, logits []float32) error {
				require.LessOrEqual(t, apart(t, want[60+i], logits), rounding)
				return nil
			}))
			small := newContext(t, m, ContextOptions{Tokens: 50, Cache: cacheOf(t, m, cache)}).NewSequence()
			require.ErrorContains(t, small.Load(state), "room for 50")
		}
	})
}

// A pass ends at once when it is cancelled, and the sequence stays as it was.
func TestCancel(t *testing.T) {
	s := smallShape("qwen3moe")
	m := openModel(t, s.write(t), Options{})
	var seen atomic.Int32
	ctx, cancel := context.WithCancel(context.Background())
	c := newContext(t, m, ContextOptions{Observer: &Observer{Layer: func(layer int, _ []float32, _ int) {
		seen.Add(1)
		cancel()
	}}})
	seq := c.NewSequence()
	tokens := someTokens(20, s.vocab)
	start := time.Now()
	require.ErrorIs(t, c.Decode(ctx, []Part{{seq, tokens, All}}, nil), context.Canceled)
	require.Less(t, time.Since(start), 10*time.Second)
	require.Equal(t, int32(1), seen.Load(), "the second layer was not run")
	require.Zero(t, seq.Len())

	plain := newContext(t, m, ContextOptions{})
	want := allLogits(t, plain, tokens)
	require.NoError(t, c.Decode(context.Background(), []Part{{seq, tokens, All}}, func(_, i int, logits []float32) error {
		require.Equal(t, want[i], logits)
		return nil
	}))
}

func TestDecodeErrors(t *testing.T) {
	s := smallShape("llama")
	m := openModel(t, s.write(t), Options{})
	c := newContext(t, m, ContextOptions{Tokens: 10})
	seq := c.NewSequence()
	decode := func(parts ...Part) error { return c.Decode(context.Background(), parts, nil) }
	require.ErrorIs(t, decode(Part{seq, someTokens(11, s.vocab), None}), ErrFull)
	require.ErrorContains(t, decode(Part{seq, []int32{int32(s.vocab)}, None}), "token 0 is 100, and the model has 100")
	require.ErrorContains(t, decode(Part{seq, []int32{-1}, None}), "token 0 is -1")
	require.ErrorContains(t, decode(Part{seq, []int32{1}, None}, Part{seq, []int32{1}, None}), "one sequence")
	require.ErrorContains(t, decode(Part{nil, []int32{1}, None}), "no sequence")
	require.NoError(t, decode(Part{seq, nil, Last}))
	require.NoError(t, decode(Part{seq, someTokens(10, s.vocab), None}))
	require.ErrorIs(t, decode(Part{seq, []int32{1}, None}), ErrFull)
	for _, o := range []ContextOptions{{Tokens: -1}, {Batch: -1}, {Batch: 1 << 20}, {Cache: cacheOf(t, m, "f16")[:1]}} {
		_, err := m.NewContext(o)
		require.Error(t, err)
	}
}

// Who watches sees what the layers do.
func TestObserver(t *testing.T) {
	eachArchitecture(t, func(t *testing.T, s shape) {
		m := openModel(t, s.write(t), Options{})
		tokens := someTokens(60, s.vocab)
		want := allLogits(t, newContext(t, m, ContextOptions{}), tokens)
		names := map[string]int{}
		heads, inputs, outputs, layers := 0, 0, 0, 0
		o := &Observer{
			Batch: func(pos []int32) { require.Len(t, pos, 60) },
			Linear: func(layer int, all []string, x []float32, cols int) {
				for _, n := range all {
					names[n] += len(x) / cols
				}
			},
			Layer: func(layer int, x []float32, cols int) { layers++ },
		}
		o.Attention = func(layer, row, head, first int, p []float32) {
			heads++
			sum := 0.0
			for _, v := range p {
				sum += float64(v)
			}
			require.Equal(t, row, first+len(p)-1)
			if s.arch == "gpt-oss" {
				require.Less(t, sum, 1.0, "the sink has a part")
				if layer == 0 {
					require.LessOrEqual(t, len(p), s.window)
				}
				return
			}
			require.InDelta(t, 1, sum, 1e-5)
		}
		o.ExpertInput = func(layer, expert, row int, hidden []float32) { inputs++; require.Len(t, hidden, s.width) }
		o.ExpertOutput = func(layer, expert, row int, out []float32) { outputs++; require.Len(t, out, s.hidden) }
		require.Equal(t, want, allLogits(t, newContext(t, m, ContextOptions{Observer: o}), tokens))
		require.Equal(t, s.layers, layers)
		require.Equal(t, s.layers*s.heads*60, heads)
		require.Equal(t, s.layers*s.used*60, inputs)
		require.Equal(t, inputs, outputs)
		second := "blk.1.ffn_down.weight"
		if s.experts > 0 {
			second = "blk.1.ffn_up_exps.weight"
		}
		for _, n := range []string{"blk.0.attn_q.weight", "blk.1.attn_output.weight", second, "output.weight"} {
			require.Equal(t, 60, names[n], n)
		}
	})
}
