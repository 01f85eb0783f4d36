package tokenizer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/stretchr/testify/require"
)

func TestByteLevel(t *testing.T) {
	for _, form := range forms {
		v := load(t, small(), Options{Form: form, Size: 10, Config: []byte(`{"bos_token_id":3,"eos_token_id":[6,5],"pad_token_id":5}`)})
		require.Equal(t, BPE, v.Model)
		require.Equal(t, "qwen2", v.Pre)
		require.Equal(t, []string{"a", "b", `"`, "Ġ", "ab", "Ġab", "<|end|>", "a b", "[PAD8]", "[PAD9]"}, v.Tokens)
		require.Equal(t, []Type{Normal, Normal, Normal, Normal, Normal, Normal, Control, UserDefined, Unused, Unused}, v.Types)
		require.Equal(t, []string{"a b", "Ġ ab"}, v.Merges)
		require.Nil(t, v.Scores)
		require.Equal(t, []Special{{"eos", 6}, {"bos", 3}, {"pad", 5}}, v.Special)
		require.Equal(t, []Template{{Text: "{{ messages }}"}}, v.Templates)
		id, ok := v.ID("eos")
		require.True(t, ok)
		require.EqualValues(t, 6, id)
		_, ok = v.ID("sep")
		require.False(t, ok)
	}
	require.Len(t, load(t, small(), Options{}).Tokens, 8, "without a size the tokens say it")
}

// Newer files have merges as pairs, and may have spaces in them.
func TestMergePairs(t *testing.T) {
	f := small().with("tokenizer.json", `"merges":["a b","Ġ ab"]`, `"merges" : [ [ "a" , "b" ],["\u0120","ab"],["  "," x"]]`)
	require.Equal(t, []string{"a b", "Ġ ab", "ĠĠ Ġx"}, load(t, f, Options{}).Merges)
}

// Tokens that the settings call special are control tokens even where they are
// not among the added ones.
func TestNamedSpecial(t *testing.T) {
	f := small().with("tokenizer_config.json", `"bos_token":null`, `"bos_token":{"content":"ab"},"additional_special_tokens":["b",{"content":"Ġ"},7,"none"]`)
	f["special_tokens_map.json"] = `{"pad_token":{"content":"a"}}`
	v := load(t, f, Options{})
	require.Equal(t, []Type{Control, Control, Normal, Control, Control, Normal, Control, UserDefined}, v.Types)
	require.Equal(t, []Special{{"eos", 6}}, v.Special, "an id comes only of an added token, as llama.cpp's converter has it")
}

func TestLooksSpecial(t *testing.T) {
	for _, s := range []string{"<pad>", "<mask>", "[@BOS@]", "<|x|>", "<｜end▁of▁sentence｜>", "<unused7>"} {
		require.True(t, looksSpecial(s), s)
	}
	for _, s := range []string{"", "<", "<think>", "x<|y|>", "pad"} {
		require.False(t, looksSpecial(s), s)
	}
}

// added_tokens_decoder of the settings adds what tokenizer.json lacks.
func TestDecoderAdds(t *testing.T) {
	f := small().with("tokenizer_config.json", `"bos_token":null`, `"added_tokens_decoder":{"9":{"content":"<new>","special":true},"6":{"content":"<|end|>","special":false}}`)
	v := load(t, f, Options{Size: 10})
	require.Equal(t, []string{"a b", "[PAD8]", "<new>"}, v.Tokens[7:])
	require.Equal(t, []Type{Control, UserDefined, Unused, Control}, v.Types[6:])
}

func TestTwoFiles(t *testing.T) {
	f := folder{
		"vocab.json":        `{"a":0,"b":1,"ab":2}`,
		"merges.txt":        "#version: 0.2\na b\n\nodd line here\r\nx y\r\n",
		"added_tokens.json": `{"<|im_end|>":3,"<tool>":4}`,
	}
	v := load(t, f, Options{Pre: "qwen2", Size: 6, Config: []byte(`{"eos_token_id":3}`)})
	require.Equal(t, []string{"a", "b", "ab", "<|im_end|>", "<tool>", "[PAD5]"}, v.Tokens)
	require.Equal(t, []Type{Normal, Normal, Normal, Control, UserDefined, Unused}, v.Types)
	require.Equal(t, []string{"a b", "x y"}, v.Merges)
	require.Equal(t, "qwen2", v.Pre)
	require.Equal(t, []Special{{"eos", 3}}, v.Special)
	require.Empty(t, v.Templates)
}

