package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/stretchr/testify/require"
)

// kvTypes are all types that keys and values may have.
func kvTypes(t testing.TB) (out []*quant.Type) {
	for _, q := range quant.All() {
		if q.KV {
			out = append(out, q)
		}
	}
	require.Len(t, out, int(rowKinds), "a type for keys and values has no kernels")
	return out
}

// stored encodes tokens of dim numbers, stride bytes apart (0: none between),
// and gives what they decode to.
func stored(t testing.TB, q *quant.Type, x []float32, dim, stride int) (Rows, []float32) {
	size := int(q.RowBytes(int64(dim)))
	if stride == 0 {
		stride = size
	}
	r := Rows{Type: q, Dim: dim, Stride: stride}
	decoded := make([]float32, len(x))
	tokens := len(x) / dim
	if tokens > 0 {
		r.Data = make([]byte, (tokens-1)*stride+size)
	}
	for i := range tokens {
		at := r.Data[i*stride:][:size]
		require.NoError(t, q.Quantize(at, x[i*dim:][:dim], quant.Options{Cols: dim}))
		q.Dequantize(decoded[i*dim:][:dim], at)
	}
	if stride == size {
		r.Stride = 0
	}
	return r, decoded
}

// storedByChannel does so by channel; x is filled up with zeros to whole groups.
func storedByChannel(t testing.TB, q *quant.Type, x []float32, dim, gap int) (Rows, []float32) {
	size := dim * q.Bytes
	r := Rows{Type: q, Dim: dim, ByChannel: true, Stride: size + gap}
	decoded := make([]float32, len(x))
	for at := 0; at < len(x); at += q.Block * dim {
		group := make([]float32, q.Block*dim)
		copy(group, x[at:])
		to := make([]byte, size+gap)
		require.NoError(t, quant.QuantizeChannels(q, to[:size], group, dim, quant.Options{}))
		quant.DequantizeChannels(q, group, to[:size])
		copy(decoded[at:], group)
		r.Data = append(r.Data, to...)
	}
	return r, decoded
}

// TestDots wants the bits of scalar products of decoded numbers.
func TestDots(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		var w Workspace
		r := random(7)
		for _, q := range kvTypes(t) {
			for try := range 12 {
				dim := []int{32, 64, 96, 128, 256}[r.IntN(5)]
				heads, tokens := 1+r.IntN(9), []int{0, 1, 3, 4, 31, 32, 33, 70}[r.IntN(8)]
				x, query := numbers(r, tokens*dim, false), numbers(r, heads*dim, try%4 == 0)
				stride := 0
				if try%2 == 1 {
					stride = int(q.RowBytes(int64(dim)))*2 + r.IntN(5)
				}
				rows, decoded := stored(t, q, x, dim, stride)
				rows.Data = append(make([]byte, try%3, 1<<16), rows.Data...)[try%3:]
				apart := tokens + r.IntN(3)
				want := numbers(r, (heads-1)*apart+tokens, false)
				got := clone(want)
				for h := range heads {
					dots(want[h*apart:], query[h*dim:][:dim], decoded)
				}
				w.Dots(got, apart, query, heads, rows, tokens)
				wantSame(t, fmt.Sprintf("%s: %d heads of %d, %d tokens", q, heads, dim, tokens), got, want)
			}
		}
	})
}

// Odd dimensions are done by scalar code.
func TestDotsOddDimension(t *testing.T) {
	f16, _ := quant.Lookup("f16")
	r := random(8)
	x, query := numbers(r, 40*5, false), numbers(r, 5*5, false)
	rows, decoded := stored(t, f16, x, 5, 0)
	want, sum := make([]float32, 5*40), make([]float32, 25)
	for h := range 5 {
		dots(want[h*40:], query[h*5:][:5], decoded)
		weightedRows(sum[h*5:][:5], want[h*40:][:40], decoded)
	}
	got, gotSum := make([]float32, 5*40), make([]float32, 25)
	var w Workspace
	w.Dots(got, 40, query, 5, rows, 40)
	w.WeightedSum(gotSum, got, 40, 5, rows, 40)
	wantSame(t, "dots", got, want)
	wantSame(t, "sums", gotSum, sum)
}

