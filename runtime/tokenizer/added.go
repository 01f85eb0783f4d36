package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// marks finds added tokens in a text: the first place at which one stands, and
// the longest there.
type marks struct {
	first [256]bool
	next  map[uint32]int32 // from node<<8|byte; the root is 0
	at    []int32          // by node: index into tokens, or -1
	known []addedToken
}

func newMarks(tokens []addedToken) *marks {
	m := &marks{next: map[uint32]int32{}, at: []int32{-1}}
	for _, t := range tokens {
		if t.Content == "" {
			continue
		}
		node := int32(0)
		m.first[t.Content[0]] = true
		for i := range len(t.Content) {
			key := uint32(node)<<8 | uint32(t.Content[i])
			child, ok := m.next[key]
			if !ok {
				child = int32(len(m.at))
				m.next[key] = child
				m.at = append(m.at, -1)
			}
			node = child
		}
		if m.at[node] < 0 {
			m.at[node] = int32(len(m.known))
			m.known = append(m.known, t)
		}
	}
	return m
}

// find returns the first token at or after an index, with the white space that
// belongs to it; nil where there is none.
func (m *marks) find(text string, from int) (t *addedToken, start, end int) {
	if len(m.known) == 0 {
		return nil, 0, 0
	}
	for i := from; i < len(text); i++ {
		if !m.first[text[i]] {
			continue
		}
		if t, end := m.longest(text, i); t != nil {
			start := i
			if t.LStrip {
				start = from + len(strings.TrimRightFunc(text[from:i], unicode.IsSpace))
			}
			if t.RStrip {
				end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			}
			return t, start, end
		}
	}
	return nil, 0, 0
}

// between appends the tokens of a text: those found, and what f appends of the
// parts between them. first says that a part begins the text.
func (m *marks) between(dst []int32, text string, f func(dst []int32, part string, first bool) []int32) []int32 {
	for at := 0; at < len(text); {
		token, start, end := m.find(text, at)
		if token == nil {
			return f(dst, text[at:], at == 0)
		}
		if start > at {
			dst = f(dst, text[at:start], at == 0)
		}
		dst = append(dst, int32(token.ID))
		at = end
	}
	return dst
}

func (m *marks) longest(text string, start int) (t *addedToken, end int) {
	node := int32(0)
	for i := start; i < len(text); i++ {
		child, ok := m.next[uint32(node)<<8|uint32(text[i])]
		if !ok {
			break
		}
		if node = child; m.at[node] >= 0 {
			if k := &m.known[m.at[node]]; !k.SingleWord || alone(text, start, i+1) {
				t, end = k, i+1
			}
		}
	}
	return t, end
}

// alone says that no word goes on around a part of a text.
func alone(text string, start, end int) bool {
	inWord := func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
	}
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return (start == 0 || !inWord(before)) && (end == len(text) || !inWord(after))
}
