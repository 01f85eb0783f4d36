package model

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/stretchr/testify/require"
)

// A snapshot of a hub's repository is opened as a folder is.
var _ Files = (*hub.Snapshot)(nil)

// generalOf are the general keys of a folder, as lines.
func generalOf(t *testing.T, f Files, o Options) []string {
	t.Helper()
	m, err := OpenFiles(context.Background(), f, o)
	require.NoError(t, err)
	kvs, err := m.Metadata(context.Background())
	require.NoError(t, err)
	var out []string
	for _, kv := range kvs {
		if key, ok := strings.CutPrefix(kv.Key, "general."); ok {
			out = append(out, fmt.Sprintf("%s=%v", key, kv.Value))
		}
	}
	return out
}

func TestGeneral(t *testing.T) {
	bare := func() *memory { return without(tinyQwen3().folder(t), "README.md", "generation_config.json") }
	for name, c := range map[string]struct {
		id, readme, generation, config string
		want                           []string
	}{
		"name only":  {"Some-Model-30K", "", "", "", []string{"name=Some Model 30K", "basename=Some-Model", "size_label=30K"}},
		"hub's name": {"Org/Some-Model-30K-Instruct-v2", "", "", "", []string{"name=Some Model 30K Instruct v2", "version=v2", "finetune=Instruct", "basename=Some-Model", "size_label=30K"}},
		"no size":    {"thing", "", "", "", []string{"name=Thing", "size_label=34K"}},
		"own name": {"folder", "", "", `"_name_or_path":"acme/Base-30K-v1",`,
			[]string{"name=Base 30K v1", "version=v1", "organization=Acme", "basename=Base", "size_label=30K"}},
		"a path":   {"folder", "", "", `"_name_or_path":"/home/x/y",`, []string{"name=Folder", "size_label=34K"}},
		"not text": {"folder", "", "", `"_name_or_path":7,`, []string{"name=Folder", "size_label=34K"}},
		"page": {"folder", "---\nlicense: mit\nlicense_name: MIT\nlicense_link: https://x\nmodel_name: My Model\nmodel_creator: Me\nversion: 1.0\nbase_model: a/B-7B\ntags: [x, 'no', 3]\npipeline_tag: text\nlanguage:\n- en\n- no\n---\ntext", "", "",
			[]string{"name=My Model", "author=Me", "version=1.0", "size_label=34K", "license=mit", "license.name=MIT", "license.link=https://x", "base_model.count=1", "base_model.0.name=B 7B", "base_model.0.organization=A", "base_model.0.repo_url=https://huggingface.co/a/B-7B", "tags=[x no 3 text]", "languages=[en no]"}},
		"page's lists": {"folder", "---\r\nlicense:\r\n- mit\r\n- other\r\ndatasets:\r\n- org/data\r\n- https://huggingface.co/o/d-v2\r\n- https://example.com/z\r\n- {name: N, version: 3}\r\n---\r\n", "", "",
			[]string{"name=Folder", "size_label=34K", "license=mit,other", "dataset.count=4", "dataset.0.name=Data", "dataset.0.organization=Org", "dataset.0.repo_url=https://huggingface.co/org/data",
				"dataset.1.name=D v2", "dataset.1.version=v2", "dataset.1.organization=O", "dataset.1.repo_url=https://huggingface.co/o/d-v2", "dataset.2.repo_url=https://example.com/z", "dataset.3.name=N", "dataset.3.version=3"}},
		"no front matter": {"folder", "# Title\n---\nlicense: mit\n---\n", "", "", []string{"name=Folder", "size_label=34K"}},
		"empty page":      {"folder", "---\n---\n", "", "", []string{"name=Folder", "size_label=34K"}},
		"tabs":            {"folder", "---\ntags:\n\t- x\n---\n", "", "", []string{"name=Folder", "size_label=34K", "tags=[x]"}},
		"null":            {"folder", "---\nlicense:\nbase_model:\n---\n", "", "", []string{"name=Folder", "size_label=34K", "base_model.count=0"}},
		"sampling": {"folder", "", `{"temperature":0.6,"top_k":20.0,"top_p":0.95,"repetition_penalty":1.1,"min_p":null,"sequence":"kt","mirostat":2,"do_sample":true}`, "",
			[]string{"sampling.sequence=kt", "sampling.top_k=20", "sampling.top_p=0.95", "sampling.temp=0.6", "sampling.penalty_repeat=1.1", "sampling.mirostat=2", "name=Folder", "size_label=34K"}},
		"own penalty": {"folder", "", `{"penalty_repeat":1.5,"repetition_penalty":1.1}`, "", []string{"sampling.penalty_repeat=1.5", "name=Folder", "size_label=34K"}},
		"not JSON":    {"folder", "", `{`, "", []string{"name=Folder", "size_label=34K"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := bare()
			if c.readme != "" {
				f.files["README.md"] = []byte(c.readme)
			}
			if c.generation != "" {
				f.files["generation_config.json"] = []byte(c.generation)
			}
			replaced(f, "config.json", `{"architectures"`, "{"+c.config+`"architectures"`)
			require.Equal(t, append([]string{"architecture=qwen3", "type=model"}, c.want...), generalOf(t, f, Options{ID: c.id}))
		})
	}
}

func TestMetadataErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"page":       {"README.md", "---\na: [\n---\n", "dir/README.md: the YAML between the lines --- cannot be read ("},
		"page lfs":   {"README.md", lfsText, "dir/README.md: this is a git-lfs pointer"},
		"top_k":      {"generation_config.json", `{"top_k":"many"}`, `dir/generation_config.json: top_k is "many", and it has to be a number: correct the file`},
		"top_k part": {"generation_config.json", `{"top_k":2.5}`, "top_k is 2.5, and it has to be a whole number"},
		"huge":       {"generation_config.json", `{"temperature":1e300}`, "temperature is 1e300, and it has to be a number"},
		"tokenizer":  {"tokenizer.json", lfsText, "dir/tokenizer.json: this is a git-lfs pointer, not the file: run git lfs pull"},
		"vocabulary": {"tokenizer.json", strings.Replace(tokenizerJSON(qwen2Regex, ""), `"id":259`, `"id":272`, 1), "dir/tokenizer.json: the vocabulary goes up to the id 272, and vocab_size in config.json is 272: the two are of different models; download both again"},
	} {
		t.Run(name, func(t *testing.T) {
			f := tinyQwen3().folder(t)
			f.files[c.file] = []byte(c.text)
			m := open(t, f)
			_, err := m.Metadata(context.Background())
			require.ErrorContains(t, err, c.want)
		})
	}
	f := without(tinyQwen3().folder(t), "tokenizer.json")
	_, err := open(t, f).Metadata(context.Background())
	require.ErrorContains(t, err, "dir/tokenizer.json: there is no tokenizer")
}

// The small files that metadata depends on are listed, whatever else is there.
func TestMetaFiles(t *testing.T) {
	f := tinyTemplates().folder(t)
	for _, n := range []string{"LICENSE", "vocab.json", "additional_chat_templates/x.txt", "tokenizer.model.v3", "pytorch_model.bin"} {
		f.files[n] = []byte("x")
	}
	require.Equal(t, []string{
		"additional_chat_templates/rag-2.jinja", "additional_chat_templates/tool.s.jinja", "chat_template.jinja", "config.json",
		"tokenizer.json", "tokenizer_config.json", "vocab.json",
	}, open(t, f).MetaFiles)
}

// The keys follow from the listed files and the facts alone.
func TestMetadataOf(t *testing.T) {
	ctx := context.Background()
	for name, tm := range tinies() {
		f := tm.folder(t)
		m := open(t, f)
		want, err := m.Metadata(ctx)
		require.NoError(t, err)
		files := map[string][]byte{}
		for _, n := range m.MetaFiles {
			files[n] = f.files[n]
		}
		got, err := MetadataOf(ctx, files, m.MetadataFacts())
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	_, err := MetadataOf(ctx, nil, &MetadataFacts{})
	require.ErrorContains(t, err, "config.json is missing")
	_, err = MetadataOf(ctx, map[string][]byte{"config.json": nil}, &MetadataFacts{Architecture: "x"})
	require.ErrorContains(t, err, `architecture "x" is not known`)
}

func TestMetadataOfHeader(t *testing.T) {
	h, err := gguf.EncodeHeader(gptossKVs(), gptossInfos(t, "bf16"), 0)
	require.NoError(t, err)
	kvs, err := MetadataOfHeader(h.Bytes, h.FileSize, "x")
	require.NoError(t, err)
	require.Equal(t, carried(gptossKVs()), kvs)
	require.False(t, slices.ContainsFunc(kvs, func(k gguf.KV) bool { return k.Key == "pj.recipe" }))
}

// An absurd config.json asks for no memory before it is compared with the
// weights.
func TestAbsurdSizes(t *testing.T) {
	f := tinyMoE(false).folder(t)
	for _, r := range [][2]string{{`"num_experts":12`, `"num_experts":65536`}, {`"num_hidden_layers":2`, `"num_hidden_layers":10000`}} {
		replaced(f, "config.json", r[0], r[1])
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := opening(f, Options{})
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "is missing")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}
