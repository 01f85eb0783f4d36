package quant

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/llama-pajamas/pj/kernels/tier"
)

// withKernels runs fn with an implementation in use.
func withKernels(k *kernels, fn func()) {
	defer func(before *kernels) { use = before }(use)
	use = k
	fn()
}

// eachKernels runs a test of every implementation but scalar that this machine
// has.
func eachKernels(t *testing.T, fn func(t *testing.T, k *kernels)) {
	for _, k := range available() {
		if k != &scalar {
			t.Run(k.Name, func(t *testing.T) { fn(t, k) })
		}
	}
}

func TestChoose(t *testing.T) {
	all := available()
	for _, k := range all {
		if got := tier.Choose(all, k.Name); got != k {
			t.Errorf("%s gives %s", k.Name, got.Name)
		}
	}
	for _, name := range []string{"", "other"} {
		if got := tier.Choose(all, name); got != all[0] {
			t.Errorf("%q gives %s, not the best", name, got.Name)
		}
	}
}

// oddFloats are values that kernels must treat as scalar code does.
var oddFloats = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.5, 1.5, 2.5, -0.5, 0x1p-149, -0x1p-140, 0x1p100, -0x1p100,
	math.MaxFloat32, -math.MaxFloat32, 0x1p23, 0x1.8p23, -0x1.8p23,
}

// runOf gives n weights, at any distance from a vector's alignment.
func runOf(r *random, n int, odd bool) []float32 {
	x := make([]float32, n+8)[r.below(8):][:n:n]
	for i := range x {
		x[i] = r.weight(0)
		if odd && r.below(4) == 0 {
			x[i] = oddFloats[r.below(len(oddFloats))]
		}
	}
	return x
}

// fill puts n candidates into the lanes, and noise into the others.
func (l *lanes) fill(r *random, n int, odd bool) {
	l.n = n
	for i := range laneCount {
		l.inv[i], l.off[i] = abs(r.weight(3)), r.weight(2)
		l.b[i], l.a[i] = r.weight(-2), r.weight(0)
		l.note1[i], l.note2[i] = r.weight(0), r.weight(0)
		l.q[i], l.qq[i], l.qx[i], l.gain[i] = nan, nan, nan, nan
		if odd && r.below(4) == 0 {
			l.inv[i] = abs(oddFloats[r.below(len(oddFloats))])
			l.off[i] = oddFloats[r.below(len(oddFloats))]
		}
	}
}

func equal32(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// compare wants the lanes in use to be the same, b and a only where they may
// be chosen, and everything else as it was.
func (l *lanes) compare(t *testing.T, want, before *lanes, affine bool) {
	t.Helper()
	for i := range laneCount {
		if l.note1[i] != before.note1[i] || l.note2[i] != before.note2[i] || l.n != before.n {
			t.Fatalf("lane %d: arguments changed", i)
		}
		if i >= l.n {
			if i >= (l.n+15)/16*16 && (l.gain[i] == l.gain[i] || l.b[i] != before.b[i]) {
				t.Fatalf("lane %d of %d was written", i, l.n)
			}
			continue
		}
		same := equal32(l.qq[i], want.qq[i]) && equal32(l.qx[i], want.qx[i]) && equal32(l.gain[i], want.gain[i])
		if affine {
			same = same && equal32(l.q[i], want.q[i])
		}
		if want.gain[i] != noGain {
			same = same && equal32(l.b[i], want.b[i]) && (!affine || equal32(l.a[i], want.a[i]))
		}
		if !same {
			t.Fatalf("lane %d of %d (inv %v, off %v): %v %v %v %v %v %v, want %v %v %v %v %v %v", i, l.n, l.inv[i], l.off[i],
				l.q[i], l.qq[i], l.qx[i], l.b[i], l.a[i], l.gain[i],
				want.q[i], want.qq[i], want.qx[i], want.b[i], want.a[i], want.gain[i])
		}
	}
}

// TestKernelLanes compares the kernels of searches with scalar code.
func TestKernelLanes(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(70)
		for try := range 3000 {
			odd := try%3 == 0
			n := []int{8, 16, 32, 64, 128, 256, 1 + r.below(40)}[r.below(7)]
			x, w := runOf(&r, n, odd), runOf(&r, n, false)
			for i := range w {
				w[i] *= w[i]
			}
			var before lanes
			before.fill(&r, r.below(laneCount+1), odd)
			check := func(affine bool, got, want func(l *lanes) int) {
				t.Helper()
				a, b := before, before
				i, j := got(&a), want(&b)
				if i < 0 || i >= laneCount || i != j && b.gain[j] > noGain {
					t.Fatalf("the best of %d is lane %d, want %d", before.n, i, j)
				}
				a.compare(t, &b, &before, affine)
			}
			f := affineFacts{n: float32([]int{1, 3, 15, 31}[r.below(4)]), ceiling: []float32{0x1p100, r.weight(0)}[r.below(2)]}
			z := runOf(&r, n, odd)
			for i, v := range z {
				z[i] = abs(v)
				f.top = max(f.top, z[i])
				f.sw += w[i]
				f.swz += float32(w[i] * z[i])
			}
			check(true, func(l *lanes) int { return k.fitAffine(l, z, w, &f) }, func(l *lanes) int { return scalar.fitAffine(l, z, w, &f) })
			check(true, func(l *lanes) int { return k.rateAffine(l, z, w, &f) }, func(l *lanes) int { return scalar.rateAffine(l, z, w, &f) })
			f.d, f.dmin, f.base = []float32{abs(r.weight(-2)), 0x1p-101, 0}[r.below(3)], abs(r.weight(-2)), r.weight(0)
			for i := range before.note1 {
				before.note1[i], before.note2[i] = float32(r.below(64)), float32(r.below(64))
			}
			check(true, func(l *lanes) int { return k.rateIntegers(l, z, w, &f) }, func(l *lanes) int { return scalar.rateIntegers(l, z, w, &f) })
			for i := range before.inv {
				if r.below(2) == 0 {
					before.inv[i] = -before.inv[i]
				}
			}
			v := []*levels{&q4_0Codec.levels, &q6KCodec.levels, &q8Codec.levels, &q2Codec.levels}[r.below(4)]
			check(false, func(l *lanes) int { return k.fitScale(l, x, w, v) }, func(l *lanes) int { return scalar.fitScale(l, x, w, v) })
			check(false, func(l *lanes) int { return k.rateScale(l, x, w, v) }, func(l *lanes) int { return scalar.rateScale(l, x, w, v) })
			table := []*levels{&iq4Levels, &fp4Levels}[r.below(2)].table
			check(false, func(l *lanes) int { return k.fitTable(l, x, w, table) }, func(l *lanes) int { return scalar.fitTable(l, x, w, table) })
			check(false, func(l *lanes) int { return k.rateTable(l, x, w, table) }, func(l *lanes) int { return scalar.rateTable(l, x, w, table) })
		}
	})
}

