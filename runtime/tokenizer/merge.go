package tokenizer

import (
	"cmp"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// unit is what the smallest parts of a word are.
type unit uint8

const (
	bytesUnit unit = iota // bytes; pairs are joined by the list of merges
	charsUnit             // characters, or their bytes where they are no tokens; by the list of merges
	scoreUnit             // characters, joined where a token results, the best score first
)

// none is the id of a part that is no token.
const none = -1

// merger divides words into tokens by byte-pair encoding.
type merger struct {
	unit  unit
	ids   map[string]int32 // by the token's text as the vocabulary writes it
	bytes [256]int32       // tokens of single bytes, or none
	pairs pairTable
	ranks []uint32 // scoreUnit: by id; 0 is the best
	whole bool     // words that are tokens stay whole
	unk   int32    // for what no token stands for, or none
	fuse  bool     // several of unk in a row are one
}

// pairTable maps pairs of tokens to the rank of their merge and what it makes:
// open addressing, since a vocabulary has up to half a million.
type pairTable struct {
	shift uint
	keys  []uint64 // left<<32 | right, plus 1; 0 is free
	vals  []uint64 // rank<<32 | id
}

func newPairTable(n int) pairTable {
	size := uint(bits.Len(uint(n)*2 + 15))
	return pairTable{64 - size, make([]uint64, 1<<size), make([]uint64, 1<<size)}
}

func (p *pairTable) slot(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> p.shift }

// put enters a pair unless it is there.
func (p *pairTable) put(left, right int32, rank uint32, id int32) {
	key := (uint64(uint32(left))<<32 | uint64(uint32(right))) + 1
	for i := p.slot(key); ; i = (i + 1) & uint64(len(p.keys)-1) {
		if p.keys[i] == key {
			return
		}
		if p.keys[i] == 0 {
			p.keys[i], p.vals[i] = key, uint64(rank)<<32|uint64(uint32(id))
			return
		}
	}
}

func (p *pairTable) get(left, right int32) (rank uint32, id int32, ok bool) {
	key := (uint64(uint32(left))<<32 | uint64(uint32(right))) + 1
	for i := p.slot(key); ; i = (i + 1) & uint64(len(p.keys)-1) {
		switch p.keys[i] {
		case key:
			return uint32(p.vals[i] >> 32), int32(uint32(p.vals[i])), true
		case 0:
			return 0, 0, false
		}
	}
}

// symbol is a part of a word, in a list from left to right.
type symbol struct {
	start, size int32 // in bytes; size 0: joined to another
	prev, next  int32 // -1 at the ends
	id          int32 // or none
}

// candidate is a pair that may be joined.
type candidate struct {
	key  uint64 // rank<<32 | index of the left one: the smallest is joined first
	size int32  // of both: another than now where one of them changed since
}

// workspace is the memory for one word.
type workspace struct {
	symbols []symbol
	ranks   []uint32
	agenda  agenda
	letters []byte
}

// shortWord is the number of parts up to which a plain search is faster than a
// heap.
const shortWord = 48

// word appends the tokens of a word of at most maxWord bytes.
func (m *merger) word(dst []int32, word string, w *workspace) []int32 {
	if m.whole {
		if id, ok := m.lookup(word, w); ok {
			return append(dst, id)
		}
	}
	m.cut(word, w)
	if len(w.symbols) <= shortWord {
		m.joinFew(word, w)
	} else {
		m.joinMany(word, w)
	}
	return m.collect(dst, word, w)
}

// lookup finds the token that a word is.
func (m *merger) lookup(word string, w *workspace) (int32, bool) {
	if m.unit != bytesUnit {
		id, ok := m.ids[word]
		return id, ok
	}
	w.letters = appendLetters(w.letters[:0], word)
	id, ok := m.ids[string(w.letters)]
	return id, ok
}

// cut makes the list of the smallest parts.
func (m *merger) cut(word string, w *workspace) {
	s := w.symbols[:0]
	add := func(start, size int, id int32) {
		n := int32(len(s))
		s = append(s, symbol{int32(start), int32(size), n - 1, n + 1, id})
	}
	for i := 0; i < len(word); {
		if m.unit == bytesUnit {
			add(i, 1, m.bytes[word[i]])
			i++
			continue
		}
		_, width := utf8.DecodeRuneInString(word[i:])
		id, ok := m.ids[word[i:i+width]]
		switch {
		case ok:
			add(i, width, id)
		case m.unit == charsUnit && m.allBytes(word[i:i+width]):
			for k := range width {
				add(i+k, 1, m.bytes[word[i+k]])
			}
		default:
			add(i, width, none)
		}
		i += width
	}
	if n := len(s); n > 0 {
		s[n-1].next = -1
	}
	w.symbols = s
}

// allBytes says that there is a token for each byte.
func (m *merger) allBytes(s string) bool {
	for i := range len(s) {
		if m.bytes[s[i]] == none {
			return false
		}
	}
	return true
}

// pair says what two neighbours make.
func (m *merger) pair(word string, a, b *symbol) (rank uint32, id int32, ok bool) {
	if m.unit == scoreUnit {
		id, ok := m.ids[word[a.start:b.start+b.size]]
		if !ok {
			return 0, 0, false
		}
		return m.ranks[id], id, true
	}
	if a.id == none || b.id == none {
		return 0, 0, false
	}
	return m.pairs.get(a.id, b.id)
}

// noRank is the rank of a pair that is not joined.
const noRank = 1<<32 - 1

// joinFew joins the parts of a short word, the ones of the smallest rank first.
// The list stays an array.
func (m *merger) joinFew(word string, w *workspace) {
	s := w.symbols
	ranks := w.ranks[:0]
	rank := func(i int) uint32 {
		if r, _, ok := m.pair(word, &s[i], &s[i+1]); ok {
			return r
		}
		return noRank
	}
	for i := range len(s) - 1 {
		ranks = append(ranks, rank(i))
	}
	w.ranks = ranks
	for len(ranks) > 0 {
		best := 0
		for i, r := range ranks {
			if r < ranks[best] {
				best = i
			}
		}
		if ranks[best] == noRank {
			break
		}
		_, s[best].id, _ = m.pair(word, &s[best], &s[best+1])
		s[best].size += s[best+1].size
		s = append(s[:best+1], s[best+2:]...)
		ranks = append(ranks[:best], ranks[best+1:]...)
		if best > 0 {
			ranks[best-1] = rank(best - 1)
		}
		if best < len(ranks) {
			ranks[best] = rank(best)
		}
	}
	w.symbols = s
}

// joinMany joins the parts of a long word in O(n log n).
func (m *merger) joinMany(word string, w *workspace) {
	s := w.symbols
	q := &w.agenda
	q.reset()
	for i := range len(s) - 1 {
		if rank, _, ok := m.pair(word, &s[i], &s[i+1]); ok {
			q.first = append(q.first, candidate{uint64(rank)<<32 | uint64(i), s[i].size + s[i+1].size})
		}
	}
	slices.SortFunc(q.first, func(a, b candidate) int { return cmp.Compare(a.key, b.key) })
	for {
		top, ok := q.pop()
		if !ok {
			break
		}
		i := int32(uint32(top.key))
		a := &s[i]
		if a.size == 0 || a.next < 0 {
			continue
		}
		b := &s[a.next]
		if a.size+b.size != top.size {
			continue
		}
		_, a.id, _ = m.pair(word, a, b)
		a.size += b.size
		b.size = 0
		if a.next = b.next; a.next >= 0 {
			s[a.next].prev = i
		}
		if a.prev >= 0 {
			if rank, _, ok := m.pair(word, &s[a.prev], a); ok {
				q.push(candidate{uint64(rank)<<32 | uint64(a.prev), s[a.prev].size + a.size})
			}
		}
		if a.next >= 0 {
			if rank, _, ok := m.pair(word, a, &s[a.next]); ok {
				q.push(candidate{uint64(rank)<<32 | uint64(i), a.size + s[a.next].size})
			}
		}
	}
	left := s[:0]
	for i := int32(0); i >= 0; {
		next := s[i].next
		left = append(left, s[i])
		i = next
	}
	w.symbols = left
}

// agenda gives candidates in the order of their keys. Most come in that order,
// those of a word of one letter all: they wait in lists, the others in a heap.
type agenda struct {
	first, later []candidate // in order
	f, l         int         // how many of them are done
	heap         []candidate
}

func (q *agenda) reset() {
	q.first, q.later, q.heap, q.f, q.l = q.first[:0], q.later[:0], q.heap[:0], 0, 0
}

func (q *agenda) push(c candidate) {
	if n := len(q.later); n == q.l || q.later[n-1].key <= c.key {
		q.later = append(q.later, c)
		return
	}
	q.heap = push(q.heap, c)
}

func (q *agenda) pop() (c candidate, ok bool) {
	from := 0
	if q.f < len(q.first) {
		c, from = q.first[q.f], 1
	}
	if q.l < len(q.later) && (from == 0 || q.later[q.l].key < c.key) {
		c, from = q.later[q.l], 2
	}
	if len(q.heap) > 0 && (from == 0 || q.heap[0].key < c.key) {
		c, from = q.heap[0], 3
	}
	switch from {
	case 1:
		q.f++
	case 2:
		q.l++
	case 3:
		last := len(q.heap) - 1
		q.heap[0] = q.heap[last]
		q.heap = q.heap[:last]
		sink(q.heap, 0)
	}
	return c, from > 0
}

// The heap has four children a node: fewer levels, and siblings lie together.

func sink(h []candidate, i int) {
	if i >= len(h) {
		return
	}
	c := h[i]
	for {
		least := 4*i + 1
		if least >= len(h) {
			break
		}
		for k := least + 1; k < min(4*i+5, len(h)); k++ {
			if h[k].key < h[least].key {
				least = k
			}
		}
		if h[least].key >= c.key {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = c
}

func push(h []candidate, c candidate) []candidate {
	h = append(h, c)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if h[up].key <= c.key {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = c
	return h
}

// collect appends the ids of the parts that are left.
func (m *merger) collect(dst []int32, word string, w *workspace) []int32 {
	unknown := false // the last one was
	for i := range w.symbols {
		s := &w.symbols[i]
		text := word[s.start : s.start+s.size]
		switch {
		case s.id != none:
			dst = append(dst, s.id)
			unknown = false
			continue
		case m.unit == scoreUnit && m.allBytes(text):
			for k := range len(text) {
				dst = append(dst, m.bytes[text[k]])
			}
			unknown = false
			continue
		case m.unk != none && !(unknown && m.fuse):
			dst = append(dst, m.unk)
		}
		unknown = true
	}
	return dst
}
