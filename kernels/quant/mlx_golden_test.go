package quant

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
)

// mlxCase is an input that stock MLX quantized.
type mlxCase struct {
	name    string
	Mode    string
	Bits    int
	Group   int `json:"group_size"`
	Dtype   string
	tensors map[string][]byte

	rows, cols int
	input      []float32
}

// scales is the name of the type that the case's scales have.
func (c *mlxCase) scales() string {
	return map[string]string{"float32": "f32", "bfloat16": "bf16"}[c.Dtype]
}

// typ is the type that the case was quantized to.
func (c *mlxCase) typ(t testing.TB) *Type {
	name := "mlx_" + c.Mode
	if c.Mode == "affine" {
		name = fmt.Sprintf("mlx_affine%d_g%d", c.Bits, c.Group)
	}
	q, ok := Lookup(name)
	if ok && c.Mode == "affine" {
		q, ok = q.MLX.WithScales(c.scales())
	}
	if !ok {
		t.Fatalf("no type for %s", c.name)
	}
	return q
}

// blocks are what MLX made of the input.
func (c *mlxCase) blocks(t testing.TB) []byte {
	m := c.typ(t).MLX
	b := make([]byte, len(c.input)/m.Group*m.blockBytes())
	if err := m.Join(b, c.tensors["weight"], c.tensors["scales"], c.tensors["biases"]); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return b
}

// floats is a tensor of the case, widened where it isn't the name's _f32 form.
func (c *mlxCase) floats(name string) []float32 {
	b := c.tensors[name]
	if len(b) == 4*len(c.input) {
		return floats(b)
	}
	y := make([]float32, len(b)/2)
	DecodeBF16(y, b)
	return y
}

func mlxCases(t testing.TB) []*mlxCase {
	var about struct{ Cases map[string]*mlxCase }
	if err := json.Unmarshal(goldenFile(t, "mlx", "cases.json"), &about); err != nil {
		t.Fatal(err)
	}
	var cases []*mlxCase
	for _, name := range sortedKeys(about.Cases) {
		c := about.Cases[name]
		if c.Mode == "" {
			continue // a repack, which has a test of its own
		}
		var shapes map[string][]int
		c.name = name
		c.tensors, shapes = readTensors(t, name)
		shape := shapes["input"]
		c.cols = shape[len(shape)-1]
		c.rows = 1
		for _, n := range shape[:len(shape)-1] {
			c.rows *= n
		}
		c.input = make([]float32, c.rows*c.cols)
		if c.Dtype == "float32" {
			copy(c.input, floats(c.tensors["input"]))
		} else {
			DecodeBF16(c.input, c.tensors["input"])
		}
		cases = append(cases, c)
	}
	return cases
}

// readTensors reads a safetensors file.
func readTensors(t testing.TB, name string) (data map[string][]byte, shapes map[string][]int) {
	b := goldenFile(t, "mlx", name+".safetensors")
	n := binary.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	b = b[8+n:]
	data, shapes = map[string][]byte{}, map[string][]int{}
	for key, raw := range header {
		if key == "__metadata__" {
			continue
		}
		var about struct {
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &about); err != nil {
			t.Fatal(err)
		}
		data[key], shapes[key] = b[about.Offsets[0]:about.Offsets[1]], about.Shape
	}
	return data, shapes
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// wantSame compares bits.
func wantSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d weights, not %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Errorf("%s: weight %d is %v, not %v", what, i, got[i], want[i])
			return
		}
	}
}

// TestMLXDequantize wants MLX's blocks decoded as MLX does, in float32 and, in
// affine mode, in the type of the scales.
func TestMLXDequantize(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range mlxCases(t) {
		q, blocks := c.typ(t), c.blocks(t)
		seen[q.Name] = true
		want := c.tensors["dequantized_f32"]
		if want == nil {
			want = c.tensors["dequantized"]
		}
		if len(want) == 4*len(c.input) {
			wantSame(t, c.name, decode(q, blocks, len(c.input)), floats(want))
		}
		rounded := make([]float32, len(c.input))
		q.MLX.DequantizeRounded(rounded, blocks)
		wantSame(t, c.name+" rounded", rounded, c.floats("dequantized"))
	}
	for _, q := range All() {
		if q.MLX != nil && !seen[q.Name] {
			t.Errorf("%s has no golden blocks", q)
		}
	}
}

// TestMLXQuantize holds encoders to the error of MLX's, over the rows that
// they accept.
func TestMLXQuantize(t *testing.T) {
	t.Logf("%-24s %12s %12s %7s %7s %7s", "case", "ours", "mlx", "ratio", "fast", "best")
	for _, c := range mlxCases(t) {
		q := c.typ(t)
		theirs := decode(q, c.blocks(t), len(c.input))
		var ours [3]ErrorSum
		var ref ErrorSum
		for row := range c.rows {
			x, y := c.input[row*c.cols:][:c.cols], theirs[row*c.cols:][:c.cols]
			blocks := make([]byte, q.RowBytes(int64(c.cols)))
			if err := q.Quantize(blocks, x, Options{Cols: c.cols, Effort: Normal}); err != nil {
				var v *ValueError
				if !errors.As(err, &v) || !(abs(y[v.Index]) < abs(x[v.Index])) {
					t.Errorf("%s: %v, but MLX cuts nothing off", c.name, err)
				}
				continue
			}
			ref.Add(x, y, nil, c.cols)
			for effort := range ours {
				blocks := encode(t, q, x, Options{Cols: c.cols, Effort: Effort(effort)})
				ours[effort].Add(x, decode(q, blocks, c.cols), nil, c.cols)
			}
		}
		if ref.Weights < int64(len(c.input)/2) {
			t.Errorf("%s: only %d weights accepted", c.name, ref.Weights)
		}
		mine, mlx := ours[Normal].RelMSE(), ref.RelMSE()
		t.Logf("%-24s %12.6g %12.6g %7.4f %7.4f %7.4f", c.name, mine, mlx,
			ratio(mine, mlx), ratio(ours[Fast].RelMSE(), mlx), ratio(ours[Best].RelMSE(), mlx))
		for effort, sum := range ours {
			if e := sum.RelMSE(); !(e <= mlx) {
				t.Errorf("%s %s: error %.9g, MLX's is %.9g", c.name, effortNames[effort], e, mlx)
			}
		}
	}
}

// TestMLXFast wants the fast effort to write MLX's own bytes. For a bf16 model
// MLX divides by nvfp4's scales in bf16, which other codes can come from.
func TestMLXFast(t *testing.T) {
	for _, c := range mlxCases(t) {
		q, theirs := c.typ(t), c.blocks(t)
		size := int(q.RowBytes(int64(c.cols)))
		differ, rows := 0, 0
		for row := range c.rows {
			ours := make([]byte, size)
			if err := q.Quantize(ours, c.input[row*c.cols:][:c.cols], Options{Cols: c.cols, Effort: Fast}); err != nil {
				continue // judged by TestMLXQuantize
			}
			rows++
			for i, b := range ours {
				if b != theirs[row*size+i] {
					differ++
				}
			}
		}
		allowed := 0
		if c.name == "nvfp4_bfloat16" {
			allowed = rows * size / 50
		}
		if differ > allowed {
			t.Errorf("%s: %d of %d bytes differ from MLX's", c.name, differ, rows*size)
		}
	}
}