// kernelRows are rows of 512 weights: as models have them, from the golden
// files, and odd ones.
func kernelRows(t *testing.T) [][]float32 {
	var rows [][]float32
	add := func(x []float32) {
		for ; len(x) >= 512; x = x[512:] {
			rows = append(rows, x[:512])
		}
	}
	add(randomRows(71, 24, 512))
	for _, c := range goldenCases(t) {
		add(c.input[:min(len(c.input), 8*512)])
	}
	r := random(72)
	for i := range 24 {
		x := make([]float32, 512)
		for j := range x {
			x[j] = r.weight(-2)
			switch i % 8 {
			case 0: // few values, so that candidates tie
				x[j] = float32(r.below(5)) * 0.25
			case 1:
				x[j] = -abs(x[j]) - 1
			case 2:
				x[j] = 0.37
			case 3:
				x[j] *= 0x1p-130
			case 4:
				x[j] *= float32(r.below(2)) * float32(r.below(30)/29) * 1e30
			case 5:
				x[j] = math.Float32frombits(uint32(r.next())&0x80ffffff | uint32(r.below(255))<<23)
			case 6:
				x[j] = abs(x[j]) + 0x1p-10
			case 7:
				x[j] *= 3e4
			}
		}
		rows = append(rows, x)
	}
	return rows
}

// TestKernelsEncode wants the same blocks, or the same error, whatever the
// implementation.
func TestKernelsEncode(t *testing.T) {
	rows, w := kernelRows(t), randomImportance(73, 512)
	for _, q := range encoders() {
		size := int(q.RowBytes(512))
		for effort := Fast; effort <= Best; effort++ {
			if effort == Best && testing.Short() {
				continue
			}
			for _, importance := range [][]float32{nil, w} {
				opt := Options{Cols: 512, Importance: importance, Effort: effort}
				for i, x := range rows {
					if effort == Best && i%8 != 0 {
						continue
					}
					want := make([]byte, size)
					var wantErr error
					withKernels(&scalar, func() { wantErr = q.Quantize(want, x, opt) })
					for _, k := range available() {
						got := bytes.Repeat([]byte{0xa5}, size+128)
						var err error
						withKernels(k, func() { err = q.Quantize(got, x, opt) })
						if !bytes.Equal(got[size:], bytes.Repeat([]byte{0xa5}, 128)) {
							t.Fatalf("%s %s: wrote beyond its blocks", k.Name, q)
						}
						var a, b *ValueError
						if errors.As(err, &a) != errors.As(wantErr, &b) || a != nil && a.Index != b.Index {
							t.Fatalf("%s %s: %v, want %v", k.Name, q, err, wantErr)
						}
						if err == nil && !bytes.Equal(got[:size], want) {
							t.Fatalf("%s %s %s, importance %t: row %d differs from scalar", k.Name, q, effortNames[effort], importance != nil, i)
						}
					}
				}
			}
		}
	}
}

// TestKernelsNeverFuse: an instruction that multiplies and adds rounds once.
func TestKernelsNeverFuse(t *testing.T) {
	files, err := filepath.Glob("*.s")
	if err != nil || len(files) == 0 {
		t.Fatal("no assembly", err)
	}
	fused := regexp.MustCompile(`\bVFN?M(ADD|SUB)\w*`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m := fused.Find(text); m != nil {
			t.Errorf("%s has %s", file, m)
		}
	}
}
