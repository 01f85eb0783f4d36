package quant

import (
	"errors"
	"math"
	"strings"
	"testing"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// eachSetting runs fn for every type that can be written, effort, and with and
// without an importance of 512 columns.
func eachSetting(t *testing.T, fn func(t *testing.T, q *Type, opt Options)) {
	w := randomImportance(10, 512)
	for _, q := range encoders() {
		for effort, name := range effortNames {
			for _, importance := range [][]float32{nil, w} {
				label := q.Name + "/" + name
				if importance != nil {
					label += "/importance"
				}
				t.Run(label, func(t *testing.T) {
					fn(t, q, Options{Cols: 512, Importance: importance, Effort: Effort(effort)})
				})
			}
		}
	}
}

func TestNotFinite(t *testing.T) {
	eachSetting(t, func(t *testing.T, q *Type, opt Options) {
		for _, bad := range []float32{nan, -nan, inf, -inf} {
			for _, at := range []int{0, 511, 512 + 300} {
				x := randomRows(11, 2, 512)
				x[at] = bad
				if at < 512 {
					x[at+3] = inf // comes later, so it isn't the one to name
				}
				err := q.Quantize(make([]byte, q.RowBytes(1024)), x, opt)
				var v *ValueError
				if !errors.As(err, &v) {
					t.Fatalf("%v at %d: error %v", bad, at, err)
				}
				if v.Type != q.Name || v.Index != at || math.Float32bits(v.Value) != math.Float32bits(bad) {
					t.Errorf("%v at %d: %v", bad, at, err)
				}
				if !strings.Contains(err.Error(), q.Name) {
					t.Errorf("error text %q does not name the type", err)
				}
			}
		}
	})
}

// specialRows are rows that are odd but finite.
var specialRows = map[string]func(i int) float32{
	"zero":         func(int) float32 { return 0 },
	"minus zero":   func(int) float32 { return float32(math.Copysign(0, -1)) },
	"denormal":     func(i int) float32 { return math.Float32frombits(uint32(1 + i*i)) },
	"one denormal": func(i int) float32 { return math.Float32frombits(uint32(1 / (1 + i))) },
	"tiny":         func(i int) float32 { return float32(i-200) * 1e-33 },
	"below half":   func(i int) float32 { return float32(i%7-3) * 0x1p-25 },
	"half's least": func(i int) float32 { return float32(i%7-3) * 0x1p-24 },
	"constant":     func(int) float32 { return 0.37 },
	"negative":     func(int) float32 { return -0.37 },
	"outlier":      func(i int) float32 { return 0.01 + 500*float32(1/(1+abs32(i-77))) },
	"two values":   func(i int) float32 { return float32(i%2)*3 - 1 },
	"big":          func(i int) float32 { return float32(i-256) * 200 },
	"bigger":       func(i int) float32 { return float32(i-256) * 20000 },
	"huge":         func(i int) float32 { return float32(i%9-4) * 2.5e37 },
	"one huge":     func(i int) float32 { return float32(1/(1+abs32(i-300))) * -1e38 },
	"largest":      func(i int) float32 { return math.MaxFloat32 * float32(1-i%2*2) },
}

// TestSpecialValues wants rows that are odd but finite to be encoded to
// finite weights no worse than zeros would be, or a ValueError that names
// the largest weight of its block.
func TestSpecialValues(t *testing.T) {
	for name, f := range specialRows {
		t.Run(name, func(t *testing.T) {
			x := make([]float32, 512)
			for i := range x {
				x[i] = f(i)
			}
			eachSetting(t, func(t *testing.T, q *Type, opt Options) {
				checkFinite(t, q, x, opt)
			})
		})
	}
}

func abs32(i int) int { return max(i, -i) }

// checkFinite quantizes and wants what TestSpecialValues says.
func checkFinite(t *testing.T, q *Type, x []float32, opt Options) {
	t.Helper()
	blocks := make([]byte, q.RowBytes(int64(len(x))))
	if err := q.Quantize(blocks, x, opt); err != nil {
		var v *ValueError
		if !errors.As(err, &v) {
			t.Fatalf("%s: %v", q, err)
		}
		first := v.Index / q.Block * q.Block
		if v.Index != first+largest(x[first:first+q.Block]) || v.Value != x[v.Index] || v.Type != q.Name {
			t.Errorf("%v: not the largest of its block", err)
		}
		if abs(v.Value) < 2000 {
			t.Errorf("%v: refused", err)
		}
		return
	}
	y := decode(q, blocks, len(x))
	if i := notFinite(y); i >= 0 {
		t.Fatalf("%s: weight %d, %v, becomes %v", q, i, x[i], y[i])
	}
	for at := 0; at < len(x); at += q.Block {
		checkBlock(t, q, x[at:][:q.Block], y[at:][:q.Block], opt, at)
	}
}

// checkBlock wants a block to be no worse than zeros. What an encoder weighs
// has a small floor, and its float32 sums are inexact.
func checkBlock(t *testing.T, q *Type, x, y []float32, opt Options, at int) {
	t.Helper()
	w := errorWeights(opt.Importance)
	if w != nil {
		w = w[at%opt.Cols:][:len(x)]
	}
	s := Measure(x, y, w, len(x))
	if !(s.WSq <= s.WRef*(1+1e-5)) {
		t.Errorf("%s: block at %d: error %v of %v", q, at, s.WSq, s.WRef)
	}
}

// TestOverflow wants types that store halves to refuse what halves can't
// reach, and to name the right weight of the right row.
func TestOverflow(t *testing.T) {
	for _, name := range []string{"f16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "tq1_0", "tq2_0", "q2_0", "nvfp4"} {
		q, _ := Lookup(name)
		for effort, effortName := range effortNames {
			x := randomRows(12, 3, 512)
			const at = 1024 + 345
			x[at] = -1e38
			err := q.Quantize(make([]byte, q.RowBytes(int64(len(x)))), x, Options{Cols: 512, Effort: Effort(effort)})
			var v *ValueError
			if !errors.As(err, &v) || v.Index != at || v.Value != x[at] || v.Type != name {
				t.Errorf("%s %s: %v", name, effortName, err)
			}
		}
	}
}

// TestBadArguments wants errors that tell what to do.
func TestBadArguments(t *testing.T) {
	for _, q := range encoders() {
		x, dst := make([]float32, 512), make([]byte, q.RowBytes(512))
		check := func(what, want string, dst []byte, x []float32, opt Options) {
			t.Helper()
			err := q.Quantize(dst, x, opt)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), q.Name) {
				t.Errorf("%s, %s: error %v does not say %q", q, what, err, want)
			}
		}
		if q.Block > 1 {
			check("columns", "choose another type or pad the rows", dst, x[:q.Block+1], Options{Cols: q.Block + 1})
		}
		check("no columns", "set Options.Cols", dst, x, Options{})
		check("part of a row", "no whole rows of 512", dst, x[:511], Options{Cols: 512})
		check("importances", "511 importances for rows of 512", dst, x, Options{Cols: 512, Importance: make([]float32, 511)})
		check("effort", "unknown effort", dst, x, Options{Cols: 512, Effort: Best + 1})
		check("effort", "unknown effort", dst, x, Options{Cols: 512, Effort: -1})
		check("room", "bytes of room", dst[1:], x, Options{Cols: 512})
		for _, bad := range []float32{nan, inf, -1} {
			w := make([]float32, 512)
			w[5] = bad
			check("importance", "importance 5", dst, x, Options{Cols: 512, Importance: w})
		}
		if err := q.Quantize(nil, nil, Options{Cols: 512}); err != nil {
			t.Errorf("%s: no rows: %v", q, err)
		}
	}
}

