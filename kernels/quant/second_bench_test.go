package quant

import (
	"testing"
)

// BenchmarkEfforts measures what an effort costs and brings: million weights a
// second of one core, and the error under second moments in units of that of
// the normal effort with the moments' diagonal.
func BenchmarkEfforts(b *testing.B) {
	const rows, cols = 64, 2048
	x := randomRows(90, rows, cols)
	m := secondMoments(b, secondMatrix(91, cols, cols), cols, 0.01)
	for _, q := range latticeTypes() {
		base := encode(b, q, x, Options{Cols: cols, Importance: m.Diagonal(), Effort: Normal})
		reference := m.Error(x, decode(q, base, len(x)))
		for _, how := range []struct {
			name string
			opt  Options
		}{
			{"fast", Options{Importance: m.Diagonal(), Effort: Fast}},
			{"normal", Options{Importance: m.Diagonal(), Effort: Normal}},
			{"best", Options{Importance: m.Diagonal(), Effort: Best}},
			{"second", Options{Second: m, Effort: Best}},
		} {
			b.Run(q.Name+"/"+how.name, func(b *testing.B) {
				opt := how.opt
				opt.Cols = cols
				blocks := make([]byte, q.RowBytes(int64(len(x))))
				for b.Loop() {
					if err := q.Quantize(blocks, x, opt); err != nil {
						b.Fatal(err)
					}
				}
				reportWeights(b, len(x))
				b.ReportMetric(m.Error(x, decode(q, blocks, len(x)))/reference, "error")
			})
		}
	}
}