func TestDotsByChannel(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		var w Workspace
		r := random(9)
		for _, name := range []string{"int3", "int2", "q4_1"} {
			q, ok := quant.Lookup(name)
			require.True(t, ok)
			for try := range 20 {
				dim, heads, first := []int{5, 32, 64, 128}[r.IntN(4)], 1+r.IntN(9), r.IntN(32)
				tokens := []int{0, 1, 20, 32, 33, 100}[r.IntN(6)]
				x, query := numbers(r, (first+tokens)*dim, false), numbers(r, heads*dim, false)
				rows, decoded := storedByChannel(t, q, x, dim, try%2*7)
				rows.First = first
				want := numbers(r, heads*tokens, false)
				got := clone(want)
				for h := range heads {
					for i := range tokens {
						sum := float32(0)
						for c, v := range query[h*dim:][:dim] {
							sum += float32(v * decoded[(first+i)*dim+c])
						}
						want[h*tokens+i] = sum
					}
				}
				w.Dots(got, tokens, query, heads, rows, tokens)
				wantSame(t, fmt.Sprintf("%s: %d heads of %d, %d tokens from %d", q, heads, dim, tokens, first), got, want)
			}
		}
	})
}

func TestWeightedSum(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		var w Workspace
		r := random(10)
		for _, q := range kvTypes(t) {
			for try := range 12 {
				dim := []int{32, 64, 96, 128, 256}[r.IntN(5)]
				heads, tokens := 1+r.IntN(9), []int{0, 1, 3, 4, 31, 32, 33, 70}[r.IntN(8)]
				apart := tokens + r.IntN(3)
				x, weights := numbers(r, tokens*dim, false), numbers(r, heads*apart, try%4 == 0)
				rows, decoded := stored(t, q, x, dim, try%2*(int(q.RowBytes(int64(dim)))+3))
				want := numbers(r, heads*dim, false)
				got := clone(want)
				for h := range heads {
					weightedRows(want[h*dim:][:dim], weights[h*apart:], decoded)
				}
				w.WeightedSum(got, weights, apart, heads, rows, tokens)
				wantSame(t, fmt.Sprintf("%s: %d heads of %d, %d tokens", q, heads, dim, tokens), got, want)
			}
		}
	})
}

// attend is what Attention computes, in float64.
func attend(q, k, v, sinks []float32, dim, valueDim int, scale float64, first, last func(h int) int) []float64 {
	heads := len(q) / dim
	out := make([]float64, heads*valueDim)
	for h := range heads {
		lo, hi := first(h), last(h)
		scores := make([]float64, hi)
		most := math.Inf(-1)
		if sinks != nil {
			most = float64(sinks[h])
		}
		for t := lo; t < hi; t++ {
			for i := range dim {
				scores[t] += float64(q[h*dim+i]) * float64(k[t*dim+i]) * scale
			}
			most = max(most, scores[t])
		}
		sum := 0.0
		if sinks != nil {
			sum = math.Exp(float64(sinks[h]) - most)
		}
		for t := lo; t < hi; t++ {
			w := math.Exp(scores[t] - most)
			sum += w
			for i := range valueDim {
				out[h*valueDim+i] += w * float64(v[t*valueDim+i])
			}
		}
		for i := range valueDim {
			if sum > 0 {
				out[h*valueDim+i] /= sum
			}
		}
	}
	return out
}

func gaussian(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func all(n int) func(int) int { return func(int) int { return n } }

func requireNear(t *testing.T, want []float64, got []float32, delta float64) {
	t.Helper()
	for i, v := range want {
		require.InDelta(t, v, float64(got[i]), delta, "number %d", i)
	}
}

func TestAttention(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(11)
		types := kvTypes(t)
		for try := range 24 {
			dim, valueDim := []int{32, 64, 128}[r.IntN(3)], []int{32, 64, 128}[r.IntN(3)]
			heads, tokens := 1+r.IntN(9), r.IntN(600)
			q := gaussian(r, heads*dim)
			keys, dk := stored(t, types[try%len(types)], gaussian(r, tokens*dim), dim, 0)
			values, dv := stored(t, types[r.IntN(len(types))], gaussian(r, tokens*valueDim), valueDim, 0)
			var sinks []float32
			if try%2 == 0 {
				sinks = gaussian(r, heads)
			}
			scale := 3 / math.Sqrt(float64(dim))
			a := NewAttention(heads+try%3, dim, valueDim)
			dst := make([]float32, heads*valueDim)
			run := func() {
				a.Reset(q, float32(scale))
				a.Add(0, heads, keys, values, tokens)
				a.Result(dst, sinks)
			}
			run()
			requireNear(t, attend(q, dk, dv, sinks, dim, valueDim, scale, all(0), all(tokens)), dst, 3e-5)

			first := bare(dst)
			run()
			wantSame(t, "a second time", bare(dst), first)
			withKernels(&scalar, run)
			wantSame(t, "scalar", first, bare(dst))
		}
	})
}

