package function

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"format", "format(format, value, …)", "The values in a text: %s text, %d whole number, %f number, %v any, %q in quotes, %5.2f with width and precision.", `format("%s-%02d", "q", 4)`, `"q-04"`},
		limited(stdlib.FormatFunc, formatLimit, nil))
	register(Doc{"formatlist", "formatlist(format, list, …)", "format for every element of lists of one length.", `formatlist("%s.gguf", ["a", "b"])`, `["a.gguf", "b.gguf"]`},
		limited(stdlib.FormatListFunc, formatLimit, nil))
}

// maxWidth bounds the widths and precisions of a format.
const maxWidth = 1000

// formatLimit bounds the result before it is made: a format may ask for any
// width, and may name one argument any number of times.
func formatLimit(args []cty.Value) error {
	format, ok := text(args[0])
	if !ok {
		return nil
	}
	verbs, padding := 0, 0
	check := smallNumbers
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		verbs++
		number := 0
		// Flags, width, precision and index, up to the verb's letter.
		for i++; i < len(format) && !letter(format[i]) && format[i] != '%'; i++ {
			if c := format[i]; c >= '0' && c <= '9' {
				number = number*10 + int(c-'0')
				if number > maxWidth {
					return function.NewArgErrorf(0, "widths, precisions and indexes are at most %d", maxWidth)
				}
				continue
			}
			padding += number
			number = 0
		}
		padding += number
		if i < len(format) && strings.IndexByte("bdoxXeEfgG", format[i]) >= 0 {
			check = smallNumerals
		}
	}
	if err := check(args[1:]); err != nil {
		return function.NewArgErrorf(1, "%w", err)
	}
	largest, rounds := 0, 1
	for _, a := range args[1:] {
		_, n := size(a)
		largest = max(largest, n)
		if v, ok := known(a); ok {
			if ty := v.Type(); ty.IsListType() || ty.IsSetType() || ty.IsTupleType() {
				rounds = max(rounds, v.LengthInt())
			}
		}
	}
	// A character may take six in JSON, which %#v writes.
	once := len(format) + padding + times(verbs, largest)
	if largest > 0 && once < 0 || times(once, rounds) < 0 || times(once, rounds) > 4*maxText {
		return function.NewArgErrorf(0, "the result could have more than %d MiB", 4*maxText>>20)
	}
	return nil
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
