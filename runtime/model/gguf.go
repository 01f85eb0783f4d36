package model

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// maxExperts bounds the slices of a tensor.
const maxExperts = 1 << 16

// openGGUF describes a GGUF file, or all shards of a split one.
func openGGUF(ctx context.Context, path string, o Options) (*Model, error) {
	f, err := gguf.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return fromGGUF(f, o)
}

// FromGGUF describes a parsed file, as Open does.
func FromGGUF(f *gguf.File, o Options) (*Model, error) {
	if o.Name == "" {
		o.Name = f.Paths[0]
	}
	return fromGGUF(f, o)
}

// fromGGUF describes a parsed file.
func fromGGUF(f *gguf.File, o Options) (*Model, error) {
	m := &Model{metadata: func(context.Context) ([]gguf.KV, error) { return carried(f.KVs), nil }}
	if err := m.settings(f, o); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	for i, p := range f.Paths {
		m.Files = append(m.Files, File{Name: filepath.Base(p), Path: p, Size: f.Sizes[i]})
	}
	m.Tensors = make([]Tensor, 0, len(f.Tensors))
	for i := range f.Tensors {
		t, err := m.stored(&f.Tensors[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Paths[f.Tensors[i].File], err)
		}
		m.Tensors = append(m.Tensors, t)
	}
	if err := checkEnds(f); err != nil {
		return nil, err
	}
	m.count()
	if m.Quantized > 0 && !o.Requantize {
		return nil, fmt.Errorf("%s: %w", o.Name, m.requantized())
	}
	if err := arch.CheckStored(f, m.Architecture, m.Layers); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return m, nil
}

// checkEnds refuses a file that goes on behind its last tensor by more than
// padding: a header that has fewer tensors than the file puts them all in the
// wrong place.
func checkEnds(f *gguf.File) error {
	ends := make([]int64, len(f.Sizes))
	for i := range f.Tensors {
		t := &f.Tensors[i]
		ends[t.File] = max(ends[t.File], t.Offset+t.Size)
	}
	for i, end := range ends {
		if rest := f.Sizes[i] - end; end > 0 && rest >= f.Alignment {
			return fmt.Errorf("%s: %d bytes follow the last tensor, which is more than padding: the file is not what its header describes; copy or download it again", f.Paths[i], rest)
		}
	}
	return nil
}

// settings reads the keys.
func (m *Model) settings(f *gguf.File, o Options) error {
	if kind, ok := f.String("general.type"); ok && kind != "model" {
		return fmt.Errorf("the key general.type says %q: this file is no model", kind)
	}
	name, ok := f.String("general.architecture")
	if !ok || name == "" {
		return fmt.Errorf("the key general.architecture is missing: this file is no model, or damaged")
	}
	if err := checkWanted(name, o.Architecture); err != nil {
		return err
	}
	m.Architecture = name
	if a, ok := arch.ByName(name); ok && a.Name == name {
		m.Known = true
	}
	if len(f.Tensors) == 0 {
		return fmt.Errorf("the file has no tensors: it is a vocabulary, not a model")
	}
	var err error
	if m.Layers, err = layersOf(f, name); err != nil {
		return err
	}
	m.Experts = largest(f, name+".expert_count")
	m.ExpertsUsed = largest(f, name+".expert_used_count")
	m.Heads = largest(f, name+".attention.head_count")
	m.HeadsKV = largest(f, name+".attention.head_count_kv")
	m.Attention = arch.AttentionOf(f, name, m.Layers)
	return nil
}

// checkWanted compares the file's architecture with the one that was asked for.
func checkWanted(name, want string) error {
	if want == "" || want == name {
		return nil
	}
	if a, ok := arch.ByName(want); ok && a.Name == name {
		return nil
	}
	return fmt.Errorf("the model is of architecture %q, not %q: correct or drop the architecture", name, want)
}

