package function

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"chomp", "chomp(text)", "The text without line ends at its end.", `chomp("a\n\n")`, `"a"`}, stdlib.ChompFunc)
	register(Doc{"endswith", "endswith(text, suffix)", "Whether the text ends with the suffix.", `endswith("a.gguf", ".gguf")`, "true"},
		predicate("suffix", strings.HasSuffix))
	register(Doc{"indent", "indent(spaces, text)", "The text with spaces before every line but the first.", `indent(2, "a\nb")`, `"a\n  b"`},
		limited(stdlib.IndentFunc, indentLimit, nil))
	register(Doc{"join", "join(separator, list, …)", "The elements of the lists as one text.", `join("-", ["a", "b"])`, `"a-b"`},
		limited(stdlib.JoinFunc, joinLimit, nil))
	register(Doc{"lower", "lower(text)", "The text in lower case.", `lower("Q4_K")`, `"q4_k"`}, stdlib.LowerFunc)
	register(Doc{"split", "split(separator, text)", "The parts of the text between separators.", `split(",", "a,b,")`, `["a", "b", ""]`},
		limited(stdlib.SplitFunc, splitLimit, nil))
	register(Doc{"startswith", "startswith(text, prefix)", "Whether the text begins with the prefix.", `startswith("blk.0.attn_q", "blk.")`, "true"},
		predicate("prefix", strings.HasPrefix))
	register(Doc{"strcontains", "strcontains(text, part)", "Whether the part stands anywhere in the text.", `strcontains("ffn_gate_exps", "gate")`, "true"},
		predicate("part", strings.Contains))
	register(Doc{"strrev", "strrev(text)", "The characters of the text from last to first.", `strrev("abc")`, `"cba"`}, stdlib.ReverseFunc)
	register(Doc{"substr", "substr(text, offset, length)", "A part of the text, in characters; a negative offset counts from the end, length -1 is the rest.", `substr("hello", 1, 3)`, `"ell"`}, stdlib.SubstrFunc)
	register(Doc{"title", "title(text)", "The text with every word's first letter in upper case.", `title("hello world")`, `"Hello World"`}, stdlib.TitleFunc)
	register(Doc{"trim", "trim(text, characters)", "The text without the characters at both ends.", `trim("?!a?", "!?")`, `"a"`}, stdlib.TrimFunc)
	register(Doc{"trimprefix", "trimprefix(text, prefix)", "The text without the prefix, if it has it.", `trimprefix("v1.2", "v")`, `"1.2"`}, stdlib.TrimPrefixFunc)
	register(Doc{"trimspace", "trimspace(text)", "The text without white space at both ends.", `trimspace("  a\n")`, `"a"`}, stdlib.TrimSpaceFunc)
	register(Doc{"trimsuffix", "trimsuffix(text, suffix)", "The text without the suffix, if it has it.", `trimsuffix("a.gguf", ".gguf")`, `"a"`}, stdlib.TrimSuffixFunc)
	register(Doc{"upper", "upper(text)", "The text in upper case.", `upper("q4_k")`, `"Q4_K"`}, stdlib.UpperFunc)
}

// predicate gives a function of two texts.
func predicate(second string, holds func(text, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: second, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(holds(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

func indentLimit(args []cty.Value) error {
	n, ok := known(args[0])
	if !ok || n.Type() != cty.Number {
		return nil
	}
	if n.LessThan(cty.Zero).True() || n.GreaterThan(cty.NumberIntVal(1000)).True() {
		return function.NewArgErrorf(0, "between 0 and 1000 spaces are wanted")
	}
	if s, ok := text(args[1]); ok {
		spaces, _ := n.AsBigFloat().Int64()
		return resultText(len(s) + times(int(spaces), strings.Count(s, "\n")))
	}
	return nil
}

func joinLimit(args []cty.Value) error {
	separator, _ := text(args[0])
	elements := 0
	for _, a := range args[1:] {
		if v, ok := known(a); ok && v.Type().IsListType() {
			elements += v.LengthInt()
		}
	}
	return resultText(times(elements, len(separator)))
}

func splitLimit(args []cty.Value) error {
	separator, known := text(args[0])
	s, also := text(args[1])
	if !known || !also {
		return nil
	}
	return resultParts(strings.Count(s, separator))
}
