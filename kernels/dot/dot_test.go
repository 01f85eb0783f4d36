package dot

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// weightTypes are those that matrices may have.
func weightTypes() (out []*quant.Type) {
	for _, t := range quant.All() {
		if t.Dequantize != nil && t.Name != "q8_k" {
			out = append(out, t)
		}
	}
	return out
}

func typeNamed(t testing.TB, name string) *quant.Type {
	q, ok := quant.Lookup(name)
	require.True(t, ok, name)
	return q
}

// withKernels runs fn with an implementation in use.
func withKernels(k *kernels, fn func()) {
	defer func(before *kernels) { use = before }(use)
	use = k
	fn()
}

func eachKernels(t *testing.T, fn func(t *testing.T)) {
	for _, k := range available() {
		t.Run(k.Name, func(t *testing.T) { withKernels(k, func() { fn(t) }) })
	}
}

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
		if r.IntN(100) == 0 {
			x[i] *= 20
		}
	}
	return x
}

// matrix is rows x cols random weights of type t, encoded, at an odd address.
func matrix(t testing.TB, r *rand.Rand, q *quant.Type, rows, cols int) []byte {
	size := int(q.RowBytes(int64(rows * cols)))
	w := make([]byte, size+1)[1:]
	if q.Quantize == nil {
		y := make([]float32, q.Block)
		for block := w; len(block) > 0; block = block[q.Bytes:] {
			for i := range q.Bytes {
				block[i] = byte(r.Uint32())
			}
			q.Dequantize(y, block)
			for _, v := range y {
				if !(abs(v) < 1e4) {
					clear(block[:q.Bytes])
				}
			}
		}
		return w
	}
	require.NoError(t, q.Quantize(w, randomFloats(r, rows*cols), quant.Options{Cols: cols, Effort: quant.Fast}))
	return w
}

func newInput(t testing.TB, q *quant.Type, x []float32, cols int, exact bool) *Input {
	in := NewInput(cols)
	in.Exact = exact
	require.NoError(t, in.Set(x, len(x)/cols))
	require.NoError(t, in.Prepare(q))
	return in
}

// rounded are the activations that products with q see.
func rounded(in *Input, q *quant.Type) []float32 {
	x := append([]float32(nil), in.x...)
	for v := range in.n {
		for i := range in.cols {
			c := i/chunk*in.n + v
			switch in.formFor(q) {
			case superForm:
				x[v*in.cols+i] = float32(in.super[c].q[i%chunk]) * in.super[c].d
			case smallForm:
				x[v*in.cols+i] = float32(in.small[c].q[i%chunk]) * in.small[c].d[i%chunk/32]
			}
		}
	}
	return x
}

// TestValues compares products with sums in float64 of dequantized weights.
func TestValues(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, q := range weightTypes() {
			for _, exact := range []bool{false, true} {
				const rows, n = 19, 3
				cols := 512
				if q.Block < 256 {
					cols += q.Block
				}
				w, x := matrix(t, r, q, rows, cols), randomFloats(r, n*cols)
				in := newInput(t, q, x, cols, exact)
				got := make([]float32, n*rows)
				require.NoError(t, MulRows(q, got, rows, w, rows, in))
				y := make([]float32, rows*cols)
				q.Dequantize(y, w)
				seen := rounded(in, q)
				if exact {
					require.Equal(t, x, seen)
				}
				for v := range n {
					for row := range rows {
						sum, size := 0.0, 0.0
						for i, a := range seen[v*cols:][:cols] {
							p := float64(y[row*cols+i]) * float64(a)
							sum += p
							size += math.Abs(p)
						}
						require.InDelta(t, sum, got[v*rows+row], 1e-5*size, "%s, row %d, vector %d, exact %v", q, row, v, exact)
					}
				}
			}
		}
	})
}

// TestRounding holds activations to ggml's rule: the largest is 127 steps.
func TestRounding(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		x := randomFloats(r, 3*chunk)
		in := newInput(t, typeNamed(t, "q4_k"), x, len(x), false)
		require.NoError(t, in.Prepare(typeNamed(t, "q8_0")))
		for i, v := range x {
			a, b := &in.super[i/chunk], &in.small[i/chunk]
			require.InDelta(t, v, float32(a.q[i%chunk])*a.d, float64(abs(a.d))*0.501)
			d := b.d[i%chunk/32]
			require.InDelta(t, v, float32(b.q[i%chunk])*d, float64(d)*0.6)
		}
	})
}

// weightAt decodes one weight.
func weightAt(q *quant.Type, w []byte, cols, row, col int) float32 {
	y := make([]float32, cols)
	size := int(q.RowBytes(int64(cols)))
	q.Dequantize(y, w[row*size:][:size])
	return y[col]
}
