package recipes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// FuzzLoad loads anything in both syntaxes: no panic, no hang, and diagnostics
// whose places exist.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.hcl*")
	require.NoError(f, err)
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text, strings.HasSuffix(file, jsonSuffix))
	}
	for _, text := range []string{
		"", "\ufeff", "\x00", "a = <<E\n${", "locals {\n a = \"${[for x in [1]: x]...}\"\n}", "locals { a = b.*.c[*].d }", "locals {\n a = {for k, v in {a=1}: k => v...}\n}",
		"policy \"p\" {\n tensor {\n when = [for role in [\"a\"] : role][0] == name\n type = \"q8_0\"\n }\n kv {\n when = -age < -1\n type = \"INT8\"\n }\n}",
		"variable \"v\" { type = object({a = optional(list(any), [])}) }", "model \"m\" {\n for_each = {a = each.key}\n source = self\n}",
		"output \"o\" { value = 1 / 0 }", "output \"o\" { value = {(null) = 1} }", "locals { a = try(local.a, can(local.b)) }", "locals { a = \"%{ for x in [1] ~}${x}%{ endfor }\" }",
		"module \"m\" { source = \"./\" }", "locals { a = a::b(1) }", "locals { a = [1,2][-1] }", "locals { a = null.b }", "locals { a = 1e400 * 1e400 }",
		"policy \"p\" {\n tensor {\n when = \"${role}\" == \"x${name}\" ? expert.share > 1 : !(layer_importance < 1)\n min = \"q4_k\"\n }\n}",
		`{"locals": {"a": "${local.b}", "b": "\ud800${"}}`, `{"model": [{"a": {"source": null}}, {"b": []}]}`, `[]`, `{"variable": {"v": {"type": "list(any)", "default": "${1}"}}}`,
		"{\"locals\": {\"a\": \"" + strings.Repeat("${[", 300) + "\"}}", "locals { a = " + strings.Repeat("[", 300), "locals { a = " + strings.Repeat("-", 5000) + "1 }",
		strings.Repeat("a {\n", 3000), "locals { a = x" + strings.Repeat("[*]", 1000) + " }", "locals { a = x" + strings.Repeat(".*", 1000) + " }",
		"locals { a = \"" + strings.Repeat("%{ if true }", 500) + "\" }", "locals { a = <<E\n" + strings.Repeat("%{ for x in [1] }", 500) + "\nE\n}",
		"locals { a = " + strings.Repeat("f(", 300) + " }", "locals { a = " + strings.Repeat("{a=", 300) + " }", "locals { a = " + strings.Repeat("x ? ", 400) + " }",
		"variable \"v\" { type = " + strings.Repeat("list(", 300) + " }", "locals { a = \"${1e99999999999}\" }", strings.Repeat("\"${", 300),
	} {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, inJSON bool) {
		if len(text) > 64<<10 {
			return
		}
		name := "recipe.hcl"
		if inJSON {
			name += jsonSuffix
		}
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, text, 0o644))
		start := time.Now()
		r, ds := Load(context.Background(), Options{Path: path, Catalog: testCatalog(), Env: []string{"PJ_VAR_v=[1]"}})
		require.NotNil(t, r)
		for _, d := range ds {
			diag.Render(io.Discard, d, r.Files[d.File], true, 80)
			require.NotEmpty(t, d.Summary)
			if d.Line > 0 {
				require.LessOrEqual(t, d.Line, bytes.Count(text, []byte("\n"))+1)
			}
		}
		for _, a := range keys(r.Program.Policies) {
			p := r.Program.Policies[a]
			for _, x := range samples(^attrs(0))[:8] {
				_, _ = p.Match(x)
				_, _ = p.KV(x)
			}
			require.True(t, json.Valid(p.Canonical()))
		}
		for _, b := range r.Program.Blocks {
			if !ds.HasErrors() {
				require.True(t, json.Valid(b.Canonical), b.Address)
			}
		}
		for name, v := range r.Program.Outputs {
			require.True(t, json.Valid(v), name)
		}
		_, _ = r.Outputs(nil)
		_, _, _ = r.Variables(), r.Graph(), r.Redact("x")
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("%v is too long", d)
		}
	})
}

