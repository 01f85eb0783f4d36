package tokenizer

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// nano is the tokenizer of a model of the examples.
func nano(t testing.TB, name string) folder {
	f := folder{}
	for _, file := range []string{"tokenizer.json", "tokenizer_config.json"} {
		b, err := os.ReadFile("../../examples/models/" + name + "/" + file)
		require.NoError(t, err)
		f[file] = string(b)
	}
	return f
}

// Ids that the hub's own library gives.
func TestNanoVectors(t *testing.T) {
	b, err := os.ReadFile("../../interop/testdata/tokens.json")
	require.NoError(t, err)
	var all map[string][]vector
	require.NoError(t, json.Unmarshal(b, &all))
	require.Len(t, all, 2)
	for model, vs := range all {
		for way, tok := range bothWays(t, nano(t, model), Options{}) {
			for i, v := range vs {
				v.ID = i
				if s := norm.NFC.String(v.Text); model == "nano-qwen3moe" && s != v.Text {
					v.NFC = &s
				}
				t.Run(fmt.Sprintf("%s/%s/%d", model, way, i), func(t *testing.T) { check(t, tok, v) })
			}
		}
	}
}

// tiny makes a tokenizer of tokens that are written in JSON's form.
func tinyBPE(t testing.TB, more string, tokens, merges []string, added string) *Tokenizer {
	t.Helper()
	vocab := map[string]int{}
	for i, s := range tokens {
		vocab[s] = i
	}
	v, err := json.Marshal(vocab)
	require.NoError(t, err)
	m, err := json.Marshal(merges)
	require.NoError(t, err)
	text := fmt.Sprintf(`{%s,"added_tokens":[%s],"model":{"type":"BPE","byte_fallback":true,"fuse_unk":true,"unk_token":"?","vocab":%s,"merges":%s}}`, more, added, v, m)
	tok, err := Open(t.Context(), folder{"tokenizer.json": text}, Options{})
	require.NoError(t, err)
	return tok
}

const llamaSteps = `"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,` +
	`"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}`

// A vocabulary like Llama 2's in a tokenizer.json.
func TestByteFallback(t *testing.T) {
	tokens := []string{"?", "▁", "a", "b", "ab", "▁ab", "<0xC3>", "<0xA9>", "<s>"}
	tok := tinyBPE(t, llamaSteps, tokens, []string{"a b", "▁ ab"}, `{"id":8,"content":"<s>","special":true}`)
	ids := func(text string) []int32 { return tok.Encode(nil, text, EncodeOptions{}) }
	require.Equal(t, []int32{5, 4}, ids("abab"))
	require.Equal(t, []int32{1, 1, 2, 5}, ids(" a ab"))
	require.Equal(t, []int32{1, 6, 7}, ids("é"))
	require.Equal(t, []int32{1, 0, 2}, ids("üüa"), "two unknown characters are one unknown token")
	require.Equal(t, []int32{5, 8, 5}, ids("ab<s>ab"), "each part gets its space")
	require.Empty(t, ids(""))
	require.Equal(t, " a ab", tok.Decode(ids(" a ab"), DecodeOptions{}))
	require.Equal(t, "é", tok.Decode(ids("é"), DecodeOptions{}))
}

// spm is a SentencePiece vocabulary in a GGUF file's keys.
func spm(more ...gguf.KV) []gguf.KV {
	tokens := []string{"<unk>", "<s>", "</s>"}
	types := []int32{2, 3, 3}
	scores := []float32{0, 0, 0}
	for b := range 256 {
		tokens, types, scores = append(tokens, fmt.Sprintf("<0x%02X>", b)), append(types, 6), append(scores, 0)
	}
	for i, s := range []string{"▁a", "bc", "ab", "▁", "a", "b", "c", "▁▁", "<x>"} {
		kind := int32(1)
		if s == "<x>" {
			kind = 4
		}
		tokens, types, scores = append(tokens, s), append(types, kind), append(scores, -float32(i))
	}
	return append([]gguf.KV{{Key: keyModel, Value: "llama"}, {Key: keyTokens, Value: tokens}, {Key: keyTypes, Value: types}, {Key: keyScores, Value: scores}}, more...)
}

func newKVs(t testing.TB, kvs []gguf.KV) *Tokenizer {
	t.Helper()
	v, err := FromKVs(kvs)
	require.NoError(t, err)
	tok, err := New(v)
	require.NoError(t, err)
	return tok
}

