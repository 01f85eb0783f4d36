package model

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// openHub describes a folder in the hub's layout; names are its files', sorted.
func openHub(ctx context.Context, files Files, names []string, o Options) (*Model, error) {
	config, err := readAll(ctx, files, configFile)
	if err != nil {
		return nil, err
	}
	configPath := files.Path(configFile)
	a, err := arch.Detect(config, configPath, o.Architecture)
	if err != nil {
		return nil, err
	}
	shards, err := readShards(ctx, files, names, o.Name)
	if err != nil {
		return nil, err
	}
	src, err := newSources(shards)
	if err != nil {
		return nil, err
	}
	d, err := a.Describe(config, configPath, src.has)
	if err != nil {
		return nil, err
	}
	tensors, err := mapTensors(d, src, o.Name)
	if err != nil {
		return nil, err
	}
	m := &Model{
		Architecture: a.Name, Layers: d.Layers, Experts: d.Experts, ExpertsUsed: d.ExpertsUsed,
		Heads: d.Heads, HeadsKV: d.HeadsKV, Attention: d.Attention, Known: true,
		Tensors: tensors, MetaFiles: metaFiles(names), Warnings: d.Warnings,
	}
	for i, n := range shards.names {
		m.Files = append(m.Files, File{Name: n, Path: shards.paths[i], Size: shards.sizes[i]})
	}
	m.count()
	sizes := sizesOf(tensors)
	m.facts = factsOf(d, src, o.ID, sizes)
	h := hubMetadata{files: files, names: m.MetaFiles, d: d, id: o.ID, sizes: sizes}
	m.metadata = func(ctx context.Context) ([]gguf.KV, error) { return h.read(ctx, config) }
	return m, nil
}

// count sums up the tensors.
func (m *Model) count() {
	for i := range m.Tensors {
		t := &m.Tensors[i]
		m.Parameters += t.Elements()
		if lossy(t.Type) {
			m.Quantized++
		}
	}
}

// metaNames are the small files that a model's metadata can depend on.
var metaNames = []string{
	"README.md", "added_tokens.json", "chat_template.jinja", "chat_template.json", configFile,
	"generation_config.json", "merges.txt", "special_tokens_map.json", "tokenizer.json",
	"tokenizer.model", "tokenizer_config.json", "vocab.json",
}

func metaFiles(names []string) []string {
	var out []string
	for _, n := range names {
		if slices.Contains(metaNames, n) || strings.HasPrefix(n, templateDir+"/") && strings.HasSuffix(n, ".jinja") {
			out = append(out, n)
		}
	}
	return out
}

// lfsPointer is how a file starts that git-lfs has not replaced yet.
const lfsPointer = "version https://git-lfs"

// checkPointer finds a file that was cloned without its content.
func checkPointer(path string, b []byte) error {
	if len(b) < 1024 && strings.HasPrefix(string(b), lfsPointer) {
		return fmt.Errorf("%s: this is a git-lfs pointer, not the file: run git lfs pull", path)
	}
	return nil
}
