package tokenizer

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

func readShared(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(sharedtest.Path(t, path))
	require.NoError(t, err)
	return b
}

// vector is a line of a file of strings with their ids.
type vector struct {
	ID       int     `json:"id"`
	Text     string  `json:"text"`
	IDs      []int32 `json:"ids"`
	Ordinary []int32 `json:"ids_ordinary"`
	NFC      *string `json:"text_nfc"`
}

func vectors(t testing.TB, b []byte) (out []vector) {
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		var v vector
		require.NoError(t, json.Unmarshal(s.Bytes(), &v))
		out = append(out, v)
	}
	require.NoError(t, s.Err())
	require.NotEmpty(t, out)
	return out
}

// bothWays makes a tokenizer of a tokenizer.json, and of the GGUF keys of it.
func bothWays(t testing.TB, f folder, o Options) map[string]*Tokenizer {
	t.Helper()
	direct, err := Open(t.Context(), f, o)
	require.NoError(t, err)
	v, err := FromKVs(load(t, f, o).KVs())
	require.NoError(t, err)
	again, err := New(v)
	require.NoError(t, err)
	return map[string]*Tokenizer{"json": direct, "gguf": again}
}

// realFolder is a released model's tokenizer.
func realFolder(t testing.TB, name string) folder {
	return folder{"tokenizer.json": realJSON(t, name), "tokenizer_config.json": string(readShared(t, "tokenizers/"+name+"/tokenizer_config.json"))}
}

func TestVectors(t *testing.T) {
	for model, file := range map[string]string{"qwen3": "qwen3.jsonl", "gpt-oss": "o200k_harmony.jsonl"} {
		for way, tok := range bothWays(t, realFolder(t, model), Options{}) {
			t.Run(model+"/"+way, func(t *testing.T) {
				for _, v := range vectors(t, readShared(t, "tokenizer-vectors/"+file)) {
					check(t, tok, v)
				}
			})
		}
	}
}

// check encodes a string and decodes it again, at once and in a stream.
func check(t *testing.T, tok *Tokenizer, v vector) {
	t.Helper()
	ids := tok.Encode(nil, v.Text, EncodeOptions{})
	require.True(t, slices.Equal(v.IDs, ids), "%d: %q: %v instead of %v", v.ID, v.Text, ids, v.IDs)
	want := v.Text
	if v.NFC != nil {
		want = *v.NFC
	}
	require.Equal(t, want, tok.Decode(ids, DecodeOptions{}), "%d", v.ID)
	require.Equal(t, want, streamed(tok, ids), "%d", v.ID)
	if v.Ordinary != nil {
		require.Equal(t, v.Ordinary, tok.Encode(nil, v.Text, EncodeOptions{Plain: true}), "%d: %q", v.ID, v.Text)
	}
}

func streamed(tok *Tokenizer, ids []int32) string {
	var b strings.Builder
	s := tok.NewStream(DecodeOptions{})
	for _, id := range ids {
		b.WriteString(s.Push(id))
	}
	b.WriteString(s.Flush())
	return b.String()
}

// pairsOf reads the strings and ids of one of llama.cpp's vocabulary tests.
func pairsOf(t testing.TB, inp, out []byte) (v []vector) {
	texts := strings.Split(string(inp), "\n__ggml_vocab_test__\n")
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if texts[len(texts)-1] == "" && len(texts) > len(lines) {
		texts = texts[:len(texts)-1]
	}
	require.Len(t, lines, len(texts))
	for i, line := range lines {
		ids := []int32{}
		for _, f := range strings.Fields(line) {
			n, err := strconv.Atoi(f)
			require.NoError(t, err)
			ids = append(ids, int32(n))
		}
		v = append(v, vector{ID: i, Text: texts[i], IDs: ids})
	}
	return v
}

func openVocab(t testing.TB, path string) *Tokenizer {
	t.Helper()
	f, err := gguf.Open(t.Context(), path)
	require.NoError(t, err)
	tok, err := OpenGGUF(f)
	require.NoError(t, err)
	return tok
}

func checkPairs(t *testing.T, tok *Tokenizer, vs []vector, nfc bool) {
	t.Helper()
	for _, v := range vs {
		got := tok.Encode(nil, v.Text, EncodeOptions{})
		require.Equal(t, fmt.Sprint(v.IDs), fmt.Sprint(got), "%d: %q", v.ID, v.Text)
		want := v.Text
		if nfc {
			want = norm.NFC.String(want)
		}
		require.Equal(t, want, tok.Decode(got, DecodeOptions{}), "%d", v.ID)
	}
}

// The vocabularies of llama.cpp's own tests, and those whose ids the released
// tokenizers share.
func TestLlamaCppVectors(t *testing.T) {
	dir := "llamacpp/vocab/ggml-vocab-"
	for _, path := range globbed(t, dir+"*.gguf.out") {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "ggml-vocab-"), ".gguf.out")
		t.Run(name, func(t *testing.T) {
			vs := pairsOf(t, readShared(t, dir+name+".gguf.inp"), readShared(t, dir+name+".gguf.out"))
			if same, ok := map[string]string{"qwen2": "qwen3", "gpt-4o": "gpt-oss"}[name]; ok {
				for _, tok := range bothWays(t, realFolder(t, same), Options{}) {
					checkPairs(t, tok, vs, name == "qwen2")
				}
				return
			}
			checkPairs(t, openVocab(t, sharedtest.Path(t, dir+name+".gguf")), vs, false)
		})
	}
}

func globbed(t testing.TB, pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(sharedtest.Path(t, path.Dir(pattern)), path.Base(pattern)))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// What llama.cpp publishes for vocabularies that the large test inputs have
// without their ids.
func TestPublishedVectors(t *testing.T) {
	for vocab, out := range map[string]string{"llama-spm": "spm", "phi-3": "spm", "starcoder": "starcoder"} {
		t.Run(vocab, func(t *testing.T) {
			inp, err := os.ReadFile("testdata/llamacpp/vocab.inp")
			require.NoError(t, err)
			ids, err := os.ReadFile("testdata/llamacpp/" + out + ".out")
			require.NoError(t, err)
			checkPairs(t, openVocab(t, sharedtest.Path(t, "llamacpp/vocab/ggml-vocab-"+vocab+".gguf")), pairsOf(t, inp, ids), false)
		})
	}
}

// The small trained models: both ways agree on all that is in the large texts.
func TestModelsBothWays(t *testing.T) {
	text := string(readShared(t, "eval/code.txt")) + string(readShared(t, "eval/general.txt"))
	for _, model := range []string{"nano-qwen3moe", "nano-gptoss", "pico-qwen3moe", "pico-gptoss"} {
		f := folder{}
		for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
			f[name] = string(readShared(t, "models/"+model+"/"+name))
		}
		toks := bothWays(t, f, Options{})
		a, b := toks["json"].Encode(nil, text, EncodeOptions{}), toks["gguf"].Encode(nil, text, EncodeOptions{})
		require.True(t, slices.Equal(a, b), model)
		require.Equal(t, norm.NFC.String(text), toks["json"].Decode(a, DecodeOptions{}))
	}
}
