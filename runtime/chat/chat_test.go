package chat

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/llama-pajamas/pj/runtime/chat/jinja"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
	"github.com/stretchr/testify/require"
)

// The day on which the prompts of testdata were rendered.
var then = time.Date(2025, 8, 5, 12, 0, 0, 0, time.UTC)

// rendered is a conversation with its prompt.
type rendered struct {
	Name    string         `json:"name"`
	Context jsontext.Value `json:"context"`
	Text    string         `json:"rendered"`
	IDs     []int32        `json:"ids"`
}

func readRendered(t testing.TB, model string) (out []rendered) {
	t.Helper()
	b, err := os.ReadFile("testdata/chat_" + model + ".jsonl")
	require.NoError(t, err)
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var r rendered
		require.NoError(t, json.Unmarshal(s.Bytes(), &r))
		out = append(out, r)
	}
	require.NotEmpty(t, out)
	return out
}

// templates are the official ones.
var templates = map[string]string{"qwen3": "Qwen-Qwen3-0.6B", "gpt-oss": "openai-gpt-oss-120b"}

func official(t testing.TB, name string) *Template {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".jinja")
	require.NoError(t, err)
	tmpl, err := New(&tokenizer.Vocab{Templates: []tokenizer.Template{{Text: string(b)}}})
	require.NoError(t, err)
	require.False(t, tmpl.Standard)
	return tmpl
}

func render(t testing.TB, tmpl *Template, conversation []byte) string {
	t.Helper()
	r, err := Parse(conversation)
	require.NoError(t, err)
	r.Now = then
	text, err := tmpl.Render(t.Context(), r)
	require.NoError(t, err)
	return text
}

// Prompts that other implementations render: tools, thinking, and the harmony
// format with its channels.
func TestOfficial(t *testing.T) {
	for model, name := range templates {
		tmpl := official(t, name)
		for _, c := range readRendered(t, model) {
			require.Equal(t, c.Text, render(t, tmpl, c.Context), "%s: %s", model, c.Name)
		}
	}
}

// files are a tokenizer's in memory.
type files map[string][]byte

func (f files) Names() (n []string) {
	for name := range f {
		n = append(n, name)
	}
	return n
}

func (f files) Path(name string) string { return name }

func (f files) Read(_ context.Context, name string) ([]byte, error) { return f[name], nil }

// Their ids, with the released tokenizers.
func TestOfficialIDs(t *testing.T) {
	for model := range templates {
		dir := sharedtest.Path(t, "tokenizers/"+model)
		z, err := os.Open(filepath.Join(dir, "tokenizer.json.gz"))
		require.NoError(t, err)
		defer z.Close()
		u, err := gzip.NewReader(z)
		require.NoError(t, err)
		b, err := io.ReadAll(u)
		require.NoError(t, err)
		config, err := os.ReadFile(filepath.Join(dir, "tokenizer_config.json"))
		require.NoError(t, err)
		tok, err := tokenizer.Open(t.Context(), files{"tokenizer.json": b, "tokenizer_config.json": config}, tokenizer.Options{})
		require.NoError(t, err)
		for _, c := range readRendered(t, model) {
			ids := tok.Encode(nil, c.Text, tokenizer.EncodeOptions{})
			require.True(t, slices.Equal(c.IDs, ids), "%s: %s", model, c.Name)
			require.Equal(t, c.Text, tok.Decode(ids, tokenizer.DecodeOptions{}))
		}
	}
}