func TestSentencePiece(t *testing.T) {
	tok := newKVs(t, spm())
	const a, bc, ab, space, spaces, x = 259, 260, 261, 262, 266, 267
	for text, want := range map[string][]int32{
		"abc":     {a, bc}, // the best score first, not the longest token
		"abab":    {a, 264, ab},
		" a":      {space, a},
		"a  a":    {a, space, a},
		"   ":     {spaces, spaces},
		"é":       {space, 3 + 0xc3, 3 + 0xa9},
		"a<x>a":   {a, x, a},
		"a\n":     {a, 3 + '\n'},
		"</s>a":   {2, a},
		"\xff":    {space, 3 + 0xff},
		"a<unk>a": append(append([]int32{a}, tok.Encode(nil, "<unk>", EncodeOptions{})[1:]...), 263),
	} {
		got := tok.Encode(nil, text, EncodeOptions{})
		require.Equal(t, want, got, text)
		if !strings.Contains(text, "<") { // where a space is put in
			require.Equal(t, text, tok.Decode(got, DecodeOptions{}))
		}
	}
	require.Equal(t, []int32{1, a}, tok.Encode(nil, "a", EncodeOptions{Around: true}), "bos, where the file does not say otherwise")
	plain := tok.Encode(nil, "</s>", EncodeOptions{Plain: true})
	require.NotContains(t, plain, int32(2))
	require.Equal(t, "</s>", tok.Decode(plain, DecodeOptions{}))

	tok = newKVs(t, spm(gguf.KV{Key: keyPrefix, Value: false}, gguf.KV{Key: addKeys["bos"], Value: false}, gguf.KV{Key: addKeys["eos"], Value: true}))
	require.Equal(t, []int32{263, 2}, tok.Encode(nil, "a", EncodeOptions{Around: true}))
	require.Equal(t, " a", tok.Decode([]int32{a}, DecodeOptions{}))
}

// A text is decoded from its first token, and goes on without a loss.
func TestStreamGoesOn(t *testing.T) {
	tok := newKVs(t, spm())
	require.Equal(t, "a", tok.NewStream(DecodeOptions{}).Push(259))
	require.Equal(t, " a", tok.NewStream(DecodeOptions{}, 263).Push(259))
	require.Equal(t, "a", tok.NewStream(DecodeOptions{}, 1).Push(259), "after a special token")
	s := tok.NewStream(DecodeOptions{SkipSpecial: true})
	require.Equal(t, []string{"", "a", " ", "", "é", "", "\uFFFDa", "", "\uFFFD"},
		[]string{s.Push(1), s.Push(259), s.Push(262), s.Push(3 + 0xc3), s.Push(3 + 0xa9), s.Push(3 + 0xf0), s.Push(263), s.Push(3 + 0xe4), s.Flush()})
	require.Empty(t, s.Flush())
	require.Empty(t, tok.Text(-1)+tok.Text(1<<20))
}

const levelOnly = `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"decoder":{"type":"ByteLevel"}`

func TestAddedTokens(t *testing.T) {
	letters := []string{"a", "b", "Ġ", "Ċ", "<", "x", ">", "y"}
	tok := tinyBPE(t, levelOnly, letters, []string{"a Ġ"}, strings.Join([]string{
		`{"id":10,"content":"<x>","special":true}`,
		`{"id":11,"content":"<x>>","special":false}`,
		`{"id":12,"content":"<l>","special":true,"lstrip":true}`,
		`{"id":13,"content":"<r>","special":true,"rstrip":true}`,
		`{"id":7,"content":"y","special":false,"single_word":true}`,
		`{"id":15,"content":"  ","special":false}`,
	}, ","))
	for text, want := range map[string][]int32{
		"a<x>b":        {0, 10, 1},
		"<x>><x>":      {11, 10}, // the longest
		"<<x>":         {4, 10},
		"<x":           {4, 5},
		"a \n<l> b":    {0, 12, 2, 1},
		"a <r> \n b":   {0, 2, 13, 1},
		"y y a ay yb":  {7, 2, 7, 2, 0, 2, 0, 7, 2, 7, 1},
		"a  b<x><r>  ": {0, 15, 1, 10, 13},
	} {
		require.Equal(t, want, tok.Encode(nil, text, EncodeOptions{}), text)
	}
	require.Equal(t, []int32{0, 15, 4, 5, 6, 7}, tok.Encode(nil, "a  <x>y", EncodeOptions{Plain: true}), "runs of spaces are text even so")
	require.Equal(t, "a  ", tok.Decode([]int32{10, 0, 15, 12}, DecodeOptions{SkipSpecial: true}))
}

