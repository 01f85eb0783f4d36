package quant

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

// mlxVariants are the affine types that All leaves out.
func mlxVariants(t testing.TB) []*Type {
	var out []*Type
	for _, q := range All() {
		if q.MLX == nil || q.MLX.Mode != "affine" {
			continue
		}
		if same, ok := q.MLX.WithScales("bf16"); !ok || same != q {
			t.Fatalf("%s has other scales than bf16", q)
		}
		for _, scales := range []string{"f16", "f32"} {
			v, ok := q.MLX.WithScales(scales)
			if !ok || v.Name != q.Name+"_"+scales || v.MLX.Scales != scales || v.Block != q.Block {
				t.Fatalf("%s with scales of %s is %v", q, scales, v)
			}
			if got, ok := Lookup(v.Name); !ok || got != v {
				t.Fatalf("Lookup(%q) = %v", v.Name, got)
			}
			out = append(out, v)
		}
	}
	return out
}

// TestMLXTypes wants what issues from a mode to agree with it.
func TestMLXTypes(t *testing.T) {
	count := map[string]int{}
	all := append(mlxVariants(t), All()...)
	for _, q := range all {
		m := q.MLX
		if m == nil {
			continue
		}
		count[m.Mode+m.Scales]++
		if q.GGML >= 0 || q.Block != m.Group || q.Bytes != m.Group*m.Bits/8+m.scaleBytes+m.biasBytes {
			t.Errorf("%s: id %d, %d weights in %d bytes, mode %+v", q, q.GGML, q.Block, q.Bytes, *m)
		}
		if m.Group*m.Bits%32 != 0 {
			t.Errorf("%s: a group is no whole number of words", q)
		}
		if _, ok := m.WithScales("f64"); ok {
			t.Errorf("%s has scales of f64", q)
		}
	}
	for kind, want := range map[string]int{"affinebf16": 18, "affinef16": 18, "affinef32": 18, "mxfp4e8m0": 1, "mxfp8e8m0": 1, "nvfp4e4m3": 1} {
		if count[kind] != want {
			t.Errorf("%d types of %s, not %d", count[kind], kind, want)
		}
	}
	if _, ok := mlxMXFP4.WithScales("bf16"); ok {
		t.Error("mxfp4 has scales of bf16")
	}
}

// TestMLXVariants gives the types that no other test walks over what the
// others get: odd rows, numbers that are none, and their own bits row by row.
func TestMLXVariants(t *testing.T) {
	w := randomImportance(90, 512)
	random := randomRows(91, 2, 512)
	for _, q := range mlxVariants(t) {
		for effort := Fast; effort <= Normal; effort++ {
			for _, opt := range []Options{{Cols: 512, Effort: effort}, {Cols: 512, Effort: effort, Importance: w}} {
				for _, f := range specialRows {
					x := make([]float32, 512)
					for i := range x {
						x[i] = f(i)
					}
					checkFinite(t, q, x, opt)
				}
				whole := encode(t, q, random, opt)
				second := encode(t, q, random[512:], opt)
				if !bytes.Equal(second, whole[len(second):]) {
					t.Errorf("%s %s: rows alone and together differ", q, effortNames[effort])
				}
				x := append([]float32(nil), random...)
				x[700] = nan
				var v *ValueError
				if err := q.Quantize(whole, x, opt); !errors.As(err, &v) || v.Index != 700 || v.Type != q.Name {
					t.Errorf("%s: NaN: error %v", q, err)
				}
			}
		}
		if q.MLX.Scales == "f16" {
			x := append([]float32(nil), random...)
			x[600] = 1e9
			var v *ValueError
			if err := q.Quantize(make([]byte, q.RowBytes(1024)), x, Options{Cols: 512, Effort: Normal}); !errors.As(err, &v) || v.Index != 600 {
				t.Errorf("%s: 1e9: error %v", q, err)
			}
		}
	}
}

