package dot

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// TestParity holds every implementation to the scalar one: the same bits where
// activations are integers, on any bytes and on activations that bring sums to
// their ends.
func TestParity(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for _, q := range weightTypes() {
		for _, s := range []struct{ rows, n, blocks int }{{16, 1, 9}, {16, 15, 8}, {33, 4, 3}, {5, 7, 1}, {16, 9, 17}} {
			cols := s.blocks * q.Block
			for _, w := range adversarial(t, r, q, s.rows, cols) {
				x := extremes(r, s.n, cols)
				var want []float32
				withKernels(&scalar, func() { want = multiply(t, q, w, x, s.rows, cols) })
				eachKernels(t, func(t *testing.T) {
					got := multiply(t, q, w, x, s.rows, cols)
					if layouts[q.Name] == nil || layouts[q.Name].form == floats {
						return // TestValues compares these
					}
					for i := range want {
						if want[i] != want[i] && got[i] != got[i] {
							continue
						}
						require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%s, %+v, number %d: %v, not %v", q, s, i, got[i], want[i])
					}
				})
			}
		}
	}
}

// TestRoundingParity: activations are rounded to the same bits.
func TestRoundingParity(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	const cols = 3*chunk + 96
	x := extremes(r, 20, cols)
	for i, v := range []float32{nan, float32(math.Inf(-1)), 0x1p-140, -0x1p-119, 0x1p-120, math.MaxFloat32} {
		for j := range 64 {
			x[i*cols+j] *= 0x1p-100
		}
		x[i*cols+r.IntN(64)] = v
	}
	for i := range chunk {
		x[19*cols+i] = float32(r.IntN(255)-127) / 2 // ties
	}
	form := func(k *kernels, q string, cols int) (in *Input) {
		withKernels(k, func() { in = newInput(t, typeNamed(t, q), x[:20*cols], cols, false) })
		return in
	}
	for _, k := range available() {
		want, got := form(&scalar, "q8_0", cols), form(k, "q8_0", cols)
		for i := range want.small {
			same(t, want.small[i].d[:], got.small[i].d[:])
			want.small[i].d, got.small[i].d = [8]float32{}, [8]float32{}
		}
		require.Equal(t, want.small, got.small, k.Name)
		want, got = form(&scalar, "q4_k", 3*chunk), form(k, "q4_k", 3*chunk)
		for i := range want.super {
			same(t, []float32{want.super[i].d}, []float32{got.super[i].d})
			want.super[i].d, got.super[i].d = 0, 0
		}
		require.Equal(t, want.super, got.super, k.Name)
	}
}

// same wants equal numbers, or NaN for NaN.
func same(t *testing.T, want, got []float32) {
	t.Helper()
	for i := range want {
		if want[i] == want[i] || got[i] == got[i] {
			require.Equal(t, want[i], got[i])
		}
	}
}

// adversarial gives matrices: of random bytes, of one byte repeated, encoded.
func adversarial(t *testing.T, r *rand.Rand, q *quant.Type, rows, cols int) (out [][]byte) {
	size := int(q.RowBytes(int64(rows * cols)))
	noise := make([]byte, size+3)[3:]
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	same := make([]byte, size)
	b := []byte{0, 0x3f, 0x7f, 0x80, 0xff}[r.IntN(5)]
	for i := range same {
		same[i] = b
	}
	return [][]byte{noise, same, matrix(t, r, q, rows, cols)}
}

// extremes are vectors of random numbers, of equal ones, of both signs of one,
// and of none but one.
func extremes(r *rand.Rand, n, cols int) []float32 {
	x := make([]float32, 0, n*cols)
	for v := range n {
		for i := range cols {
			f := float32(r.NormFloat64())
			switch v % 5 {
			case 1:
				f = -3
			case 2:
				f = float32(1 - 2*r.IntN(2))
			case 3:
				if i != cols/2 {
					f = 0
				}
			case 4:
				f *= float32(math.Exp2(float64(r.IntN(80) - 40)))
			}
			x = append(x, f)
		}
	}
	return x
}

func multiply(t *testing.T, q *quant.Type, w []byte, x []float32, rows, cols int) []float32 {
	n := len(x) / cols
	in := newInput(t, q, x, cols, false)
	dst := make([]float32, n*rows)
	require.NoError(t, MulRows(q, dst, rows, w, rows, in))
	return dst
}