// Tokens that are normalized are found in normalized text, the others before.
func TestNormalizedTokens(t *testing.T) {
	tok := tinyBPE(t, levelOnly+`,"normalizer":{"type":"Lowercase"}`, []string{"a", "b", "x", "y"}, []string{"a b"},
		`{"id":5,"content":"XY","normalized":true},{"id":6,"content":"AB","normalized":false}`)
	require.Equal(t, []int32{5, 5, 6, 0, 1}, tok.Encode(nil, "xYXYABab", EncodeOptions{}))
	require.Equal(t, []int32{2, 3, 0, 1}, tok.Encode(nil, "XYAB", EncodeOptions{Plain: true}))
}

// Without byte_fallback, <0xC3> is a token like others, and unknown characters
// are unknown.
func TestUnknown(t *testing.T) {
	text := `{"decoder":{"type":"Metaspace"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"},"model":{"type":"BPE","byte_fallback":false,"fuse_unk":false,"unk_token":"?","vocab":{"?":0,"a":1,"<0xC3>":2,"<0xA9>":3},"merges":["a a"]}}`
	tok, err := Open(t.Context(), folder{"tokenizer.json": text}, Options{})
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, 0, 1}, tok.Encode(nil, "aééa", EncodeOptions{}))
	tok, err = Open(t.Context(), folder{"tokenizer.json": strings.Replace(text, `"fuse_unk":false`, `"fuse_unk":true`, 1)}, Options{})
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, 1}, tok.Encode(nil, "aééa", EncodeOptions{}))
}

// Marks beyond the 30 after which package norm puts a character in.
func TestManyMarks(t *testing.T) {
	f := normalForm(norm.NFC)
	require.Equal(t, "é", f("e\u0301"))
	require.Equal(t, "à"+strings.Repeat("\u0300", 99), f("a"+strings.Repeat("\u0300", 100)))
	require.Equal(t, "ạ"+strings.Repeat("\u0301", 40), f("a"+strings.Repeat("\u0301", 40)+"\u0323"), "in canonical order")
	require.Equal(t, "각"+strings.Repeat("\u0300", 40)+"é", f("\u1100\u1161\u11a8"+strings.Repeat("\u0300", 40)+"e\u0301"))
	require.Equal(t, "a\u0334"+strings.Repeat("\u0301", 40), normalForm(norm.NFD)("a"+strings.Repeat("\u0301", 40)+"\u0334"))
	require.Equal(t, "fi"+strings.Repeat("\u0327", 40), normalForm(norm.NFKC)("ﬁ"+strings.Repeat("\u0327", 40)))
	bad := "\xffa" + strings.Repeat("\u0301", 40)
	require.Equal(t, bad, f(bad))
	for _, s := range []string{"e\u0301a\u0323\u0307q\u0307\u0323", "\u1100\u1161\u11a8각", "ﬁÅΩ", "\u0344\u0958", "क़्\u0301"} {
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			require.Equal(t, form.String(s), normalLong(form, s), "%q %v", s, form)
		}
	}
}

func TestNormalizersOf(t *testing.T) {
	for spec, want := range map[string]string{
		`{"type":"Lowercase"}`: "  äe\u0301 b ", `{"type":"NFC"}`: "  Ä\u00e9 B ",
		`{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]}`: "  Ae B ",
		`{"type":"Strip","strip_left":true,"strip_right":false}`:                     "Äe\u0301 B ",
		`{"type":"Strip","strip_left":false,"strip_right":true}`:                     "  Äe\u0301 B",
		`{"type":"Replace","pattern":{"Regex":" +"},"content":"_"}`:                  "_Äe\u0301_B_",
		`null`: "  Äe\u0301 B ",
	} {
		fs, err := normalizersOf([]byte(spec), 0)
		require.NoError(t, err)
		text := "  Äe\u0301 B "
		for _, f := range fs {
			text = f(text)
		}
		require.Equal(t, want, text, spec)
	}
	_, err := normalizersOf([]byte(`{"type":"Precompiled"}`), 0)
	require.ErrorContains(t, err, `"Precompiled" is not known here`)
}

