package tokenizer

import (
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
)

// benchTexts are texts of each kind, a megabyte where they are made up.
func benchTexts(t testing.TB) map[string]string {
	const mega = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, mega/len(s)) }
	// A Chinese text without spaces, in which few words return.
	var cjk strings.Builder
	state := uint32(1)
	for cjk.Len() < mega {
		state = state*1664525 + 1013904223
		cjk.WriteRune(rune(0x4e00 + state>>16%0x2000))
		if state>>28 == 0 {
			cjk.WriteString("，")
		}
	}
	return map[string]string{
		"english": string(readShared(t, "text/wiki.test.raw")),
		"code":    string(readShared(t, "eval/code.txt")),
		"cjk":     cjk.String(),
		"letter":  fill("a"),
		"spaces":  fill(" "),
		"newline": fill("\n"),
		"emoji":   fill("😀"),
		"digits":  fill("7"),
		"mixed":   fill("aB'sӜ \n中1"),
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, model := range []string{"qwen3", "gpt-oss"} {
		tok, err := Open(b.Context(), realFolder(b, model), Options{})
		if err != nil {
			b.Fatal(err)
		}
		benchEncode(b, model, tok)
	}
	benchEncode(b, "llama-spm", openVocab(b, sharedtest.Path(b, "llamacpp/vocab/ggml-vocab-llama-spm.gguf")))
}

func benchEncode(b *testing.B, name string, tok *Tokenizer) {
	for kind, text := range benchTexts(b) {
		b.Run(name+"/"+kind, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var ids []int32
			for b.Loop() {
				ids = tok.Encode(ids[:0], text, EncodeOptions{})
			}
			b.ReportMetric(float64(len(ids)), "tokens")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	tok, err := Open(b.Context(), realFolder(b, "qwen3"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	text := string(readShared(b, "text/wiki.test.raw"))
	ids := tok.Encode(nil, text, EncodeOptions{})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Decode(ids, DecodeOptions{})
	}
}

// Making a tokenizer of a GGUF file's keys, which stands before the first
// token.
func BenchmarkNew(b *testing.B) {
	kvs := load(b, realFolder(b, "gpt-oss"), Options{}).KVs()
	for b.Loop() {
		v, err := FromKVs(kvs)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := New(v); err != nil {
			b.Fatal(err)
		}
	}
}
