package pattern

import (
	"errors"
	"slices"
	"unicode"
	"unicode/utf8"
)

var errLong = errors.New("it is too long when its repetitions are written out")

func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || unicode.Is(unicode.Pc, r)
}

// compiler writes a program from its end to its beginning: each part is told
// what follows it.
type compiler struct {
	p      *Pattern
	sets   []*set // equal ones are shared
	looked int    // instructions that begin looked at
}

func (c *compiler) compile(root *node) error {
	accept, err := c.add(code{op: opAccept})
	if err != nil {
		return err
	}
	ways := []*node{root}
	if root.kind == isChoice {
		ways = root.parts
	}
	for i, way := range ways {
		start, err := c.emit(way, accept)
		if err != nil {
			return err
		}
		c.p.starts = append(c.p.starts, start)
		var first spans
		c.looked = 0
		if !c.begin(start, &first) {
			first = spans{{0, unicode.MaxRune}}
		}
		s := c.set(tidy(first))
		for b := range utf8.RuneSelf {
			if s.ascii[b>>6]>>(b&63)&1 != 0 {
				c.p.first[b] = append(c.p.first[b], uint16(i))
			}
		}
		if n := len(s.spans); n > 0 && s.spans[n-1].hi >= utf8.RuneSelf {
			c.p.first[utf8.RuneSelf] = append(c.p.first[utf8.RuneSelf], uint16(i))
		}
	}
	return nil
}

func (c *compiler) add(i code) (int, error) {
	if len(c.p.code) >= maxCode {
		return 0, errLong
	}
	c.p.code = append(c.p.code, i)
	return len(c.p.code) - 1, nil
}

func (c *compiler) set(s spans) *set {
	for _, known := range c.sets {
		if slices.Equal(known.spans, s) {
			return known
		}
	}
	c.sets = append(c.sets, newSet(s))
	return c.sets[len(c.sets)-1]
}

// emit writes a part that next follows, and returns where it begins.
func (c *compiler) emit(n *node, next int) (int, error) {
	switch n.kind {
	case isSet:
		return c.add(code{op: opSet, set: c.set(n.spans), next: next})
	case isSequence:
		var err error
		for i := len(n.parts) - 1; i >= 0 && err == nil; i-- {
			next, err = c.emit(n.parts[i], next)
		}
		return next, err
	case isChoice:
		ways := make([]int, len(n.parts))
		for i, part := range n.parts {
			var err error
			if ways[i], err = c.emit(part, next); err != nil {
				return 0, err
			}
		}
		return c.add(code{op: opChoice, ways: ways})
	case isRepeat:
		return c.repeat(n, next)
	case isAtomic:
		return c.inner(n.parts[0], code{op: opAtomic, next: next})
	case isLook:
		if n.behind {
			set := single(n.parts[0])
			if set == nil {
				return 0, errors.New("looking back at more than one character is not known here")
			}
			return c.add(code{op: opBehind, set: c.set(set), negative: n.negative, next: next})
		}
		return c.inner(n.parts[0], code{op: opLook, negative: n.negative, next: next})
	}
	return c.add(code{op: opPlace, place: n.place, next: next})
}

// inner writes a part that is matched by itself.
func (c *compiler) inner(n *node, outer code) (int, error) {
	accept, err := c.add(code{op: opAccept})
	if err != nil {
		return 0, err
	}
	if outer.sub, err = c.emit(n, accept); err != nil {
		return 0, err
	}
	return c.add(outer)
}

// single is the set of a part that is one character.
func single(n *node) spans {
	for n.kind == isSequence && len(n.parts) == 1 {
		n = n.parts[0]
	}
	if n.kind != isSet {
		return nil
	}
	return n.spans
}

func (c *compiler) repeat(n *node, next int) (int, error) {
	part := n.parts[0]
	if s := single(part); s != nil {
		return c.add(code{op: opRun, set: c.set(s), min: n.min, max: n.max, lazy: n.lazy, keep: n.possessive, next: next})
	}
	if n.possessive {
		again := *n
		again.possessive = false
		return c.inner(&again, code{op: opAtomic, next: next})
	}
	way := func(yes, no int) []int {
		if n.lazy {
			return []int{no, yes}
		}
		return []int{yes, no}
	}
	if n.max == unlimited {
		if nullable(part) {
			return 0, errors.New("a repeated group that may be empty is not known here")
		}
		loop, err := c.add(code{op: opLoop})
		if err != nil {
			return 0, err
		}
		again, err := c.emit(part, loop)
		if err != nil {
			return 0, err
		}
		c.p.code[loop].ways, c.p.code[loop].exit = way(again, next), next
		next = loop
	} else {
		end := next
		for range n.max - n.min {
			start, err := c.emit(part, next)
			if err != nil {
				return 0, err
			}
			o := opChoice
			if n.max > 1 {
				o = opLoop
			}
			if next, err = c.add(code{op: o, ways: way(start, end), exit: end}); err != nil {
				return 0, err
			}
		}
	}
	for range n.min {
		var err error
		if next, err = c.emit(part, next); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// maxLook bounds the search for the first characters of an alternative.
const maxLook = 1 << 10

// nullable says that a part may match nothing.
func nullable(n *node) bool {
	switch n.kind {
	case isSet:
		return false
	case isSequence:
		for _, p := range n.parts {
			if !nullable(p) {
				return false
			}
		}
		return true
	case isChoice:
		for _, p := range n.parts {
			if nullable(p) {
				return true
			}
		}
		return false
	case isRepeat:
		return n.min == 0 || nullable(n.parts[0])
	case isAtomic:
		return nullable(n.parts[0])
	}
	return true
}

// begin gathers the characters with which a match may begin; false where it may
// begin with any.
func (c *compiler) begin(pc int, first *spans) bool {
	for ; c.looked < maxLook; c.looked++ {
		i := &c.p.code[pc]
		switch i.op {
		case opAccept:
			return false
		case opSet:
			*first = append(*first, i.set.spans...)
			return true
		case opRun:
			*first = append(*first, i.set.spans...)
			if i.min > 0 {
				return true
			}
		case opChoice, opLoop:
			c.looked++
			for _, way := range i.ways {
				if !c.begin(way, first) {
					return false
				}
			}
			return true
		case opAtomic:
			return c.begin(i.sub, first)
		}
		pc = i.next
	}
	return false
}
