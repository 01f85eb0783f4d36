package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// DecodeOptions say what becomes of tokens that are no text.
type DecodeOptions struct {
	// SkipSpecial leaves out the tokens that steer.
	SkipSpecial bool
}

// Decode is the text of tokens: their bytes, whether they are UTF-8 or not.
// Ids that are none give nothing.
func (t *Tokenizer) Decode(ids []int32, o DecodeOptions) string {
	var b strings.Builder
	strip := t.strips
	for _, id := range ids {
		if o.SkipSpecial && t.IsSpecial(id) {
			continue
		}
		text := t.Text(id)
		if strip && !t.IsSpecial(id) {
			text = strings.TrimPrefix(text, " ")
			strip = false
		}
		b.WriteString(text)
	}
	return b.String()
}

// Text is what a token stands for: bytes that may be a part of a character.
// A special token's is its name.
func (t *Tokenizer) Text(id int32) string {
	if id < 0 || int(id) >= len(t.texts) {
		return ""
	}
	return t.texts[id]
}

// Stream decodes tokens as they come, in whole characters.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	strip       bool
	pending     []byte // the beginning of a character
}

// NewStream begins a text that goes on after other tokens, if there are any.
func (t *Tokenizer) NewStream(o DecodeOptions, before ...int32) *Stream {
	strip := t.strips && (len(before) == 0 || t.IsSpecial(before[len(before)-1]))
	return &Stream{t: t, skipSpecial: o.SkipSpecial, strip: strip}
}

// Push returns the text that a token completes: valid UTF-8, "" where only a
// part of a character is known so far. Bytes that can't become a character
// give U+FFFD.
func (s *Stream) Push(id int32) string {
	special := s.t.IsSpecial(id)
	if s.skipSpecial && special {
		return ""
	}
	text := s.t.Text(id)
	if s.strip && !special {
		text = strings.TrimPrefix(text, " ")
		s.strip = false
	}
	if len(s.pending) == 0 && utf8.ValidString(text) {
		return text
	}
	s.pending = append(s.pending, text...)
	end := len(s.pending)
	for i := max(0, end-utf8.UTFMax+1); i < end; i++ {
		if utf8.RuneStart(s.pending[i]) && !utf8.FullRune(s.pending[i:]) {
			end = i
			break
		}
	}
	out := strings.ToValidUTF8(string(s.pending[:end]), "\uFFFD")
	s.pending = slices.Delete(s.pending, 0, end)
	return out
}

// Flush ends the text: U+FFFD for a character that never got complete.
func (s *Stream) Flush() string {
	out := strings.ToValidUTF8(string(s.pending), "\uFFFD")
	s.pending = s.pending[:0]
	return out
}
