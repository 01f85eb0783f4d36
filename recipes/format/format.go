// Package format writes recipes in their one canonical style, and shows what
// that changes. Only white space changes, never what a file means.
package format

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes/format/depth"
)

const (
	// maxSource is how large a recipe may be.
	maxSource = 4 << 20
	// maxPadding bounds the spaces that alignment and indentation may add: one
	// very long line among very many would make gigabytes of them.
	maxPadding = 32 << 20
	// maxRounds bounds the search for a layout that formatting leaves alone.
	maxRounds = 4
)

// Format gives the canonical text of a recipe. Names that end in .json are in
// HCL's JSON syntax. Where the text has syntax errors it is not changed and
// they are reported. Format of its own result changes nothing.
func Format(src []byte, name string) ([]byte, diag.Diagnostics) {
	if len(src) > maxSource {
		return src, diag.Diagnostics{diag.Errorf(diag.Range{File: name}, "File too large",
			"%s is larger than %d MiB. Recipes are small: put data into files that file() or a dataset reads.", name, maxSource>>20)}
	}
	text := plain(src)
	if strings.HasSuffix(name, ".json") {
		out, problems := formatJSON(text, name)
		if problems.HasErrors() {
			return src, problems
		}
		return out, nil
	}
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	if problem := depth.Check(tokens); problem != nil {
		return src, Diagnostics(hcl.Diagnostics{problem})
	}
	if _, problems := hclsyntax.ParseConfig(text, name, hcl.InitialPos); problems.HasErrors() {
		return src, Diagnostics(problems)
	}
	return formatHCL(text, tokens), nil
}

// formatHCL lays out a text that parses. The text is tidied first, so that
// everything after it depends on the tidy text alone; where the layout does not
// settle or would change a token, the tidy text is the result. Both make the
// result its own format.
func formatHCL(text []byte, tokens hclsyntax.Tokens) []byte {
	tidied := tidy(text, tokens)
	want := lex(tidied)
	if !sameTokens(tokens, want) {
		return text
	}
	if padding(want) > maxPadding {
		return tidied
	}
	out := tidied
	for range maxRounds {
		next := hclwrite.Format(out)
		next = tidy(next, lex(next))
		if bytes.Equal(next, out) {
			if out = next; sameTokens(want, lex(out)) {
				return out
			}
			break
		}
		out = next
	}
	return tidied
}

// plain drops the byte order mark and the carriage returns of line ends that
// some editors write.
func plain(src []byte) []byte {
	text := bytes.TrimPrefix(src, []byte("\ufeff"))
	if !bytes.Contains(text, []byte("\r\n")) {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, line := range bytes.SplitAfter(text, []byte("\n")) {
		if bytes.HasSuffix(line, []byte("\n")) {
			out = append(append(out, bytes.TrimRight(line, "\r\n")...), '\n')
		} else {
			out = append(out, line...)
		}
	}
	return out
}

func lex(text []byte) hclsyntax.Tokens {
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	return tokens
}

// padding is at least how many spaces alignment and indentation can add: every
// "=" moves to the column of the last one of its neighbours, and so does every
// comment after code.
func padding(tokens hclsyntax.Tokens) int {
	var lines, open, deepest, assigns, assignColumn, comments, commentColumn int
	first, assigned := true, false
	for _, t := range tokens {
		switch {
		case opens(t.Type) || t.Type == hclsyntax.TokenTemplateInterp || t.Type == hclsyntax.TokenTemplateControl:
			open++
			deepest = max(deepest, open)
		case closes(t.Type) || t.Type == hclsyntax.TokenTemplateSeqEnd:
			open = max(open-1, 0)
		case t.Type == hclsyntax.TokenEqual && !assigned:
			assigned = true
			assigns++
			assignColumn = max(assignColumn, t.Range.Start.Column)
		case t.Type == hclsyntax.TokenComment && !first:
			comments++
			commentColumn = max(commentColumn, t.Range.Start.Column)
		}
		first = false
		if endsLine(t) {
			lines++
			first, assigned = true, false
		}
	}
	// A comment stands after what the "=" before it may have been moved by.
	return lines*2*deepest + assigns*assignColumn + comments*(commentColumn+assignColumn)
}