// TestMLXSplit wants blocks to be MLX's tensors, there and back.
func TestMLXSplit(t *testing.T) {
	for _, c := range mlxCases(t) {
		m, blocks := c.typ(t).MLX, c.blocks(t)
		weight := make([]byte, len(c.tensors["weight"]))
		scales := make([]byte, len(c.tensors["scales"]))
		biases := make([]byte, len(c.tensors["biases"]))
		if err := m.Split(weight, scales, biases, blocks); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string][]byte{"weight": weight, "scales": scales, "biases": biases} {
			if !bytes.Equal(got, c.tensors[name]) {
				t.Errorf("%s: %s is not what it was", c.name, name)
			}
		}
		for name, err := range map[string]error{
			"weight": m.Split(weight[1:], scales, biases, blocks),
			"scales": m.Split(weight, scales[1:], biases, blocks),
			"biases": m.Join(blocks, weight, scales, append(biases, 0)),
			"blocks": m.Join(blocks[1:], weight, scales, biases),
		} {
			if err == nil || !strings.Contains(err.Error(), "mlx "+c.Mode) {
				t.Errorf("%s: wrong length of %s: error %v", c.name, name, err)
			}
		}
	}
}

// TestMLXPacking compares the bit stream with the examples of MLX's layout.
func TestMLXPacking(t *testing.T) {
	for _, c := range []struct {
		bits  int
		codes []uint8
		want  []byte
	}{
		{3, []uint8{6, 0, 4, 4, 4, 6, 5, 4}, []byte{0x06, 0x49, 0x97}},
		{5, []uint8{24, 0, 16, 17, 16, 24, 22, 17}, []byte{0x18, 0xc0, 0x08, 0xb1, 0x8d}},
		{6, []uint8{49, 0, 32, 33, 31, 48, 44, 35}, []byte{0x31, 0x00, 0x86, 0x1f, 0xcc, 0x8e}},
		{2, []uint8{1, 2, 3, 0, 3, 3, 0, 1}, []byte{0x39, 0x4f}},
		{4, []uint8{1, 2, 3, 4, 15, 0, 7, 8}, []byte{0x21, 0x43, 0x0f, 0x87}},
		{8, []uint8{1, 2, 3, 4, 255, 0, 7, 8}, []byte{1, 2, 3, 4, 255, 0, 7, 8}},
	} {
		got := make([]byte, c.bits)
		packBits(got, c.codes, c.bits)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%d bits: %x, not %x", c.bits, got, c.want)
		}
		v := nextEight(got, c.bits)
		for i, code := range c.codes {
			if got := uint8(v >> (i * c.bits) & (1<<c.bits - 1)); got != code {
				t.Errorf("%d bits: code %d is %d, not %d", c.bits, i, got, code)
			}
		}
	}
}

// TestMLXConstant wants a group of one value to be kept to 16 bits or so: the
// scale takes what the bias's eight leave.
func TestMLXConstant(t *testing.T) {
	for _, q := range append(All(), mlxVariants(t)...) {
		if q.MLX == nil || q.MLX.Mode != "affine" {
			continue
		}
		for _, v := range []float32{0.37, -1234.567, 0x1p-30 / 3, 1} {
			if q.MLX.Scales == "f16" && abs(v) < 1e-6 {
				continue
			}
			x := make([]float32, q.Block)
			for i := range x {
				x[i] = v
			}
			y := decode(q, encode(t, q, x, Options{Cols: q.Block, Effort: Normal}), len(x))
			if math.Abs(float64(y[0]-v)) > 0x1p-16*math.Abs(float64(v)) {
				t.Errorf("%s: %v becomes %v", q, v, y[0])
			}
		}
	}
}

// TestLeastE8M0 wants the least power of two that is enough.
func TestLeastE8M0(t *testing.T) {
	r := random(92)
	for _, most := range []float32{6, 448} {
		check := func(top float32) {
			e := leastE8M0(top, most)
			d := math.Ldexp(float64(most), e-127)
			if !(float64(top) <= d && float64(top) > d/2) {
				t.Fatalf("%v of %v: scale byte %d", top, most, e)
			}
		}
		for exp := -126; exp <= 127; exp++ {
			v := math.Float32frombits(uint32(exp+127) << 23)
			check(v)
			check(math.Nextafter32(v, 0))
			check(v * 1.5)
			check(math.Nextafter32(v*1.5, math.MaxFloat32))
			check(v * 1.75)
			check(math.Nextafter32(v*1.75, math.MaxFloat32))
			check(math.Float32frombits(uint32(exp+127)<<23 | uint32(r.next()>>41)))
		}
	}
}
