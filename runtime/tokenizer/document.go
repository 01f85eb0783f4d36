package tokenizer

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxSize bounds ids, so that a damaged one asks for no memory.
const maxSize = 1 << 24

// document is a tokenizer.json.
type document struct {
	added        []addedToken
	normalizer   jsontext.Value
	preTokenizer jsontext.Value
	processor    processor
	decoder      decoder
	model        bpe
}

// decoder says how tokens become text.
type decoder struct {
	Type           string    `json:"type"`
	Decoders       []decoder `json:"decoders"`
	Start          int       `json:"start"`
	PrependScheme  string    `json:"prepend_scheme"`
	AddPrefixSpace *bool     `json:"add_prefix_space"`
}

// strips says that a text loses the space that it begins with.
func (d *decoder) strips() bool {
	switch d.Type {
	case "Sequence":
		for i := range d.Decoders {
			if d.Decoders[i].strips() {
				return true
			}
		}
	case "Strip":
		return d.Start > 0
	case "Metaspace":
		if d.PrependScheme != "" {
			return d.PrependScheme != "never"
		}
		return d.AddPrefixSpace == nil || *d.AddPrefixSpace
	}
	return false
}

// addedToken is a token beside the model's own.
type addedToken struct {
	ID      int64  `json:"id"`
	Content string `json:"content"`
	Special bool   `json:"special"`
	// LStrip and RStrip take the white space around; SingleWord wants no word
	// to go on around it. Normalized ones are looked for after the text has
	// been normalized, as they are themselves.
	LStrip     bool `json:"lstrip"`
	RStrip     bool `json:"rstrip"`
	SingleWord bool `json:"single_word"`
	Normalized bool `json:"normalized"`
}

// bpe is the model of a tokenizer.json.
type bpe struct {
	kind          string
	fallback      bool
	fallbackKnown bool
	ignoreMerges  bool
	fuse          bool
	unknown       string
	prefix        string // continuing_subword_prefix
	suffix        string // end_of_word_suffix
	words         words
	merges        []string
}

// words are tokens with their ids, in the order of the file.
type words struct {
	texts []string
	ids   []int32
}

func parseDocument(b []byte) (*document, error) {
	s, err := newScanner(b)
	if err != nil {
		return nil, err
	}
	d := &document{}
	err = s.object(func(key string) error {
		switch key {
		case "added_tokens":
			return decode(s, key, &d.added)
		case "normalizer":
			return decode(s, key, &d.normalizer)
		case "pre_tokenizer":
			return decode(s, key, &d.preTokenizer)
		case "post_processor":
			return decode(s, key, &d.processor)
		case "decoder":
			return decode(s, key, &d.decoder)
		case "model":
			return d.model.scan(s)
		}
		return s.skip(0)
	})
	if err != nil {
		return nil, err
	}
	if s.peek() != 0 || s.pos < len(s.b) {
		return nil, s.errorf("found %s after the end", s.found())
	}
	if d.model.kind == "" {
		return nil, errors.New("model is missing, or its type: the file is no tokenizer")
	}
	return d, nil
}

// decode reads a small value.
func decode(s *scanner, key string, to any) error {
	v, err := s.value()
	if err != nil {
		return err
	}
	if raw, ok := to.(*jsontext.Value); ok {
		*raw = v
		return nil
	}
	if err := json.Unmarshal(v, to); err != nil {
		return fmt.Errorf("%s is not what it has to be (%w): correct the file", key, err)
	}
	return nil
}

