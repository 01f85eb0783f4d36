package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota // of a tag
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
)

// token is a word of an expression or statement.
type token struct {
	kind  tokenKind
	text  string // of a string: its value
	whole int64
	float float64
	line  int
}

func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end of the tag"
	case tokString:
		return "a string"
	}
	return strconv.Quote(t.text)
}

// segment is a part of a template: text, or a tag.
type segment struct {
	tag    byte // 0 for text, { for a variable, % for a statement
	text   string
	tokens []token
	line   int
}

// lexer divides a template with trim_blocks and lstrip_blocks on, as
// transformers has them.
type lexer struct {
	src  string
	pos  int
	line int
	out  []segment
	// fresh says that the text before the next tag begins a line.
	fresh bool
}

func lex(src string) ([]segment, error) {
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, line: 1, fresh: true}
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return l.out, nil
}

func (l *lexer) errorf(format string, a ...any) error {
	return &Error{Line: l.line, Message: fmt.Sprintf(format, a...)}
}

func (l *lexer) advance(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.line += strings.Count(s, "\n")
	l.pos += n
	return s
}

// opening finds the next {{, {% or {#.
func (l *lexer) opening() int {
	for i := l.pos; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && (l.src[i+1] == '{' || l.src[i+1] == '%' || l.src[i+1] == '#') {
			return i
		}
	}
	return -1
}

// next reads the text up to a tag, and the tag.
func (l *lexer) next() error {
	at := l.opening()
	if at < 0 {
		l.write(l.src[l.pos:], l.line)
		l.pos = len(l.src)
		return nil
	}
	line := l.line
	before := l.advance(at - l.pos)
	sort := l.src[l.pos+1]
	l.advance(2)
	l.write(l.stripped(before, sort), line)
	switch sort {
	case '#':
		return l.comment()
	case '{':
		return l.tag(sort, "}}")
	}
	return l.tag(sort, "%}")
}

func (l *lexer) write(s string, line int) {
	if s != "" {
		l.out = append(l.out, segment{text: s, line: line})
	}
}

// stripped takes from the text before a tag what its opening says.
func (l *lexer) stripped(text string, sort byte) string {
	switch l.sign() {
	case '-':
		l.advance(1)
		return strings.TrimRightFunc(text, unicode.IsSpace)
	case '+':
		l.advance(1)
		return text
	}
	if sort == '{' {
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || l.fresh) && strings.TrimSpace(text[start:]) == "" {
		return text[:start]
	}
	return text
}

func (l *lexer) sign() byte {
	if l.pos < len(l.src) {
		return l.src[l.pos]
	}
	return 0
}

// closed takes what the end of a tag says from the text after it.
func (l *lexer) closed(sign byte, block bool) {
	from := l.pos
	switch {
	case sign == '-':
		rest := l.src[l.pos:]
		l.advance(len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace)))
	case sign != '+' && block && l.sign() == '\n':
		l.advance(1)
	}
	l.fresh = l.pos > from && l.src[l.pos-1] == '\n'
}

func (l *lexer) comment() error {
	end := strings.Index(l.src[l.pos:], "#}")
	if end < 0 {
		return l.errorf("a comment has no end: write #}")
	}
	body := l.advance(end)
	l.advance(2)
	sign := byte(0)
	if body != "" {
		sign = body[len(body)-1]
	}
	l.closed(sign, true)
	return nil
}

// tag reads the words of a tag.
func (l *lexer) tag(sort byte, end string) error {
	s := segment{tag: sort, line: l.line}
	depth := 0
	for {
		rest := l.src[l.pos:]
		skipped := len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
		l.advance(skipped)
		rest = l.src[l.pos:]
		if rest == "" {
			l.line = s.line
			return l.errorf("a tag has no end: write %s", end)
		}
		if depth == 0 {
			sign := byte(0)
			if strings.HasPrefix(rest[1:], end) && (rest[0] == '-' || rest[0] == '+' && sort == '%') {
				sign = rest[0]
				l.advance(1)
				rest = rest[1:]
			}
			if strings.HasPrefix(rest, end) {
				l.advance(2)
				if sort == '%' && len(s.tokens) == 1 && s.tokens[0].text == "raw" {
					return l.raw(sign)
				}
				l.closed(sign, sort == '%')
				l.out = append(l.out, s)
				return nil
			}
		}
		t, err := l.token(rest)
		if err != nil {
			return err
		}
		if t.kind == tokOp {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
			if depth < 0 {
				return l.errorf("a %s that nothing opened", t.text)
			}
		}
		s.tokens = append(s.tokens, t)
	}
}

