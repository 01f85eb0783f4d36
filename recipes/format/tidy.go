package format

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// tidy removes what nobody sees: blanks at the ends of lines, blank lines after
// an opening and before a closing bracket, at both ends of the file, and all
// but one of several. Strings, heredocs and comments of several lines stay as
// they are.
func tidy(text []byte, tokens hclsyntax.Tokens) []byte {
	out := bytes.NewBuffer(make([]byte, 0, len(text)+1))
	templates := 0 // open quotes and heredocs
	newlines := 0  // met and not written yet
	opened := false
	end := 0
	for _, t := range tokens {
		start := t.Range.Start.Byte
		gap := text[min(end, start):start]
		end = t.Range.End.Byte
		if templates > 0 {
			templates += templateChange(t.Type)
			out.Write(gap)
			out.Write(t.Bytes)
			continue
		}
		switch t.Type {
		case hclsyntax.TokenNewline:
			newlines++
			continue
		case hclsyntax.TokenEOF:
			continue
		}
		sameLine := newlines == 0
		most := 2
		if opened || closes(t.Type) {
			most = 1
		}
		if out.Len() > 0 {
			for range min(newlines, most) {
				out.WriteByte('\n')
			}
		}
		newlines = 0
		out.Write(gap)
		if t.Type == hclsyntax.TokenComment {
			out.Write(trimComment(t.Bytes))
			if endsLine(t) {
				newlines = 1
			}
			// "{ # comment" still opens.
			opened = opened && sameLine
			continue
		}
		out.Write(t.Bytes)
		templates += templateChange(t.Type)
		opened = opens(t.Type)
	}
	if out.Len() > 0 {
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// trimComment drops the end of a comment's line.
func trimComment(comment []byte) []byte {
	if bytes.HasPrefix(comment, []byte("/*")) {
		return comment
	}
	return bytes.TrimRight(comment, " \t\r\n")
}

func opens(t hclsyntax.TokenType) bool {
	return t == hclsyntax.TokenOBrace || t == hclsyntax.TokenOBrack || t == hclsyntax.TokenOParen
}

func closes(t hclsyntax.TokenType) bool {
	return t == hclsyntax.TokenCBrace || t == hclsyntax.TokenCBrack || t == hclsyntax.TokenCParen
}

func templateChange(t hclsyntax.TokenType) int {
	switch t {
	case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		return 1
	case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
		return -1
	}
	return 0
}

// endsLine reports whether a token holds the end of its line: comments to the
// end of the line do.
func endsLine(t hclsyntax.Token) bool {
	return t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n"))
}

// sameTokens reports whether two texts say the same: their tokens are equal but
// for white space and for how many lines are blank.
func sameTokens(a, b hclsyntax.Tokens) bool {
	ca, cb := cursor{tokens: a, newline: true}, cursor{tokens: b, newline: true}
	for {
		kindA, bytesA := ca.next()
		kindB, bytesB := cb.next()
		if kindA != kindB || !bytes.Equal(bytesA, bytesB) {
			return false
		}
		if kindA == hclsyntax.TokenEOF {
			return true
		}
	}
}

// cursor walks tokens, of several line ends it gives the first.
type cursor struct {
	tokens    hclsyntax.Tokens
	templates int
	newline   bool // the last token given ends a line
	pending   bool // a line end is to be given, unless the file ends
}

func (c *cursor) next() (hclsyntax.TokenType, []byte) {
	for len(c.tokens) > 0 {
		t := c.tokens[0]
		if t.Type == hclsyntax.TokenEOF {
			break
		}
		if c.templates == 0 {
			if t.Type == hclsyntax.TokenNewline {
				c.tokens = c.tokens[1:]
				c.pending = !c.newline
				continue
			}
			if c.pending {
				c.pending, c.newline = false, true
				return hclsyntax.TokenNewline, nil
			}
		}
		c.tokens = c.tokens[1:]
		c.templates = max(c.templates+templateChange(t.Type), 0)
		c.newline = false
		if t.Type == hclsyntax.TokenComment && c.templates == 0 {
			c.pending = endsLine(t)
			return t.Type, trimComment(t.Bytes)
		}
		return t.Type, t.Bytes
	}
	return hclsyntax.TokenEOF, nil
}
