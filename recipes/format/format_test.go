package format

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got)
}

func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in*")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(inputs), 4)
	for _, path := range inputs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			require.NoError(t, err)
			name := filepath.Base(path)
			out, problems := Format(src, name)
			require.Empty(t, problems)
			again, problems := Format(out, name)
			require.Empty(t, problems)
			require.Equal(t, string(out), string(again))
			golden(t, strings.Replace(path, ".in", ".want", 1), string(out))
			golden(t, strings.Replace(path, ".in", ".diff", 1)+".txt", Diff(src, out, name))
		})
	}
}

func TestFormat(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty":                 {"", ""},
		"only blank lines":      {"\n \n\t\n", ""},
		"no end":                {"a=1", "a = 1\n"},
		"many ends":             {"a=1\n\n\n", "a = 1\n"},
		"blank lines":           {"\n\na=1\n\n\n\nb=2\n", "a = 1\n\nb = 2\n"},
		"aligned":               {"a=1\nlong=2\n\nb=3\n", "a    = 1\nlong = 2\n\nb = 3\n"},
		"crlf":                  {"a=1\r\nb {\r\n}\r\n", "a = 1\nb {\n}\n"},
		"cr":                    {"# x\r\na = 1 # y\r\r\n/*\r\r\n*/\n", "# x\na = 1 # y\n/*\n*/\n"},
		"mark":                  {"\ufeffa=1\n", "a = 1\n"},
		"tabs":                  {"b {\n\ta=1\n}\n", "b {\n  a = 1\n}\n"},
		"brackets":              {"b {\n\n\n  a = [\n\n    1,\n\n\n    2\n\n  ]\n\n}\n", "b {\n  a = [\n    1,\n\n    2\n  ]\n}\n"},
		"comment after bracket": {"b { # x  \n\n  a = 1\n\n  # z\n\n}\n", "b { # x\n  a = 1\n\n  # z\n}\n"},
		"comment stays":         {"b {\n  # x\n\n  a = 1\n}\n", "b {\n  # x\n\n  a = 1\n}\n"},
		"comment at the end":    {"a = 1 # x ", "a = 1 # x\n"},
		"comments first":        {"\n# x\n\n\n\n# y\na=1", "# x\n\n# y\na = 1\n"},
		"block comment":         {"/*  \n\n\n x  */\na=1\n", "/*  \n\n\n x  */\na = 1\n"},
		"heredoc":               {"a = <<E\n\n\n x  \n\n\nE\n\n\nb = 1\n", "a = <<E\n\n\n x  \n\n\nE\n\nb = 1\n"},
		"heredoc in list":       {"a = [<<-E\n   x  \n  E\n  , 2]\n", "a = [<<-E\n   x  \n  E\n, 2]\n"},
		"string":                {`a = "x  ${ b }  # y"` + "\n", `a = "x  ${b}  # y"` + "\n"},
		"one-line block":        {"router{min=1}\n", "router { min = 1 }\n"},
		"operators":             {"a=1+2*-3 ==b&&!c?x:y\n", "a = 1 + 2 * -3 == b && !c ? x : y\n"},
		"for":                   {"a={for k,v in b:k=>v...if v}\n", "a = { for k, v in b : k => v... if v }\n"},
		"trailing comments":     {"a = 1 # x\nlonger = 2 # y\n", "a      = 1 # x\nlonger = 2 # y\n"},
	} {
		t.Run(name, func(t *testing.T) {
			src := []byte(c.in)
			out, problems := Format(src, "x.hcl")
			require.Empty(t, problems)
			require.Equal(t, c.want, string(out))
			require.Equal(t, c.in, string(src), "the input is left alone")
			again, problems := Format(out, "x.hcl")
			require.Empty(t, problems)
			require.Equal(t, c.want, string(again))
		})
	}
}

func TestJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[1,{"x":null}],"c":{},"d":[ ]}`: "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    {\n      \"x\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}\n",
		"\r\n 1e400 ":           "1e400\n",
		`"a\"{[,:  \\"`:         `"a\"{[,:  \\"` + "\n",
		`[1.50,true,"é\u00e9"]`: "[\n  1.50,\n  true,\n  \"é\\u00e9\"\n]\n",
	} {
		out, problems := Format([]byte(in), "x.hcl.json")
		require.Empty(t, problems)
		require.Equal(t, want, string(out))
		again, _ := Format(out, "x.hcl.json")
		require.Equal(t, want, string(again))
	}
}

func TestErrors(t *testing.T) {
	deep := strings.Repeat("[", 300)
	for name, c := range map[string]struct{ file, src, want string }{
		"syntax":    {"x.hcl", "a = \nb {", "x.hcl:1: Invalid expression"},
		"quote":     {"x.hcl", "a = \"x\nb = 1\n", "x.hcl:1: Invalid multi-line string"},
		"deep":      {"x.hcl", "a = " + deep, "x.hcl:1: Nested too deep"},
		"utf8":      {"x.hcl", "a = \"\xff\"", "x.hcl:1: Invalid character encoding"},
		"large":     {"x.hcl", strings.Repeat("#", maxSource+1), "x.hcl: File too large"},
		"json":      {"x.hcl.json", "{\n  \"a\": é,\n}", "x.hcl.json:2: Invalid JSON"},
		"json end":  {"x.hcl.json", "{", "x.hcl.json:1: Invalid JSON: Unexpected end"},
		"json none": {"x.hcl.json", "", "x.hcl.json:1: Invalid JSON: Unexpected end"},
		"json two":  {"x.hcl.json", "{}\n{}", "x.hcl.json:2: Invalid JSON"},
		"json deep": {"x.hcl.json", deep + strings.Repeat("]", 300), "x.hcl.json:1: Nested too deep"},
		"json wide": {"x.hcl.json", strings.Repeat("[", 250) + strings.Repeat("1,", 400_000) + "1" + strings.Repeat("]", 250), "x.hcl.json:1: Text too large"},
	} {
		t.Run(name, func(t *testing.T) {
			out, problems := Format([]byte(c.src), c.file)
			require.ErrorContains(t, problems.Err(), c.want)
			require.Equal(t, c.src, string(out))
		})
	}
	_, problems := Format([]byte("{\n  \"a\": é,\n}"), "x.json")
	require.Equal(t, 8, problems[0].Column)
}

// TestAlignmentIsBounded: one long name among many lines would cost the product.
func TestAlignmentIsBounded(t *testing.T) {
	var many strings.Builder
	many.WriteString(strings.Repeat("a", 100_000) + "=1\n\n\n")
	for i := range 10_000 {
		fmt.Fprintf(&many, "b%d=1 \n", i)
	}
	out, problems := Format([]byte(many.String()), "x.hcl")
	require.Empty(t, problems)
	require.Less(t, len(out), many.Len())
	require.Contains(t, string(out), "=1\n\nb0=1\n", "tidied, not aligned")
}

func TestSameTokens(t *testing.T) {
	lexed := func(s string) hclsyntax.Tokens {
		tokens, _ := hclsyntax.LexConfig([]byte(s), "", hcl.InitialPos)
		return tokens
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"a=1", "\n\na = 1\n\n", true},
		{"a=1\nb=2", "a=1\n\n\nb=2", true},
		{"a=1 # x  \n\nb=2", "a=1 # x\nb=2", true},
		{"a=[1,2]", "a=[1,\n2]", false},
		{"a=1 # x", "a=1 # y", false},
		{"a=1", "a=2", false},
		{"a=1\nb=2", "a=1", false},
		{`a="x "`, `a="x"`, false},
		{"a=<<E\n\nx\nE\n", "a=<<E\nx\nE\n", false},
	} {
		require.Equal(t, c.same, sameTokens(lexed(c.a), lexed(c.b)), "%q %q", c.a, c.b)
	}
}

func FuzzFormat(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*.in*")
	require.NoError(f, err)
	for _, path := range inputs {
		src, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(src, strings.HasSuffix(path, ".json"))
	}
	for _, s := range []string{"a=1", "a = \"${\n}\"", "a = <<E\n${ [\n\n1 ] }\nE\n", "a = [ # x\n\n]", "a=- 1 \n b = a . 0 .1", "a {\n b = {\n\n c=1 } }", "a = \"%{ if x ~}\ny%{ endif }\"", "/* x */ a = 1 /* y\n */\n"} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, src []byte, asJSON bool) {
		if len(src) > 1<<16 {
			return
		}
		name := "x.hcl"
		if asJSON {
			name = "x.json"
		}
		out, problems := Format(src, name)
		if problems.HasErrors() {
			if !bytes.Equal(out, src) {
				t.Fatal("changed a file with errors")
			}
			return
		}
		again, problems := Format(out, name)
		if problems.HasErrors() {
			t.Fatalf("the result has errors: %v\n%q\n%q", problems, src, out)
		}
		if !bytes.Equal(out, again) {
			t.Fatalf("not its own format:\n%q\n%q\n%q", src, out, again)
		}
		if asJSON {
			return
		}
		if !sameTokens(lex(plain(src)), lex(out)) {
			t.Fatalf("other tokens:\n%q\n%q", src, out)
		}
	})
}
