package quant

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goldenCase is an input that ggml quantized.
type goldenCase struct {
	name       string
	rows, cols int
	input      []float32
	imatrix    []float32
	types      []goldenType
}

// goldenType is what ggml made of it for a type.
type goldenType struct {
	Type       string
	ID         int
	Imatrix    bool
	Block      int
	BlockBytes int     `json:"block_bytes"`
	RelMSE     float64 `json:"rel_mse"`
	Weighted   float64 `json:"weighted_rel_mse"`

	blocks  []byte
	decoded []float32
}

// importance is what the case was quantized with.
func (g *goldenType) importance(c *goldenCase) []float32 {
	if g.Imatrix {
		return c.imatrix
	}
	return nil
}

// judge is the error that encoders are compared by.
func judge(s ErrorSum, weighted bool) float64 {
	if weighted {
		return s.WeightedRelMSE()
	}
	return s.RelMSE()
}

func goldenCases(t testing.TB) []*goldenCase {
	var cases []*goldenCase
	for _, name := range []string{"gauss", "model", "edge"} {
		c := &goldenCase{name: name}
		var about struct{ Rows, Cols int }
		if err := json.Unmarshal(goldenFile(t, name, "case.json"), &about); err != nil {
			t.Fatal(err)
		}
		c.rows, c.cols = about.Rows, about.Cols
		c.input = floats(goldenFile(t, name, "input.f32"))
		c.imatrix = floats(goldenFile(t, name, "imatrix.f32"))
		if len(c.input) != c.rows*c.cols || len(c.imatrix) != c.cols {
			t.Fatalf("%s: %d weights, %d importances", name, len(c.input), len(c.imatrix))
		}
		lines := bufio.NewScanner(bytes.NewReader(goldenFile(t, name, "types.jsonl")))
		for lines.Scan() {
			var g goldenType
			if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
				t.Fatal(err)
			}
			file := goldenStem(t, name, g.Type)
			if g.Imatrix {
				file += ".im"
			}
			g.blocks = goldenFile(t, name, file+".q")
			g.decoded = floats(goldenFile(t, name, file+".f32"))
			c.types = append(c.types, g)
		}
		cases = append(cases, c)
	}
	return cases
}

// goldenStem finds a type's files, whatever the case of their names.
func goldenStem(t testing.TB, dir, name string) string {
	found, err := filepath.Glob(filepath.Join("testdata", "golden", dir, "*.q"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		stem := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f), ".q"), ".im")
		if strings.EqualFold(stem, name) {
			return stem
		}
	}
	t.Fatalf("%s has no blocks of %s", dir, name)
	return ""
}

func goldenFile(t testing.TB, path ...string) []byte {
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata", "golden"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func floats(b []byte) []float32 {
	f := make([]float32, len(b)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return f
}

// encode quantizes, and fails the test where that fails.
func encode(t testing.TB, q *Type, x []float32, opt Options) []byte {
	dst := make([]byte, q.RowBytes(int64(len(x))))
	if err := q.Quantize(dst, x, opt); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return dst
}

func decode(q *Type, blocks []byte, n int) []float32 {
	y := make([]float32, n)
	q.Dequantize(y, blocks)
	return y
}

// TestDequantizeGolden also wants every type covered: by these files, by
// TestMLXDequantize or by TestDequantizePlain.
func TestDequantizeGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range goldenCases(t) {
		for _, g := range c.types {
			q, ok := Lookup(g.Type)
			if !ok {
				t.Errorf("no type %s", g.Type)
				continue
			}
			seen[q.Name] = true
			if q.GGML != g.ID || q.Block != g.Block || q.Bytes != g.BlockBytes {
				t.Errorf("%s is id %d, %d weights in %d bytes; ggml: %d, %d, %d", q, q.GGML, q.Block, q.Bytes, g.ID, g.Block, g.BlockBytes)
				continue
			}
			if q.RowBytes(int64(len(c.input))) != int64(len(g.blocks)) {
				t.Errorf("%s %s: %d bytes of blocks", q, c.name, len(g.blocks))
				continue
			}
			y := decode(q, g.blocks, len(c.input))
			for i := range y {
				if math.Float32bits(y[i]) != math.Float32bits(g.decoded[i]) {
					t.Errorf("%s %s im=%t: weight %d is %v, not %v", q, c.name, g.Imatrix, i, y[i], g.decoded[i])
					break
				}
			}
		}
	}
	for _, q := range All() {
		if !seen[q.Name] && q.MLX == nil && plainCases[q.Name] == nil {
			t.Errorf("%s is not tested: it needs golden blocks, or a case in TestDequantizePlain", q)
		}
	}
}