func TestPieces(t *testing.T) {
	data := "\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02" + // unknown
		"\x0a\x0a\x0a\x03▁\x15\x00\x00\x80\xbf" + // -1, of the usual kind
		"\x0a\x0d\x0a\x04user\x15\x00\x00\x00\xc0\x18\x04" + "\x12\x02\x18\x02" + // the user's; then the trainer's settings
		"\x0a\x0c\x0a\x06<0x0A>\x18\x06\x28\x01" // a byte, and a field that nobody knows
	f := folder{"tokenizer.model": data}
	for _, form := range []arch.Tokenizer{arch.SentencePieceOrBPE, arch.Llama} {
		v := load(t, f, Options{Form: form, Size: 6, Config: []byte(`{"eos_token_id":2,"pad_token_id":6}`)})
		require.Equal(t, SentencePiece, v.Model)
		require.Equal(t, "default", v.Pre)
		require.Equal(t, []string{"<unk>", "▁", "user", "<0x0A>", "[PAD4]", "[PAD5]"}, v.Tokens)
		require.Equal(t, []Type{Unknown, Normal, Normal, Byte, Unused, Unused}, v.Types)
		require.Equal(t, []float32{0, -1, -2, 0, -10000, -10000}, v.Scores)
		require.Equal(t, []Special{{"eos", 2}}, v.Special, "an id beyond the vocabulary is dropped")
	}
	_, err := Load(context.Background(), f, Options{Form: arch.BPE})
	require.ErrorContains(t, err, "dir/tokenizer.json: there is no tokenizer")
}