func TestNesting(t *testing.T) {
	load := func(expr string) diag.Diagnostics {
		_, ds := loadText(t, "locals {\n x = []\n a = "+expr+"\n}\n")
		return ds
	}
	deep := func(ds diag.Diagnostics) bool {
		for _, d := range ds {
			if d.Summary == "Nested too deep" {
				return true
			}
		}
		return false
	}
	for name, make := range map[string]func(n int) string{
		"lists":       func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) },
		"parentheses": func(n int) string { return strings.Repeat("(", n) + "1" + strings.Repeat(")", n) },
		"objects":     func(n int) string { return strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) },
		"sums":        func(n int) string { return strings.Repeat("1 + ", n) + "1" },
		"not":         func(n int) string { return strings.Repeat("!", n) + "true" },
		"minus":       func(n int) string { return strings.Repeat("- ", n) + "1" },
		"conditions":  func(n int) string { return strings.Repeat("true ? 1 : ", n) + "1" },
		"indexes":     func(n int) string { return "local.x" + strings.Repeat("[length([])]", n) },
		"splats":      func(n int) string { return "local.x" + strings.Repeat("[*]", n) },
		"calls":       func(n int) string { return strings.Repeat("max(", n) + "1" + strings.Repeat(")", n) },
		"directives": func(n int) string {
			return `"` + strings.Repeat("%{ if true }", n) + strings.Repeat("%{ endif }", n) + `"`
		},
		"for": func(n int) string { return strings.Repeat("[for x in ", n) + "[]" + strings.Repeat(" : x]", n) },
	} {
		require.False(t, deep(load(make(100))), "%s: 100 deep", name)
		require.True(t, deep(load(make(300))), "%s: 300 deep", name)
	}
	// Much beside each other is not deep.
	var wide strings.Builder
	for i := range 400 {
		fmt.Fprintf(&wide, "  a%d = 1 + %d * 2 > 3 ? \"${1 + 1}-${2}\" : \"%%{ if true }x%%{ endif }\"\n", i, i)
	}
	_, ds := loadText(t, "locals {\n"+wide.String()+"}\nlocals {\n object = {\n"+wide.String()+"}\n list = ["+strings.Repeat("1 + 1, ", 500)+"]\n text = \""+strings.Repeat("${1 + 1}", 500)+"\"\n}\n")
	require.Empty(t, ds)
	_, ds = loadText(t, "# "+strings.Repeat("(", 1000)+"\nlocals {\n a = \""+strings.Repeat("([{", 1000)+"\"\n b = <<E\n"+strings.Repeat("([{", 1000)+"\nE\n}\n")
	require.Empty(t, ds)
}

// TestLongChain checks that a chain of references as long as a file may be
// does not take the stack.
func TestLongChain(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  a0 = 1\n")
	n := 20000
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  a%d = local.a%d\n", i, i-1)
	}
	fmt.Fprintf(&b, "}\noutput \"o\" { value = local.a%d }\n", n-1)
	r, ds := loadText(t, b.String())
	require.Empty(t, ds)
	require.Equal(t, "1", string(r.Program.Outputs["o"]))
}

func TestDeepValue(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  a0 = 1\n")
	for i := 1; i < 20000; i++ {
		fmt.Fprintf(&b, "  a%d = [local.a%d]\n", i, i-1)
	}
	_, ds := loadText(t, b.String()+"}\n")
	require.ErrorContains(t, ds.Err(), "nests deeper")
	require.Len(t, ds, 1)
}

func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	for i := range 30000 {
		fmt.Fprintf(&b, "model \"m%d\" { source = local.nothing%d }\n", i, i)
	}
	start := time.Now()
	_, ds := loadText(t, b.String())
	require.Len(t, ds, maxDiagnostics+1)
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestNearest(t *testing.T) {
	names := []string{"model", "policy", "effort", "from", "path"}
	for given, want := range map[string]string{"modle": "model", "Policy": "policy", "polcy": "policy", "xyz": "", "frm": "from", "a": "", "pathh": "path", "efort": "effort"} {
		require.Equal(t, want, nearest(given, names), given)
	}
	require.Equal(t, "none", list(nil, "and"))
	require.Equal(t, "a", list([]string{"a"}, "and"))
	require.Equal(t, "a, b or c", list([]string{"a", "b", "c"}, "or"))
}

// TestSortedOnce checks order and uniqueness of diagnostics.
func TestSortedOnce(t *testing.T) {
	s := newSink()
	at := func(line, column int) diag.Range { return diag.Range{File: "a", Line: line, Column: column} }
	d := func(r diag.Range, text string) diag.Diagnostic { return diag.Errorf(r, text, "x") }
	s.list = diag.Diagnostics{d(at(3, 1), "c"), d(at(1, 2), "b"), d(at(1, 1), "a"), d(at(3, 1), "c"), d(diag.Range{File: "0"}, "z")}
	var got []string
	for _, x := range s.sorted() {
		got = append(got, x.Summary)
	}
	require.Equal(t, []string{"z", "a", "b", "c"}, got)
}

var _ engine.Policy = (*Policy)(nil)

// TestLoops checks that loops which would never end are not begun, and that
// sane ones are.
func TestLoops(t *testing.T) {
	nested := func(n int, over string) string {
		return strings.Repeat("[for x in "+over+" : ", n) + "1" + strings.Repeat("]", n)
	}
	for name, c := range map[string]struct {
		expr string
		want string
	}{
		"two of three hundred": {"length(" + nested(2, "range(300)") + ")", ""},
		"three of a thousand":  {nested(3, "range(1000)"), "Too many steps"},
		"sixty of two":         {nested(60, "[1, 2]"), "Too many steps"},
		"sixty of one":         {nested(60, "[1]"), ""},
		"directives":           {`"` + strings.Repeat("%{ for x in [1, 2] }", 60) + strings.Repeat("%{ endfor }", 60) + `"`, "Too many steps"},
		"what a loop gives":    {"[for x in range(1000) : [for y in [for z in range(1000) : x] : [for w in range(100) : y]]]", "Too many steps"},
		"rows of a table":      {"[for row in [for i in range(300) : range(20)] : [for cell in row : cell]]", ""},
		"a loop between":       {"[for row in [range(1000)] : [for a in range(1000) : [for b in range(100) : [for cell in row : cell]]]]", "Too many steps"},
		"splats":               {"[{a = [{b = 1}]}][*].a[*][*].b", ""},
	} {
		start := time.Now()
		_, ds := loadText(t, "locals {\n a = "+c.expr+"\n}\n")
		if c.want == "" {
			require.NoError(t, ds.Err(), name)
		} else {
			require.ErrorContains(t, ds.Err(), c.want, name)
		}
		require.Less(t, time.Since(start), 5*time.Second, name)
	}
}
