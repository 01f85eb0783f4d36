package pattern

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// cuts divides a text by a pattern; what is between matches is in brackets.
func cuts(t testing.TB, expr, text string) (out []string) {
	t.Helper()
	p, err := Compile(expr)
	require.NoError(t, err)
	s := p.Scan(text)
	for at := 0; at < len(text); {
		start, end, ok := s.Next(at)
		if !ok {
			return append(out, "("+text[at:]+")")
		}
		if start > at {
			out = append(out, "("+text[at:start]+")")
		}
		out = append(out, text[start:end])
		at = end
	}
	return out
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		expr, text string
		want       []string
	}{
		{`\s+(?!\S)|\s+|\S+`, "a   b  ", []string{"a", "  ", " ", "b", "  "}},
		{`(?i:'s|'ll)|[^']+`, "he'S she'LL", []string{"he", "'S", " she", "'LL"}},
		{`(?i:'s)`, "'\u017f", []string{"'\u017f"}}, // the long s folds
		{`\p{N}{1,3}`, "12345", []string{"123", "45"}},
		{`[0-9][0-9][0-9]`, "1234567", []string{"123", "456", "(7)"}},
		{`\d{1,3}(?=(?:\d{3})*\b)`, "1234567", []string{"1", "234", "567"}},
		{`[\p{L}&&[^\p{Han}]]+|\p{Han}+`, "ab中c", []string{"ab", "中", "c"}},
		{`[\p{L}\d&&[^a]]+`, "ba1", []string{"b", "(a)", "1"}},
		{`a++b|a`, "aab", []string{"aab"}},
		{`a++a|b`, "aab", []string{"(aa)", "b"}},
		{`a+?`, "aa", []string{"a", "a"}},
		{`(?:ab)+?b|a`, "ababb", []string{"ababb"}},
		{`(?>a|ab)c|b`, "abc", []string{"(a)", "b", "(c)"}},
		{`x{2,3}y|x`, "xxxxy", []string{"x", "xxxy"}},
		{`x{2`, "x{2", []string{"x{2"}},
		{`(?<!a)b|a`, "abb", []string{"a", "(b)", "b"}},
		{`(?<=a)b`, "abb", []string{"(a)", "b", "(b)"}},
		{`^a$`, "a\nab\na", []string{"a", "(\nab\n)", "a"}},
		{`.+`, "ab\nc", []string{"ab", "(\n)", "c"}},
		{`\bab\b`, "ab cab ab", []string{"ab", "( cab )", "ab"}},
		{`[^\s]+`, "a\u0085b\u00a0c\ufeff", []string{"a", "(\u0085)", "b", "(\u00a0)", "c\ufeff"}},
		{`\u0041\x{1F600}\x42`, "A😀B", []string{"A😀B"}},
		{`[]a\-z-]+`, "a]-z", []string{"a]-z"}},
		{`\P{L}+|\p{^N}`, "1a", []string{"1", "a"}},
		{`(?i)É|b`, "éB", []string{"é", "B"}},
		{`\p{L}+`, "a\xffb", []string{"a", "(\xff)", "b"}},
		{`(a|b)*c|b`, "ababcbb", []string{"ababc", "b", "b"}},
	} {
		require.Equal(t, tt.want, cuts(t, tt.expr, tt.text), tt.expr)
	}
}

func TestErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`a(`: "no end", `a)`: "nothing opened", `[a`: "no end", `*a`: "nothing to repeat", `\p{Foo}`: `"Foo"`, `\q`: "escape",
		`(?#x)`: "kind", `(a?)*`: "may be empty", `(?<=ab)c`: "looking back", `a{3,2}`: "out of range", `[b-a]`: "ends before", `\`: "at the end",
		`[[:alpha:]]`: "[:alpha:]", `(?:(?:ab){4000}){4000}`: "too long", "\xff": "UTF-8", `\x{110000}`: "damaged",
		strings.Repeat("(", 100): "nested", strings.Repeat("[", 100): "nested",
	} {
		_, err := Compile(expr)
		require.ErrorContains(t, err, want, expr)
	}
}

// Hostile texts take time in proportion to their length: these take some
// milliseconds each, and their square would take minutes.
func TestLinear(t *testing.T) {
	const spaceEnd = `[\r\n]|\s?\p{L}+|\s+$|\p{N}+`
	exprs := []string{
		spaceEnd,
		`\s*[\r\n]+|\s+(?!\S)|\s+|\S+`,
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lo}]*[\p{Ll}\p{Lo}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lo}]+|\s+|.`,
		`\d{1,3}(?=(?:\d{3})*\b)`,
		`[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\s`,
	}
	for _, expr := range exprs {
		for _, unit := range []string{" ", "a", "A", "7", "\n", "😀", "中", "a ", "aA", "é"} {
			text := strings.Repeat(unit, 1<<17/len(unit)) + "x"
			start := time.Now()
			got := cuts(t, expr, text)
			require.Less(t, time.Since(start), 5*time.Second, "%s on a lot of %q", expr, unit)
			n := 0
			for _, s := range got {
				n += len(s)
			}
			require.GreaterOrEqual(t, n, len(text))
		}
	}
}

// Go's own regexp agrees where it knows the pattern.
func FuzzAgainstRegexp(f *testing.F) {
	exprs := []string{
		`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^ \t\p{L}\p{N}]+[\r\n]*|[ \t]*[\r\n]+|[ \t]+`,
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{M}]+[\p{Ll}\p{M}]*`,
		`(a|ab)(c|bcd)(d*)|(?:x+?y*)+?z|.b{2,4}?`,
		`(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|[^a-y]`,
	}
	for i := range exprs {
		for _, text := range []string{"Hello WORLD's  12345\n\r x", "abcdd xyxyz abbbbb", "ÀÉ é e\u0301 中文1２³\u00a0", "xxxyyyxz  \t\n", ""} {
			f.Add(i, text)
		}
	}
	f.Fuzz(func(t *testing.T, i int, text string) {
		if !utf8.ValidString(text) || len(text) > 1000 {
			return
		}
		expr := exprs[uint(i)%uint(len(exprs))]
		var want []string
		at := 0
		for _, m := range regexp.MustCompile(expr).FindAllStringIndex(text, -1) {
			if m[0] > at {
				want = append(want, "("+text[at:m[0]]+")")
			}
			want = append(want, text[m[0]:m[1]])
			at = m[1]
		}
		if at < len(text) {
			want = append(want, "("+text[at:]+")")
		}
		require.Equal(t, want, cuts(t, expr, text), expr)
	})
}

// No expression is too odd, and no text for it.
func FuzzCompile(f *testing.F) {
	for _, expr := range []string{`(?i:'s)|[^\r\n\p{L}]?\p{L}+|\s+(?!\S)`, `(a|b)*c`, `[a-z&&[^b]]{1,3}+`, `(?<!x)\bq\B`, `\p{^Han}++$`} {
		f.Add(expr, "ab c' sxq中 \n")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		p, err := Compile(expr)
		if err != nil || len(text) > 200 {
			return
		}
		s := p.Scan(text)
		for at := 0; at < len(text); {
			start, end, ok := s.Next(at)
			if !ok {
				break
			}
			require.True(t, start >= at && end > start && end <= len(text))
			at = end
		}
	})
}
