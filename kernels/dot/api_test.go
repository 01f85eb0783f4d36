package dot

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrors(t *testing.T) {
	q4, q8 := typeNamed(t, "q4_k"), typeNamed(t, "q8_0")
	require.ErrorContains(t, NewInput(256).Set(make([]float32, 255), 1), "255 numbers are not 1 vectors of 256")
	require.ErrorContains(t, NewInput(0).Set(nil, 1), "not 1 vectors of 0")
	require.ErrorContains(t, NewInput(256).Set(nil, -1), "not -1 vectors")
	in := NewInput(288)
	require.NoError(t, in.Set(make([]float32, 2*288), 2))
	require.ErrorContains(t, in.Prepare(q4), "rows of 288 weights are no multiple of its block of 256")

	in = NewInput(512)
	require.NoError(t, in.Set(make([]float32, 1024), 2))
	require.NoError(t, in.Prepare(q4))
	w, dst := make([]byte, 3*288), make([]float32, 6)
	require.NoError(t, MulRows(q4, dst, 3, w, 3, in))
	require.NoError(t, MulRows(q4, nil, 0, nil, 0, in))
	require.ErrorContains(t, MulRows(q8, dst, 3, w, 1, in), "no integers with a scale per 32; call Prepare after Set")
	require.ErrorContains(t, MulRows(q4, dst, 3, w[1:], 3, in), "863 bytes of weights where 3 rows of 512 take 864")
	require.ErrorContains(t, MulRows(q4, dst[1:], 3, w, 3, in), "5 numbers of room for 2 vectors of 3 rows, 3 apart")
	require.ErrorContains(t, MulRows(q4, dst, 2, w, 3, in), "3 rows, 2 apart")
	require.ErrorContains(t, MulRowsOf(q4, dst, 3, w, 3, in, []int{2}), "vector 2 of 2")
	require.NoError(t, MulRowsOf(q4, nil, 0, w, 3, in, nil))

	require.NoError(t, in.Set(make([]float32, 1024), 2))
	require.ErrorContains(t, MulRows(q4, dst, 3, w, 3, in), "call Prepare after Set")
}

// sizes are numbers of rows and vectors, and lengths in blocks.
var sizes = []struct{ rows, n, blocks int }{
	{1, 1, 1}, {2, 5, 3}, {16, 1, 2}, {17, 2, 1}, {31, 3, 9}, {32, 8, 2}, {35, 17, 1}, {16, 150, 1},
}

// TestSplits: however rows and vectors are divided, the numbers are the same,
// and nothing is written behind them.
func TestSplits(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, q := range weightTypes() {
			for _, s := range sizes {
				cols := s.blocks * q.Block
				w, x := matrix(t, r, q, s.rows, cols), randomFloats(r, s.n*cols)
				in := newInput(t, q, x, cols, false)
				stride := s.rows + 3
				all := canaries(s.n * stride)
				require.NoError(t, MulRows(q, all, stride, w, s.rows, in))
				for v := range s.n {
					for _, c := range all[v*stride+s.rows:][:3] {
						require.Equal(t, canary, c)
					}
				}

				one := canaries(s.rows + 1)
				idx := make([]int, s.n)
				for v := range idx {
					single := newInput(t, q, x[v*cols:][:cols], cols, false)
					require.NoError(t, MulRows(q, one, 0, w, s.rows, single))
					require.Equal(t, all[v*stride:][:s.rows], one[:s.rows], "%s: vector %d of %+v alone", q, v, s)
					require.Equal(t, canary, one[s.rows])
					idx[v] = r.IntN(s.n)
				}

				picked := canaries(s.n * stride)
				cut := r.IntN(s.rows + 1)
				bytes := int(q.RowBytes(int64(cols)))
				require.NoError(t, MulRowsOf(q, picked, stride, w[:cut*bytes], cut, in, idx))
				require.NoError(t, MulRowsOf(q, picked[cut:], stride, w[cut*bytes:], s.rows-cut, in, idx))
				for i, v := range idx {
					require.Equal(t, all[v*stride:][:s.rows], picked[i*stride:][:s.rows], "%s: vectors %v of %+v, rows cut at %d", q, idx, s, cut)
				}
			}
		}
	})
}

const canary = float32(12345.75)

func canaries(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = canary
	}
	return x
}

// TestNotFinite: a NaN or an infinity is not lost in rounding, and makes no
// other vector's products wrong.
func TestNotFinite(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, q := range weightTypes() {
			const rows, cols = 16, 512
			w, x := matrix(t, r, q, rows, cols), randomFloats(r, 3*cols)
			x[cols+300] = float32(math.Inf(1))
			x[2*cols+5] = nan
			in := newInput(t, q, x, cols, false)
			got := make([]float32, 3*rows)
			require.NoError(t, MulRows(q, got, rows, w, rows, in))
			for i, v := range got {
				lost := v-v == 0
				if i < rows {
					require.True(t, lost, "%s: %v", q, v)
				} else if y := weightAt(q, w, cols, i%rows, []int{0, 300, 5}[i/rows]); y != 0 {
					require.False(t, lost, "%s: row %d, vector %d: %v", q, i%rows, i/rows, v)
				}
			}
		}
	})
}

// TestSteady: products of prepared inputs, and preparing anew, allocate nothing.
func TestSteady(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, name := range []string{"q4_k", "q8_0", "iq2_s", "f32", "mlx_affine4_g64"} {
			q := typeNamed(t, name)
			const rows, cols, n = 33, 512, 9
			w, x := matrix(t, r, q, rows, cols), randomFloats(r, n*cols)
			in, dst := NewInput(cols), make([]float32, rows*n)
			run := func() {
				require.NoError(t, in.Set(x, n))
				require.NoError(t, in.Prepare(q))
				require.NoError(t, MulRows(q, dst, rows, w, rows, in))
			}
			run()
			require.Less(t, testing.AllocsPerRun(20, run), 1.0, name)
		}
	})
}