// scan reads the model. Its type may stand behind its vocabulary.
func (m *bpe) scan(s *scanner) error {
	var vocab, merges byte // how they begin
	err := s.object(func(key string) error {
		switch key {
		case "type":
			return decode(s, key, &m.kind)
		case "byte_fallback":
			m.fallbackKnown = true
			return decode(s, key, &m.fallback)
		case "ignore_merges":
			return decode(s, key, &m.ignoreMerges)
		case "fuse_unk":
			return decode(s, key, &m.fuse)
		case "unk_token":
			return decode(s, key, &m.unknown)
		case "continuing_subword_prefix":
			return decode(s, key, &m.prefix)
		case "end_of_word_suffix":
			return decode(s, key, &m.suffix)
		case "vocab":
			if vocab = s.peek(); vocab == '{' {
				return m.words.scan(s)
			}
		case "merges":
			if merges = s.peek(); merges == '[' {
				var err error
				m.merges, err = scanMerges(s)
				return err
			}
		}
		return s.skip(0)
	})
	if err != nil {
		return err
	}
	if m.kind == "" && vocab == '{' && merges == '[' {
		m.kind = "BPE" // old files leave it out
	}
	return nil
}

// byteFallback says that the file is a SentencePiece vocabulary, as Llama 2's.
func (d *document) byteFallback() bool {
	return d.model.kind == "BPE" && d.model.fallback && d.decoder.Type == "Sequence"
}

// slab gathers many short strings in one piece of memory.
type slab struct {
	bytes []byte
	ends  []int
}

func newSlab(strings, bytes int) *slab {
	return &slab{make([]byte, 0, bytes), make([]int, 0, strings)}
}

func (l *slab) end() { l.ends = append(l.ends, len(l.bytes)) }

func (l *slab) strings() []string {
	all := string(l.bytes)
	out := make([]string, len(l.ends))
	at := 0
	for i, end := range l.ends {
		out[i] = all[at:end]
		at = end
	}
	return out
}

// scan reads an object from token to id.
func (w *words) scan(s *scanner) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	left := len(s.b) - s.pos
	l := newSlab(left/40, left/4)
	w.ids = make([]int32, 0, left/40)
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil {
			return err
		}
		if !ok {
			w.texts = l.strings()
			return nil
		}
		if l.bytes, err = s.text(l.bytes); err != nil {
			return err
		}
		l.end()
		if err := s.expect(':'); err != nil {
			return err
		}
		id, err := s.id()
		if err != nil {
			return err
		}
		w.ids = append(w.ids, int32(id))
	}
}

// scanMerges reads the list of merges: "a b", or ["a","b"] in newer files.
func scanMerges(s *scanner) ([]string, error) {
	if err := s.expect('['); err != nil {
		return nil, err
	}
	left := len(s.b) - s.pos
	l := newSlab(left/24, left/3)
	for first := true; ; first = false {
		ok, err := s.more(']', first)
		if err != nil {
			return nil, err
		}
		if !ok {
			return l.strings(), nil
		}
		if s.peek() == '[' {
			err = l.pair(s)
		} else {
			from := len(l.bytes)
			if l.bytes, err = s.text(l.bytes); err == nil && !spaced(l.bytes[from:]) {
				err = s.errorf("the merge %q has no space between two tokens", l.bytes[from:])
			}
		}
		if err != nil {
			return nil, err
		}
		l.end()
	}
}

// pair reads ["a","b"]. Spaces within are written as the byte-level alphabet
// does.
func (l *slab) pair(s *scanner) error {
	s.pos++ // the bracket
	for i := range 2 {
		if i == 1 {
			if err := s.expect(','); err != nil {
				return err
			}
			l.bytes = append(l.bytes, ' ')
		}
		from := len(l.bytes)
		var err error
		if l.bytes, err = s.text(l.bytes); err != nil {
			return err
		}
		if len(l.bytes) == from {
			return s.errorf("a merge with an empty token")
		}
		l.bytes = withoutSpaces(l.bytes, from)
	}
	return s.expect(']')
}

// withoutSpaces writes Ġ for the spaces of b from an index on.
func withoutSpaces(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		if b[i] == ' ' {
			tail := string(b[i+1:])
			b = append(append(b[:i], "Ġ"...), tail...)
			i++
		}
	}
	return b
}

// spaced says that a merge has a space with something on both sides.
func spaced(merge []byte) bool {
	for i := 1; i < len(merge)-1; i++ {
		if merge[i] == ' ' {
			return true
		}
	}
	return false
}
