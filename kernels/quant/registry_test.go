package quant

import (
	"regexp"
	"strings"
	"testing"
)

func TestRegistry(t *testing.T) {
	plain := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	last := ""
	for _, q := range All() {
		t.Run(q.Name, func(t *testing.T) {
			if q.Name <= last {
				t.Errorf("comes after %s", last)
			}
			last = q.Name
			for _, n := range append([]string{q.Name}, q.Aliases...) {
				if !plain.MatchString(n) {
					t.Errorf("name %q is not lower case", n)
				}
				for _, n := range []string{n, strings.ToUpper(n)} {
					if got, ok := Lookup(n); !ok || got != q {
						t.Errorf("Lookup(%q) = %v, %v", n, got, ok)
					}
				}
			}
			if got, ok := ByGGML(q.GGML); q.GGML >= 0 && (!ok || got != q) {
				t.Errorf("ByGGML(%d) = %v, %v", q.GGML, got, ok)
			}
			if q.Block <= 0 || q.Bytes <= 0 || q.Dequantize == nil {
				t.Errorf("block of %d weights in %d bytes, Dequantize %t", q.Block, q.Bytes, q.Dequantize != nil)
			}
			if n := len(q.Doc); n < 10 || n > 110 || strings.ContainsAny(q.Doc, "\n\t") || strings.HasSuffix(q.Doc, ".") {
				t.Errorf("Doc is no single line of 10 to 110 characters without a full stop: %q", q.Doc)
			}
			checkFallback(t, q)
			checkDot(t, q)
			checkMLX(t, q)
			if (q.Error == 0) != (q.Quantize == nil || q.Name == "f32") || q.Error < 0 || q.Error > 0.7 {
				t.Errorf("error of %g", q.Error)
			}
			if q.NeedsImportance && (q.Quantize == nil || q.BitsPerWeight() > 3.1) {
				t.Error("needs an importance")
			}
			if q.lattice != nil && (q.Block%q.lattice.run != 0 || q.Block/q.lattice.run > 16) {
				t.Errorf("runs of %d", q.lattice.run)
			}
			if got, want := q.RowBytes(3*int64(q.Block)), 3*int64(q.Bytes); got != want {
				t.Errorf("RowBytes of 3 blocks is %d, not %d", got, want)
			}
			if got := q.BitsPerWeight() * float64(q.Block); got != float64(q.Bytes)*8 {
				t.Errorf("BitsPerWeight gives %v bits a block", got)
			}
			if q.String() != q.Name {
				t.Errorf("String is %q", q)
			}
		})
	}
}

// checkFallback wants a fallback that can be written and that serves rows
// which the type itself cannot.
func checkFallback(t *testing.T, q *Type) {
	if q.Fallback == "" {
		return
	}
	f, ok := Lookup(q.Fallback)
	if !ok || f.Name != q.Fallback {
		t.Fatalf("fallback %q is no canonical name", q.Fallback)
	}
	if f.Quantize == nil || f.Block >= q.Block || q.Block%f.Block != 0 {
		t.Errorf("fallback %s (block %d) does not help where the block is %d", f, f.Block, q.Block)
	}
}

// checkDot wants types that only GGUF has to meet integers, and a type that is
// registered.
func checkDot(t *testing.T, q *Type) {
	if want := q.GGML >= 0 && q.Quantize != nil && !q.Float; want != (q.Dot != "") {
		t.Errorf("meets %q in products", q.Dot)
	}
	if q.Dot == "" {
		return
	}
	d, ok := Lookup(q.Dot)
	if !ok || d.Name != q.Dot || max(q.Block, d.Block)%min(q.Block, d.Block) != 0 {
		t.Errorf("meets %q in products", q.Dot)
	}
}

// checkMLX wants a mode to say what the type itself says.
func checkMLX(t *testing.T, q *Type) {
	m := q.MLX
	if m == nil {
		return
	}
	if q.GGML >= 0 || m.Group != q.Block || m.blockBytes() != q.Bytes || m.Bits < 2 || m.Bits > 8 {
		t.Errorf("mode %+v", *m)
	}
	for _, scales := range []string{"bf16", "f16", "f32"} {
		other, ok := m.WithScales(scales)
		if ok != (m.Mode == "affine") || ok && (other.MLX.Scales != scales || other.MLX.Bits != m.Bits || other.Error != q.Error) {
			t.Errorf("with %s scales: %v", scales, other)
		}
	}
}

// TestRegisterTwice restores nothing: a refused type must leave no trace.
func TestRegisterTwice(t *testing.T) {
	before := len(All())
	for name, q := range map[string]*Type{
		"name":  {Name: "q4_k", GGML: -1},
		"alias": {Name: "zz_new", Aliases: []string{"FP16"}, GGML: -1},
		"id":    {Name: "zz_other", GGML: 12},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				if n := len(All()); n != before {
					t.Errorf("%d types, not %d", n, before)
				}
				if _, ok := Lookup(q.Name); ok && q.Name != "q4_k" {
					t.Errorf("%s stayed behind", q.Name)
				}
			}()
			register(q)
		})
	}
}

func TestLookupUnknown(t *testing.T) {
	if q, ok := Lookup("q9_z"); ok {
		t.Errorf("found %s", q)
	}
	if q, ok := ByGGML(-1); ok {
		t.Errorf("found %s", q)
	}
}
