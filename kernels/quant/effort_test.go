package quant

import (
	"math"
	"testing"
)

// TestEffortOrder wants more effort to give less error, averaged (in
// logarithms) over cases. A search from other starts may end in another hollow
// of a single block; over 60,000 weights that is worth less than 0.1 %, while
// efforts lie further apart.
func TestEffortOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("the best effort takes seconds")
	}
	const tolerance = 0.001
	type data struct {
		x, w []float32
		cols int
	}
	var all []data
	for _, c := range goldenCases(t)[:2] {
		all = append(all, data{c.input, nil, c.cols}, data{c.input, c.imatrix, c.cols})
	}
	x := randomRows(7, 8, 512)
	all = append(all, data{x, nil, 512}, data{x, randomImportance(8, 512), 512})
	for _, q := range encoders() {
		var logs [3]float64
		for effort := range logs {
			for _, d := range all {
				y := decode(q, encode(t, q, d.x, Options{Cols: d.cols, Importance: d.w, Effort: Effort(effort)}), len(d.x))
				logs[effort] += math.Log(judge(Measure(d.x, y, d.w, d.cols), d.w != nil) + 1e-30)
			}
		}
		n := float64(len(all))
		fast, best := math.Exp((logs[Fast]-logs[Normal])/n), math.Exp((logs[Best]-logs[Normal])/n)
		t.Logf("%-8s fast %.4f best %.4f of normal's error", q, fast, best)
		if fast < 1-tolerance || best > 1+tolerance {
			t.Errorf("%s: fast has %.5f, best %.5f of normal's error", q, fast, best)
		}
	}
}
