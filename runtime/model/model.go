// Package model opens a model of any kind, a folder or snapshot in the hub's
// layout or a GGUF file, as one description: its tensors as a GGUF file of it
// names, orders and shapes them, and where in the source their bytes lie.
// Opening reads headers only.
package model

import (
	"context"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// Options steer how a model is opened.
type Options struct {
	// Architecture, where not empty, is what the model has to be of: a name in
	// GGUF ("qwen3moe") or in config.json.
	Architecture string
	// Requantize allows a GGUF file whose tensors are quantized already. MXFP4
	// counts as unquantized: it is how the original was published.
	Requantize bool
	// Name stands for the model in messages; "" for its path.
	Name string
	// ID is the hub's name ("Qwen/Qwen3-30B-A3B") or the folder's, from which
	// general.name follows; "" for that of the folder that holds config.json.
	ID string
}

// Model is a described model.
type Model struct {
	Architecture string // as in general.architecture
	Layers       int
	Experts      int // in a layer; 0 where there are none
	ExpertsUsed  int // for a token
	Heads        int
	HeadsKV      int
	// Attention is the kind of each layer: full, sliding, or "" where the
	// source does not tell.
	Attention []string
	// Known says that the program has a table for the architecture. A GGUF file
	// of another one can be quantized, but not run.
	Known      bool
	Parameters int64
	// Quantized counts the tensors that are stored in a lossy type.
	Quantized int
	Tensors   []Tensor // in the order in which llama.cpp's converter writes them
	Files     []File   // weight files
	// MetaFiles are the names of the small files that Metadata depends on,
	// sorted; empty for a GGUF file, whose metadata is its own.
	MetaFiles []string
	Warnings  []string

	metadata func(ctx context.Context) ([]gguf.KV, error)
	close    func() error   // nil where there is nothing to close
	facts    *MetadataFacts // nil for a GGUF file
}

// File is a file that holds weights.
type File struct {
	Name string // within the model
	Path string // on this machine
	Size int64
}

// Tensor is a tensor as a GGUF file of the model has it.
type Tensor struct {
	Name string
	Dims []int64 // ne0 first: {cols}, {cols, rows} or {cols, rows, experts}
	// Role, Layer (-1 for none), Attention and Projection are what a recipe's
	// rules see; the words are those of package arch. Biases have role "other".
	Role       string
	Layer      int
	Attention  string // of the layer
	Projection string
	// Type is how the source stores the weights.
	Type *quant.Type
	// Slices are where the bytes come from: one for each expert of a stacked
	// tensor of three dimensions, else one.
	Slices []Slice
}

// Elements is the number of weights.
func (t *Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Slice is a matrix or vector of a tensor.
type Slice struct {
	Name   string // the source's, with the expert's number where that holds several
	Parts  []Part
	Layout Layout
}

// Part is a range of a weight file.
type Part struct {
	File         int // index into Model.Files
	Offset, Size int64
	Name         string // the source's name for it
}

// Metadata are all keys of a GGUF file of the model, as llama.cpp's converter
// writes them and in its order, without those that depend on the tensors' final
// types: general.file_type, general.quantization_version; nor those of the
// container, split.* and general.alignment. It reads the tokenizer's files.
func (m *Model) Metadata(ctx context.Context) ([]gguf.KV, error) { return m.metadata(ctx) }

// Tensor finds a tensor by its name.
func (m *Model) Tensor(name string) (*Tensor, bool) {
	for i := range m.Tensors {
		if m.Tensors[i].Name == name {
			return &m.Tensors[i], true
		}
	}
	return nil, false
}
