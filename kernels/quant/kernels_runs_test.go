package quant

import (
	"bytes"
	"testing"
)

// canary is a value that kernels must leave beyond what they write.
const canary = 12345

// room gives n float32s at any distance from a vector's alignment, and those
// and 16 canaries behind.
func room(r *random, n int) (x, all []float32) {
	all = make([]float32, n+16+8)[r.below(8):][:n+16]
	for i := range all {
		all[i] = canary
	}
	return all[:n:n], all
}

func sameFloats(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !equal32(got[i], want[i]) {
			t.Fatalf("%s: number %d of %d is %v, want %v", what, i, len(want), got[i], want[i])
		}
	}
}

// TestKernelRuns compares the kernels of runs with scalar code.
func TestKernelRuns(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(80)
		for try := range 3000 {
			n := vectorRun * (1 + r.below(20))
			x, w := runOf(&r, n, try%3 == 0), runOf(&r, n, false)
			if try%7 == 0 { // few values, so that there are equal ones
				for i := range x {
					x[i] = oddFloats[r.below(4)]
				}
			}
			if got, want := k.top(x), top(x); got != want {
				t.Fatalf("top is %d of %d, want %d", got, n, want)
			}
			x[r.below(n)] = []float32{nan, inf, 0, 1}[r.below(4)]
			if got, want := k.top(x), top(x); got != want {
				t.Fatalf("top of odd numbers is %d of %d, want %d", got, n, want)
			}
			for i := range x {
				if x[i]-x[i] != 0 {
					x[i] = 1
				}
			}
			lo, hi := k.ends(x)
			lo1, hi1 := ends(x)
			sameFloats(t, "ends", []float32{lo, hi}, []float32{lo1, hi1})

			got, gotAll := room(&r, n)
			want, wantAll := room(&r, n)
			by := r.weight(0)
			k.times(got, x, by)
			times(want, x, by)
			sameFloats(t, "times", gotAll, wantAll)
			if i, j := k.costs(got, x, w, by), costs(want, x, w, by); i != j {
				t.Fatalf("the largest cost is %d of %d, want %d", i, n, j)
			}
			sameFloats(t, "costs", gotAll, wantAll)
			f, f1 := affineFacts{base: lo, n: canary}, affineFacts{base: lo, n: canary}
			k.moments(got, x, w, &f)
			moments(want, x, w, &f1)
			sameFloats(t, "moments", gotAll, wantAll)
			sameFloats(t, "sums", []float32{f.sw, f.swz, f.szz, f.base, f.n}, []float32{f1.sw, f1.swz, f1.szz, f1.base, f1.n})

			codes0, codes1 := bytes.Repeat([]byte{0xa5}, n+32), bytes.Repeat([]byte{0xa5}, n+32)
			v := []*levels{&q4_0Codec.levels, &q6KCodec.levels, &q8Codec.levels, {lo: 0, hi: 15}}[r.below(4)]
			inv, off := r.weight(3), r.weight(2)
			k.codes(codes0[:n], x, inv, off, v.lo, v.hi)
			codes(codes1[:n], x, inv, off, v.lo, v.hi)
			if !bytes.Equal(codes0, codes1) {
				t.Fatalf("codes of %d are %v, want %v", n, codes0, codes1)
			}
		}
	})
}

// TestKernelChoice compares the kernels that help to choose d and dmin.
func TestKernelChoice(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(81)
		for range 2000 {
			n, count := 8*(1+r.below(2)), 1+r.below(choiceCount)
			var c choice
			for j := range 16 {
				c.b[j], c.q[j], c.qq[j], c.qz[j] = abs(r.weight(-3)), abs(r.weight(4)), abs(r.weight(7)), abs(r.weight(5))
				c.sw[j], c.swz[j], c.base[j] = abs(r.weight(4))+1, abs(r.weight(4)), -abs(r.weight(0))*float32(r.below(2))
			}
			for i := range count {
				c.d[i], c.dmin[i] = abs(r.weight(-8)), abs(r.weight(-7))*float32(r.below(4)/3)
			}
			a, b := c, c
			k.chooseScales(&a, n, count, 63)
			chooseScales(&b, n, count, 63)
			sameFloats(t, "least", a.least[:count], b.least[:count])
			for j := range n {
				sameFloats(t, "minima", a.minima[j][:count], b.minima[j][:count])
			}
			d := r.below(count)
			k.chooseMinima(&a, d, n, count, 63)
			chooseMinima(&b, d, n, count, 63)
			sameFloats(t, "errors", a.errs[:count], b.errs[:count])
			if a.b != c.b || a.q != c.q || a.qq != c.qq || a.qz != c.qz || a.sw != c.sw || a.swz != c.swz || a.base != c.base || a.d != c.d || a.dmin != c.dmin {
				t.Fatal("arguments changed")
			}
			for j := n; j < 16; j++ {
				if a.minima[j] != [choiceCount]float32{} {
					t.Fatal("wrote beyond the sub-blocks")
				}
			}
		}
	})
}

// TestKernelUnpack decodes any bytes and encoded weights; NaN may differ in
// which NaN it is, except for those of halves.
func TestKernelUnpack(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(82)
		x := randomRows(83, 4, 512)
		for _, q := range All() {
			for try := range 40 {
				n := q.Block * r.below(40)
				src := make([]byte, int(q.RowBytes(int64(n)))+8)[r.below(8):][:q.RowBytes(int64(n))]
				for i := range src {
					src[i] = byte(r.next())
				}
				if try%2 == 0 && q.Quantize != nil {
					n = min(n, len(x))
					src = append(make([]byte, 3), encode(t, q, x, Options{Cols: 512})...)[3:][:q.RowBytes(int64(n))]
				}
				src = src[:len(src):len(src)]
				got, gotAll := room(&r, n)
				want, wantAll := room(&r, n)
				withKernels(k, func() { q.Dequantize(got, src) })
				withKernels(&scalar, func() { q.Dequantize(want, src) })
				sameFloats(t, q.Name, gotAll, wantAll)
			}
		}
	})
}

// TestKernelMeasure compares errors of rows of any length, with numbers that
// are not finite among them.
func TestKernelMeasure(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(84)
		for try := range 2000 {
			n := 1 + r.below(200)
			x, y, w := runOf(&r, n, try%3 == 0), runOf(&r, n, false), runOf(&r, n, false)
			if try%10 == 0 {
				y[r.below(n)] = []float32{nan, inf, -inf}[r.below(3)]
			}
			if try%2 == 0 {
				w = nil
			}
			var got, want ErrorSum
			withKernels(k, func() { got = Measure(x, y, w, n) })
			withKernels(&scalar, func() { want = Measure(x, y, w, n) })
			for _, v := range [][2]float64{{got.Sq, want.Sq}, {got.Ref, want.Ref}, {got.WSq, want.WSq}, {got.WRef, want.WRef}, {got.MaxAbs, want.MaxAbs}} {
				if v[0] != v[1] && (v[0] == v[0] || v[1] == v[1]) {
					t.Fatalf("%d weights: %+v, want %+v", n, got, want)
				}
			}
		}
	})
}
