package quant

import "testing"

// normalRows are weights as most of a model's are: nearly normal.
func normalRows(seed uint64, rows, cols int) []float32 {
	r := random(seed)
	x := make([]float32, rows*cols)
	for i := range x {
		x[i] = r.weight(-6)
	}
	return x
}

// TestErrorBudget wants what the normal effort loses of normally distributed
// weights to be what the registry says: no more, and not much less.
func TestErrorBudget(t *testing.T) {
	const rows, cols = 16, 1024
	x := normalRows(60, rows, cols)
	for _, q := range All() {
		if q.Quantize == nil {
			if q.Error != 0 {
				t.Errorf("%s is never written, its error is said to be %g", q, q.Error)
			}
			continue
		}
		got := Measure(x, decode(q, encode(t, q, x, Options{Cols: cols, Effort: Normal}), len(x)), nil, cols).RelRMSE()
		t.Logf("%-18s %.3g", q, got)
		if !(got <= q.Error && got >= q.Error*0.93) {
			t.Errorf("%s: relative error %.4g, the registry says %.4g", q, got, q.Error)
		}
	}
}
