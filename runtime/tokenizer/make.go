package tokenizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/tokenizer/pattern"
)

// Open makes the tokenizer of a model's small files. Unlike Load it takes any
// tokenizer.json whose steps are known, whether llama.cpp has a name for their
// order or not.
func Open(ctx context.Context, files Files, o Options) (*Tokenizer, error) {
	l := &loader{ctx: ctx, files: files, names: files.Names(), o: o, v: &Vocab{}, anyPre: true}
	if err := l.load(); err != nil {
		return nil, err
	}
	if l.json == nil || l.json.model.kind != "BPE" {
		return New(l.v)
	}
	t, err := l.tokenizer()
	if err != nil {
		return nil, l.errorf(jsonFile, "%w", err)
	}
	return t, nil
}

// OpenGGUF makes the tokenizer of a GGUF file.
func OpenGGUF(f *gguf.File) (*Tokenizer, error) {
	v, err := FromKVs(f.KVs)
	if err == nil {
		var t *Tokenizer
		if t, err = New(v); err == nil {
			return t, nil
		}
	}
	if len(f.Paths) > 0 {
		err = fmt.Errorf("%s: %w", f.Paths[0], err)
	}
	return nil, err
}

// New makes the tokenizer of a vocabulary, as a GGUF file of it will be read:
// how text is normalized and divided follows from Pre.
func New(v *Vocab) (*Tokenizer, error) {
	t := &Tokenizer{v: v}
	switch v.Model {
	case BPE:
		n, err := namedPre(v.Pre)
		if err != nil {
			return nil, err
		}
		if t.steps, err = n.compiled(); err != nil {
			return nil, err
		}
		t.normal, t.level = n.normalizers(), true
		t.whole = n.whole || v.IgnoreMerges
		t.unit = bytesUnit
	case SentencePiece:
		prefix := v.AddSpacePrefix == nil || *v.AddSpacePrefix
		t.unit, t.strips = scoreUnit, prefix
		t.steps = []division{{change: func(piece string, _ bool) string {
			if prefix && piece != "" {
				piece = " " + piece
			}
			return strings.ReplaceAll(piece, " ", "▁")
		}}}
	default:
		return nil, fmt.Errorf("tokenizer.ggml.model is %q, and this program knows gpt2 (byte-level BPE) and llama (SentencePiece)", v.Model)
	}
	t.unk = none
	if id, ok := v.ID("unk"); ok && v.Model == SentencePiece && int(id) < len(v.Tokens) {
		t.unk = int32(id)
	}
	var added []addedToken
	for id, typ := range v.Types {
		if typ == Control || typ == UserDefined {
			added = append(added, addedToken{ID: int64(id), Content: v.Tokens[id], Special: typ == Control})
		}
	}
	return t.finish(added, v.Merges)
}

// tokenizer makes the tokenizer of a tokenizer.json, as that describes it.
func (l *loader) tokenizer() (*Tokenizer, error) {
	d := l.json
	t := &Tokenizer{v: l.v}
	if d.model.prefix != "" || d.model.suffix != "" {
		return nil, fmt.Errorf("the model has continuing_subword_prefix %q or end_of_word_suffix %q, which are not known here: use another model", d.model.prefix, d.model.suffix)
	}
	var err error
	if t.normal, err = normalizersOf(d.normalizer, 0); err != nil {
		return nil, err
	}
	if err := t.divisions.add(d.preTokenizer, 0); err != nil {
		return nil, err
	}
	if !t.level {
		t.unit, t.fallback = charsUnit, d.model.fallback
	}
	t.strips = d.decoder.strips()
	t.whole = d.model.ignoreMerges
	t.unk, t.fuse = none, d.model.fuse
	if d.model.unknown != "" {
		if i := slices.Index(l.v.Tokens, d.model.unknown); i >= 0 {
			t.unk = int32(i)
		}
	}
	return t.finish(l.added(), d.model.merges)
}

// finish indexes the vocabulary.
func (t *Tokenizer) finish(added []addedToken, merges []string) (*Tokenizer, error) {
	v := t.v
	if len(v.Tokens) == 0 {
		return nil, errors.New("the vocabulary is empty: the file is damaged; download it again")
	}
	t.index()
	t.texts = make([]string, len(v.Tokens))
	for id := range v.Tokens {
		t.texts[id] = t.textOf(id)
	}
	if t.unit == scoreUnit {
		t.rank()
	} else {
		t.readMerges(merges)
	}
	if t.unit != bytesUnit && !t.crosses() {
		p, err := pattern.Compile(`▁+[^▁]*|[^▁]+`)
		if err != nil {
			return nil, err
		}
		t.steps = append(t.steps, division{pattern: p, behavior: isolated})
	}
	var raw, late []addedToken
	for _, a := range added {
		if !a.Normalized || len(t.normal) == 0 {
			raw = append(raw, a)
			continue
		}
		for _, f := range t.normal {
			a.Content = f(a.Content)
		}
		late = append(late, a)
	}
	t.added, t.late = newMarks(raw), newMarks(late)
	t.blank = newMarks(slices.DeleteFunc(raw, func(a addedToken) bool { return !onlySpace(a.Content) }))
	t.around()
	t.ends = endsOf(v)
	t.cache = newCache()
	steps := len(t.steps)
	t.pool.New = func() any { return &scratch{parts: make([][]piecePart, steps)} }
	return t, nil
}

