package depth

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
)

func lex(src string) hclsyntax.Tokens {
	tokens, _ := hclsyntax.LexConfig([]byte(src), "x", hcl.InitialPos)
	return tokens
}

func TestDeep(t *testing.T) {
	r := strings.Repeat
	for name, src := range map[string]func(n int) string{
		"brackets":     func(n int) string { return "a = " + r("[", n) + r("]", n) },
		"objects":      func(n int) string { return "a = " + r("{ b = ", n) + "1" + r("}", n) },
		"blocks":       func(n int) string { return r("b {\n", n) + r("}\n", n) },
		"parentheses":  func(n int) string { return "a = " + r("(", n) + "1" + r(")", n) },
		"calls":        func(n int) string { return "a = " + r("f(", n) + "1" + r(")", n) },
		"sums":         func(n int) string { return "a = 1" + r(" + 1", n) },
		"not":          func(n int) string { return "a = " + r("!", n) + "true" },
		"conditionals": func(n int) string { return "a = " + r("true ? 1 : ", n) + "2" },
		"indexes":      func(n int) string { return "a = b" + r("[c]", n) },
		"splats":       func(n int) string { return "a = b" + r(".*", n) },
		"templates":    func(n int) string { return "a = " + r(`"${`, n) + "1" + r(`}"`, n) },
		"directives":   func(n int) string { return `a = "` + r("%{ if true }", n) + "x" + r("%{ endif }", n) + `"` },
		"heredocs":     func(n int) string { return "a = " + r("<<E\n${", n) + "1" + r("}\nE\n", n) },
		"mixed":        func(n int) string { return "a = " + r("[1 + ", n) + "1" + r("]", n) },
	} {
		t.Run(name, func(t *testing.T) {
			require.Nil(t, Check(lex(src(60))))
			d := Check(lex(src(Max + 1)))
			require.NotNil(t, d)
			require.Equal(t, "Nested too deep", d.Summary)
			require.Equal(t, "x", d.Subject.Filename)
			require.NotNil(t, Check(lex(src(10_000))))
		})
	}
}

func TestWideIsNotDeep(t *testing.T) {
	r := strings.Repeat
	for name, src := range map[string]string{
		"attributes": r("a = 1 + 1\n", 1000),
		"elements":   "a = [" + r("1 + 1, ", 1000) + "]",
		"fields":     "a = {\n" + r("b = -1\n", 1000) + "}",
		"arguments":  "a = f(" + r("b[c], ", 1000) + "1)",
		"parts":      `a = "` + r("${1 + 1}", 1000) + `"`,
		"directives": `a = "` + r("%{ if 1 > 0 }x%{ else }y%{ endif }", 1000) + `"`,
		"traversal":  "a = b" + r(".c", 1000),
		"unbalanced": r("}", 1000) + `a = "` + r("%{ endif }", 1000) + `"`,
	} {
		require.Nil(t, Check(lex(src)), name)
	}
}

func TestNumbers(t *testing.T) {
	for src, ok := range map[string]bool{
		"a = 1e400": true, "a = -1e-400": true, "a = 1.5E+10": true, "a = " + strings.Repeat("9", 800): true,
		"a = 1e401": false, "a = 1e-401": false, "a = 1e99999999999999999999": false, "a = " + strings.Repeat("9", 801): false,
		`a = "${1e999999999}"`: false,
	} {
		d := Check(lex(src))
		require.Equal(t, ok, d == nil, src)
		if d != nil {
			require.Equal(t, "Number too large", d.Summary)
		}
	}
}

// FuzzCheck holds the promise: what passes does not nest deeper than Max.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "a = [1]", `a = "%{ if x }${y}%{ endif }"`, "b {\n}\n", "}", "a = <<E\n${[\nE\n", "%{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<16 || Check(lex(src)) != nil {
			return
		}
		file, ds := hclsyntax.ParseConfig([]byte(src), "x", hcl.InitialPos)
		if ds.HasErrors() {
			return
		}
		w := &walker{}
		_ = hclsyntax.Walk(file.Body.(*hclsyntax.Body), w)
		// A block or an expression of one bracket is a few nodes of the tree.
		if w.deepest > 8*Max {
			t.Fatalf("%d levels passed", w.deepest)
		}
	})
}

type walker struct{ depth, deepest int }

func (w *walker) Enter(hclsyntax.Node) hcl.Diagnostics {
	w.depth++
	w.deepest = max(w.deepest, w.depth)
	return nil
}

func (w *walker) Exit(hclsyntax.Node) hcl.Diagnostics {
	w.depth--
	return nil
}
