package quant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKernelSecond compares the kernels of rounding under second moments with
// scalar code.
func TestKernelSecond(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(95)
		for range 500 {
			n := r.below(70)
			e := runOf(&r, n*rowLanes, r.below(3) == 0)
			var lines [4][]float32
			for i := range lines {
				lines[i] = runOf(&r, n, false)
			}
			used := 1 + r.below(rowLanes)
			var got, want [4][rowLanes]float32
			k.dotLanes(&got, &lines, e, used)
			dotLanes(&want, &lines, e, used)
			for i := range want {
				sameFloats(t, "dotLanes", got[i][:used], want[i][:used])
			}

			n = vectorRun * (1 + r.below(20))
			to, all := room(&r, n)
			copy(to, runOf(&r, n, false))
			sum := append([]float32(nil), to...)
			x, by := runOf(&r, n, r.below(3) == 0), r.weight(0)
			k.addScaled(to, x, by)
			addScaled(sum, x, by)
			sameFloats(t, "addScaled", to, sum)
			for _, c := range all[n:] {
				require.Equal(t, float32(canary), c)
			}

			n = 8 * (1 + r.below(20))
			row, left := make([]float64, n+8), make([]float64, n+8)
			for i := range row {
				row[i] = float64(r.weight(0))
			}
			copy(left, row)
			var factors [4]float64
			for i := range lines {
				lines[i], factors[i] = runOf(&r, n, false), float64(r.weight(0))/3
			}
			k.takeOff(row[:n], &lines, &factors)
			takeOff(left[:n], &lines, &factors)
			require.Equal(t, left, row)
		}
	})
}