// TestImportanceExtremes wants importances that say nothing, or that differ
// without bound, to be taken.
func TestImportanceExtremes(t *testing.T) {
	x := randomRows(13, 2, 512)
	for name, f := range map[string]func(i int) float32{
		"zero":     func(int) float32 { return 0 },
		"one":      func(i int) float32 { return float32(1 / (1 + i)) },
		"denormal": func(int) float32 { return math.SmallestNonzeroFloat32 },
		"largest":  func(int) float32 { return math.MaxFloat32 },
		"wide":     func(i int) float32 { return float32(math.Ldexp(1, i%250-125)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := make([]float32, 512)
			for i := range w {
				w[i] = f(i)
			}
			for _, q := range encoders() {
				for effort := Fast; effort <= Best; effort++ {
					checkFinite(t, q, x, Options{Cols: 512, Importance: w, Effort: effort})
				}
			}
		})
	}
}

// TestImportanceScale wants an importance times a power of two to change
// nothing, and one that is all equal to change nothing either.
func TestImportanceScale(t *testing.T) {
	const cols = 512
	x, w := randomRows(14, 2, cols), randomImportance(15, cols)
	scaled := make([]float32, cols)
	for i, v := range w {
		scaled[i] = v * 0x1p-9
	}
	for _, q := range encoders() {
		a := encode(t, q, x, Options{Cols: cols, Importance: w, Effort: Normal})
		b := encode(t, q, x, Options{Cols: cols, Importance: scaled, Effort: Normal})
		if string(a) != string(b) {
			t.Errorf("%s: the scale of the importance matters", q)
		}
		a = encode(t, q, x, Options{Cols: cols, Effort: Normal})
		b = encode(t, q, x, Options{Cols: cols, Importance: make([]float32, cols), Effort: Normal})
		if string(a) != string(b) {
			t.Errorf("%s: an importance of zeros is not none", q)
		}
	}
}

// TestDequantizeLengths wants a caller's mistake to panic with numbers in it.
func TestDequantizeLengths(t *testing.T) {
	for _, q := range All() {
		wantPanic := func(weights, bytes int) {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "quant: ") {
					t.Errorf("%s, %d weights of %d bytes: panic %v", q, weights, bytes, s)
				}
			}()
			q.Dequantize(make([]float32, weights), make([]byte, bytes))
		}
		wantPanic(2*q.Block, 2*q.Bytes-1)
		if q.Block > 1 {
			wantPanic(2*q.Block-1, 2*q.Bytes)
		}
		q.Dequantize(nil, nil)
	}
}