// What Jinja2 itself renders with the other templates and conversations that
// have more in them, see testdata/make.py.
func TestAgainstJinja2(t *testing.T) {
	b, err := os.ReadFile("testdata/jinja2.json")
	require.NoError(t, err)
	var cases []struct {
		Template string         `json:"template"`
		Context  jsontext.Value `json:"context"`
		Text     *string        `json:"text"`
	}
	require.NoError(t, json.Unmarshal(b, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		tmpl := official(t, c.Template)
		tmpl.tokens = map[string]any{"bos_token": "<s>", "eos_token": "</s>"}
		r, err := Parse(c.Context)
		require.NoError(t, err)
		r.Now = then
		got, err := tmpl.Render(t.Context(), r)
		if c.Text == nil {
			require.Error(t, err, "%s %s", c.Template, c.Context)
			continue
		}
		require.NoError(t, err, "%s %s", c.Template, c.Context)
		require.Equal(t, *c.Text, got, "%s %s", c.Template, c.Context)
	}
}

func TestChatML(t *testing.T) {
	tmpl, err := New(&tokenizer.Vocab{})
	require.NoError(t, err)
	require.True(t, tmpl.Standard)
	text, err := tmpl.Render(t.Context(), &Request{Messages: []Message{{"system", "Be brief."}, {"user", "Hi\n"}}, AddGenerationPrompt: true})
	require.NoError(t, err)
	require.Equal(t, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n", text)
}

func TestNamedTemplates(t *testing.T) {
	v := &tokenizer.Vocab{
		Tokens:    []string{"<s>", "</s>"},
		Special:   []tokenizer.Special{{Use: "bos", ID: 0}, {Use: "eos", ID: 1}, {Use: "pad", ID: 9}},
		Templates: []tokenizer.Template{{Name: "rag", Text: "{% broken"}, {Name: "tool_use", Text: "T{{ tools|length }}"}, {Name: "default", Text: "{{ bos_token }}D{{ eos_token }}{{ pad_token }}"}},
	}
	tmpl, err := New(v)
	require.NoError(t, err)
	require.Equal(t, "<s>D</s>", render(t, tmpl, []byte(`[]`)))
	require.Equal(t, "<s>D</s>", render(t, tmpl, []byte(`{"messages":[],"tools":[]}`)))
	require.Equal(t, "T1", render(t, tmpl, []byte(`{"messages":[],"tools":[{}]}`)))

	_, err = New(&tokenizer.Vocab{Templates: []tokenizer.Template{{Text: "a\n{{ b"}}})
	require.ErrorContains(t, err, "chat template: line 2")
	tmpl, err = New(&tokenizer.Vocab{Templates: []tokenizer.Template{{Text: "{{ raise_exception('no system') }}"}}})
	require.NoError(t, err)
	_, err = tmpl.Render(t.Context(), &Request{})
	var e *jinja.Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Raised)
	require.ErrorContains(t, err, "chat template: line 1: no system")
}

func TestParse(t *testing.T) {
	r, err := Parse([]byte(`[{"role":"user","content":"a"}]`))
	require.NoError(t, err)
	require.True(t, r.AddGenerationPrompt)
	for bad, want := range map[string]string{
		`{`: "no JSON", `1`: "neither", `{}`: "messages is missing", `{"messages":1}`: "no list", `[1]`: "message 1 is no object",
		`[{"role":"a"},{"content":"b"}]`: "message 2 has no role", `[{"role":1}]`: "no string",
	} {
		_, err := Parse([]byte(bad))
		require.ErrorContains(t, err, want, bad)
	}
}

// Any conversation ends in a prompt or an error.
func FuzzConversations(f *testing.F) {
	var tmpls []*Template
	for _, name := range []string{"Qwen-Qwen3-0.6B", "openai-gpt-oss-120b", "Qwen3-Coder", "Qwen-Qwen2.5-7B-Instruct"} {
		tmpls = append(tmpls, official(f, name))
	}
	for model := range templates {
		for _, c := range readRendered(f, model) {
			f.Add(string(c.Context))
		}
	}
	f.Fuzz(func(t *testing.T, conversation string) {
		r, err := Parse([]byte(conversation))
		if err != nil {
			return
		}
		for _, tmpl := range tmpls {
			if _, err := tmpl.Render(t.Context(), r); err != nil && !strings.Contains(err.Error(), "line ") {
				t.Fatal(err)
			}
		}
	})
}
