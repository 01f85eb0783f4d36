package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/llama-pajamas/pj/kernels/tier"
)

// random gives the same numbers in every run.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// oddFloats are numbers that kernels must treat as scalar code does.
var oddFloats = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0x1p-149, -0x1p-140, 0x1p100, -0x1p100,
	math.MaxFloat32, -math.MaxFloat32, inf, -inf, nan, 88.7, -87.4, -103.9, -104, 7, -7,
}

const canary = 0x1.23456p+77

// numbers gives n of them, at any distance from a cache line, before canaries.
func numbers(r *rand.Rand, n int, odd bool) []float32 {
	buf := make([]float32, n+64)
	x := buf[r.IntN(32):][:n]
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()))
		if odd && r.IntN(4) == 0 {
			x[i] = oddFloats[r.IntN(len(oddFloats))]
		}
	}
	rest := x[n:cap(x)]
	for i := range rest {
		rest[i] = canary
	}
	return x
}

func clone(x []float32) []float32 {
	return append(make([]float32, 0, cap(x)), x[:cap(x)]...)[:len(x)]
}

// bare is a copy without room behind.
func bare(x []float32) []float32 { return slices.Clip(slices.Clone(x)) }

func same32(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// wantSame compares all bits, and what is behind.
func wantSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, v := range want {
		if !same32(got[i], v) {
			t.Fatalf("%s: number %d of %d is %v, want %v", what, i, len(want), got[i], v)
		}
	}
	for i, v := range got[len(got):cap(got)] {
		if v != canary {
			t.Fatalf("%s: wrote %d numbers beyond the end", what, i+1)
		}
	}
}

func withKernels(k *kernels, fn func()) {
	defer func(before *kernels) { use = before }(use)
	use = k
	fn()
}

// eachKernels runs a test of every implementation that this machine has.
func eachKernels(t *testing.T, fn func(t *testing.T, k *kernels)) {
	for _, k := range available() {
		t.Run(k.Name, func(t *testing.T) { withKernels(k, func() { fn(t, k) }) })
	}
}

func TestChoose(t *testing.T) {
	all := available()
	for _, k := range all {
		if got := tier.Choose(all, k.Name); got != k {
			t.Errorf("%s gives %s", k.Name, got.Name)
		}
	}
	if got := tier.Choose(all, "other"); got != all[0] {
		t.Errorf("%s is not the best", got.Name)
	}
}

// lengths are multiples of what kernels take at a time, and not.
var lengths = []int{0, 1, 7, 15, 16, 17, 31, 32, 48, 64, 100, 128, 288, 768, 2880, part - 1, part, part + 33}

// pure are functions of slices of one length; the first is changed.
var pure = []struct {
	name   string
	slices int
	fn     func(x [][]float32) float64
}{
	{"Exp", 2, func(x [][]float32) float64 { Exp(x[0], x[1]); return 0 }},
	{"Max", 1, func(x [][]float32) float64 { return float64(Max(x[0])) }},
	{"ArgMax", 1, func(x [][]float32) float64 { return float64(ArgMax(x[0])) }},
	{"Softmax", 1, func(x [][]float32) float64 { Softmax(x[0]); return 0 }},
	{"SoftmaxSink", 1, func(x [][]float32) float64 { SoftmaxSink(x[0], 0.5); return 0 }},
	{"LogSumExp", 1, func(x [][]float32) float64 { return LogSumExp(x[0]) }},
	{"RMSNorm", 3, func(x [][]float32) float64 { RMSNorm(x[0], x[1], x[2], 1e-6); return 0 }},
	{"SiLU", 2, func(x [][]float32) float64 { SiLU(x[0], x[1]); return 0 }},
	{"SwiGLU", 3, func(x [][]float32) float64 { SwiGLU(x[0], x[1], x[2]); return 0 }},
	{"ClampedSwiGLU", 3, func(x [][]float32) float64 { ClampedSwiGLU(x[0], x[1], x[2], 1.702, 7); return 0 }},
	{"Add", 2, func(x [][]float32) float64 { Add(x[0], x[1]); return 0 }},
	{"Mul", 2, func(x [][]float32) float64 { Mul(x[0], x[1]); return 0 }},
	{"Scale", 1, func(x [][]float32) float64 { Scale(x[0], 1.7); return 0 }},
	{"AXPY", 2, func(x [][]float32) float64 { AXPY(x[0], -0.3, x[1]); return 0 }},
}

// TestKernels wants scalar's bits of every implementation, wherever slices lie.
func TestKernels(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for i, f := range pure {
			r := random(uint64(i))
			for _, n := range lengths {
				for try := range 2 + 4*min(1, 3000/(n+1)) {
					var x, y [][]float32
					for range f.slices {
						x = append(x, numbers(r, n, try%2 == 1))
						y = append(y, clone(x[len(x)-1]))
					}
					got := f.fn(x)
					var want float64
					withKernels(&scalar, func() { want = f.fn(y) })
					if math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
						t.Fatalf("%s of %d: %v, want %v", f.name, n, got, want)
					}
					for j := range x {
						wantSame(t, f.name+" of "+strconv.Itoa(n), x[j], y[j])
					}
				}
			}
		}
	})
}

// TestInPlace: results are the same where dst is an argument.
func TestInPlace(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(2)
		x, y := numbers(r, 100, true), numbers(r, 100, true)
		for _, f := range []struct {
			name string
			fn   func(dst, x, y []float32)
		}{
			{"Exp", func(dst, x, _ []float32) { Exp(dst, x) }},
			{"SiLU", func(dst, x, _ []float32) { SiLU(dst, x) }},
			{"SwiGLU", SwiGLU},
			{"ClampedSwiGLU", func(dst, x, y []float32) { ClampedSwiGLU(dst, x, y, 1.7, 7) }},
			{"RMSNorm", func(dst, x, y []float32) { RMSNorm(dst, x, y, 1e-5) }},
		} {
			want := numbers(r, 100, false)
			f.fn(want, x, y)
			a, b := clone(x), clone(y)
			f.fn(a, a, y)
			f.fn(b, x, b)
			wantSame(t, f.name+" into x", a, want)
			if f.name != "Exp" && f.name != "SiLU" {
				wantSame(t, f.name+" into y", b, want)
			}
		}
	})
}

func TestPanicsOnLengths(t *testing.T) {
	for name, fn := range map[string]func(){
		"Exp":           func() { Exp(make([]float32, 3), make([]float32, 4)) },
		"Add":           func() { Add(make([]float32, 3), make([]float32, 4)) },
		"SwiGLU":        func() { SwiGLU(make([]float32, 3), make([]float32, 3), make([]float32, 4)) },
		"ClampedSwiGLU": func() { ClampedSwiGLU(make([]float32, 3), make([]float32, 4), make([]float32, 3), 1, 1) },
		"RMSNorm":       func() { RMSNorm(make([]float32, 3), make([]float32, 3), make([]float32, 2), 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s takes any lengths", name)
				}
			}()
			fn()
		}()
	}
}
