package function

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"regex", "regex(pattern, text)", "The first match of an RE2 pattern: a text, or its groups as a list, or its named groups as an object. No match is an error.", `regex("blk\\.(\\d+)", "blk.12.attn_q")`, `["12"]`}, stdlib.RegexFunc)
	register(Doc{"regexall", "regexall(pattern, text)", "Every match of an RE2 pattern, as regex gives one; none is an empty list.", `regexall("[a-z]+", "1a2bc")`, `["a", "bc"]`},
		limited(stdlib.RegexAllFunc, matchLimit, nil))
	register(Doc{"replace", "replace(text, old, new)", "The text with every old replaced by new. Between slashes old is an RE2 pattern, and new may say $1 or ${name}.", `replace("a.b", "/[.](.)/", "-$1")`, `"a-b"`}, replaceFunc)
}

// matchLimit bounds what regexall gives: it makes an element of every group of
// every match.
func matchLimit(args []cty.Value) error {
	pattern, known := text(args[0])
	s, also := text(args[1])
	if !known || !also {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil // the function says it better
	}
	most := maxParts/(re.NumSubexp()+1) + 1
	return resultParts(times(len(re.FindAllStringIndex(s, most)), re.NumSubexp()+1))
}

var replaceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "old", Type: cty.String}, {Name: "new", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		s, from, to := args[0].AsString(), args[1].AsString(), args[2].AsString()
		if len(from) < 2 || from[0] != '/' || from[len(from)-1] != '/' {
			if err := resultText(len(s) + times(strings.Count(s, from), len(to))); err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(strings.ReplaceAll(s, from, to)), nil
		}
		re, err := regexp.Compile(from[1 : len(from)-1])
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(1, "between slashes a pattern is wanted: %v", err)
		}
		out, err := expandAll(re, s, to)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(out), nil
	},
})

// expandAll is re.ReplaceAllString with a limit: the replacement may repeat a
// group any number of times.
func expandAll(re *regexp.Regexp, s, to string) (string, error) {
	var out []byte
	end := 0
	dollars := strings.Count(to, "$")
	matches := re.FindAllStringSubmatchIndex(s, maxParts+1)
	if len(matches) > maxParts {
		return "", fmt.Errorf("the pattern matches more than %d times", maxParts)
	}
	for _, m := range matches {
		out = append(out, s[end:m[0]]...)
		// A group is at most the match.
		if err := resultText(len(out) + len(to) + times(dollars, m[1]-m[0])); err != nil {
			return "", err
		}
		out = re.ExpandString(out, to, s, m)
		end = m[1]
	}
	if err := resultText(len(out) + len(s) - end); err != nil {
		return "", err
	}
	return string(append(out, s[end:]...)), nil
}
