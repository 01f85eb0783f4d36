package infer

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// decoder decodes tokens one by one.
type decoder struct {
	c     *Context
	parts []Part
	visit func(_, _ int, logits []float32) error
}

func newDecoder(t testing.TB, m *Model, o ContextOptions) *decoder {
	c := newContext(t, m, o)
	d := &decoder{c: c, parts: []Part{{c.NewSequence(), []int32{1}, Last}}}
	d.visit = func(_, _ int, logits []float32) error {
		d.parts[0].Tokens[0] = int32(largest(logits))
		return nil
	}
	return d
}

func (d *decoder) step() error { return d.c.Decode(context.Background(), d.parts, d.visit) }

// Decoding allocates nothing, but for a page of the cache now and then.
func TestDecodeAllocations(t *testing.T) {
	for _, arch := range Architectures() {
		s := smallShape(arch)
		s.typ, s.layers = "q8_0", 1
		m := openModel(t, s.write(t), Options{Threads: 2})
		for _, cache := range []string{"f16", "q8_0", "bf16", "e4m3"} {
			d := newDecoder(t, m, ContextOptions{Cache: cacheOf(t, m, cache)})
			for range 10 {
				require.NoError(t, d.step())
			}
			require.Zero(t, testing.AllocsPerRun(20, func() { _ = d.step() }), "%s, %s", arch, cache)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		b.Run(name, func(b *testing.B) {
			m := openModel(b, examples+name, Options{})
			d := newDecoder(b, m, ContextOptions{})
			b.ReportAllocs()
			for b.Loop() {
				if d.parts[0].Seq.Len() > 1000 {
					require.NoError(b, d.parts[0].Seq.Truncate(0))
				}
				require.NoError(b, d.step())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

func BenchmarkPrompt(b *testing.B) {
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		b.Run(name, func(b *testing.B) {
			m := openModel(b, examples+name, Options{})
			c := newContext(b, m, ContextOptions{})
			part := []Part{{c.NewSequence(), someTokens(512, m.Vocab), None}}
			for b.Loop() {
				require.NoError(b, part[0].Seq.Truncate(0))
				require.NoError(b, c.Decode(context.Background(), part, nil))
			}
			b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
