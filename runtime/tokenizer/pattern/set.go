package pattern

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// span is a range of characters, both ends in it.
type span struct{ lo, hi rune }

// spans are sorted ranges that neither overlap nor touch.
type spans []span

// tidy sorts ranges and joins those that touch.
func tidy(s spans) spans {
	slices.SortFunc(s, func(a, b span) int { return int(a.lo) - int(b.lo) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
		} else if r.lo <= r.hi {
			out = append(out, r)
		}
	}
	return out
}

func union(a, b spans) spans { return tidy(slices.Concat(a, b)) }

func negate(a spans) spans {
	out := make(spans, 0, len(a)+1)
	next := rune(0)
	for _, r := range a {
		if r.lo > next {
			out = append(out, span{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, span{next, unicode.MaxRune})
	}
	return out
}

func intersect(a, b spans) spans { return negate(union(negate(a), negate(b))) }

func ofTable(tables ...*unicode.RangeTable) spans {
	var out spans
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			out = append(out, span{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			out = append(out, span{r, r})
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return tidy(out)
}

// folded adds the other cases of each character.
func folded(a spans) spans {
	out := slices.Clone(a)
	for _, r := range a {
		if r.hi-r.lo > 1<<12 {
			continue // all of a script, which has its other cases
		}
		for c := r.lo; c <= r.hi; c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, span{f, f})
			}
		}
	}
	return tidy(out)
}

// pageBits is the size of a page of a set in characters.
const pageBits = 256

// page is the bits of some characters.
type page [pageBits / 64]uint64

// set answers whether a character is in it: ASCII by two words, the others by a
// page of bits.
type set struct {
	ascii [2]uint64
	index [(unicode.MaxRune + 1) / pageBits]uint16
	pages []page // the first has none, the second all
	spans spans
}

func newSet(a spans) *set {
	s := &set{spans: a, pages: []page{{}, {^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}}}
	for _, r := range a {
		for i := r.lo / pageBits; i <= r.hi/pageBits; i++ {
			lo, hi := max(r.lo-i*pageBits, 0), min(r.hi-i*pageBits, pageBits-1)
			if lo == 0 && hi == pageBits-1 {
				s.index[i] = 1
				continue
			}
			if s.index[i] == 0 {
				s.index[i] = uint16(len(s.pages))
				s.pages = append(s.pages, page{})
			}
			p := &s.pages[s.index[i]]
			for c := lo; c <= hi; c++ {
				p[c/64] |= 1 << (c % 64)
			}
		}
	}
	s.ascii = [2]uint64(s.pages[s.index[0]][:2])
	return s
}

func (s *set) has(r rune) bool {
	return s.pages[s.index[r/pageBits]][r%pageBits/64]>>(r%64)&1 != 0
}

// step returns the width in bytes of the character at an index if it is in the
// set, else 0. A byte that is no UTF-8 counts as U+FFFD.
func (s *set) step(text string, i int) int {
	if i >= len(text) {
		return 0
	}
	b := text[i]
	if b < utf8.RuneSelf {
		return int(s.ascii[b>>6] >> (b & 63) & 1)
	}
	r, width := utf8.DecodeRuneInString(text[i:])
	if !s.has(r) {
		return 0
	}
	return width
}

// run returns the end of at most limit characters of the set from an index on,
// and their number.
func (s *set) run(text string, i, limit int) (end, n int) {
	for n < limit && i < len(text) {
		b := text[i]
		if b < utf8.RuneSelf {
			if s.ascii[b>>6]>>(b&63)&1 == 0 {
				break
			}
			i++
		} else {
			r, width := utf8.DecodeRuneInString(text[i:])
			if !s.has(r) {
				break
			}
			i += width
		}
		n++
	}
	return i, n
}
