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
