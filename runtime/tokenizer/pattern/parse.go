package pattern

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits, so that a damaged pattern asks for no memory.
const (
	maxPattern = 1 << 16 // bytes of a pattern
	maxDepth   = 64      // groups within groups
	maxRepeat  = 1 << 12 // a counted repetition
	maxCode    = 1 << 14 // instructions
)

const unlimited = math.MaxInt

type kind uint8

const (
	isSet kind = iota
	isSequence
	isChoice
	isRepeat
	isAtomic
	isLook
	isPlace
)

// node is a part of a parsed pattern.
type node struct {
	kind       kind
	spans      spans // isSet
	parts      []*node
	min, max   int // isRepeat
	lazy       bool
	possessive bool
	negative   bool // isLook
	behind     bool
	place      byte // isPlace: ^ $ A z b B
}

// parser reads Oniguruma's syntax as far as tokenizers use it.
type parser struct {
	s     string
	pos   int
	fold  bool // (?i)
	depth int
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("at %q: %s", clip(p.s[min(p.pos, len(p.s)):]), fmt.Sprintf(format, args...))
}

func clip(s string) string {
	if r := []rune(s); len(r) > 24 {
		return string(r[:24]) + "…"
	}
	return s
}

func (p *parser) more() bool { return p.pos < len(p.s) }

func (p *parser) accept(prefix string) bool {
	if !strings.HasPrefix(p.s[p.pos:], prefix) {
		return false
	}
	p.pos += len(prefix)
	return true
}

func (p *parser) next() rune {
	r, n := utf8.DecodeRuneInString(p.s[p.pos:])
	p.pos += n
	return r
}

func parse(s string) (*node, error) {
	if len(s) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes, more than %d", len(s), maxPattern)
	}
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("the pattern is not UTF-8")
	}
	p := &parser{s: s}
	n, err := p.choice()
	if err == nil && p.more() {
		err = p.errorf("a bracket that nothing opened")
	}
	return n, err
}

// choice reads alternatives up to the end or a closing bracket.
func (p *parser) choice() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("groups nested more than %d deep", maxDepth)
	}
	fold := p.fold
	defer func() { p.depth--; p.fold = fold }()
	c := &node{kind: isChoice}
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, n)
		if !p.accept("|") {
			break
		}
	}
	if len(c.parts) == 1 {
		return c.parts[0], nil
	}
	return c, nil
}

func (p *parser) sequence() (*node, error) {
	s := &node{kind: isSequence}
	for p.more() && p.s[p.pos] != '|' && p.s[p.pos] != ')' {
		n, err := p.atom()
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		if n, err = p.repeated(n); err != nil {
			return nil, err
		}
		s.parts = append(s.parts, n)
	}
	return s, nil
}

// atom reads one part; nil where it only sets an option.
func (p *parser) atom() (*node, error) {
	switch c := p.s[p.pos]; c {
	case '(':
		return p.group()
	case '[':
		s, err := p.class()
		return &node{kind: isSet, spans: s}, err
	case '.':
		p.pos++
		return &node{kind: isSet, spans: negate(spans{{'\n', '\n'}})}, nil
	case '^', '$':
		p.pos++
		return &node{kind: isPlace, place: c}, nil
	case '*', '+', '?':
		return nil, p.errorf("nothing to repeat")
	case '\\':
		if p.pos+1 < len(p.s) && strings.IndexByte("AzbB", p.s[p.pos+1]) >= 0 {
			p.pos += 2
			return &node{kind: isPlace, place: p.s[p.pos-1]}, nil
		}
		s, _, err := p.escape()
		return p.literal(s), err
	}
	r := p.next()
	return p.literal(spans{{r, r}}), nil
}

func (p *parser) literal(s spans) *node {
	if p.fold {
		s = folded(s)
	}
	return &node{kind: isSet, spans: s}
}

