package quant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKernelWords compares the choice of codewords with scalar code.
func TestKernelWords(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(90)
		for try := range 300 {
			var before gridLanes
			for i := range before.x {
				before.x[i], before.w[i] = r.weight(0), r.weight(0)
				if try%3 == 0 {
					before.x[i] = float32(r.below(4)) * 0.25
				}
				before.w[i] *= before.w[i]
				before.wx[i] = float32(before.w[i] * before.x[i])
			}
			for i := range before.scale {
				before.scale[i] = abs(r.weight(-3))
				if try%5 == 0 {
					before.scale[i] = []float32{0, 0x1p-110, 0x1p-30, 0.25, 8}[r.below(5)]
				}
			}
			n := 1 + r.below(gridNear)
			shift := []float32{0, gridShift, -gridShift}[try%3]
			for name, table := range map[string]*gridTable{"iq1": ternaryTable(), "iq2": iq2XXSCodec.table()} {
				got, want := before, before
				k.nearWords8(&got, table, n, shift)
				nearWords8(&want, table, n, shift)
				require.Equal(t, want, got, name)
			}
			for name, table := range map[string]*gridTable{"iq3_s": iq3SCodec.table(), "iq3_xxs": iq3XXSCodec.table()} {
				got, want := before, before
				k.nearWords4(&got, table, n)
				nearWords4(&want, table, n)
				require.Equal(t, want, got, name)
			}
		}
	})
}
