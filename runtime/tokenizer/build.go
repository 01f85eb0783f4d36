package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// spare is how many ids more than tokens a vocabulary may have where the
// model's size is not known.
const spare = 4096

// padScore is the score of tokens that no text makes.
const padScore = -10000

// builder puts tokens at their ids.
type builder struct {
	v    *Vocab
	file string // for errors
	ids  map[string]int32
	own  int // the vocabulary's own tokens, before the added ones
}

// build makes a vocabulary of words; file names where they are from.
func (l *loader) build(w words, file string) (*builder, error) {
	most := 0
	for _, id := range w.ids {
		most = max(most, int(id)+1)
	}
	for _, a := range l.added() {
		if a.ID < 0 || a.ID >= maxSize {
			return nil, l.errorf(file, "the added token %q has the id %d, which cannot be: the file is damaged; download it again", a.Content, a.ID)
		}
		most = max(most, int(a.ID)+1)
	}
	size := l.o.Size
	if size == 0 {
		if size = most; most > 2*len(w.ids)+spare {
			return nil, l.errorf(file, "an id is %d, and there are %d tokens: the file is damaged; download it again", most-1, len(w.ids))
		}
	}
	if most > size {
		return nil, l.errorf(file, "the vocabulary goes up to the id %d, and vocab_size in config.json is %d: the two are of different models; download both again", most-1, size)
	}
	b := &builder{v: l.v, file: l.files.Path(file), ids: make(map[string]int32, len(w.ids)), own: len(w.ids)}
	b.v.Tokens = make([]string, size)
	b.v.Types = make([]Type, size)
	for i, text := range w.texts {
		if err := b.put(int(w.ids[i]), text, Normal); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *builder) put(id int, text string, t Type) error {
	if b.v.Types[id] != 0 {
		return fmt.Errorf("%s: the tokens %q and %q have the same id, %d: the file is damaged; download it again", b.file, b.v.Tokens[id], text, id)
	}
	n := len(b.ids)
	b.ids[text] = int32(id)
	if len(b.ids) == n {
		return fmt.Errorf("%s: the token %q is there twice: the file is damaged; download it again", b.file, text)
	}
	b.v.Tokens[id], b.v.Types[id] = text, t
	return nil
}

// fill names the ids that no token has.
func (b *builder) fill() {
	for id, t := range b.v.Types {
		if t == 0 {
			b.v.Tokens[id], b.v.Types[id] = "[PAD"+strconv.Itoa(id)+"]", Unused
		}
	}
}

// add puts the added tokens in their places. Those that are special, or look
// it, are control tokens.
func (b *builder) add(added []addedToken) error {
	for _, a := range added {
		id := int(a.ID)
		switch own, ok := b.ids[a.Content]; {
		case ok && int(own) != id:
			return fmt.Errorf("%s: the added token %q has the id %d, and the vocabulary says %d: the file is damaged; download it again", b.file, a.Content, id, own)
		case !ok:
			if err := b.put(id, a.Content, UserDefined); err != nil {
				return err
			}
		}
		if a.Special || looksSpecial(a.Content) {
			b.v.Types[id] = Control
		} else {
			b.v.Types[id] = UserDefined
			b.v.Tokens[id] = strings.ReplaceAll(a.Content, "▁", " ")
		}
	}
	return nil
}

// looksSpecial finds tokens that some models do not mark as special although
// they are.
func looksSpecial(s string) bool {
	switch s {
	case "<pad>", "<mask>", "<2mass>", "[@BOS@]":
		return true
	}
	return strings.HasPrefix(s, "<|") && strings.HasSuffix(s, "|>") ||
		strings.HasPrefix(s, "<｜") && strings.HasSuffix(s, "｜>") ||
		strings.HasPrefix(s, "<unused") && strings.HasSuffix(s, ">")
}

// added are the added tokens of all files, by id. Where files name the same id,
// tokenizer.json counts.
func (l *loader) added() []addedToken {
	var out []addedToken
	seen := map[int64]bool{}
	take := func(list []addedToken) {
		for _, a := range list {
			if !seen[a.ID] {
				seen[a.ID] = true
				out = append(out, a)
			}
		}
	}
	if l.json != nil {
		take(l.json.added)
	}
	take(l.extra)
	if l.config != nil {
		take(l.config.decoder)
	}
	byID(out)
	return out
}

// byteLevel is the vocabulary of a tokenizer.json.
func (l *loader) byteLevel() error {
	d := l.json
	if d.model.kind != "BPE" {
		return l.errorf(jsonFile, "the model is of type %q, and this program reads BPE: convert the model with another program and name the GGUF file instead", d.model.kind)
	}
	if len(d.model.words.ids) == 0 {
		return l.errorf(jsonFile, "the vocabulary is empty: download the file again")
	}
	if len(d.model.merges) == 0 {
		return l.errorf(jsonFile, "there are no merges: download the file again")
	}
	pre, err := recognise(d)
	if err != nil && !l.anyPre {
		return l.errorf(jsonFile, "%w", err)
	}
	b, err := l.build(d.model.words, jsonFile)
	if err != nil {
		return err
	}
	l.v.Model, l.v.Pre, l.v.Merges, l.v.IgnoreMerges = BPE, pre, d.model.merges, d.model.ignoreMerges
	return l.finish(b)
}

// finish adds the tokens beside the vocabulary's own.
func (l *loader) finish(b *builder) error {
	if err := b.add(l.added()); err != nil {
		return err
	}
	for _, text := range l.namedSpecial() {
		if id, ok := b.ids[text]; ok && l.v.Types[id] == Normal {
			l.v.Types[id] = Control
		}
	}
	b.fill()
	return nil
}

// twoFiles is the vocabulary of vocab.json and merges.txt, the older form.
func (l *loader) twoFiles() error {
	if l.o.Pre == "" {
		return l.errorf(vocabFile, "the file does not say how text is split, and the model's architecture does not either: convert the tokenizer to tokenizer.json with the hub's own library")
	}
	if !l.has(mergesFile) {
		return l.errorf(mergesFile, "the file is missing: download it into the model's folder")
	}
	data, err := l.read(vocabFile)
	if err != nil {
		return err
	}
	s, err := newScanner(data)
	if err != nil {
		return l.errorf(vocabFile, "%w", err)
	}
	var w words
	if err := w.scan(s); err != nil {
		return l.errorf(vocabFile, "%w", err)
	}
	if err := l.readAdded(); err != nil {
		return err
	}
	b, err := l.build(w, vocabFile)
	if err != nil {
		return err
	}
	text, err := l.read(mergesFile)
	if err != nil {
		return err
	}
	l.v.Model, l.v.Pre, l.v.Merges = BPE, l.o.Pre, mergeLines(string(text))
	if len(l.v.Merges) == 0 {
		return l.errorf(mergesFile, "there are no merges: download the file again")
	}
	return l.finish(b)
}

// mergeLines reads merges.txt. The first line may be a comment; lines of other
// than two words are passed over.
func mergeLines(text string) []string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		if i == 0 && strings.HasPrefix(line, "#") {
			continue
		}
		if f := strings.Fields(line); len(f) == 2 {
			out = append(out, f[0]+" "+f[1])
		}
	}
	return out
}

// readAdded reads added_tokens.json, which goes with the older forms.
func (l *loader) readAdded() error {
	data, err := l.read(addedFile)
	if err != nil || data == nil {
		return err
	}
	var ids map[string]int64
	if err := json.Unmarshal(data, &ids); err != nil {
		return l.errorf(addedFile, "not an object of tokens and ids (%w): correct the file", plainJSON(err))
	}
	for text, id := range ids {
		l.extra = append(l.extra, addedToken{ID: id, Content: text})
	}
	byID(l.extra)
	return nil
}

// byID sorts tokens, those of one id by their text.
func byID(tokens []addedToken) {
	slices.SortFunc(tokens, func(a, b addedToken) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), strings.Compare(a.Content, b.Content))
	})
}
