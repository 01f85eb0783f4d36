package safetensors

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 64

// scanner reads JSON front to back without building a tree. The headers of a
// model with 18,867 tensors are megabytes of the same three fields, for which a
// general decoder takes twice as long.
type scanner struct {
	s   string
	pos int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %s", s.pos, fmt.Sprintf(format, args...))
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.s) {
		switch c := s.s[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// found says what stands at the current place, for errors.
func (s *scanner) found() string {
	if s.pos >= len(s.s) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(s.s[s.pos:])
	return fmt.Sprintf("%q", r)
}

// expect moves past c.
func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.errorf("found %s instead of %q", s.found(), c)
	}
	s.pos++
	return nil
}

// more is called before each item of an object or array that is closed by end:
// it moves past the comma before all but the first, and past end after the
// last, where it returns false.
func (s *scanner) more(end byte, first bool) (bool, error) {
	switch c := s.peek(); {
	case c == end:
		s.pos++
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.pos++
		if s.peek() == end {
			return false, s.errorf("found %s after a comma", s.found())
		}
		return true, nil
	}
	return false, s.errorf("found %s instead of ',' or %q", s.found(), end)
}

// key reads an object's key and the colon after it.
func (s *scanner) key() (string, error) {
	k, err := s.str()
	if err != nil {
		return "", err
	}
	return k, s.expect(':')
}

// str reads a string. Most have no escapes and share the input's memory.
func (s *scanner) str() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	start := s.pos
	ascii := true
	for s.pos < len(s.s) {
		switch c := s.s[s.pos]; {
		case c == '"':
			v := s.s[start:s.pos]
			if !ascii && !utf8.ValidString(v) {
				s.pos = start
				return "", s.errorf("a string is not valid UTF-8")
			}
			s.pos++
			return v, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return "", s.errorf("a control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		s.pos++
	}
	s.pos = start
	return "", s.errorf("a string has no end")
}

// escaped reads a string that has escapes, from its first character on.
func (s *scanner) escaped(start int) (string, error) {
	for s.pos < len(s.s) {
		switch s.s[s.pos] {
		case '\\':
			s.pos++
		case '"':
			s.pos++
			v, err := jsontext.AppendUnquote(nil, s.s[start-1:s.pos])
			if err != nil {
				s.pos = start
				return "", s.errorf("a bad string: %v", err)
			}
			return string(v), nil
		}
		s.pos++
	}
	s.pos = start
	return "", s.errorf("a string has no end")
}

// integer reads a number that is a whole one, not negative, and fits int64.
func (s *scanner) integer() (int64, error) {
	c := s.peek()
	if c == '-' {
		return 0, s.errorf("a negative number")
	}
	if c < '0' || c > '9' {
		return 0, s.errorf("found %s instead of a number", s.found())
	}
	start := s.pos
	n := int64(0)
	for s.pos < len(s.s) {
		d := s.s[s.pos] - '0'
		if d > 9 {
			break
		}
		if n > (math.MaxInt64-int64(d))/10 {
			return 0, s.errorf("a number that is too large")
		}
		n = n*10 + int64(d)
		s.pos++
	}
	if s.pos < len(s.s) && strings.IndexByte(".eE", s.s[s.pos]) >= 0 {
		return 0, s.errorf("a number that is not a whole one")
	}
	if s.s[start] == '0' && s.pos > start+1 {
		s.pos = start
		return 0, s.errorf("a number that starts with 0")
	}
	return n, nil
}

// skip moves past any value.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.errorf("nested more than %d deep", maxDepth)
	}
	switch c := s.peek(); c {
	case '"':
		_, err := s.str()
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
	for s.pos < len(s.s) && strings.IndexByte(",]} \t\n\r", s.s[s.pos]) < 0 {
		s.pos++
	}
	if v := jsontext.Value(s.s[start:s.pos]); !v.IsValid() {
		s.pos = start
		return s.errorf("found %s instead of a value", s.found())
	}
	return nil
}

// end checks that only white space is left.
func (s *scanner) end() error {
	if s.peek() != 0 || s.pos < len(s.s) {
		return s.errorf("found %s after the end of the object", s.found())
	}
	return nil
}