// index maps texts to ids: those of the vocabulary proper first.
func (t *Tokenizer) index() {
	v := t.v
	t.ids = make(map[string]int32, len(v.Tokens))
	for id, text := range v.Tokens {
		if v.Types[id] == Normal {
			if _, ok := t.ids[text]; !ok {
				t.ids[text] = int32(id)
			}
		}
	}
	for id, text := range v.Tokens {
		switch v.Types[id] {
		case Normal:
		case Byte, Unknown, Unused:
			if t.unit == scoreUnit {
				continue // no text makes these
			}
			fallthrough
		default:
			if _, ok := t.ids[text]; !ok {
				t.ids[text] = int32(id)
			}
		}
	}
	for b := range t.bytes {
		t.bytes[b] = none
		if t.unit == bytesUnit {
			if id, ok := t.ids[string(letterOf[b])]; ok {
				t.bytes[b] = id
			}
		}
	}
	if t.unit != bytesUnit {
		for id, text := range v.Tokens {
			if b, ok := byteToken(text); ok && (v.Types[id] == Byte || t.fallback) {
				t.bytes[b] = int32(id)
			}
		}
	}
}

// byteToken is the byte of a token like <0x0A>.
func byteToken(text string) (byte, bool) {
	if len(text) != 6 || !strings.HasPrefix(text, "<0x") || text[5] != '>' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[3:5], 16, 8)
	return byte(n), err == nil
}

// textOf is what a token stands for.
func (t *Tokenizer) textOf(id int) string {
	text := t.v.Tokens[id]
	switch t.v.Types[id] {
	case Unused:
		return ""
	case Control, UserDefined, Unknown:
		return text
	}
	if t.unit == bytesUnit {
		text, _ = bytesOf(text)
		return text
	}
	if b, ok := byteToken(text); ok {
		return string([]byte{b})
	}
	return strings.ReplaceAll(text, "▁", " ")
}

// rank puts the tokens in the order of their scores.
func (t *Tokenizer) rank() {
	v := t.v
	order := make([]int32, len(v.Tokens))
	for i := range order {
		order[i] = int32(i)
	}
	score := func(id int32) float32 {
		if int(id) < len(v.Scores) {
			return v.Scores[id]
		}
		return 0
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(score(b), score(a)) })
	t.ranks = make([]uint32, len(order))
	rank := uint32(0)
	for i, id := range order {
		if i > 0 && score(id) != score(order[i-1]) {
			rank++
		}
		t.ranks[id] = rank
	}
}

// readMerges reads the merges. One of tokens that are not there is never used.
func (t *Tokenizer) readMerges(merges []string) {
	// Looking the tokens up takes the time, and waits for memory.
	found := make([][3]int32, len(merges))
	var work sync.WaitGroup
	size := max(len(merges)/runtime.GOMAXPROCS(0)+1, 4096)
	for from := 0; from < len(merges); from += size {
		part, out := merges[from:min(from+size, len(merges))], found[from:]
		work.Go(func() {
			var joined []byte
			for i, m := range part {
				joined = t.lookUp(&out[i], m, joined)
			}
		})
	}
	work.Wait()
	t.pairs = newPairTable(len(merges))
	for rank, f := range found {
		if f[2] != none {
			t.pairs.put(f[0], f[1], uint32(rank), f[2])
		}
	}
}

// lookUp finds the two tokens of a merge and the one that it makes; none for
// the latter where one is missing. joined is memory to use again.
func (t *Tokenizer) lookUp(out *[3]int32, m string, joined []byte) []byte {
	out[2] = none
	space := strings.IndexByte(m[min(1, len(m)):], ' ') + 1
	if space == 0 {
		return joined
	}
	left, ok1 := t.ids[m[:space]]
	right, ok2 := t.ids[m[space+1:]]
	joined = append(append(joined[:0], m[:space]...), m[space+1:]...)
	id, ok3 := t.ids[string(joined)]
	if ok1 && ok2 && ok3 {
		*out = [3]int32{left, right, id}
	}
	return joined
}

// crosses says that a token goes over the beginning of a word, so that words
// can't be told apart before they are divided.
func (t *Tokenizer) crosses() bool {
	for text := range t.ids {
		if i := strings.LastIndex(text, "▁"); i > 0 && strings.TrimLeft(text[:i], "▁") != "" {
			return true
		}
	}
	return false
}

// around finds the tokens that are put around a text.
func (t *Tokenizer) around() {
	for _, a := range t.v.Add {
		if id, ok := t.v.ID(a.Use); ok && a.Value && int(id) < len(t.v.Tokens) {
			switch a.Use {
			case "bos":
				t.before = []int32{int32(id)}
			case "eos":
				t.after = []int32{int32(id)}
			}
		}
	}
}

// endings of turns, by the tokens' names.
var endNames = []string{
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<turn|>", "<|endoftext|>", "<|eom_id|>",
	"<|end_of_text|>", "<end_of_utterance>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "</s>", "<eos>", "<｜end▁of▁sentence｜>", "<|user|>", "<|observation|>",
}

// endsOf are the tokens that end what a model generates: those with such a
// use, and those whose names say so.
func endsOf(v *Vocab) map[int32]bool {
	ends := map[int32]bool{}
	for _, use := range []string{"eos", "eot", "eom"} {
		if id, ok := v.ID(use); ok && int(id) < len(v.Tokens) {
			ends[int32(id)] = true
		}
	}
	named := map[string]int32{}
	for id, typ := range v.Types {
		if typ == Control || typ == UserDefined {
			named[v.Tokens[id]] = int32(id)
		}
	}
	for _, name := range endNames {
		id, ok := named[name]
		if !ok {
			continue
		}
		switch name {
		case "<|user|>", "<|observation|>":
			// GLM's turns have no other end; elsewhere these begin one.
			if _, glm := named["[gMASK]"]; !glm {
				continue
			}
		case "<|end|>":
			// In the harmony format a message ends with it, and the answer
			// goes on.
			_, a := named["<|return|>"]
			if _, b := named["<|call|>"]; a && b {
				continue
			}
		}
		ends[id] = true
	}
	return ends
}
