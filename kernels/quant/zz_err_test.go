package quant

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestErr(t *testing.T) {
	only := os.Getenv("T")
	for _, name := range strings.Split(only, ",") {
		q, _ := Lookup(name)
		for e := Fast; e <= Best; e++ {
			out := fmt.Sprintf("%-8s %d ", name, e)
			for _, im := range []bool{false, true} {
				for _, c := range goldenCases(t) {
					for _, g := range c.types {
						if g.Type != name && strings.ToLower(g.Type) != name || g.Imatrix != im {
							continue
						}
						opt := Options{Cols: c.cols, Importance: g.importance(c), Effort: e}
						var a, b ErrorSum
						blocks := make([]byte, q.RowBytes(int64(c.cols)))
						for row := range c.rows {
							x, ref := c.input[row*c.cols:][:c.cols], g.decoded[row*c.cols:][:c.cols]
							if err := q.Quantize(blocks, x, opt); err != nil {
								continue
							}
							a.Add(x, decode(q, blocks, c.cols), opt.Importance, c.cols)
							b.Add(x, ref, opt.Importance, c.cols)
						}
						out += fmt.Sprintf(" %s %t %.4f", c.name, g.Imatrix, ratio(judge(a, g.Imatrix), judge(b, g.Imatrix)))
					}
				}
			}
			x := randomRows(7, 8, 512)
			w := randomImportance(8, 512)
			for _, w := range [][]float32{nil, w} {
				if w == nil && q.NeedsImportance {
					continue
				}
				out += fmt.Sprintf(" rnd %.5g", judge(Measure(x, decode(q, encode(t, q, x, Options{Cols: 512, Importance: w, Effort: e}), len(x)), w, 512), w != nil))
			}
			fmt.Println(out)
		}
	}
}