// layersOf is the number of layers: as the key says, or as the tensors' names
// do. Every layer has a tensor, which bounds what a damaged key can claim.
func layersOf(f *gguf.File, name string) (int, error) {
	if n, ok := f.Uint(name + ".block_count"); ok {
		if n > uint64(len(f.Tensors)) {
			return 0, fmt.Errorf("the key %s.block_count says %d layers, and the file has %d tensors: the file is damaged", name, n, len(f.Tensors))
		}
		return int(n), nil
	}
	n := 0
	for i := range f.Tensors {
		if layer := arch.PlaceOf(f.Tensors[i].Name).Layer; layer < len(f.Tensors) {
			n = max(n, layer+1)
		}
	}
	return n, nil
}

// largest is a setting that some files have for each layer: the largest of
// them, 0 where there is none.
func largest(f *gguf.File, key string) int {
	const most = 1 << 20 // beyond, the file is damaged
	if n, ok := f.Uint(key); ok && n < most {
		return int(n)
	}
	n := int64(0)
	values, _ := f.Ints(key)
	for _, v := range values {
		if v < most {
			n = max(n, v)
		}
	}
	return int(n)
}

// stored describes a tensor of the file.
func (m *Model) stored(s *gguf.Tensor) (Tensor, error) {
	p := arch.PlaceOf(s.Name)
	t := Tensor{Name: s.Name, Dims: slices.Clone(s.Dims), Role: p.Role, Layer: p.Layer, Projection: p.Projection, Type: s.Type}
	if len(t.Dims) == 0 {
		t.Dims = []int64{1}
	}
	if p.Layer >= 0 && p.Layer < m.Layers {
		t.Attention = m.Attention[p.Layer]
	}
	n := t.Elements()
	if n == 0 {
		return t, fmt.Errorf("tensor %q has the shape %v and no weights: the file is damaged", s.Name, s.Dims)
	}
	experts := int64(1)
	if p.Stacked && len(t.Dims) == 3 {
		experts = t.Dims[2]
	}
	if experts > maxExperts {
		return t, fmt.Errorf("tensor %q has %d experts, and %d is the most that this program reads: the file is damaged", s.Name, experts, maxExperts)
	}
	l := Layout{Encoding: s.Type.Name, Rows: n / t.Dims[0] / experts, Cols: t.Dims[0]}
	sizes, err := l.PartSizes()
	if err != nil {
		return t, fmt.Errorf("tensor %q: %w", s.Name, err)
	}
	t.Slices = make([]Slice, experts)
	parts := make([]Part, experts)
	for e := range experts {
		name := s.Name
		if experts > 1 {
			name += "[" + strconv.FormatInt(e, 10) + "]"
		}
		parts[e] = Part{File: s.File, Offset: s.Offset + e*sizes[0], Size: sizes[0], Name: s.Name}
		t.Slices[e] = Slice{Name: name, Parts: parts[e : e+1 : e+1], Layout: l}
	}
	return t, nil
}

// lossy says that a type loses what the weights were. MXFP4 is how some models
// are published, so it does not count.
func lossy(t *quant.Type) bool {
	return t.Block > 1 && t.Name != "mxfp4"
}

// requantized is the error for a file whose tensors are quantized.
func (m *Model) requantized() error {
	i := slices.IndexFunc(m.Tensors, func(t Tensor) bool { return lossy(t.Type) })
	return fmt.Errorf("%s quantized already (%q is %s), and quantizing them again loses more than doing it once: take the model's unquantized release, or say requantize = true",
		count(m.Quantized, "tensor is", "tensors are"), m.Tensors[i].Name, m.Tensors[i].Type.Name)
}

// carried are the keys that a new file takes over: all but those that describe
// the old one's types, shards and making.
func carried(kvs []gguf.KV) []gguf.KV {
	out := make([]gguf.KV, 0, len(kvs))
	for _, kv := range kvs {
		switch {
		case kv.Key == "general.file_type", kv.Key == "general.quantization_version", kv.Key == gguf.KeyAlignment:
		case strings.HasPrefix(kv.Key, "split."), strings.HasPrefix(kv.Key, "pj."), strings.HasPrefix(kv.Key, "quantize.imatrix."):
		default:
			out = append(out, kv)
		}
	}
	return out
}