// wordsOf are the words into which a pre_tokenizer divides a text.
func wordsOf(t testing.TB, spec, text string) (out []string) {
	t.Helper()
	tok := &Tokenizer{}
	require.NoError(t, tok.divisions.add([]byte(spec), 0))
	parts := make([]piecePart, 0)
	var walk func(text string, step int, first bool)
	walk = func(text string, step int, first bool) {
		if step == len(tok.steps) {
			out = append(out, text)
			return
		}
		d := &tok.steps[step]
		if d.change != nil {
			text = d.change(text, first)
		}
		d.each(text, &parts, func(p string) { walk(p, step+1, first); first = false })
	}
	walk(text, 0, true)
	return out
}

func TestDivisions(t *testing.T) {
	splitAt := func(b string, invert bool) string {
		return fmt.Sprintf(`{"type":"Split","pattern":{"String":"-"},"behavior":%q,"invert":%v}`, b, invert)
	}
	for _, tt := range []struct {
		spec, text string
		want       []string
	}{
		{splitAt("Isolated", false), "a--b-", []string{"a", "-", "-", "b", "-"}},
		{splitAt("Removed", false), "a--b-", []string{"a", "b"}},
		{splitAt("Removed", true), "a--b-", []string{"-", "-", "-"}},
		{splitAt("Contiguous", false), "a--b-", []string{"a", "--", "b", "-"}},
		{splitAt("MergedWithPrevious", false), "a--b-", []string{"a-", "-", "b-"}},
		{splitAt("MergedWithNext", false), "a--b-", []string{"a", "-", "-b", "-"}},
		{`{"type":"Digits","individual_digits":true}`, "a12½", []string{"a", "1", "2", "½"}},
		{`{"type":"Digits","individual_digits":false}`, "a12", []string{"a", "12"}},
		{`{"type":"Punctuation","behavior":"Contiguous"}`, "a,,b", []string{"a", ",,", "b"}},
		{`{"type":"Punctuation"}`, "a,，$", []string{"a", ",", "，", "$"}},
		{`{"type":"Whitespace"}`, "a b, c", []string{"a", "b", ",", "c"}},
		{`{"type":"WhitespaceSplit"}`, "a b,\tc", []string{"a", "b,", "c"}},
		{`{"type":"CharDelimiterSplit","delimiter":"x"}`, "axb", []string{"a", "b"}},
		{`{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}`, "a b  c", []string{"▁a", "▁b", "▁", "▁c"}},
		{`{"type":"Metaspace","replacement":"▁","add_prefix_space":false}`, "a b", []string{"a", "▁b"}},
		{`{"type":"Metaspace","replacement":"▁","split":false}`, "a b", []string{"▁a▁b"}},
		{`{"type":"ByteLevel"}`, "it's 12 é", []string{" it", "'s", " 12", " é"}},
		{`{"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},{"type":"Digits","individual_digits":true}]}`, "é1²", []string{"Ã©", "1", "Â", "²"}},
	} {
		require.Equal(t, tt.want, wordsOf(t, tt.spec, tt.text), "%s %s", tt.spec, tt.text)
	}
	for spec, want := range map[string]string{
		`{"type":"BertPreTokenizer"}`:                                           "not known here",
		`{"type":"Split","pattern":{"Regex":"(?<=ab)c"},"behavior":"Isolated"}`: "(?<=ab)c",
		`{"type":"Split","pattern":{"String":"a"},"behavior":"Odd"}`:            `"Odd"`,
		`{"type":"Split","pattern":{},"behavior":"Isolated"}`:                   "empty",
		`{"type":"Metaspace","replacement":"ab"}`:                               "one character",
	} {
		err := (&divisions{}).add([]byte(spec), 0)
		require.ErrorContains(t, err, want, spec)
	}
}

func TestNamedCompile(t *testing.T) {
	for name := range pres {
		n, err := namedPre(name)
		require.NoError(t, err)
		steps, err := n.compiled()
		require.NoError(t, err, name)
		require.NotEmpty(t, steps)
	}
	_, err := namedPre("new-one")
	require.ErrorContains(t, err, `"new-one"`)
	// Every name that the converter's side writes can be read.
	for _, k := range known {
		_, err := namedPre(k.name)
		require.NoError(t, err)
	}
}

