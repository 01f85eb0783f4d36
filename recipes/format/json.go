package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes/format/depth"
)

// indents begins a line of any level.
var indents = "\n" + strings.Repeat("  ", depth.Max)

// formatJSON indents JSON by two spaces. Keys keep their order, and numbers and
// strings their spelling.
func formatJSON(src []byte, name string) ([]byte, diag.Diagnostics) {
	if err := validJSON(src); err != nil {
		offset := len(src)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && syntax.Offset > 0 {
			offset = int(syntax.Offset) - 1
		}
		return nil, diag.Diagnostics{diag.Errorf(place(src, name, offset), "Invalid JSON", "%s.", message(err))}
	}
	out := bytes.NewBuffer(make([]byte, 0, 2*len(src)))
	level := 0
	newline := func() {
		out.WriteString(indents[:1+2*level])
	}
	for i := 0; i < len(src); i++ {
		if out.Len() > maxPadding {
			return nil, diag.Diagnostics{diag.Errorf(place(src, name, i), "Text too large", "Indented, the text would have more than %d MiB.", maxPadding>>20)}
		}
		switch c := src[i]; c {
		case ' ', '\t', '\n', '\r':
		case '"':
			end := i + 1
			for src[end] != '"' {
				if src[end] == '\\' {
					end++
				}
				end++
			}
			out.Write(src[i : end+1])
			i = end
		case '{', '[':
			if level++; level > depth.Max {
				return nil, diag.Diagnostics{diag.Errorf(place(src, name, i), "Nested too deep", "Values nest at most %d deep.", depth.Max)}
			}
			out.WriteByte(c)
			if next := i + 1 + blanks(src[i+1:]); src[next] == c+2 { // '}' is '{'+2, ']' is '['+2
				out.WriteByte(src[next])
				level--
				i = next
			} else {
				newline()
			}
		case '}', ']':
			level--
			newline()
			out.WriteByte(c)
		case ',':
			out.WriteByte(c)
			newline()
		case ':':
			out.WriteString(": ")
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// validJSON is json.Valid with the reason.
func validJSON(src []byte) error {
	if json.Valid(src) {
		return nil
	}
	var value json.RawMessage
	err := json.Unmarshal(src, &value)
	if err == nil {
		err = errors.New("the text is no JSON")
	}
	return err
}

func message(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

func blanks(src []byte) int {
	return len(src) - len(bytes.TrimLeft(src, " \t\r\n"))
}

// place is the character at an offset.
func place(src []byte, name string, offset int) diag.Range {
	offset = min(max(offset, 0), len(src))
	before := src[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:]))) + 1
	return diag.Range{File: name, Line: line, Column: column, EndLine: line, EndColumn: column + 1}
}
