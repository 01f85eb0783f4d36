package tokenizer

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The definitions as they stand in released models' tokenizer.json.
func TestRecognise(t *testing.T) {
	const (
		llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		qwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		qwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		gpt4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		tekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
		bytes  = `{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`
		digits = `{"type":"Digits","individual_digits":true}`
	)
	isolated := func(regex string) string {
		return fmt.Sprintf(`{"type":"Split","pattern":{"Regex":%q},"behavior":"Isolated","invert":false}`, regex)
	}
	plain := `{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}`
	sequence := func(steps ...string) string {
		s := `{"type":"Sequence","pretokenizers":[`
		for i, x := range steps {
			if i > 0 {
				s += ","
			}
			s += x
		}
		return s + "]}"
	}
	for _, c := range []struct {
		pre    string
		ignore bool
		want   string
	}{
		{sequence(isolated(qwen2), plain), false, "qwen2"},
		{sequence(isolated(qwen35), plain), false, "qwen35"},
		{sequence(isolated(gpt4o), plain), false, "gpt-4o"},
		{sequence(isolated(gpt4o), plain), true, "gpt-4o"},
		{sequence(isolated(llama3), plain), true, "llama-bpe"},
		{sequence(isolated(llama3), plain), false, "smaug-bpe"},
		{sequence(isolated(tekken), plain), true, "tekken"},
		{sequence(`{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}"},"behavior":"Isolated","invert":false}`, isolated("[一-龥぀-ゟ゠-ヿ]+"), isolated(deepseek3Split), plain), false, "deepseek-v3"},
		{sequence(digits, bytes), false, "smollm"},
		{bytes, false, "gpt-2"},
		{`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}`, false, "gpt-2"},
		{sequence(sequence(isolated(qwen2)), plain), false, "qwen2"},
		{fmt.Sprintf(`{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":%q},"behavior":"Removed","invert":true},%s]}`, qwen2, plain), false, "qwen2"},
	} {
		d := &document{preTokenizer: []byte(c.pre)}
		d.model.ignoreMerges = c.ignore
		got, err := recognise(d)
		require.NoError(t, err, c.want)
		require.Equal(t, c.want, got)
	}
	for pre, want := range map[string]string{
		`{"type":"Whitespace"}`: "Whitespace?",
		`{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}`: "(ByteLevel?)",
		sequence(digits, plain): "(digits;bytes false)",
		`{"type":"Split","pattern":{"String":" "},"behavior":"Isolated"}`:                  "(Split?)",
		fmt.Sprintf(`{"type":"Split","pattern":{"Regex":%q},"behavior":"Removed"}`, qwen2): "(Split?)",
		`{"type":"Digits","individual_digits":false}`:                                      "(Digits?)",
		`3`: "pre_tokenizer is not what it has to be",
		sequence(sequence(sequence(sequence(sequence(sequence(plain)))))): "sequences within sequences",
		`null`: "there is no pre_tokenizer",
	} {
		_, err := recognise(&document{preTokenizer: []byte(pre)})
		require.ErrorContains(t, err, want)
	}
	_, err := recognise(&document{})
	require.ErrorContains(t, err, "there is no pre_tokenizer")
	_, err = recognise(&document{preTokenizer: []byte(`{"type":"Punctuation"}`)})
	require.ErrorContains(t, err, "it knows those of qwen2, qwen35, gpt-4o, llama-bpe, smaug-bpe, tekken, deepseek-v3, smollm, gpt-2: convert")
}