func TestIsEOG(t *testing.T) {
	named := func(names ...string) map[int32]bool {
		v := &Vocab{}
		for _, n := range names {
			v.Tokens, v.Types = append(v.Tokens, n), append(v.Types, Control)
		}
		return endsOf(v)
	}
	require.Equal(t, map[int32]bool{0: true, 2: true}, named("<|im_end|>", "<|im_start|>", "<|endoftext|>"))
	require.Equal(t, map[int32]bool{0: true, 1: true}, named("<|return|>", "<|call|>", "<|end|>"), "an answer in the harmony format goes on after <|end|>")
	require.Equal(t, map[int32]bool{1: true}, named("<|user|>", "<|end|>"))
	require.Equal(t, map[int32]bool{0: true}, named("<|user|>", "[gMASK]"))
	tok := newKVs(t, spm())
	require.True(t, tok.IsEOG(2))
	require.False(t, tok.IsEOG(1))
	require.False(t, tok.IsEOG(-1))
	require.True(t, tok.IsSpecial(1))
	require.False(t, tok.IsSpecial(260) || tok.IsSpecial(-5))
	require.Equal(t, 268, tok.VocabSize())
	id, ok := tok.ID("</s>")
	require.True(t, ok)
	require.Equal(t, int32(2), id)
}

func TestKVErrors(t *testing.T) {
	tokens := gguf.KV{Key: keyTokens, Value: []string{"a", "b"}}
	model := func(s string) gguf.KV { return gguf.KV{Key: keyModel, Value: s} }
	for want, kvs := range map[string][]gguf.KV{
		"model is missing":                    {tokens},
		"has 0 tokens":                        {model("gpt2")},
		`"bert"`:                              {model("bert"), tokens},
		"merges is missing":                   {model("gpt2"), tokens},
		"scores is missing":                   {model("llama"), tokens},
		"token_type has 1 values":             {model("gpt2"), tokens, {Key: keyTypes, Value: []int32{1}}},
		"scores has 1 values for 2":           {model("llama"), tokens, {Key: keyScores, Value: []float32{1}}},
		`tokenizer.ggml.pre is "x", which is`: {model("gpt2"), tokens, {Key: keyMerges, Value: []string{"a b"}}, {Key: keyPre, Value: "x"}},
	} {
		_, err := OpenGGUF(&gguf.File{KVs: kvs, Paths: []string{"m.gguf"}})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "m.gguf")
	}
}

// Whatever the text, decoding gives it back, and a stream gives valid UTF-8.
func FuzzRoundTrip(f *testing.F) {
	var toks []*Tokenizer
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		tok, err := Open(f.Context(), nano(f, name), Options{})
		require.NoError(f, err)
		toks = append(toks, tok)
	}
	toks = append(toks, newKVs(f, spm()))
	for _, s := range []string{"", "Hello  World's\n\n 123", "e\u0301 中文 😀", "\xff\xf0\x9f", "<|im_start|>a<|end|>", strings.Repeat("a", 300) + "\r\n"} {
		f.Add(s)
	}
	nfc := normalForm(norm.NFC)
	f.Fuzz(func(t *testing.T, text string) {
		for i, tok := range toks {
			for _, plain := range []bool{false, true} {
				ids := tok.Encode(nil, text, EncodeOptions{Plain: plain})
				got := tok.Decode(ids, DecodeOptions{})
				switch {
				case i == 1 || plain && i == 2:
					require.Equal(t, text, got)
				case i == 0 && plain:
					require.Equal(t, nfc(text), got)
				}
				require.True(t, utf8.ValidString(streamed(tok, ids)))
				for _, id := range ids {
					require.True(t, id >= 0 && int(id) < tok.VocabSize())
				}
			}
		}
	})
}

// Long words are joined by other means than short ones, with the same outcome.
func TestFewAndMany(t *testing.T) {
	tok, err := Open(t.Context(), nano(t, "nano-qwen3moe"), Options{})
	require.NoError(t, err)
	for _, m := range []*merger{&tok.merger, &newKVs(t, spm()).merger} {
		var a, b workspace
		state := uint32(7)
		for _, letters := range []string{"a", "ab", "abc ", "the andin", "\n ", "é中a"} {
			for n := 1; n < 400; n += 13 {
				var word strings.Builder
				rs := []rune(letters)
				for range n {
					state = state*1664525 + 1013904223
					word.WriteRune(rs[int(state>>16)%len(rs)])
				}
				m.cut(word.String(), &a)
				m.joinFew(word.String(), &a)
				m.cut(word.String(), &b)
				m.joinMany(word.String(), &b)
				require.Equal(t, m.collect(nil, word.String(), &a), m.collect(nil, word.String(), &b), "%q", word.String())
			}
		}
	}
}
