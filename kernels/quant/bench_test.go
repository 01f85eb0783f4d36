package quant

import "testing"

// The benchmarks run on 64 rows of 1024 weights and report weights a second of
// one core.
const benchRows, benchCols = 64, 1024

func BenchmarkQuantize(b *testing.B) {
	x, w := randomRows(40, benchRows, benchCols), randomImportance(41, benchCols)
	for _, q := range encoders() {
		for effort, name := range effortNames {
			for _, importance := range [][]float32{nil, w} {
				label := q.Name + "/" + name
				if importance != nil {
					label += "/importance"
				}
				b.Run(label, func(b *testing.B) {
					dst := make([]byte, q.RowBytes(int64(len(x))))
					opt := Options{Cols: benchCols, Importance: importance, Effort: Effort(effort)}
					for b.Loop() {
						if err := q.Quantize(dst, x, opt); err != nil {
							b.Fatal(err)
						}
					}
					reportWeights(b, len(x))
				})
			}
		}
	}
}

func BenchmarkDequantize(b *testing.B) {
	x := randomRows(42, benchRows, benchCols)
	for _, q := range All() {
		b.Run(q.Name, func(b *testing.B) {
			src := make([]byte, q.RowBytes(int64(len(x))))
			if q.Quantize != nil {
				src = encode(b, q, x, Options{Cols: benchCols, Effort: Fast})
			}
			dst := make([]float32, len(x))
			b.SetBytes(int64(len(src) + 4*len(dst)))
			for b.Loop() {
				q.Dequantize(dst, src)
			}
			reportWeights(b, len(x))
		})
	}
}

func BenchmarkMeasure(b *testing.B) {
	x, y, w := randomRows(43, benchRows, benchCols), randomRows(44, benchRows, benchCols), randomImportance(45, benchCols)
	for b.Loop() {
		Measure(x, y, w, benchCols)
	}
	reportWeights(b, len(x))
}

func reportWeights(b *testing.B, perLoop int) {
	b.ReportMetric(float64(perLoop)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mweights/s")
}