// Tokens may come in runs, or be divided among several.
func TestAttentionInRuns(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(12)
		const heads, dim, tokens = 5, 64, 900
		q := gaussian(r, heads*dim)
		q8, _ := quant.Lookup("q8_0")
		int3, _ := quant.Lookup("int3")
		x := gaussian(r, tokens*dim)
		keys, dk := stored(t, q8, x, dim, 0)
		values, dv := stored(t, q8, x, dim, 0)
		size := int(q8.RowBytes(dim))
		part := func(rows Rows, from int) Rows { rows.Data = rows.Data[from*size:]; return rows }
		sinks := gaussian(r, heads)
		dst := make([]float32, heads*dim)
		want := attend(q, dk, dv, sinks, dim, dim, 1, all(0), all(tokens))

		a, b := NewAttention(heads, dim, dim), NewAttention(heads, dim, dim)
		for _, cut := range []int{0, 1, 255, 256, 600, tokens} {
			a.Reset(q, 1)
			a.Add(0, heads, keys, values, cut)
			a.Add(0, heads, part(keys, cut), part(values, cut), tokens-cut)
			a.Result(dst, sinks)
			requireNear(t, want, dst, 3e-5)

			a.Reset(q, 1)
			b.Reset(q, 1)
			a.Add(0, heads, keys, values, cut)
			b.Add(0, heads, part(keys, cut), part(values, cut), tokens-cut)
			a.Merge(b)
			a.Result(dst, sinks)
			requireNear(t, want, dst, 3e-5)
		}

		// Old keys by channel from the middle of a group on, new ones as they are.
		old, dOld := storedByChannel(t, int3, x[:640*dim], dim, 0)
		old.First = 13
		a.Reset(q, 1)
		a.Add(0, heads, old, part(values, 13), 640-13)
		a.Add(0, heads, part(keys, 640), part(values, 640), tokens-640)
		a.Result(dst, sinks)
		copy(dk, dOld)
		requireNear(t, attend(q, dk, dv, sinks, dim, dim, 1, all(13), all(tokens)), dst, 3e-5)
	})
}

// TestAttentionPrompt: queries of several positions, each of which sees one
// token more than the one before, within a window.
func TestAttentionPrompt(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(13)
		const group, positions, dim, past, window = 4, 6, 32, 300, 100
		f16, _ := quant.Lookup("f16")
		q := gaussian(r, group*positions*dim)
		x := gaussian(r, (past+positions)*dim)
		keys, dk := stored(t, f16, x, dim, 0)
		values, dv := stored(t, f16, x, dim, 0)
		from := func(rows Rows, token int) Rows { rows.Data = rows.Data[token*2*dim:]; return rows }
		first := func(h int) int { return past + h/group + 1 - window }
		last := func(h int) int { return past + h/group + 1 }

		a := NewAttention(group*positions, dim, dim)
		a.Reset(q, 0.3)
		shared := first(group*positions - 1) // seen by all positions, until past
		a.Add(0, group*positions, from(keys, shared), from(values, shared), past-shared)
		for p := range positions {
			lo, hi := p*group, (p+1)*group
			a.Add(lo, hi, from(keys, first(lo)), from(values, first(lo)), shared-first(lo))
			a.Add(lo, hi, from(keys, past), from(values, past), p+1)
		}
		dst := make([]float32, len(q))
		a.Result(dst, nil)
		requireNear(t, attend(q, dk, dv, nil, dim, dim, 0.3, first, last), dst, 3e-5)
	})
}

func TestAttentionEnds(t *testing.T) {
	f32, _ := quant.Lookup("f32")
	rows, _ := stored(t, f32, []float32{1, 2, 3, 4}, 2, 0)
	a := NewAttention(1, 2, 2)
	dst := []float32{9, 9}
	a.Reset([]float32{1, 1}, 1)
	a.Result(dst, nil)
	require.Equal(t, []float32{0, 0}, dst, "no tokens")
	a.Result(dst, []float32{-inf})
	require.Equal(t, []float32{0, 0}, dst, "no tokens and no sink")
	a.Result(dst, []float32{3})
	require.Equal(t, []float32{0, 0}, dst, "no tokens but a sink")

	a.Reset([]float32{-300, 0}, 1) // scores that are far below zero
	a.Add(0, 1, rows, rows, 1)
	a.Result(dst, nil)
	require.Equal(t, []float32{1, 2}, dst)
	a.Add(0, 1, rows, rows, 2)
	a.Result(dst, nil)
	require.Equal(t, []float32{1, 2}, dst)

	a.Reset([]float32{-inf, 0}, 1) // all scores -Inf: nothing is seen
	a.Add(0, 1, rows, rows, 2)
	a.Result(dst, nil)
	require.Equal(t, []float32{0, 0}, dst)

	a.Reset([]float32{nan, 0}, 1)
	a.Add(0, 1, rows, rows, 2)
	a.Result(dst, nil)
	require.True(t, dst[0] != dst[0])
}

