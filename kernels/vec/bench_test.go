package vec

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/llama-pajamas/pj/kernels/quant"
)

const (
	benchTokens = 8192
	benchDim    = 128
)

// caches are keys, which also serve as values, of many heads at 8K tokens:
// together more than a processor's caches hold.
type caches struct {
	heads []Rows
	bytes int64 // of one head
}

func makeCaches(b testing.TB, name string, count int) caches {
	q, ok := quant.Lookup(name)
	if !ok {
		b.Fatal(name)
	}
	r := random(1)
	x := gaussian(r, 256*benchDim)
	data := make([]byte, q.RowBytes(int64(len(x))))
	if err := q.Quantize(data, x, quant.Options{Cols: benchDim}); err != nil {
		b.Fatal(err)
	}
	c := caches{bytes: q.RowBytes(benchTokens * benchDim)}
	for range count {
		head := make([]byte, 0, c.bytes)
		for len(head) < int(c.bytes) {
			head = append(head, data...)
		}
		c.heads = append(c.heads, Rows{Type: q, Data: head, Dim: benchDim})
	}
	return c
}

var benchTypes = []string{"f32", "f16", "bf16", "q8_0", "e4m3", "e5m2", "q4_0", "q4_1", "iq4_nl", "int3", "int2"}

// BenchmarkAttention is a token's attention to 8K tokens, of a KV head with a
// group of query heads. Bytes are those of keys and values.
func BenchmarkAttention(b *testing.B) {
	for _, heads := range []int{1, 8} {
		for _, name := range benchTypes {
			for _, count := range []int{1, 48} {
				b.Run(fmt.Sprintf("%s/group=%d/layers=%d", name, heads, count), func(b *testing.B) {
					c := makeCaches(b, name, count)
					q, dst := gaussian(rand.New(rand.NewPCG(1, 2)), heads*benchDim), make([]float32, heads*benchDim)
					a := NewAttention(heads, benchDim, benchDim)
					b.SetBytes(2 * c.bytes)
					b.ResetTimer()
					for i := range b.N {
						rows := c.heads[i%count]
						a.Reset(q, 0.1)
						a.Add(0, heads, rows, rows, benchTokens)
						a.Result(dst, nil)
					}
				})
			}
		}
	}
}

// BenchmarkDotsBesideF16 compares, in turns, products of a query with keys of a
// type and with f16 keys, at 8K tokens: f16's time over the type's, the best of
// each.
func BenchmarkDotsBesideF16(b *testing.B) {
	for _, heads := range []int{1, 8} {
		for _, count := range []int{1, 48} {
			f16 := makeCaches(b, "f16", count)
			for _, name := range []string{"q8_0", "e4m3", "q4_0", "int3"} {
				b.Run(fmt.Sprintf("%s/group=%d/layers=%d", name, heads, count), func(b *testing.B) {
					c := makeCaches(b, name, count)
					q, dst := gaussian(random(2), heads*benchDim), make([]float32, heads*benchTokens)
					var w Workspace
					best := [2]time.Duration{time.Hour, time.Hour}
					for i := range b.N {
						for j, of := range []caches{f16, c} {
							start := time.Now()
							w.Dots(dst, benchTokens, q, heads, of.heads[i%count], benchTokens)
							best[j] = min(best[j], time.Since(start))
						}
					}
					gbs := func(c caches, d time.Duration) float64 { return float64(c.bytes) / float64(d.Nanoseconds()) }
					b.ReportMetric(float64(best[0])/float64(best[1]), "times_f16")
					b.ReportMetric(gbs(c, best[1]), "GB/s")
					b.ReportMetric(gbs(f16, best[0]), "f16_GB/s")
				})
			}
		}
	}
}

// BenchmarkElements are operations of a token's forward pass; bytes are those
// of one argument.
func BenchmarkElements(b *testing.B) {
	for _, f := range pure {
		for _, k := range available() {
			b.Run(f.name+"/"+k.Name, func(b *testing.B) {
				withKernels(k, func() {
					r := random(3)
					var x [][]float32
					for range f.slices {
						x = append(x, numbers(r, 2880, false))
					}
					b.SetBytes(4 * 2880)
					for range b.N {
						f.fn(x)
					}
				})
			})
		}
	}
}

func BenchmarkTopK(b *testing.B) {
	for _, tt := range []struct{ n, k int }{{128, 8}, {32, 4}, {151936, 40}} {
		b.Run(fmt.Sprintf("%d of %d", tt.k, tt.n), func(b *testing.B) {
			x, dst := gaussian(random(4), tt.n), make([]int, tt.k)
			for range b.N {
				TopK(dst, x)
			}
		})
	}
}
