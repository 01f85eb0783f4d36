package tokenizer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/stretchr/testify/require"
)

// folder is a model's small files.
type folder map[string]string

func (f folder) Names() []string {
	var n []string
	for name := range f {
		n = append(n, name)
	}
	return n
}

func (f folder) Path(name string) string { return "dir/" + name }

func (f folder) Read(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	text, ok := f[name]
	if !ok {
		return nil, errors.New("no such file: " + name)
	}
	return []byte(text), nil
}

// with is the folder with a file changed.
func (f folder) with(name, old, text string) folder {
	out := folder{}
	for n, t := range f {
		out[n] = t
	}
	if !strings.Contains(out[name], old) {
		panic(name + " does not have " + old)
	}
	out[name] = strings.Replace(out[name], old, text, 1)
	return out
}

const smallConfig = `{"eos_token":"<|end|>","bos_token":null,"chat_template":"{{ messages }}"}`

// small is a byte-level tokenizer of a few tokens.
func small() folder {
	return folder{"tokenizer.json": smallJSON, "tokenizer_config.json": smallConfig}
}

var smallJSON = `{"version":"1.0","added_tokens":[{"id":6,"content":"<|end|>","special":true},{"id":7,"content":"a▁b","special":false}],
"normalizer":null,"pre_tokenizer":` + preJSON(qwen2Split) + `,"post_processor":null,"decoder":{"type":"ByteLevel"},
"model":{"type":"BPE","ignore_merges":false,"vocab":{"a":0,"b":1,"\"":2,"\u0120":3,"ab":4,"Ġab":5},"merges":["a b","Ġ ab"]}}`

// preJSON is the usual pre_tokenizer of a pattern.
func preJSON(regex string) string {
	return fmt.Sprintf(`{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":%q},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}]}`, regex)
}

func load(t testing.TB, f folder, o Options) *Vocab {
	t.Helper()
	v, err := Load(context.Background(), f, o)
	require.NoError(t, err)
	return v
}

// realJSON is a released model's tokenizer.json.
func realJSON(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(sharedtest.Path(t, "tokenizers/"+name+"/tokenizer.json.gz"))
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(text)
}

// forms are all forms of tokenizer, for tests that go through them.
var forms = []arch.Tokenizer{arch.BPE, arch.SentencePieceOrBPE, arch.Llama}
