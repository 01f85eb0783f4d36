package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Tokenizer turns text into the ids of tokens and back. It may be used by
// several goroutines.
type Tokenizer struct {
	v *Vocab

	normal []normalizer
	divisions
	merger
	// fallback says that characters which are no tokens are bytes, in
	// vocabularies of characters.
	fallback bool
	cache    *cache
	added    *marks // added tokens
	late     *marks // those that are looked for in normalized text
	blank    *marks // those of white space, which are no marks of a format

	texts  []string // by id: the bytes that a token stands for
	strips bool     // a text loses the space that it begins with
	before []int32  // tokens to put before a text
	after  []int32
	ends   map[int32]bool

	pool sync.Pool // of *scratch
}

// scratch is one encoding's memory.
type scratch struct {
	workspace
	parts [][]piecePart // by step
}

// EncodeOptions say how a text is taken. The zero value finds special tokens
// in it and adds none.
type EncodeOptions struct {
	// Around puts the tokens before and behind the text that the model wants
	// there, such as bos.
	Around bool
	// Plain takes what looks like a special or added token as ordinary text.
	Plain bool
}

// Encode appends the tokens of a text to dst. Any bytes are a text; those that
// are no UTF-8 keep their values where the vocabulary has bytes.
func (t *Tokenizer) Encode(dst []int32, text string, o EncodeOptions) []int32 {
	s := t.pool.Get().(*scratch)
	defer t.pool.Put(s)
	if o.Around {
		dst = append(dst, t.before...)
	}
	m := t.added
	if o.Plain {
		m = t.blank
	}
	dst = m.between(dst, text, func(dst []int32, part string, first bool) []int32 {
		for _, f := range t.normal {
			part = f(part)
		}
		if o.Plain {
			return t.divide(dst, part, 0, first, s)
		}
		return t.late.between(dst, part, func(dst []int32, part string, start bool) []int32 {
			return t.divide(dst, part, 0, first && start, s)
		})
	})
	if o.Around {
		dst = append(dst, t.after...)
	}
	return dst
}

// divide goes through the steps from one on.
func (t *Tokenizer) divide(dst []int32, text string, step int, first bool, s *scratch) []int32 {
	if step == len(t.steps) {
		return t.word(dst, text, s)
	}
	d := &t.steps[step]
	if d.change != nil {
		text = d.change(text, first)
	}
	d.each(text, &s.parts[step], func(piece string) {
		dst = t.divide(dst, piece, step+1, first, s)
		first = false
	})
	return dst
}

// maxWord bounds words, each byte of which takes some 40 bytes of memory while
// it is divided. Longer ones are cut.
const maxWord = 16 << 20

// word appends the tokens of a word.
func (t *Tokenizer) word(dst []int32, word string, s *scratch) []int32 {
	if t.letters {
		word, _ = bytesOf(word)
	}
	if len(word) > cacheWord {
		for len(word) > maxWord {
			dst = t.merger.word(dst, word[:maxWord], &s.workspace)
			word = word[maxWord:]
		}
		return t.merger.word(dst, word, &s.workspace)
	}
	slot := t.cache.slot(word)
	if c := slot.Load(); c != nil && c.word == word {
		return append(dst, c.ids...)
	}
	from := len(dst)
	dst = t.merger.word(dst, word, &s.workspace)
	slot.Store(&cached{strings.Clone(word), slices.Clone(dst[from:])})
	return dst
}

// VocabSize is the number of ids.
func (t *Tokenizer) VocabSize() int { return len(t.texts) }

// Vocab is what the tokenizer was made of. Treat it as read-only.
func (t *Tokenizer) Vocab() *Vocab { return t.v }

// IsEOG says whether a token ends what the model generates.
func (t *Tokenizer) IsEOG(id int32) bool { return t.ends[id] }

// IsSpecial says whether a token steers and is not text.
func (t *Tokenizer) IsSpecial(id int32) bool {
	if id < 0 || int(id) >= len(t.v.Types) {
		return false
	}
	switch t.v.Types[id] {
	case Control, Unknown, Unused:
		return true
	}
	return false
}

// ID finds a token by its text as the vocabulary has it, such as <|im_end|>.
func (t *Tokenizer) ID(text string) (int32, bool) {
	id, ok := t.ids[text]
	return id, ok
}

// onlySpace says that a token is white space, as the runs of spaces are that
// some vocabularies have among their added tokens.
func onlySpace(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsSpace(r) }) < 0
}
