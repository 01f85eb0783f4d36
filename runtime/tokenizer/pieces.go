package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// addedScore is the score of tokens that were added to a SentencePiece
// vocabulary.
const addedScore = -1000

// piece is a token of a tokenizer.model.
type piece struct {
	text  string
	score float32
	kind  Type
}

// sentencePiece is the vocabulary of a tokenizer.model, with the tokens that
// other files add to it or rename.
func (l *loader) sentencePiece() error {
	data, err := l.read(pieceFile)
	if err != nil {
		return err
	}
	pieces, err := parsePieces(data)
	if err != nil {
		return l.errorf(pieceFile, "%w: the file is damaged; download it again", err)
	}
	size := l.o.Size
	if size == 0 {
		size = len(pieces)
	}
	if len(pieces) > size {
		return l.errorf(pieceFile, "the vocabulary has %d tokens, and vocab_size in config.json is %d: the two are of different models; download both again", len(pieces), size)
	}
	v := l.v
	v.Model, v.Pre = SentencePiece, "default"
	l.resize(size)
	for i, p := range pieces {
		v.Tokens[i], v.Scores[i], v.Types[i] = p.text, p.score, p.kind
	}
	return l.addPieces()
}

// resize makes room for a number of tokens, all unused.
func (l *loader) resize(size int) {
	v := l.v
	v.Tokens, v.Types, v.Scores = make([]string, size), make([]Type, size), make([]float32, size)
	for i := range size {
		v.Tokens[i], v.Types[i], v.Scores[i] = fmt.Sprintf("[PAD%d]", i), Unused, padScore
	}
}

// addPieces puts the added tokens over the vocabulary's.
func (l *loader) addPieces() error {
	if err := l.readAdded(); err != nil {
		return err
	}
	put := func(file string, a addedToken, t Type) error {
		if a.ID < 0 || a.ID >= int64(len(l.v.Tokens)) {
			return l.errorf(file, "the token %q has the id %d, and vocab_size in config.json is %d: the two are of different models; download both again", a.Content, a.ID, len(l.v.Tokens))
		}
		text := a.Content
		if t == UserDefined && file == configFile {
			text = strings.ReplaceAll(text, "▁", " ")
		}
		l.v.Tokens[a.ID], l.v.Types[a.ID], l.v.Scores[a.ID] = text, t, addedScore
		return nil
	}
	for _, a := range l.extra {
		if err := put(addedFile, a, UserDefined); err != nil {
			return err
		}
	}
	if l.config == nil {
		return nil
	}
	for _, a := range l.config.decoder {
		t := UserDefined
		if a.Special || looksSpecial(a.Content) {
			t = Control
		}
		if err := put(configFile, a, t); err != nil {
			return err
		}
	}
	return nil
}

var bytePiece = regexp.MustCompile(`^<0x[0-9A-Fa-f]{2}>$`)

// fallbackBPE is a SentencePiece vocabulary in a tokenizer.json, as Llama 2's.
// It has no scores; all are the same.
func (l *loader) fallbackBPE() error {
	b, err := l.build(l.json.model.words, jsonFile)
	if err != nil {
		return err
	}
	v := l.v
	v.Model, v.Pre = SentencePiece, "default"
	special := map[string]bool{}
	for _, text := range l.namedSpecial() {
		special[text] = true
	}
	for id, t := range v.Types {
		if t != 0 && bytePiece.MatchString(v.Tokens[id]) {
			v.Types[id] = Byte
		} else if t != 0 && special[v.Tokens[id]] {
			v.Types[id] = Control
		}
	}
	for _, a := range l.added() {
		if _, own := b.ids[a.Content]; own {
			continue
		}
		t := UserDefined
		if special[a.Content] {
			t = Control
		}
		if err := b.put(int(a.ID), a.Content, t); err != nil {
			return err
		}
	}
	b.fill()
	v.Scores = make([]float32, len(v.Tokens))
	for i := range v.Scores {
		v.Scores[i] = addedScore
	}
	return nil
}

// parsePieces reads the tokens of a tokenizer.model, a Protocol Buffers message
// whose field 1 is a token: {1: text, 2: score, 3: kind}.
func parsePieces(b []byte) ([]piece, error) {
	var out []piece
	err := fields(b, func(number int, value []byte, _ uint64) error {
		if number != 1 || value == nil {
			return nil
		}
		p := piece{kind: Normal}
		err := fields(value, func(number int, value []byte, n uint64) error {
			switch {
			case number == 1 && value != nil:
				p.text = string(value)
			case number == 2 && value == nil:
				p.score = math.Float32frombits(uint32(n))
			case number == 3 && value == nil && n <= uint64(Byte):
				if p.kind = Type(n); p.kind == UserDefined {
					p.kind = Normal // as llama.cpp's converter takes it
				}
			}
			return nil
		})
		out = append(out, p)
		return err
	})
	if err == nil && len(out) == 0 {
		err = errors.New("there are no tokens")
	}
	return out, err
}

var errCut = errors.New("the file ends within a field")

// fields calls f for each field of a message: with its bytes, or with nil and
// its number.
func fields(b []byte, f func(number int, value []byte, n uint64) error) error {
	for len(b) > 0 {
		tag, used := binary.Uvarint(b)
		if used <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return errors.New("a field has no number")
		}
		b = b[used:]
		var value []byte
		var n uint64
		switch tag & 7 {
		case 0:
			if n, used = binary.Uvarint(b); used <= 0 {
				return errCut
			}
		case 1:
			if used = 8; len(b) < used {
				return errCut
			}
			n = binary.LittleEndian.Uint64(b)
		case 2:
			size, k := binary.Uvarint(b)
			if k <= 0 || size > uint64(len(b)-k) {
				return errCut
			}
			used = k + int(size)
			value = b[k:used:used]
			if value == nil {
				value = []byte{}
			}
		case 5:
			if used = 4; len(b) < used {
				return errCut
			}
			n = uint64(binary.LittleEndian.Uint32(b))
		default:
			return fmt.Errorf("a field has the unknown wire type %d", tag&7)
		}
		b = b[used:]
		if err := f(int(tag>>3), value, n); err != nil {
			return err
		}
	}
	return nil
}