// group reads what is in brackets.
func (p *parser) group() (*node, error) {
	start := p.pos
	p.pos++
	wrap := func(n *node) *node { return n }
	look := func(negative, behind bool) func(*node) *node {
		return func(n *node) *node {
			return &node{kind: isLook, parts: []*node{n}, negative: negative, behind: behind}
		}
	}
	fold := p.fold
	defer func() { p.fold = fold }()
	switch {
	case p.accept("?:"):
	case p.accept("?="):
		wrap = look(false, false)
	case p.accept("?!"):
		wrap = look(true, false)
	case p.accept("?<="):
		wrap = look(false, true)
	case p.accept("?<!"):
		wrap = look(true, true)
	case p.accept("?>"):
		wrap = func(n *node) *node { return &node{kind: isAtomic, parts: []*node{n}} }
	case p.accept("?i:"):
		p.fold = true
	case p.accept("?-i:"):
		p.fold = false
	case p.accept("?i)"):
		fold = true // up to the end of the group around
		return nil, nil
	case p.accept("?"):
		p.pos = start
		return nil, p.errorf("a group of a kind that is not known here")
	}
	n, err := p.choice()
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		p.pos = start
		return nil, p.errorf("a group has no end")
	}
	return wrap(n), nil
}

// repeated reads the quantifiers after a part.
func (p *parser) repeated(n *node) (*node, error) {
	for p.more() {
		r := &node{kind: isRepeat, parts: []*node{n}, max: unlimited}
		counted := false
		switch p.s[p.pos] {
		case '*':
		case '+':
			r.min = 1
		case '?':
			r.max = 1
		case '{':
			lo, hi, length, ok := counts(p.s[p.pos:])
			if !ok {
				return n, nil // a literal, as Oniguruma has it
			}
			if lo > hi || lo > maxRepeat || hi != unlimited && hi > maxRepeat {
				return nil, p.errorf("a repetition out of range")
			}
			r.min, r.max, counted = lo, hi, true
			p.pos += length - 1
		default:
			return n, nil
		}
		p.pos++
		if p.accept("?") {
			r.lazy = true
		} else if !counted && p.accept("+") {
			r.possessive = true
		}
		n = r
	}
	return n, nil
}

// counts reads {n}, {n,}, {,m} or {n,m}.
func counts(s string) (lo, hi, length int, ok bool) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return 0, 0, 0, false
	}
	from, to, two := strings.Cut(s[1:end], ",")
	if from == "" && to == "" {
		return 0, 0, 0, false
	}
	number := func(s string, none int) int {
		if s == "" {
			return none
		}
		n, err := strconv.ParseUint(s, 10, 30)
		ok = ok && err == nil
		return int(n)
	}
	ok = true
	lo = number(from, 0)
	if hi = lo; two {
		hi = number(to, unlimited)
	}
	return lo, hi, end + 1, ok
}

// escape reads what begins with a backslash: a set, and whether it is one
// character.
func (p *parser) escape() (s spans, single bool, err error) {
	start := p.pos
	p.pos++
	if !p.more() {
		return nil, false, p.errorf("a backslash at the end")
	}
	one := func(r rune) (spans, bool, error) { return spans{{r, r}}, true, nil }
	switch r := p.next(); r {
	case 's':
		return ofTable(unicode.White_Space), false, nil
	case 'S':
		return negate(ofTable(unicode.White_Space)), false, nil
	case 'd':
		return ofTable(unicode.Nd), false, nil
	case 'D':
		return negate(ofTable(unicode.Nd)), false, nil
	case 'w':
		return wordSpans(), false, nil
	case 'W':
		return negate(wordSpans()), false, nil
	case 'p', 'P':
		s, err := p.property(r == 'P')
		return s, false, err
	case 'n':
		return one('\n')
	case 'r':
		return one('\r')
	case 't':
		return one('\t')
	case 'f':
		return one('\f')
	case 'v':
		return one('\v')
	case 'a':
		return one('\a')
	case 'e':
		return one(0x1b)
	case 'x', 'u':
		c, ok := p.hex(r)
		if !ok {
			p.pos = start
			return nil, false, p.errorf("a character's number is damaged")
		}
		return one(c)
	default:
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			p.pos = start
			return nil, false, p.errorf("an escape that is not known here")
		}
		return one(r)
	}
}