func TestAttentionNoAllocations(t *testing.T) {
	r := random(14)
	q8, _ := quant.Lookup("q8_0")
	rows, _ := stored(t, q8, gaussian(r, 64*600), 64, 0)
	q, dst, sinks := gaussian(r, 8*64), make([]float32, 8*64), gaussian(r, 8)
	a := NewAttention(8, 64, 64)
	run := func() {
		a.Reset(q, 0.125)
		a.Add(0, 8, rows, rows, 600)
		a.Result(dst, sinks)
		RMSNorm(dst, dst, q, 1e-6)
		Softmax(dst)
	}
	run()
	require.Zero(t, testing.AllocsPerRun(20, run))
}

func TestRowsPanic(t *testing.T) {
	q8, _ := quant.Lookup("q8_0")
	k, _ := quant.Lookup("q4_k")
	for name, rows := range map[string]Rows{
		"short":          {Type: q8, Dim: 32, Data: make([]byte, 67)},
		"short stride":   {Type: q8, Dim: 32, Data: make([]byte, 100), Stride: 67},
		"short channels": {Type: q8, Dim: 32, Data: make([]byte, 34*31), ByChannel: true},
		"negative":       {Type: q8, Dim: 32, Data: make([]byte, 100), Stride: -34},
		"no block":       {Type: q8, Dim: 33, Data: make([]byte, 1000)},
		"no type":        {Dim: 32, Data: make([]byte, 1000)},
		"other type":     {Type: k, Dim: 256, Data: make([]byte, 1000)},
		"first":          {Type: q8, Dim: 32, Data: make([]byte, 1000), First: 1},
		"far first":      {Type: q8, Dim: 32, Data: make([]byte, 5000), ByChannel: true, First: 32},
	} {
		require.Panics(t, func() {
			var w Workspace
			w.Dots(make([]float32, 2), 2, make([]float32, rows.Dim), 1, rows, 2)
		}, name)
	}
}

// TestDecode: all bytes, in rows of every length, wherever they lie.
func TestDecode(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(15)
		for _, q := range kvTypes(t) {
			for try := range 60 {
				dim := 32 * (1 + r.IntN(9))
				size, count := int(q.RowBytes(int64(dim))), 1+r.IntN(5)
				rows := Rows{Type: q, Dim: dim, Stride: size + try%3*5, Data: make([]byte, count*(size+10)+32)[r.IntN(32):]}
				rows.Data = rows.Data[: (count-1)*rows.Stride+size : (count-1)*rows.Stride+size]
				start := r.IntN(256)
				for i := range rows.Data {
					rows.Data[i] = byte(start + i)
					if try%2 == 0 {
						rows.Data[i] = byte(r.Uint32())
					}
				}
				want, got := numbers(r, count*dim, false), numbers(r, count*dim, false)
				for i := range count {
					q.Dequantize(want[i*dim:][:dim], rows.Data[i*rows.Stride:])
				}
				rows.decode(got, 0, dim)
				wantSame(t, q.Name, got, want)
			}
		}
	})
}

// FuzzRows: any bytes are keys and values.
func FuzzRows(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint8(40), []byte{1, 2, 3, 255})
	f.Add(uint64(2), uint8(5), uint8(3), []byte{0x7f, 0x80, 0x7c})
	types := kvTypes(f)
	f.Fuzz(func(t *testing.T, seed uint64, kind, tokens uint8, data []byte) {
		q := types[int(kind)%len(types)]
		const dim = 64
		n := int(tokens)
		size := int(q.RowBytes(dim))
		bytes := make([]byte, n*size)
		for i := range bytes {
			if len(data) > 0 {
				bytes[i] = data[i%len(data)] + byte(i/len(data)*int(seed))
			}
		}
		decoded := make([]float32, n*dim)
		q.Dequantize(decoded, bytes)
		r := random(seed)
		rows, query := Rows{Type: q, Data: bytes, Dim: dim}, numbers(r, 5*dim, false)
		want, sums := numbers(r, 5*n, false), numbers(r, 5*dim, false)
		for _, k := range available() {
			withKernels(k, func() {
				var w Workspace
				got, gotSums := clone(want), clone(sums)
				w.Dots(got, n, query, 5, rows, n)
				w.WeightedSum(gotSums, got, n, 5, rows, n)
				for h := range 5 {
					one := make([]float32, n)
					dots(one, query[h*dim:][:dim], decoded)
					wantSame(t, "dots", bare(got[h*n:][:n]), one)
					sum := bare(sums[h*dim:][:dim])
					weightedRows(sum, one, decoded)
					wantSame(t, "sums", bare(gotSums[h*dim:][:dim]), sum)
				}
				wantSame(t, "dots", got, got) // its canaries
				wantSame(t, "sums", gotSums, gotSums)
			})
		}
	})
}
