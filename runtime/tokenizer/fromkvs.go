package tokenizer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// Names of keys.
const (
	keyModel     = "tokenizer.ggml.model"
	keyPre       = "tokenizer.ggml.pre"
	keyTokens    = "tokenizer.ggml.tokens"
	keyScores    = "tokenizer.ggml.scores"
	keyTypes     = "tokenizer.ggml.token_type"
	keyMerges    = "tokenizer.ggml.merges"
	keyPrefix    = "tokenizer.ggml.add_space_prefix"
	keyTemplate  = "tokenizer.chat_template"
	keyTemplates = "tokenizer.chat_template."
)

// FromKVs reads the vocabulary out of a GGUF file's keys, the way back from
// KVs. It shares the values' memory.
func FromKVs(kvs []gguf.KV) (*Vocab, error) {
	f := &gguf.File{KVs: kvs}
	model, ok := f.String(keyModel)
	if !ok {
		return nil, fmt.Errorf("%s is missing: the file has no tokenizer; take one of the whole model", keyModel)
	}
	v := &Vocab{Model: Model(model)}
	v.Pre, _ = f.String(keyPre)
	v.Tokens, _ = f.Strings(keyTokens)
	if len(v.Tokens) == 0 || len(v.Tokens) > maxSize {
		return nil, fmt.Errorf("%s has %d tokens: the file is damaged; download it again", keyTokens, len(v.Tokens))
	}
	if err := v.readTypes(f); err != nil {
		return nil, err
	}
	v.Scores, _ = f.Float32s(keyScores)
	if len(v.Scores) > 0 && len(v.Scores) < len(v.Tokens) {
		return nil, fmt.Errorf("%s has %d values for %d tokens: the file is damaged; download it again", keyScores, len(v.Scores), len(v.Tokens))
	}
	switch v.Model {
	case BPE:
		if v.Merges, ok = f.Strings(keyMerges); !ok {
			return nil, fmt.Errorf("%s is missing, and the tokenizer is BPE: the file is damaged; download it again", keyMerges)
		}
	case SentencePiece:
		if len(v.Scores) == 0 {
			return nil, fmt.Errorf("%s is missing, and the tokenizer is SentencePiece's: the file is damaged; download it again", keyScores)
		}
	}
	if b, ok := f.Bool(keyPrefix); ok {
		v.AddSpacePrefix = &b
	}
	v.readUses(f)
	for _, kv := range kvs {
		text, ok := kv.Value.(string)
		switch name, named := strings.CutPrefix(kv.Key, keyTemplates); {
		case ok && kv.Key == keyTemplate:
			v.Templates = append(v.Templates, Template{Text: text})
		case ok && named:
			v.Templates = append(v.Templates, Template{name, text})
		}
	}
	return v, nil
}

// readTypes reads what tokens are for; all are normal where the file does not
// say.
func (v *Vocab) readTypes(f *gguf.File) error {
	types, ok := f.Int32s(keyTypes)
	if ok && len(types) < len(v.Tokens) {
		return fmt.Errorf("%s has %d values for %d tokens: the file is damaged; download it again", keyTypes, len(types), len(v.Tokens))
	}
	v.Types = make([]Type, len(v.Tokens))
	for i := range v.Types {
		v.Types[i] = Normal
		if ok && types[i] != 0 {
			v.Types[i] = Type(types[i])
		}
	}
	return nil
}

// readUses reads the special tokens and what is put around a text. What the
// file leaves out is as llama.cpp takes it.
func (v *Vocab) readUses(f *gguf.File) {
	standard := map[string]uint32{"bos": 11, "eos": 11}
	if v.Model == SentencePiece {
		standard = map[string]uint32{"bos": 1, "eos": 2, "unk": 0}
	}
	for _, use := range slices.Concat(uses, []string{"eot", "eom"}) {
		key, ok := useKeys[use]
		if !ok {
			continue
		}
		if id, ok := f.Uint(key); ok && id < uint64(len(v.Tokens)) {
			v.Special = append(v.Special, Special{use, uint32(id)})
		} else if id, ok := standard[use]; ok && int(id) < len(v.Tokens) {
			v.Special = append(v.Special, Special{use, id})
		}
	}
	for _, use := range []string{"bos", "eos", "sep"} {
		b, ok := f.Bool(addKeys[use])
		if !ok && use == "bos" {
			if ok = v.Model == SentencePiece; !ok {
				n, err := namedPre(v.Pre)
				ok = err == nil && n.addBOS
			}
			b = ok
		}
		if ok {
			v.Add = append(v.Add, Add{use, b})
		}
	}
}
