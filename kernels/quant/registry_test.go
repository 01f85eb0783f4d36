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
