// Package depth bounds how deep HCL syntax nests, before it is parsed: the
// parser and the evaluator recurse, and a Go stack that overflows cannot be
// recovered from.
package depth

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	// Max is how deep expressions and blocks may nest: open brackets, open
	// templates, and the operators of the expressions around a place together.
	Max = 256
	// maxDigits bounds the digits and the exponent of a number literal: to
	// write out 1e999999999 would take all memory.
	maxDigits = 400
)

// frame is an open bracket or template, or the file itself.
type frame struct {
	newlineEnds bool // a new line begins a new element
	operators   int  // of the element at hand: each may hold the one before it
	directives  int  // open %{ if } and %{ for }
}

// Check gives the first place where tokens nest too deep, or where a number is
// beyond all measure; nil where there is none. The tokens may be those of a
// file, an expression or a template.
func Check(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	frames := []frame{{newlineEnds: true}}
	depth := 0
	previous := hclsyntax.TokenNil
	for i, t := range tokens {
		top := &frames[len(frames)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
			switch {
			case t.Type == hclsyntax.TokenOBrack && endsOperand(previous):
				// An index holds what it indexes.
				top.operators++
				depth++
			case t.Type == hclsyntax.TokenTemplateControl:
				n := directive(tokens[i+1:])
				if n < 0 && top.directives == 0 {
					n = 0
				}
				top.directives += n
				depth += n
			}
			frames = append(frames, frame{newlineEnds: t.Type == hclsyntax.TokenOBrace})
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(frames) > 1 {
				depth -= 1 + top.operators + top.directives
				frames = frames[:len(frames)-1]
			}
		case hclsyntax.TokenComma:
			depth -= top.operators
			top.operators = 0
		case hclsyntax.TokenNewline:
			if top.newlineEnds {
				depth -= top.operators
				top.operators = 0
			}
		case hclsyntax.TokenNumberLit:
			if beyond(t.Bytes) {
				return problem(t.Range, "Number too large", fmt.Sprintf("The exponent of a number is between -%d and %d.", maxDigits, maxDigits))
			}
		default:
			if operator(t.Type) {
				top.operators++
				depth++
			}
		}
		if depth > Max {
			return problem(t.Range, "Nested too deep", fmt.Sprintf("Expressions and blocks nest at most %d deep, brackets, operators and templates taken together. Put parts of the expression into locals.", Max))
		}
		previous = t.Type
	}
	return nil
}

// directive is what a %{ does to the depth of its template.
func directive(rest hclsyntax.Tokens) int {
	if len(rest) == 0 {
		return 0
	}
	switch string(rest[0].Bytes) {
	case "if", "for":
		return 1
	case "endif", "endfor":
		return -1
	}
	return 0
}

func operator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr,
		hclsyntax.TokenBang, hclsyntax.TokenQuestion:
		return true
	}
	return false
}

func endsOperand(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenStar, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
		hclsyntax.TokenCBrace, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
		return true
	}
	return false
}

// beyond reports whether a number literal is too long or its exponent too
// large.
func beyond(literal []byte) bool {
	mantissa, exponent := literal, ""
	if i := bytes.IndexAny(literal, "eE"); i >= 0 {
		mantissa, exponent = literal[:i], string(literal[i+1:])
	}
	if len(mantissa) > 2*maxDigits {
		return true
	}
	if exponent == "" {
		return false
	}
	n, err := strconv.Atoi(exponent)
	return err != nil || n < -maxDigits || n > maxDigits
}

func problem(r hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r}
}
