package infer

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

func tokenizerOf(t testing.TB, m *Model) *tokenizer.Tokenizer {
	v, err := tokenizer.FromKVs(m.Keys)
	require.NoError(t, err)
	tok, err := tokenizer.New(v)
	require.NoError(t, err)
	return tok
}

// expected is a model's reference.json.
type expected struct {
	Perplexity map[string]struct {
		PPL float64 `json:"ppl"`
	} `json:"perplexity"`
	Sample    string      `json:"sample"`
	Functions [][2]string `json:"function_samples"`
}

func readExpected(t *testing.T, path string) (e expected) {
	b, err := os.ReadFile(path + "/reference/reference.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &e))
	return e
}

// The most likely text is the reference's.
func TestGreedy(t *testing.T) {
	referenceModels(t, func(t *testing.T, path string) {
		m := openModel(t, path, Options{Exact: true})
		want, tok := readExpected(t, path), tokenizerOf(t, m)
		c := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, "f32")})
		s := c.NewSequence()
		streamed := ""
		g, err := Generate(t.Context(), s, tok.Encode(nil, "The old man looked at the", tokenizer.EncodeOptions{}), tok, sampler(t, SampleOptions{}),
			GenerateOptions{Max: 60}, func(text string) error { streamed += text; return nil })
		require.NoError(t, err)
		require.Equal(t, want.Sample, g.Text)
		require.Equal(t, g.Text, streamed)
		require.Equal(t, EndMax, g.End)
		require.Len(t, g.Tokens, 60)
		for _, f := range want.Functions {
			require.NoError(t, s.Truncate(0))
			g, err := Generate(t.Context(), s, tok.Encode(nil, f[0], tokenizer.EncodeOptions{}), tok, sampler(t, SampleOptions{}),
				GenerateOptions{Max: 40, Stop: []string{"\n\n", "\ndef", "<|"}}, nil)
			require.NoError(t, err)
			require.Equal(t, f[1], g.Text)
		}
	})
}

// The same seed gives the same text, whatever the number of threads.
func TestSeed(t *testing.T) {
	var texts []string
	for _, threads := range []int{1, 2, 3, 1} {
		m := openModel(t, examples+"nano-qwen3moe", Options{Threads: threads})
		tok := tokenizerOf(t, m)
		g, err := Generate(t.Context(), newContext(t, m, ContextOptions{}).NewSequence(), tok.Encode(nil, "The", tokenizer.EncodeOptions{}), tok,
			sampler(t, SampleOptions{Temperature: 1, Seed: 5}), GenerateOptions{Max: 30, IgnoreEnd: true}, nil)
		require.NoError(t, err)
		texts = append(texts, g.Text)
	}
	for _, text := range texts {
		require.Equal(t, texts[0], text)
	}
}

func TestGenerateEnds(t *testing.T) {
	m := openModel(t, examples+"nano-qwen3moe", Options{})
	tok := tokenizerOf(t, m)
	prompt := tok.Encode(nil, "The old man", tokenizer.EncodeOptions{})
	c := newContext(t, m, ContextOptions{Tokens: 20})
	greedy := sampler(t, SampleOptions{})

	g, err := Generate(t.Context(), c.NewSequence(), prompt, tok, greedy, GenerateOptions{}, nil)
	require.NoError(t, err)
	require.Equal(t, EndFull, g.End)
	require.Len(t, g.Tokens, 20-len(prompt)+1)

	_, err = Generate(t.Context(), c.NewSequence(), nil, tok, greedy, GenerateOptions{}, nil)
	require.ErrorContains(t, err, "empty")
	_, err = Generate(t.Context(), c.NewSequence(), make([]int32, 21), tok, greedy, GenerateOptions{}, nil)
	require.ErrorIs(t, err, ErrFull)

	enough := errors.New("enough")
	g, err = Generate(t.Context(), c.NewSequence(), prompt, tok, greedy, GenerateOptions{}, func(string) error { return enough })
	require.ErrorIs(t, err, enough)
	require.Len(t, g.Tokens, 1)

	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	g, err = Generate(ctx, c.NewSequence(), prompt, tok, greedy, GenerateOptions{}, func(string) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, g.Tokens, 3)
	require.NotEmpty(t, g.Text)
}