// raw reads text up to {% endraw %}.
func (l *lexer) raw(sign byte) error {
	l.closed(sign, false)
	line := l.line
	for i := l.pos; ; i++ {
		k := strings.Index(l.src[i:], "{%")
		if k < 0 {
			return l.errorf("raw has no end: write {%% endraw %%}")
		}
		i += k
		inner := l.src[i+2:]
		left := strings.TrimLeft(strings.TrimPrefix(inner, "-"), " \t\n")
		if !strings.HasPrefix(left, "endraw") {
			continue
		}
		left = strings.TrimLeft(left[len("endraw"):], " \t\n")
		end := strings.TrimPrefix(left, "-")
		if !strings.HasPrefix(end, "%}") {
			continue
		}
		body := l.advance(i - l.pos)
		l.advance(2)
		l.write(l.stripped(body, '%'), line)
		l.advance(len(l.src) - len(end) + 2 - l.pos)
		sign := byte(0)
		if len(end) < len(left) {
			sign = '-'
		}
		l.closed(sign, true)
		return nil
	}
}

// operators, the longer ones first.
var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", "(", ")", "[", "]", "{", "}"}

func (l *lexer) token(rest string) (token, error) {
	line := l.line
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(rest)
		}
		return token{kind: tokName, text: l.advance(n), line: line}, nil
	case r == '"' || r == '\'':
		return l.string(rest)
	case r >= '0' && r <= '9':
		return l.number(rest)
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{kind: tokOp, text: l.advance(len(op)), line: line}, nil
		}
	}
	return token{}, l.errorf("the character %q has no meaning here", r)
}

func (l *lexer) string(rest string) (token, error) {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			t := token{kind: tokString, text: unescape(rest[1:i]), line: l.line}
			l.advance(i + 1)
			return t, nil
		}
	}
	return token{}, l.errorf("a string has no end")
}

// unescape reads a string's escapes as Python does.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	simple := map[byte]string{'\n': "", '\\': `\`, '\'': `'`, '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if t, ok := simple[s[i]]; ok {
			b.WriteString(t)
			continue
		}
		digits, base := 0, 16
		switch s[i] {
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		}
		from := i + 1
		if s[i] >= '0' && s[i] <= '7' {
			for from, base = i, 8; digits < 3 && i+digits < len(s) && s[i+digits] >= '0' && s[i+digits] <= '7'; digits++ {
			}
		}
		if digits > 0 && from+digits <= len(s) {
			if n, err := strconv.ParseUint(s[from:from+digits], base, 32); err == nil && n <= unicode.MaxRune {
				b.WriteRune(rune(n))
				i = from + digits - 1
				continue
			}
		}
		b.WriteByte('\\')
		b.WriteByte(s[i])
	}
	return b.String()
}

func (l *lexer) number(rest string) (token, error) {
	line := l.line
	n := 0
	digits := func() {
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '_') {
			n++
		}
	}
	float := false
	if len(rest) > 1 && rest[0] == '0' && strings.IndexByte("xXoObB", rest[1]) >= 0 {
		for n = 2; n < len(rest) && (isHex(rest[n]) || rest[n] == '_'); n++ {
		}
	} else {
		digits()
		if n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
			float = true
			n++
			digits()
		}
		if n+1 < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			k := n + 1
			if k+1 < len(rest) && (rest[k] == '+' || rest[k] == '-') {
				k++
			}
			if rest[k] >= '0' && rest[k] <= '9' {
				float = true
				n = k
				digits()
			}
		}
	}
	s := l.advance(n)
	plain := strings.ReplaceAll(s, "_", "")
	if float {
		f, err := strconv.ParseFloat(plain, 64)
		if err != nil {
			return token{}, l.errorf("the number %s is out of range", s)
		}
		return token{kind: tokFloat, text: s, float: f, line: line}, nil
	}
	base := 10
	if len(plain) > 1 && plain[0] == '0' && plain[1] > '9' {
		base = 0
	}
	i, err := strconv.ParseInt(plain, base, 64)
	if err != nil {
		return token{}, l.errorf("the number %s is out of range", s)
	}
	return token{kind: tokInt, text: s, whole: i, line: line}, nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
