package jinja

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var then = time.Date(2025, 8, 5, 14, 3, 9, 0, time.UTC)

// What Jinja2 itself gives, set up as the hub's library does.
func TestAgainstJinja2(t *testing.T) {
	b, err := os.ReadFile("testdata/jinja2.json")
	require.NoError(t, err)
	all, err := FromJSON(b)
	require.NoError(t, err)
	cases, _ := all.(*Dict).Get("cases")
	for _, c := range cases.(*List).Items {
		src, _ := c.(*Dict).Get("template")
		want, ok := c.(*Dict).Get("text")
		// Templates may change what they are given.
		fresh, err := FromJSON(b)
		require.NoError(t, err)
		context, _ := fresh.(*Dict).Get("context")
		vars := map[string]any{}
		for i, k := range context.(*Dict).keys {
			vars[k.(string)] = context.(*Dict).values[i]
		}
		tmpl, err := Parse(src.(string))
		got := ""
		if err == nil {
			got, err = tmpl.Render(t.Context(), vars, then)
		}
		if !ok {
			var e *Error
			require.ErrorAs(t, err, &e, "%s", src)
			require.Positive(t, e.Line)
			continue
		}
		if err != nil {
			t.Errorf("%v\n%s", err, src)
		} else if got != want {
			t.Errorf("%s\n got: %q\nwant: %q", src, got, want)
		}
	}
}

func TestErrorsHaveLines(t *testing.T) {
	for src, want := range map[string]string{
		"a\n\n{{ x.y }}":                      `line 3: "x" is not defined, and y of it is wanted`,
		"{% if a %}\n{{ 1 + }}{% endif %}":    "line 2: found the end of the tag instead of a value",
		"\n{% foo %}":                         `line 2: the statement "foo" is not known here`,
		"{% if a %}\nx":                       "the template ends, and endif is missing",
		"\n{{ 'a }}":                          "line 2: a string has no end",
		"{# a":                                "line 1: a comment has no end",
		"\n\n{{ a":                            "line 3: a tag has no end",
		"{{ a|nope }}":                        `the filter "nope" is not known here`,
		"{{ a is nope }}":                     `the test "nope" is not known here`,
		"{% endif %}":                         `the statement "endif"`,
		"{% break %}":                         "break outside of a loop",
		"{{ a b }}":                           `found "b", where the tag has to end`,
		"{{ (a }}":                            "line 1",
		"{{ a ? }}":                           "has no meaning here",
		"{% macro m(a=1, b) %}{% endmacro %}": "has no default",
		"\n{% set x.y = 1 %}":                 "line 2: x is none, and only a namespace's fields can be set",
		"{{ 9999999999999999999 }}":           "out of range",
		"{{ 9223372036854775807 + 1 }}":       "out of range",
		"{% macro m() %}\n{{ q.r }}{% endmacro %}\n{{ m() }}": "line 2:",
		"{{ strftime_now('%Q') }}":                            "%Q is not known",
		"{% include 'x' %}":                                   `"include" is not known here`,
		"{% raw %}":                                           "raw has no end",
		"{{ {[]: 1} }}":                                       "can't be a key",
	} {
		tmpl, err := Parse(src)
		if err == nil {
			_, err = tmpl.Render(t.Context(), map[string]any{"a": int64(1)}, then)
		}
		require.ErrorContains(t, err, want, src)
		var e *Error
		require.ErrorAs(t, err, &e, src)
		require.False(t, e.Raised)
	}
	tmpl, err := Parse("\n{{ raise_exception('roles must alternate') }}")
	require.NoError(t, err)
	_, err = tmpl.Render(t.Context(), nil, then)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, &Error{2, "roles must alternate", true}, e)
}