// hex reads the digits of \x41, \x{1F600}, \u0041 and \u{1F600}.
func (p *parser) hex(letter rune) (rune, bool) {
	digits := ""
	if p.accept("{") {
		end := strings.IndexByte(p.s[p.pos:], '}')
		if end < 0 {
			return 0, false
		}
		digits = p.s[p.pos : p.pos+end]
		p.pos += end + 1
	} else {
		n := 2
		if letter == 'u' {
			n = 4
		}
		if p.pos+n > len(p.s) {
			return 0, false
		}
		digits = p.s[p.pos : p.pos+n]
		p.pos += n
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	return rune(n), err == nil && n <= unicode.MaxRune
}

func wordSpans() spans { return ofTable(unicode.L, unicode.M, unicode.N, unicode.Pc) }

// longNames are the names of categories beside their letters.
var longNames = map[string]string{
	"Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt", "Modifier_Letter": "Lm",
	"Other_Letter": "Lo", "Mark": "M", "Number": "N", "Decimal_Number": "Nd", "Punctuation": "P", "Symbol": "S", "Separator": "Z", "Other": "C",
}

// property reads {L}, {^L}, {Han}, {Script=Han} or a single letter.
func (p *parser) property(not bool) (spans, error) {
	start := p.pos
	name := ""
	if p.accept("{") {
		end := strings.IndexByte(p.s[p.pos:], '}')
		if end < 0 {
			return nil, p.errorf("a property has no end")
		}
		name = p.s[p.pos : p.pos+end]
		p.pos += end + 1
	} else if p.more() {
		name = string(p.next())
	}
	if rest, ok := strings.CutPrefix(name, "^"); ok {
		name, not = rest, !not
	}
	for _, prefix := range []string{"Script=", "sc=", "gc=", "General_Category=", "Is"} {
		name = strings.TrimPrefix(name, prefix)
	}
	if short, ok := longNames[name]; ok {
		name = short
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts, unicode.Properties} {
		if t, ok := tables[name]; ok {
			s := ofTable(t)
			if not {
				s = negate(s)
			}
			return s, nil
		}
	}
	p.pos = start
	return nil, p.errorf("no property of characters is called %q", name)
}

// class reads [...], with ranges, classes within and && between.
func (p *parser) class() (spans, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("classes nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	start := p.pos
	p.pos++
	not := p.accept("^")
	var all, now spans
	meets := false
	join := func() {
		now = tidy(now)
		if p.fold {
			now = folded(now)
		}
		if meets {
			now = intersect(all, now)
		}
		all, now = now, nil
	}
	for first := true; ; first = false {
		switch {
		case !p.more():
			p.pos = start
			return nil, p.errorf("a class has no end")
		case p.s[p.pos] == ']' && !first:
			p.pos++
			join()
			if not {
				all = negate(all)
			}
			return all, nil
		case p.accept("&&"):
			join()
			meets = true
		case p.s[p.pos] == '[':
			if strings.HasPrefix(p.s[p.pos:], "[:") {
				return nil, p.errorf("classes like [:alpha:] are not known here")
			}
			s, err := p.class()
			if err != nil {
				return nil, err
			}
			now = append(now, s...)
		default:
			s, err := p.classRange()
			if err != nil {
				return nil, err
			}
			now = append(now, s...)
		}
	}
}

// classRange reads a character, a range of them or an escape.
func (p *parser) classRange() (spans, error) {
	one := func() (spans, bool, error) {
		if p.s[p.pos] == '\\' {
			return p.escape()
		}
		r := p.next()
		return spans{{r, r}}, true, nil
	}
	from, single, err := one()
	if err != nil || !single {
		return from, err
	}
	rest := p.s[p.pos:]
	if len(rest) < 2 || rest[0] != '-' || rest[1] == ']' || rest[1] == '[' {
		return from, nil
	}
	p.pos++
	to, single, err := one()
	if err != nil {
		return nil, err
	}
	if !single { // [a-\d]: the hyphen is itself
		return append(append(from, span{'-', '-'}), to...), nil
	}
	if to[0].lo < from[0].lo {
		return nil, p.errorf("a range that ends before it begins")
	}
	return spans{{from[0].lo, to[0].lo}}, nil
}
