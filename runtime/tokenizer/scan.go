package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of values.
const maxDepth = 256

// scanner reads JSON front to back without building a tree: a tokenizer.json
// has up to 650,000 strings in two lists, for which a general decoder takes
// five times as long. The input is known to be valid UTF-8.
type scanner struct {
	b   []byte
	pos int
}

func newScanner(b []byte) (*scanner, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("the file is not UTF-8: it is damaged; download it again")
	}
	return &scanner{b: b}, nil
}

// errorf is an error at the current place.
func (s *scanner) errorf(format string, args ...any) error {
	line, col := 1, 1
	for _, c := range s.b[:min(s.pos, len(s.b))] {
		col++
		if c == '\n' {
			line, col = line+1, 1
		}
	}
	return fmt.Errorf("line %d, column %d: %s: the file is damaged; download it again", line, col, fmt.Sprintf(format, args...))
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) found() string {
	if s.pos >= len(s.b) {
		return "the end"
	}
	r, _ := utf8.DecodeRune(s.b[s.pos:])
	return fmt.Sprintf("%q", r)
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.errorf("found %s instead of %q", s.found(), c)
	}
	s.pos++
	return nil
}

// more is called before each item of an object or array: it moves past the
// comma before all but the first, and past end after the last, where it returns
// false.
func (s *scanner) more(end byte, first bool) (bool, error) {
	c := s.peek()
	switch {
	case c == end:
		s.pos++
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, s.errorf("found %s instead of ',' or %q", s.found(), end)
	}
	s.pos++
	if s.peek() == end {
		return false, s.errorf("found %s after a comma", s.found())
	}
	return true, nil
}

// text appends a string's characters to dst.
func (s *scanner) text(dst []byte) ([]byte, error) {
	if s.peek() != '"' {
		return dst, s.errorf("found %s instead of a string", s.found())
	}
	start := s.pos + 1
	for i := start; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.pos = i + 1
			return append(dst, s.b[start:i]...), nil
		case c == '\\':
			return s.escaped(dst)
		case c < ' ':
			s.pos = i
			return dst, s.errorf("a control character in a string")
		}
	}
	return dst, s.errorf("a string has no end")
}

// escaped appends a string that has escapes.
func (s *scanner) escaped(dst []byte) ([]byte, error) {
	for i := s.pos + 1; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			i++
		case '"':
			out, err := jsontext.AppendUnquote(dst, s.b[s.pos:i+1])
			if err != nil {
				return dst, s.errorf("a string that is not valid")
			}
			s.pos = i + 1
			return out, nil
		}
	}
	return dst, s.errorf("a string has no end")
}

// key reads an object's key and the colon after it.
func (s *scanner) key() (string, error) {
	k, err := s.text(nil)
	if err != nil {
		return "", err
	}
	return string(k), s.expect(':')
}

// id reads a whole number that a token can have.
func (s *scanner) id() (int, error) {
	if c := s.peek(); c < '0' || c > '9' {
		return 0, s.errorf("found %s instead of a token's id", s.found())
	}
	n, start := 0, s.pos
	for s.pos < len(s.b) {
		d := s.b[s.pos] - '0'
		if d > 9 {
			break
		}
		if n = n*10 + int(d); n > maxSize {
			return 0, s.errorf("a token's id is more than %d", maxSize)
		}
		s.pos++
	}
	if s.b[start] == '0' && s.pos > start+1 {
		return 0, s.errorf("a number that starts with 0")
	}
	return n, nil
}

// value moves past a value and returns its text.
func (s *scanner) value() (jsontext.Value, error) {
	s.peek()
	start := s.pos
	if err := s.skip(0); err != nil {
		return nil, err
	}
	return s.b[start:s.pos], nil
}

func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.errorf("nested more than %d deep", maxDepth)
	}
	switch c := s.peek(); c {
	case '"':
		_, err := s.text(nil)
		return err
	case '{', '[':
		s.pos++
		for first := true; ; first = false {
			ok, err := s.more(c+2, first) // '}' is '{'+2, ']' is '['+2
			if err != nil || !ok {
				return err
			}
			if c == '{' {
				if _, err := s.key(); err != nil {
					return err
				}
			}
			if err := s.skip(depth + 1); err != nil {
				return err
			}
		}
	}
	start := s.pos
	for s.pos < len(s.b) {
		c := s.b[s.pos]
		if c <= ' ' || c == ',' || c == ']' || c == '}' {
			break
		}
		s.pos++
	}
	if v := jsontext.Value(s.b[start:s.pos]); !v.IsValid() {
		s.pos = start
		return s.errorf("found %s instead of a value", s.found())
	}
	return nil
}

// object reads an object; field is called at each value.
func (s *scanner) object(field func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil || !ok {
			return err
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if seen[key] {
			return s.errorf("%q is there twice", key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
}
