package model

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// MetadataFacts are what the metadata of a model in the hub's layout depends on
// besides its small files.
type MetadataFacts struct {
	Architecture string `json:"architecture"` // as in general.architecture
	ID           string `json:"id"`           // what general.name follows from
	// Patterns are the names of the source's tensors, "#" for each number.
	Patterns []string `json:"patterns"`
	// Weights in all, those that every token uses, those of one expert, and the
	// experts of a layer: what a size label is made of.
	Total   int64 `json:"total"`
	Shared  int64 `json:"shared"`
	Expert  int64 `json:"expert"`
	Experts int64 `json:"experts"`
}

// MetadataFacts gives the facts, nil for a GGUF file.
func (m *Model) MetadataFacts() *MetadataFacts { return m.facts }

func factsOf(d *arch.Description, src *sources, id string, sizes modelSizes) *MetadataFacts {
	return &MetadataFacts{
		Architecture: d.Arch.Name, ID: id, Patterns: slices.Sorted(maps.Keys(src.index)),
		Total: sizes.total, Shared: sizes.shared, Expert: sizes.expert, Experts: sizes.experts,
	}
}

// MetadataOf gives the keys that Model.Metadata gives, from the contents of
// Model.MetaFiles and the facts alone.
func MetadataOf(ctx context.Context, files map[string][]byte, facts *MetadataFacts) ([]gguf.KV, error) {
	config, ok := files[configFile]
	if !ok {
		return nil, fmt.Errorf("metadata: %s is missing", configFile)
	}
	a, ok := arch.ByName(facts.Architecture)
	if !ok {
		return nil, fmt.Errorf("metadata: architecture %q is not known", facts.Architecture)
	}
	d, err := a.Describe(config, configFile, func(pattern string) bool { return slices.Contains(facts.Patterns, pattern) })
	if err != nil {
		return nil, err
	}
	h := hubMetadata{
		files: contents(files), names: slices.Sorted(maps.Keys(files)), d: d, id: facts.ID,
		sizes: modelSizes{total: facts.Total, shared: facts.Shared, expert: facts.Expert, experts: facts.Experts},
	}
	return h.read(ctx, config)
}

// MetadataOfHeader gives the keys of a GGUF file from the bytes before its
// tensors' data; size is that of the whole file, name stands for it in messages.
func MetadataOfHeader(header []byte, size int64, name string) ([]gguf.KV, error) {
	f, err := gguf.Parse(bytes.NewReader(header), size, name)
	if err != nil {
		return nil, err
	}
	return carried(f.KVs), nil
}

// contents are files in memory.
type contents map[string][]byte

// Names lists the files.
func (c contents) Names() []string { return slices.Sorted(maps.Keys(c)) }

// Path is the name: there is no folder.
func (c contents) Path(name string) string { return name }

// Size is the file's size in bytes.
func (c contents) Size(name string) (int64, error) {
	b, ok := c[name]
	if !ok {
		return 0, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return int64(len(b)), nil
}

// ReadAt reads as io.ReaderAt does.
func (c contents) ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error) {
	b, ok := c[name]
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case !ok:
		return 0, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case off >= int64(len(b)):
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