func TestErrors(t *testing.T) {
	long := strings.Repeat("[", 300)
	for name, c := range map[string]struct {
		files folder
		o     Options
		want  string
	}{
		"none":          {folder{}, Options{}, "dir/tokenizer.json: there is no tokenizer, neither this file nor vocab.json: download the model's small files too"},
		"empty file":    {folder{"tokenizer.json": ""}, Options{}, `dir/tokenizer.json: line 1, column 1: found the end instead of '{': the file is damaged; download it again`},
		"array":         {folder{"tokenizer.json": "[]"}, Options{}, `found '[' instead of '{'`},
		"no model":      {folder{"tokenizer.json": "{}"}, Options{}, "dir/tokenizer.json: model is missing, or its type: the file is no tokenizer"},
		"cut":           {folder{"tokenizer.json": smallJSON[:len(smallJSON)/2]}, Options{}, "the file is damaged; download it again"},
		"after the end": {small().with("tokenizer.json", `"version"`, `"x":0,"version"`).with("tokenizer.json", `"Ġ ab"]}}`, `"Ġ ab"]}}x`), Options{}, `line 3, column 127: found 'x' after the end`},
		"not UTF-8":     {small().with("tokenizer.json", `"a":0`, "\"\xff\":0"), Options{}, "dir/tokenizer.json: the file is not UTF-8"},
		"deep":          {small().with("tokenizer.json", `"version":"1.0"`, `"version":`+long), Options{}, "nested more than 256 deep"},
		"twice":         {small().with("tokenizer.json", `"version":"1.0"`, `"model":{"type":"BPE"}`), Options{}, `"model" is there twice`},
		"bad escape":    {small().with("tokenizer.json", `"a":0`, `"\x":0`), Options{}, "a string that is not valid"},
		"surrogate":     {small().with("tokenizer.json", `"a":0`, `"\ud800":0`), Options{}, "a string that is not valid"},
		"control":       {small().with("tokenizer.json", `"a":0`, "\"\x01\":0"), Options{}, "a control character in a string"},
		"negative id":   {small().with("tokenizer.json", `"a":0`, `"a":-1`), Options{}, "found '-' instead of a token's id"},
		"leading zero":  {small().with("tokenizer.json", `"a":0`, `"a":00`), Options{}, "a number that starts with 0"},
		"fraction":      {small().with("tokenizer.json", `"a":0`, `"a":0.5`), Options{}, "found '.' instead of ',' or '}'"},
		"huge id":       {small().with("tokenizer.json", `"a":0`, `"a":99999999999999999999`), Options{}, "a token's id is more than 16777216"},
		"large id":      {small().with("tokenizer.json", `"a":0`, `"a":16000000`), Options{}, "an id is 16000000, and there are 6 tokens: the file is damaged"},
		"same id":       {small().with("tokenizer.json", `"b":1`, `"b":0`), Options{}, `dir/tokenizer.json: the tokens "a" and "b" have the same id, 0: the file is damaged; download it again`},
		"same token":    {small().with("tokenizer.json", `"b":1`, `"a":1`), Options{}, `the token "a" is there twice`},
		"added twice":   {small().with("tokenizer.json", `{"id":7,`, `{"id":8,"content":"<|end|>"},{"id":7,`), Options{}, `the added token "<|end|>" has the id 8, and the vocabulary says 6`},
		"added on own":  {small().with("tokenizer.json", `{"id":7,`, `{"id":5,`), Options{}, `the tokens "Ġab" and "a▁b" have the same id, 5`},
		"added huge":    {small().with("tokenizer.json", `{"id":7,`, `{"id":7000000000,`), Options{}, `the added token "a▁b" has the id 7000000000, which cannot be`},
		"added minus":   {small().with("tokenizer.json", `{"id":7,`, `{"id":-7,`), Options{}, `has the id -7, which cannot be`},
		"added kind":    {small().with("tokenizer.json", `{"id":7,`, `{"id":"7",`), Options{}, "added_tokens is not what it has to be"},
		"too many":      {small(), Options{Size: 7}, "dir/tokenizer.json: the vocabulary goes up to the id 7, and vocab_size in config.json is 7: the two are of different models; download both again"},
		"no vocabulary": {small().with("tokenizer.json", `{"a":0,"b":1,"\"":2,"\u0120":3,"ab":4,"Ġab":5}`, "{}"), Options{}, "dir/tokenizer.json: the vocabulary is empty"},
		"no merges":     {small().with("tokenizer.json", `["a b","Ġ ab"]`, "[]"), Options{}, "dir/tokenizer.json: there are no merges"},
		"bad merge":     {small().with("tokenizer.json", `"a b"`, `"ab"`), Options{}, `the merge "ab" has no space between two tokens`},
		"short pair":    {small().with("tokenizer.json", `"a b"`, `["a"]`), Options{}, `found ']' instead of ','`},
		"long pair":     {small().with("tokenizer.json", `"a b"`, `["a","b","c"]`), Options{}, `found ',' instead of ']'`},
		"empty pair":    {small().with("tokenizer.json", `"a b"`, `["a",""]`), Options{}, `a merge with an empty token`},
		"Unigram":       {small().with("tokenizer.json", `"type":"BPE"`, `"type":"Unigram"`), Options{}, `dir/tokenizer.json: the model is of type "Unigram", and this program reads BPE: convert the model with another program and name the GGUF file instead`},
		"unknown pre":   {small().with("tokenizer.json", `\p{N}|`, `\p{N}{1,7}|`), Options{}, "dir/tokenizer.json: the pre_tokenizer is none that this program recognises (split (?i:'s|'t|"},
		"no pre":        {small().with("tokenizer.json", preJSON(qwen2Split), "null"), Options{}, "dir/tokenizer.json: there is no pre_tokenizer"},
		"settings":      {small().with("tokenizer_config.json", `{`, `[`), Options{}, "dir/tokenizer_config.json: not a JSON object"},
		"decoder":       {small().with("tokenizer_config.json", `"bos_token":null`, `"added_tokens_decoder":{"x":{"content":"y"}}`), Options{}, `dir/tokenizer_config.json: added_tokens_decoder: "x" is no id: correct the file`},
		"decoder kind":  {small().with("tokenizer_config.json", `"bos_token":null`, `"added_tokens_decoder":[]`), Options{}, `added_tokens_decoder: not an object of tokens by id`},
		"templates":     {small().with("tokenizer_config.json", `"{{ messages }}"`, `["x"]`), Options{}, "dir/tokenizer_config.json: chat_template is a list, and its entries are not all objects"},
		"negative":      {small(), Options{Config: []byte(`{"bos_token_id":-1}`)}, "dir/config.json: bos_token_id is -1, which is no token's id"},
		"no way":        {folder{"vocab.json": "{}"}, Options{}, "dir/vocab.json: the file does not say how text is split"},
		"no merges.txt": {folder{"vocab.json": "{}"}, Options{Pre: "qwen2"}, "dir/merges.txt: the file is missing"},
		"empty merges":  {folder{"vocab.json": `{"a":0}`, "merges.txt": "#v\n"}, Options{Pre: "qwen2"}, "dir/merges.txt: there are no merges"},
		"added file":    {folder{"vocab.json": `{"a":0}`, "merges.txt": "", "added_tokens.json": "3"}, Options{Pre: "qwen2"}, "dir/added_tokens.json: not an object of tokens and ids"},
		"no pieces":     {folder{"tokenizer.model": ""}, Options{Form: arch.Llama}, "dir/tokenizer.model: there are no tokens: the file is damaged; download it again"},
		"cut pieces":    {folder{"tokenizer.model": "\x0a\x0e\x0a\x05<unk>"}, Options{Form: arch.Llama}, "dir/tokenizer.model: the file ends within a field"},
		"wire":          {folder{"tokenizer.model": "\x0b"}, Options{Form: arch.Llama}, "unknown wire type 3"},
		"no number":     {folder{"tokenizer.model": "\x00\x00"}, Options{Form: arch.Llama}, "a field has no number"},
		"many pieces":   {folder{"tokenizer.model": "\x0a\x00\x0a\x00"}, Options{Form: arch.Llama, Size: 1}, "dir/tokenizer.model: the vocabulary has 2 tokens, and vocab_size in config.json is 1"},
		"piece id":      {folder{"tokenizer.model": "\x0a\x00", "added_tokens.json": `{"x":7}`}, Options{Form: arch.Llama, Size: 2}, `dir/added_tokens.json: the token "x" has the id 7, and vocab_size in config.json is 2`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(context.Background(), c.files, c.o)
			require.ErrorContains(t, err, c.want)
		})
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err := Load(ctx, small(), Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// Real tokenizers, against a general JSON decoder.
func TestRealTokenizers(t *testing.T) {
	for name, pre := range map[string]string{"qwen3": "qwen2", "gpt-oss": "gpt-4o"} {
		text := realJSON(t, name)
		var want struct {
			Added []struct {
				ID      int
				Content string
			} `json:"added_tokens"`
			Model struct {
				Vocab  map[string]int
				Merges [][]string
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		v := load(t, folder{"tokenizer.json": text}, Options{Size: 201088})
		require.Equal(t, pre, v.Pre)
		for token, id := range want.Model.Vocab {
			if v.Tokens[id] != token || v.Types[id] != Normal {
				t.Fatalf("%s: token %d is %q, not %q", name, id, v.Tokens[id], token)
			}
		}
		for _, a := range want.Added {
			require.Equal(t, a.Content, v.Tokens[a.ID])
			require.NotEqual(t, Normal, v.Types[a.ID])
		}
		require.Len(t, v.Merges, len(want.Model.Merges))
		for i, m := range want.Model.Merges {
			if v.Merges[i] != strings.Join(m, " ") {
				t.Fatalf("%s: merge %d is %q, not %q", name, i, v.Merges[i], m)
			}
		}
		require.Equal(t, name == "gpt-oss", v.IgnoreMerges)
		n := len(want.Model.Vocab) + len(want.Added)
		require.Equal(t, fmt.Sprintf("[PAD%d]", n), v.Tokens[n])
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"qwen3", "gpt-oss"} {
		b.Run(name, func(b *testing.B) {
			text := realJSON(b, name)
			f := fixed{[]byte(text)}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(context.Background(), f, Options{Size: 201088}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fixed is a tokenizer.json that is read already.
type fixed struct{ b []byte }

func (f fixed) Names() []string                              { return []string{"tokenizer.json"} }
func (f fixed) Path(name string) string                      { return name }
func (f fixed) Read(context.Context, string) ([]byte, error) { return f.b, nil }
