package vec

import (
	"math"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

// ulps is how far got is from want, in units of want's last place as a float32.
func ulps(got float32, want float64) float64 {
	if math.IsInf(want, 0) || want > math.MaxFloat32 {
		if math.IsInf(float64(got), 1) {
			return 0
		}
	}
	_, e := math.Frexp(want)
	unit := math.Ldexp(1, max(e-24, -149))
	return math.Abs(float64(got)-want) / unit
}

// TestExpError looks at every 1021st float32 there is; the bound that Exp states
// was measured with all of them.
func TestExpError(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		step := uint32(1021)
		if k == &scalar || testing.Short() {
			step = 16381
		}
		x, y := make([]float32, 1024), make([]float32, 1024)
		worst, at := 0.0, float32(0)
		for bits := uint64(0); bits < 1<<32; {
			n := 0
			for ; n < len(x) && bits < 1<<32; bits += uint64(step) {
				if v := math.Float32frombits(uint32(bits)); v > -110 && v < 95 {
					x[n] = v
					n++
				}
			}
			Exp(y[:n], x[:n])
			for i, v := range x[:n] {
				if e := ulps(y[i], math.Exp(float64(v))); e > worst {
					worst, at = e, v
				}
			}
		}
		t.Logf("%.4f units in the last place, at %v", worst, at)
		require.LessOrEqual(t, worst, 0.98)
		require.Greater(t, worst, 0.5, "no float32 function is that good: the test looks at nothing")
	})
}

func TestExpEnds(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		x := []float32{-inf, -1e30, -104, -103.98, -103.9, 0, float32(math.Copysign(0, -1)), 88.72, 88.73, 1e30, inf, 1, nan, 0x1p-149, 0x1p-30, -0x1p-30}
		y := make([]float32, len(x))
		Exp(y, x)
		tiny := float32(math.SmallestNonzeroFloat32)
		want := []float32{0, 0, 0, 0, tiny, 1, 1, y[7], inf, inf, inf, math.E, nan, 1, 1, 1}
		wantSame(t, "exp", y, want)
		require.Less(t, y[7], inf)
	})
}

func TestSoftmax(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(3)
		for _, n := range []int{1, 5, 32, 128, 201088} {
			for _, sink := range []float32{-inf, -3, 0, 40} {
				x := numbers(r, n, false)
				most := float64(max(Max(x), sink))
				want, sum := make([]float64, n), 0.0
				for i, v := range x {
					want[i] = math.Exp(float64(v) - most)
					sum += want[i]
				}
				require.InDelta(t, most+math.Log(sum), LogSumExp(x), 1e-6*max(1, math.Abs(most)))
				sum += math.Exp(float64(sink) - most)
				SoftmaxSink(x, sink)
				for i, v := range x {
					bound := 3e-7 + 0x1p-24*math.Abs(math.Log(want[i])) // that of x - max
					if d := math.Abs(want[i]/sum - float64(v)); !(d <= bound*want[i]/sum+1e-38) {
						t.Fatalf("probability %d is %v, want %v", i, v, want[i]/sum)
					}
				}
			}
		}
		x := []float32{-inf, -inf}
		Softmax(x)
		require.Equal(t, []float32{0, 0}, x)
		x = []float32{1, -inf, 1}
		Softmax(x)
		require.Equal(t, []float32{0.5, 0, 0.5}, x)
		x = []float32{1, nan, 1}
		Softmax(x)
		require.True(t, x[0] != x[0] && x[2] != x[2])
		Softmax(nil)
	})
}

func TestRMSNorm(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(4)
		for _, n := range []int{1, 64, 288, 2880} {
			x, w, dst := numbers(r, n, false), numbers(r, n, false), numbers(r, n, false)
			sum := 0.0
			for _, v := range x {
				sum += float64(v) * float64(v)
			}
			RMSNorm(dst, x, w, 1e-5)
			for i := range x {
				require.InEpsilon(t, float64(x[i])/math.Sqrt(sum/float64(n)+1e-5)*float64(w[i]), dst[i], 2e-7)
			}
		}
		dst := []float32{1, 1}
		RMSNorm(dst, []float32{0, 0}, []float32{1, 1}, 1e-6)
		require.Equal(t, []float32{0, 0}, dst)
	})
}

func TestActivations(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(5)
		gate, up, dst := numbers(r, 4000, false), numbers(r, 4000, false), numbers(r, 4000, false)
		SiLU(dst, gate)
		for i, g := range gate {
			require.InEpsilon(t, float64(g)*sigmoid(float64(g)), dst[i], 3e-7)
		}
		SwiGLU(dst, gate, up)
		for i, g := range gate {
			require.InEpsilon(t, float64(g)*sigmoid(float64(g))*float64(up[i]), dst[i], 3e-7)
		}
		ClampedSwiGLU(dst, gate, up, GPTOSSAlpha, GPTOSSLimit)
		for i := range gate {
			g, u := math.Min(float64(gate[i]), 7), math.Max(math.Min(float64(up[i]), 7), -7)
			want := g * sigmoid(1.702*g) * (u + 1)
			require.InDelta(t, want, dst[i], 2e-6*math.Abs(want)+1e-12, "%v %v", gate[i], up[i])
		}
	})
}

func TestTopK(t *testing.T) {
	r := random(6)
	for try := range 3000 {
		n, k := r.IntN(70), r.IntN(20)
		x := numbers(r, n, try%3 == 0)
		if try%2 == 0 { // many that are equal
			for i := range x {
				x[i] = float32(r.IntN(4))
			}
		}
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		sort.SliceStable(want, func(i, j int) bool {
			a, b := x[want[i]], x[want[j]]
			return a > b || a == a && b != b
		})
		got := TopK(make([]int, k), x)
		require.Equal(t, want[:min(n, k)], got, "%v", x)
		switch best := ArgMax(x); {
		case n == 0 || x[want[0]] != x[want[0]]:
			require.Equal(t, -1, best)
		default:
			require.Equal(t, want[0], best)
		}
	}
	require.Equal(t, 1, ArgMax([]float32{-inf, 2, 2, nan}))
	require.Equal(t, 0, ArgMax([]float32{-inf, -inf}))
	require.Equal(t, []int{0, 1}, TopK(make([]int, 2), []float32{1, 1, 1}))
	require.True(t, slices.IsSorted(TopK(make([]int, 5), make([]float32, 9))))
}
