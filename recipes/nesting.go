package recipes

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/llama-pajamas/pj/recipes/format/depth"
)

// maxNesting is how deep expressions and blocks may nest. The parser and the
// evaluator recurse, so deeper input is refused before it is parsed.
const maxNesting = depth.Max

// checkJSON finds the place where JSON text nests too deep, or where a number is
// too large. It also gives the places of the strings. What is not JSON is left
// to the parser; the templates in strings are checked when they are parsed.
func checkJSON(src []byte, file string) (*jsonStrings, *hcl.Diagnostic) {
	js := &jsonStrings{src: src}
	open := 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"':
			start := i
			for i++; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			js.add(start, min(i+1, len(src)))
		case c == '[' || c == '{':
			if open++; open > maxNesting {
				r := js.rangeOf(file, i, i+1)
				return js, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Nested too deep", Subject: &r,
					Detail: fmt.Sprintf("Objects and lists nest at most %d deep.", maxNesting)}
			}
		case c == ']' || c == '}':
			open--
		case c >= '0' && c <= '9':
			start := i
			for i+1 < len(src) && (src[i+1] >= '0' && src[i+1] <= '9' || bytes.IndexByte([]byte("eE+-."), src[i+1]) >= 0) {
				i++
			}
			number := hclsyntax.Token{Type: hclsyntax.TokenNumberLit, Bytes: src[start : i+1]}
			if problem := depth.Check(hclsyntax.Tokens{number}); problem != nil {
				r := js.rangeOf(file, start, i+1)
				problem.Subject = &r
				return js, problem
			}
		}
	}
	return js, nil
}
