// Package pattern matches the regular expressions by which tokenizers divide
// text: Oniguruma's syntax and its choice among matches (the first alternative
// that leads to one), with lookahead, possessive and lazy repetition, Unicode
// properties and classes with &&. Go's regexp has none of the first three.
//
// A match is found by backtracking over a small program. Texts are hostile at
// times, so that what failed over a long run is not tried again within it, and
// repeated groups remember their outcome at each place: time is linear in the
// text for the patterns of all known tokenizers.
package pattern

import (
	"fmt"
	"unicode/utf8"
)

type op uint8

const (
	opAccept op = iota
	opSet       // one character
	opRun       // min to max characters of a set
	opChoice    // the first of several that leads to a match
	opLoop      // a choice that a repeated group comes back to
	opAtomic    // what matches first, and never anything else
	opLook
	opBehind // one character before
	opPlace
)

// code is one instruction; numbers of others are indices into Pattern.code.
type code struct {
	op       op
	lazy     bool
	keep     bool // possessive
	negative bool
	place    byte
	set      *set
	min, max int
	next     int
	ways     []int // opChoice, opLoop
	exit     int   // opLoop: the way that does not repeat
	sub      int   // opAtomic, opLook
}

// Pattern is a compiled expression. It may be used by several goroutines.
type Pattern struct {
	source string
	code   []code
	starts []int // of each alternative
	// first are the alternatives that may begin with a byte; the last entry is
	// for bytes beyond ASCII.
	first [utf8.RuneSelf + 1][]uint16
}

// Compile reads an expression. The error says what in it is not known.
func Compile(source string) (*Pattern, error) {
	root, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", clip(source), err)
	}
	c := &compiler{p: &Pattern{source: source}}
	if err := c.compile(root); err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", clip(source), err)
	}
	return c.p, nil
}

func (p *Pattern) String() string { return p.source }

// Scan is a walk through one text.
type Scan struct {
	p    *Pattern
	text string
	// failed[i] is where the run ended over which the alternative i, which
	// begins with a repetition, led nowhere: it does not from within, either.
	failed []int
	memo   map[uint64]int
	depth  int
	tries  int
}

// manyTries is when a scan begins to remember where runs led to: for usual
// patterns looking that up takes longer than to try again.
const manyTries = 1 << 22

// maxLoop bounds how often a group is repeated in one match, since each time
// takes some of the stack. A longer match is cut there.
const maxLoop = 1 << 17

// Scan begins a walk.
func (p *Pattern) Scan(text string) Scan {
	return Scan{p: p, text: text, failed: make([]int, len(p.starts))}
}

// Next finds the first match that is not empty at or after an index, and
// reports whether there is one. Indices must not go down from call to call.
func (s *Scan) Next(from int) (start, end int, ok bool) {
	for i := from; i < len(s.text); {
		if end := s.at(i); end > i {
			return i, end, true
		}
		if s.text[i] < utf8.RuneSelf {
			i++
		} else {
			_, width := utf8.DecodeRuneInString(s.text[i:])
			i += width
		}
	}
	return 0, 0, false
}

// at matches at an index: the end, or -1.
func (s *Scan) at(i int) int {
	p := s.p
	for _, way := range p.first[min(s.text[i], utf8.RuneSelf)] {
		if i < s.failed[way] {
			continue
		}
		start := p.starts[way]
		if end := s.match(start, i); end >= 0 {
			return end
		}
		if c := &p.code[start]; c.op == opRun && c.max == unlimited && !c.keep {
			s.failed[way], _ = c.set.run(s.text, i, unlimited)
		}
	}
	return -1
}

// match runs the program from an instruction on: the end of the match, or -1.
func (s *Scan) match(pc, i int) int {
	for {
		c := &s.p.code[pc]
		switch c.op {
		case opAccept:
			return i
		case opSet:
			width := c.set.step(s.text, i)
			if width == 0 {
				return -1
			}
			i += width
		case opRun:
			end, n := c.set.run(s.text, i, c.max)
			if n < c.min {
				return -1
			}
			if n > c.min && !c.keep {
				return s.run(pc, i, end, n)
			}
			i = end
		case opChoice:
			last := len(c.ways) - 1
			for _, way := range c.ways[:last] {
				if end := s.match(way, i); end >= 0 {
					return end
				}
			}
			pc = c.ways[last]
			continue
		case opLoop:
			return s.loop(pc, i)
		case opAtomic:
			if i = s.match(c.sub, i); i < 0 {
				return -1
			}
		case opLook:
			if (s.match(c.sub, i) >= 0) == c.negative {
				return -1
			}
		case opBehind:
			r, width := utf8.DecodeLastRuneInString(s.text[:i])
			if (width > 0 && c.set.has(r)) == c.negative {
				return -1
			}
		case opPlace:
			if !s.place(c.place, i) {
				return -1
			}
		}
		pc = c.next
	}
}

// run tries what follows a run of n characters from i to end, the longest run
// first, or the shortest.
func (s *Scan) run(pc, i, end, n int) int {
	c := &s.p.code[pc]
	if s.tries < manyTries {
		return s.tryRun(c, i, end, n)
	}
	key := keyOf(pc, i)
	out, ok := s.memo[key]
	if !ok {
		out = s.tryRun(c, i, end, n)
		s.remember(key, out)
	}
	return out
}

func (s *Scan) tryRun(c *code, i, end, n int) int {
	if c.lazy {
		end, _ = c.set.run(s.text, i, c.min)
		for k := c.min; ; k++ {
			s.tries++
			if m := s.match(c.next, end); m >= 0 || k == n {
				return m
			}
			end += c.set.step(s.text, end)
		}
	}
	for {
		s.tries++
		if m := s.match(c.next, end); m >= 0 || n == c.min {
			return m
		}
		_, width := utf8.DecodeLastRuneInString(s.text[:end])
		end -= width
		n--
	}
}

func keyOf(pc, i int) uint64 { return uint64(pc)<<48 | uint64(i) }

func (s *Scan) remember(key uint64, end int) {
	if s.memo == nil {
		s.memo = map[uint64]int{}
	}
	s.memo[key] = end
}

// loop is a choice whose outcome is remembered: the match from an instruction
// on depends on nothing but the place.
func (s *Scan) loop(pc, i int) int {
	key := keyOf(pc, i)
	if end, ok := s.memo[key]; ok {
		return end
	}
	out := -1
	if s.depth++; s.depth < maxLoop {
		for _, way := range s.p.code[pc].ways {
			if out = s.match(way, i); out >= 0 {
				break
			}
		}
	} else {
		out = s.match(s.p.code[pc].exit, i)
	}
	s.depth--
	s.remember(key, out)
	return out
}

func (s *Scan) place(place byte, i int) bool {
	switch place {
	case '^':
		return i == 0 || s.text[i-1] == '\n'
	case '$':
		return i == len(s.text) || s.text[i] == '\n'
	case 'A':
		return i == 0
	case 'z':
		return i == len(s.text)
	}
	before, _ := utf8.DecodeLastRuneInString(s.text[:i])
	after, _ := utf8.DecodeRuneInString(s.text[i:])
	edge := (i > 0 && isWord(before)) != (i < len(s.text) && isWord(after))
	return edge == (place == 'b')
}
