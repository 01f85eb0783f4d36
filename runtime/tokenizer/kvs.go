package tokenizer

import (
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// useKeys are the keys of special tokens' ids. llama.cpp has none for cls.
var useKeys = map[string]string{
	"bos": "tokenizer.ggml.bos_token_id", "eos": "tokenizer.ggml.eos_token_id",
	"unk": "tokenizer.ggml.unknown_token_id", "sep": "tokenizer.ggml.seperator_token_id",
	"pad": "tokenizer.ggml.padding_token_id", "mask": "tokenizer.ggml.mask_token_id",
	"eot": "tokenizer.ggml.eot_token_id", "eom": "tokenizer.ggml.eom_token_id",
}

// addKeys are the keys that say whether a token is put around a text.
var addKeys = map[string]string{
	"bos": "tokenizer.ggml.add_bos_token", "eos": "tokenizer.ggml.add_eos_token", "sep": "tokenizer.ggml.add_sep_token",
}

// KVs are the keys of a GGUF file, as llama.cpp's converter writes them and in
// its order. They share the vocabulary's memory.
func (v *Vocab) KVs() []gguf.KV {
	var k []gguf.KV
	set := func(key string, value any) { k = append(k, gguf.KV{Key: key, Value: value}) }
	if v.AddSpacePrefix != nil {
		set("tokenizer.ggml.add_space_prefix", *v.AddSpacePrefix)
	}
	set("tokenizer.ggml.model", string(v.Model))
	set("tokenizer.ggml.pre", v.Pre)
	set("tokenizer.ggml.tokens", v.Tokens)
	if v.Scores != nil {
		set("tokenizer.ggml.scores", v.Scores)
	}
	types := make([]int32, len(v.Types))
	for i, t := range v.Types {
		types[i] = int32(t)
	}
	set("tokenizer.ggml.token_type", types)
	if len(v.Merges) > 0 {
		set("tokenizer.ggml.merges", v.Merges)
	}
	for _, s := range v.Special {
		if key, ok := useKeys[s.Use]; ok {
			set(key, s.ID)
		}
	}
	for _, a := range v.Add {
		if key, ok := addKeys[a.Use]; ok {
			set(key, a.Value)
		}
	}
	k = append(k, v.templateKVs()...)
	if v.Lowercase != nil {
		set("tokenizer.ggml.normalizer.lowercase", *v.Lowercase)
	}
	if v.StripAccents != nil {
		set("tokenizer.ggml.normalizer.strip_accents", *v.StripAccents)
	}
	return k
}

// templateKVs are the keys of the chat templates: the named ones, their names,
// and the default.
func (v *Vocab) templateKVs() []gguf.KV {
	var k []gguf.KV
	var names []string
	standard := ""
	for _, t := range v.Templates {
		switch name := plain(t.Name); {
		case name == "" || name == defaultTemplate:
			standard = t.Text
		case t.Text != "" && !slices.Contains(names, name):
			names = append(names, name)
			k = append(k, gguf.KV{Key: "tokenizer.chat_template." + name, Value: t.Text})
		}
	}
	if len(names) > 0 {
		// llama.cpp's converter writes them in any order.
		slices.Sort(names)
		k = append(k, gguf.KV{Key: "tokenizer.chat_templates", Value: names})
	}
	if standard != "" {
		k = append(k, gguf.KV{Key: "tokenizer.chat_template", Value: standard})
	}
	return k
}

// plain is a name with _ for what is neither letter nor digit.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}
