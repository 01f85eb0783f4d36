package model

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// generationFile has the settings that the model's makers recommend.
const generationFile = "generation_config.json"

// hubMetadata makes the keys of a model in the hub's layout.
type hubMetadata struct {
	files Files
	names []string // of the small files
	d     *arch.Description
	id    string
	sizes modelSizes
}

// Names, Path and Read make it the files of package tokenizer.
func (h *hubMetadata) Names() []string { return h.names }

// Path stands for a file in messages.
func (h *hubMetadata) Path(name string) string { return h.files.Path(name) }

// Read reads a small file.
func (h *hubMetadata) Read(ctx context.Context, name string) ([]byte, error) {
	return readAll(ctx, h.files, name)
}

// read makes the keys: what the model is, its architecture's, its tokenizer's.
func (h *hubMetadata) read(ctx context.Context, config []byte) ([]gguf.KV, error) {
	g, err := h.general(ctx, config)
	if err != nil {
		return nil, err
	}
	v, err := tokenizer.Load(ctx, h, tokenizer.Options{
		Form: h.d.Tokenizer, Size: int(h.d.Vocab), Config: config, Pre: h.d.Pre,
	})
	if err != nil {
		return nil, err
	}
	kvs := append(g.kvs(h.d.Arch.Name), h.d.Keys...)
	return replace(append(kvs, v.KVs()...), h.d.TokenizerKeys), nil
}

// replace sets keys that are there and appends the others.
func replace(kvs, with []gguf.KV) []gguf.KV {
	for _, kv := range with {
		i := slices.IndexFunc(kvs, func(k gguf.KV) bool { return k.Key == kv.Key })
		if i < 0 {
			kvs = append(kvs, kv)
		} else {
			kvs[i] = kv
		}
	}
	return kvs
}

// general says what the model is called: as its page says, else as its own name
// does, else its folder's.
func (h *hubMetadata) general(ctx context.Context, config []byte) (*general, error) {
	g := &general{}
	if slices.Contains(h.names, cardFile) {
		b, err := h.Read(ctx, cardFile)
		if err != nil {
			return nil, err
		}
		c, err := parseCard(b, h.Path(cardFile))
		if err != nil {
			return nil, err
		}
		if c != nil {
			g.apply(c, h.sizes.total)
		}
	}
	var own struct {
		Name jsontext.Value `json:"_name_or_path"`
	}
	var name string
	if json.Unmarshal(config, &own) == nil && len(own.Name) > 0 && json.Unmarshal(own.Name, &name) == nil {
		if name != "" && strings.Count(name, "/") <= 1 { // no path of someone's machine
			g.guess(name, h.sizes.total)
		}
	}
	folder := path.Base(strings.ReplaceAll(h.id, `\`, "/"))
	g.guess(folder, h.sizes.total)
	orElse(&g.name, folder)
	orElse(&g.size, h.sizes.label())
	var err error
	g.sampling, err = h.sampling(ctx)
	return g, err
}

// samplers are the settings of generation_config.json and their keys.
var samplers = []struct {
	key   string
	names []string
	whole bool
}{
	{"top_k", []string{"top_k"}, true},
	{"top_p", []string{"top_p"}, false},
	{"min_p", []string{"min_p"}, false},
	{"xtc_probability", []string{"xtc_probability"}, false},
	{"xtc_threshold", []string{"xtc_threshold"}, false},
	{"temp", []string{"temperature"}, false},
	{"penalty_last_n", []string{"penalty_last_n"}, true},
	{"penalty_repeat", []string{"penalty_repeat", "repetition_penalty"}, false},
	{"mirostat", []string{"mirostat"}, true},
	{"mirostat_tau", []string{"mirostat_tau"}, false},
	{"mirostat_eta", []string{"mirostat_eta"}, false},
}

// sampling are the keys of the recommended settings. A file that is not JSON is
// passed over, as some models have.
func (h *hubMetadata) sampling(ctx context.Context) ([]gguf.KV, error) {
	if !slices.Contains(h.names, generationFile) {
		return nil, nil
	}
	b, err := h.Read(ctx, generationFile)
	if err != nil {
		return nil, err
	}
	var fields map[string]jsontext.Value
	if json.Unmarshal(b, &fields) != nil {
		return nil, nil
	}
	var k kvList
	var sequence string
	if v := fields["sequence"]; len(v) > 0 && json.Unmarshal(v, &sequence) == nil {
		k.string("general.sampling.sequence", sequence)
	}
	for _, s := range samplers {
		for _, name := range s.names {
			v := fields[name]
			if len(v) == 0 {
				continue
			}
			if v.Kind() == 'n' {
				break // said to be none
			}
			value, err := samplingValue(v, s.whole)
			if err != nil {
				return nil, fmt.Errorf("%s: %s is %.40s, and it has to be %w: correct the file", h.Path(generationFile), name, v, err)
			}
			k = append(k, gguf.KV{Key: "general.sampling." + s.key, Value: value})
			break
		}
	}
	return k, nil
}

type wants string

func (w wants) Error() string { return string(w) }

func samplingValue(v jsontext.Value, whole bool) (any, error) {
	var x float64
	if v.Kind() != '0' || json.Unmarshal(v, &x) != nil || math.Abs(x) > math.MaxFloat32 {
		return nil, wants("a number")
	}
	if !whole {
		return float32(x), nil
	}
	if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
		return nil, wants("a whole number")
	}
	return int32(x), nil
}
