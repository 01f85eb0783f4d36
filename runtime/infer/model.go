// Package infer runs models: it computes logits of tokens, keeps the keys and
// values of sequences, and samples. An architecture is one file, whose graph
// speaks to a backend in operations.
package infer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/infer/cpu"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
	"github.com/llama-pajamas/pj/runtime/model"
)

// Options steer how a model is opened.
type Options struct {
	// Backend runs it; nil: the processor. The model closes it.
	Backend ops.Backend
	// Threads of the processor; 0: one for each.
	Threads int
	// Exact computes in float32 throughout; see cpu.Options.
	Exact bool
	// LlamaRope rounds YaRN's ramp for every architecture, as llama.cpp does.
	LlamaRope bool
	// Experts brings experts to memory; nil: mapped.
	Experts weights.Provider
}

// Model is a model that is ready to run. It may have several contexts; one pass
// runs at a time.
type Model struct {
	Config
	// Keys are the model's metadata, as a GGUF file of it has them.
	Keys []gguf.KV
	// Cache are the rules for keys and values that the file brings along; nil:
	// none.
	Cache kv.Table
	// Bytes is the size of all weights.
	Bytes int64

	path   string
	desc   *model.Model
	b      ops.Backend
	store  *weights.Store
	graph  graph
	mapped [][]*weights.Matrix // of each layer, and those outside
	embed  ops.Matrix
	norm   ops.Vector
	output ops.Matrix
	turn   chan struct{} // held by the pass that runs
}

// Open opens a GGUF file, of a split one any shard, or a folder in the hub's
// layout. It maps the files, and reads headers, the tokenizer and the vectors;
// matrices are read as they are used.
func Open(ctx context.Context, path string, o Options) (*Model, error) {
	m, f, err := describe(ctx, path)
	if err != nil {
		return nil, err
	}
	return open(ctx, path, m, f, o)
}

// describe opens the model and its keys.
func describe(ctx context.Context, path string) (*model.Model, *gguf.File, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		f, err := gguf.Open(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		m, err := model.FromGGUF(f, model.Options{Requantize: true, Name: path})
		return m, f, err
	}
	m, err := model.Open(ctx, path, model.Options{Requantize: true})
	if err != nil {
		return nil, nil, err
	}
	kvs, err := m.Metadata(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, m.Close())
	}
	return m, &gguf.File{KVs: kvs}, nil
}

func open(ctx context.Context, path string, desc *model.Model, f *gguf.File, o Options) (_ *Model, err error) {
	m := &Model{path: path, desc: desc, b: o.Backend, Keys: f.KVs, turn: make(chan struct{}, 1)}
	if m.b == nil {
		m.b = cpu.New(cpu.Options{Threads: o.Threads, Exact: o.Exact, Experts: o.Experts})
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), m.Close())
		}
	}()
	var a *architecture
	for _, known := range architectures {
		if known.name == desc.Architecture {
			a = known
		}
	}
	if a == nil {
		return nil, fmt.Errorf("architecture %q cannot be run; those that can are %v", desc.Architecture, Architectures())
	}
	if m.store, err = weights.Open(desc); err != nil {
		return nil, err
	}
	config, err := readConfig(f, desc, m.store)
	if err != nil {
		return nil, err
	}
	if err := m.load(ctx, a, config, f, o); err != nil {
		return nil, err
	}
	for _, layer := range m.mapped {
		for _, x := range layer {
			m.Bytes += x.Size()
		}
	}
	if text, ok := f.String("pj.kv"); ok {
		m.Cache, err = kv.ParseTable(text, m.Layers)
	}
	return m, err
}

func (m *Model) load(ctx context.Context, a *architecture, config *Config, f *gguf.File, o Options) error {
	l := &loader{
		Config: config, ctx: ctx, f: f, store: m.store, b: m.b, compat: o.LlamaRope,
		used: map[string]bool{}, mapped: make([][]*weights.Matrix, config.Layers+1),
	}
	m.embed = l.matrix("token_embd.weight", l.Vocab, l.Hidden)
	m.norm = l.vector("output_norm.weight", l.Hidden)
	m.output = m.embed
	if l.has("output.weight") {
		m.output = l.matrix("output.weight", l.Vocab, l.Hidden)
	}
	if l.err == nil {
		m.graph = a.load(l)
	}
	m.Config, m.mapped = *config, l.mapped
	return l.finish(m.desc)
}

// Description is the model as its files' headers describe it.
func (m *Model) Description() *model.Model { return m.desc }

// Path is where the model was opened.
func (m *Model) Path() string { return m.path }

// Close ends the backend and unmaps the files. Contexts are not to be used any
// more.
func (m *Model) Close() error {
	errs := []error{m.b.Close(), m.desc.Close()}
	if m.store != nil {
		errs = append(errs, m.store.Close())
	}
	return errors.Join(errs...)
}

// Threads is how many threads compute; 0 where the backend has none.
func (m *Model) Threads() int {
	if t, ok := m.b.(interface{ Threads() int }); ok {
		return t.Threads()
	}
	return 0
}
