package tokenizer

import (
	"context"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// FuzzTokenizerJSON reads anything as a tokenizer.json, with settings beside it.
// What is accepted has to be consistent, and no larger than the input.
func FuzzTokenizerJSON(f *testing.F) {
	f.Add(smallJSON, smallConfig)
	f.Add(`{"model":{"type":"BPE","byte_fallback":true,"vocab":{"<0x0A>":0},"merges":[]},"decoder":{"type":"Sequence"}}`, `{"added_tokens_decoder":{"1":{"content":"x"}}}`)
	f.Add(`{"model":{"vocab":{"a":1},"merges":[["a","b"]]},"post_processor":`+twoTemp+`}`, `{"chat_template":[{"name":"a","template":"b"}]}`)
	f.Add("{}", "{}")
	f.Add(`{"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"NFC"}]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"},"added_tokens":[{"id":2,"content":"ab","lstrip":true,"single_word":true}],"decoder":{"type":"Sequence"},"model":{"type":"BPE","byte_fallback":true,"unk_token":"a","vocab":{"a":0,"▁a":1},"merges":["▁ a"]}}`, `{}`)
	f.Fuzz(func(t *testing.T, text, config string) {
		if tok, err := Open(context.Background(), folder{"tokenizer.json": text, "tokenizer_config.json": config}, Options{}); err == nil {
			for _, s := range []string{"", "a ab  é\n\xff", text[:min(len(text), 300)]} {
				for _, id := range tok.Encode(nil, s, EncodeOptions{Around: true}) {
					if id < 0 || int(id) >= tok.VocabSize() {
						t.Fatalf("the id %d of %d", id, tok.VocabSize())
					}
				}
			}
		}
		for _, form := range forms {
			v, err := Load(context.Background(), folder{"tokenizer.json": text, "tokenizer_config.json": config}, Options{Form: form})
			if err == nil {
				consistent(t, v, len(text)+len(config))
			}
		}
	})
}

// FuzzOlderForms reads anything as vocab.json, merges.txt, added_tokens.json
// and tokenizer.model.
func FuzzOlderForms(f *testing.F) {
	f.Add(`{"a":0,"b":1}`, "#v\na b", `{"c":2}`, "\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02")
	f.Add(``, ``, ``, "\x12\x02\x18\x02\x0a\x00")
	f.Fuzz(func(t *testing.T, vocab, merges, added, pieces string) {
		files := folder{"vocab.json": vocab, "merges.txt": merges, "added_tokens.json": added}
		if v, err := Load(context.Background(), files, Options{Pre: "qwen2"}); err == nil {
			consistent(t, v, len(vocab)+len(merges)+len(added))
		}
		files["tokenizer.model"] = pieces
		if v, err := Load(context.Background(), files, Options{Form: arch.Llama}); err == nil {
			consistent(t, v, len(pieces))
		}
	})
}

// FuzzKVs makes tokenizers of any keys, and encodes with them.
func FuzzKVs(f *testing.F) {
	f.Add("gpt2", "qwen2", "a b Ġ ab Ġab", "a b,Ġ ab", []byte{1, 1, 1, 1, 4}, "ab ab\xff", uint32(1))
	f.Add("llama", "", "<unk> a b ab ▁a <0x41>", "", []byte{2, 1, 1, 1, 1, 6}, "ab Aé", uint32(7))
	f.Fuzz(func(t *testing.T, model, pre, tokens, merges string, types []byte, text string, id uint32) {
		words := strings.Fields(tokens)
		kinds, scores := make([]int32, len(types)), make([]float32, len(types))
		for i, b := range types {
			kinds[i], scores[i] = int32(int8(b)), float32(b)
		}
		v, err := FromKVs([]gguf.KV{
			{Key: keyModel, Value: model}, {Key: keyPre, Value: pre}, {Key: keyTokens, Value: words}, {Key: keyMerges, Value: strings.Split(merges, ",")},
			{Key: keyTypes, Value: kinds}, {Key: keyScores, Value: scores}, {Key: useKeys["bos"], Value: id}, {Key: useKeys["unk"], Value: id}, {Key: addKeys["eos"], Value: true},
		})
		if err != nil {
			return
		}
		tok, err := New(v)
		if err != nil {
			return
		}
		for _, o := range []EncodeOptions{{}, {Around: true}, {Plain: true}} {
			ids := tok.Encode(nil, text, o)
			for _, id := range ids {
				if id < 0 || int(id) >= tok.VocabSize() {
					t.Fatalf("the id %d of %d", id, tok.VocabSize())
				}
			}
			streamed(tok, ids)
		}
	})
}

func consistent(t *testing.T, v *Vocab, input int) {
	if len(v.Tokens) == 0 || len(v.Types) != len(v.Tokens) || v.Scores != nil && len(v.Scores) != len(v.Tokens) {
		t.Fatalf("%d tokens, %d types, %d scores", len(v.Tokens), len(v.Types), len(v.Scores))
	}
	for i, typ := range v.Types {
		if typ < Normal || typ > Byte {
			t.Fatalf("token %d has the type %d", i, typ)
		}
	}
	if len(v.Tokens) > 2*input+spare {
		t.Fatalf("%d tokens of %d bytes", len(v.Tokens), input)
	}
	if len(v.KVs()) < 4 {
		t.Fatal("keys are missing")
	}
}