// Templates that would take all time or memory end with an error, soon.
func TestBounds(t *testing.T) {
	nested := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, src := range []string{
		"{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
		"{% macro a() %}{% call a() %}{% endcall %}{% endmacro %}{{ a() }}",
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
		nested("{% for x in range(100000) %}", "x", "{% endfor %}", 5),
		"{{ 'a' * 100000000000 }}", "{{ ['a'] * 100000000000 }}", "{{ 2 ** 1000000 }}", "{{ range(10000000) }}",
		"{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"{% set l = [1] %}{% for i in range(100) %}{% set _ = l.extend(l) %}{% endfor %}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}{{ ns.l|tojson }}",
		"{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(90) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{% for i in range(100000) %}{{ ns.a == ns.b }}{% endfor %}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l < ns.l }}{{ ns.l|tojson }}",
		"{{ 'a'.center(100000000000) }}", "{{ '%1000000000d' % 1 }}", "{{ '{:1000000000}'.format(1) }}", "{{ 'a'|indent(1000000000, true) }}",
		"{{ ('a' * 10000000).replace('a', 'b' * 10000000) }}", "{{ ('a' * 10000000)|list|join('bbbbbbbb') }}",
		nested("{{ ", nested("(", "1", ")", 1000), " }}", 1), nested("{{ ", strings.Repeat("-", 100000)+"1", " }}", 1), nested("{{ ", strings.Repeat("not ", 100000)+"1", " }}", 1),
		nested("{% if 1 %}", "x", "{% endif %}", 1000), "{{ a" + strings.Repeat(".b", 1000) + " }}", "{{ a" + strings.Repeat("|list", 1000) + " }}", "{{ " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + " }}",
		"{% set " + strings.Repeat("(", 1000) + "a" + strings.Repeat(")", 1000) + " = 1 %}", "{{ 1" + strings.Repeat(" if 1 else 1", 100000) + " }}",
		"{{ 1" + strings.Repeat(" + 1", 100000) + " }}", "{{ 1" + strings.Repeat(" or 1", 100000) + " }}",
	} {
		start := time.Now()
		tmpl, err := Parse(src)
		if err == nil {
			_, err = tmpl.Render(t.Context(), nil, then)
		}
		require.Error(t, err, "%.80s", src)
		require.Less(t, time.Since(start), 30*time.Second, "%.80s", src)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tmpl, err := Parse("{% for i in range(100000) %}{{ i }}{% endfor %}")
	require.NoError(t, err)
	_, err = tmpl.Render(ctx, nil, then)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Parse(strings.Repeat("a", maxSource+1))
	require.ErrorContains(t, err, "more than")
}

func TestFromJSON(t *testing.T) {
	v, err := FromJSON([]byte(`{"b":1,"a":[1.0,true,null,"é"],"b2":{}}`))
	require.NoError(t, err)
	require.Equal(t, `{'b': 1, 'a': [1.0, True, None, 'é'], 'b2': {}}`, repr(v))
	for _, bad := range []string{"", "{", "[1,", `{"a":1,"a":2}`, "1 2", strings.Repeat("[", 200)} {
		_, err := FromJSON([]byte(bad))
		require.Error(t, err, bad)
	}
}

// Any template ends, with text or with an error that has a line.
func FuzzRender(f *testing.F) {
	b, err := os.ReadFile("testdata/jinja2.json")
	require.NoError(f, err)
	all, err := FromJSON(b)
	require.NoError(f, err)
	cases, _ := all.(*Dict).Get("cases")
	for _, c := range cases.(*List).Items {
		src, _ := c.(*Dict).Get("template")
		f.Add(src.(string))
	}
	f.Fuzz(func(t *testing.T, src string) {
		tmpl, err := Parse(src)
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			messages, _ := FromJSON([]byte(`[{"role":"user","content":"a"}]`))
			_, err = tmpl.Render(ctx, map[string]any{"messages": messages, "n": int64(1)}, then)
		}
		var e *Error
		if err != nil && !errors.As(err, &e) && !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "too long") && !strings.Contains(err.Error(), "MiB") {
			t.Fatalf("no line: %v", err)
		}
	})
}