// TestQuantizeGolden holds every encoder to the error of ggml's, per case, at
// every effort.
func TestQuantizeGolden(t *testing.T) {
	t.Logf("%-8s %-6s %-6s %-5s %12s %12s %7s", "type", "effort", "case", "im", "ours", "ggml", "ratio")
	for _, c := range goldenCases(t) {
		for _, g := range c.types {
			q, _ := Lookup(g.Type)
			if q.Quantize == nil {
				continue
			}
			for effort, name := range effortNames {
				if testing.Short() && Effort(effort) == Best {
					continue
				}
				ours, theirs := compareRows(t, q, c, &g, Effort(effort))
				t.Logf("%-8s %-6s %-6s %-5t %12.6g %12.6g %7.4f", q, name, c.name, g.Imatrix, ours, theirs, ratio(ours, theirs))
				if !(ours <= theirs) {
					t.Errorf("%s %s %s im=%t: error %.9g, ggml's is %.9g", q, name, c.name, g.Imatrix, ours, theirs)
				}
			}
		}
	}
}

// compareRows gives the error of our encoder and of ggml's, over the rows that
// ours accepts.
func compareRows(t *testing.T, q *Type, c *goldenCase, g *goldenType, effort Effort) (ours, theirs float64) {
	opt := Options{Cols: c.cols, Importance: g.importance(c), Effort: effort}
	var a, b ErrorSum
	blocks := make([]byte, q.RowBytes(int64(c.cols)))
	for row := range c.rows {
		x, ref := c.input[row*c.cols:][:c.cols], g.decoded[row*c.cols:][:c.cols]
		if err := q.Quantize(blocks, x, opt); err != nil {
			checkRefusal(t, err, q, x, ref)
			continue
		}
		a.Add(x, decode(q, blocks, c.cols), opt.Importance, c.cols)
		b.Add(x, ref, opt.Importance, c.cols)
	}
	if a.Weights < int64(len(c.input)/2) {
		t.Errorf("%s %s: only %d weights accepted", q, c.name, a.Weights)
	}
	return judge(a, g.Imatrix), judge(b, g.Imatrix)
}

// checkRefusal accepts that an encoder refuses a weight which ggml's blocks
// don't hold either: they cut it to less than half.
func checkRefusal(t *testing.T, err error, q *Type, x, ref []float32) {
	var v *ValueError
	if !errors.As(err, &v) {
		t.Errorf("%s: %v", q, err)
		return
	}
	if v.Value != x[v.Index] || abs(ref[v.Index]) > abs(v.Value)/2 {
		t.Errorf("%v, but ggml has %v for it", err, ref[v.Index])
	}
}

// TestMeasureGolden holds Measure to the errors that were computed elsewhere,
// printed with 8 digits.
func TestMeasureGolden(t *testing.T) {
	for _, c := range goldenCases(t) {
		for _, g := range c.types {
			s := Measure(c.input, g.decoded, c.imatrix, c.cols)
			for what, v := range map[string][2]float64{"rel_mse": {s.RelMSE(), g.RelMSE}, "weighted_rel_mse": {s.WeightedRelMSE(), g.Weighted}} {
				if math.Abs(v[0]-v[1]) > 1e-6*v[1] {
					t.Errorf("%s %s im=%t: %s is %.9g, not %.9g", g.Type, c.name, g.Imatrix, what, v[0], v[1])
				}
			}
		}
	}
}
