package stages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/mix"
)

// packParams are the parameters of the action that makes a file's header and
// manifest. Tensors, their contents and the model's keys are its inputs.
type packParams struct {
	Tensors   []packTensor `json:"tensors"`
	Alignment int64        `json:"alignment"`
	Split     int64        `json:"split,omitempty"`
	FileType  uint32       `json:"file_type"`
	Imatrix   *packImatrix `json:"imatrix,omitempty"`
	// KV is the table of the cache's types by layer, for pj run.
	KV json.RawMessage `json:"kv,omitempty"`
	// Recipe is the canonical recipe with stand-ins for the digests of what it
	// reads, which are the inputs "content"; Lock and Stages are pj.lock and
	// pj.stages.
	Recipe string `json:"recipe"`
	Lock   string `json:"lock"`
	Stages string `json:"stages"`
}

type packTensor struct {
	Name string  `json:"name"`
	Dims []int64 `json:"dims"`
	Type string  `json:"type"`
	// Slices is how many inputs it is made of.
	Slices int `json:"slices"`
}

type packImatrix struct {
	File    string `json:"file"` // a stand-in for the digest
	Dataset string `json:"dataset,omitempty"`
	Entries int    `json:"entries"`
	Chunks  int    `json:"chunks"`
}

// Keys of provenance.
const (
	KeyRecipe = "pj.recipe" // the recipe that made the file, canonical, as HCL's JSON
	KeyLock   = "pj.lock"   // what its sources were pinned to, as JSON
	KeyStages = "pj.stages" // the versions of the stages that ran, as JSON
	KeyKV     = "pj.kv"     // the KV cache's types by layer, as JSON
)

// headerOutput is what the names of the outputs begin with that hold the bytes
// before the tensors, one for each file.
const headerOutput = "header-"

// packer makes the action of one file.
type packer struct {
	g        *ggufPlan
	params   packParams
	contents []int // actions that name what the recipe reads
}

func (g *ggufPlan) pack(_ context.Context, infos []gguf.TensorInfo) (*packer, error) {
	k := &packer{g: g, params: packParams{Alignment: g.alignment(), Split: int64(g.params.Split), FileType: g.fileType(infos)}}
	if e := g.q.evidence; e != nil && e.Known && e.contentAction >= 0 {
		k.params.Imatrix = &packImatrix{Dataset: e.Dataset, Entries: e.Entries, Chunks: e.Chunks}
	}
	var err error
	if k.params.KV, err = kvTable(g.kv); err != nil {
		return nil, err
	}
	return k, k.provenance()
}

// provenance fills in the recipe with stand-ins for content.
func (k *packer) provenance() error {
	locks := map[string]map[string]string{}
	stages := map[string]int{}
	recipe, err := k.g.p.Closure(k.g.b.Address, func(address, flat string, body map[string]any) error {
		if b, ok := k.g.p.Block(address); ok {
			stages[b.Stage.ID()] = b.Stage.Version
		}
		r, err := k.g.p.Result(engine.Ref{Address: address})
		if err != nil {
			return nil // a block that reads nothing
		}
		c, ok := r.(contented)
		if !ok {
			return nil
		}
		attribute, action := c.content()
		if action < 0 {
			return nil
		}
		digest := standIn(len(k.contents))
		body[attribute] = digest
		if attribute == "files" {
			body[attribute] = []any{digest}
		}
		k.contents = append(k.contents, action)
		locks[flat] = map[string]string{"digest": digest}
		if m, ok := r.(*modelResult); ok && m.revision != "" {
			locks[flat]["source"], locks[flat]["revision"] = m.source, m.revision
		} else if ok && m.MetadataFacts() != nil {
			// The folder's name, which general.name may follow from.
			locks[flat]["id"] = m.MetadataFacts().ID
		}
		if e, ok := r.(*Evidence); ok && e == k.g.q.evidence && k.params.Imatrix != nil {
			k.params.Imatrix.File = digest
		}
		return nil
	})
	if err != nil {
		return err
	}
	lock, err := json.Marshal(locks)
	if err != nil {
		return err
	}
	versions, err := json.Marshal(stages)
	if err != nil {
		return err
	}
	k.params.Recipe, k.params.Lock, k.params.Stages = string(recipe), string(lock), string(versions)
	return nil
}

// fileType is general.file_type: the mix's number, else that of the type which
// most weights have.
func (g *ggufPlan) fileType(infos []gguf.TensorInfo) uint32 {
	if g.resolved.mix != nil {
		return g.resolved.mix.FileType
	}
	count := map[string]int64{}
	for i := range infos {
		n := int64(1)
		for _, d := range infos[i].Dims {
			n *= d
		}
		if len(infos[i].Dims) > 1 {
			count[infos[i].Type.Name] += n
		}
	}
	names := make([]string, 0, len(count))
	for name := range count {
		names = append(names, name)
	}
	sort.Slice(names, func(a, b int) bool {
		if count[names[a]] != count[names[b]] {
			return count[names[a]] > count[names[b]]
		}
		return names[a] < names[b]
	})
	for _, name := range names {
		for _, try := range []string{name, name + "_m", name + "_moe"} {
			if m, ok := mix.Lookup(try); ok {
				return m.FileType
			}
		}
	}
	return 0
}

// quantizationVersion is the one that ggml's blocks have had since 2023.
const quantizationVersion = 2

// extras are the keys that stand after the model's own.
func (p *packParams) extras(digests []string) []gguf.KV {
	kvs := []gguf.KV{
		{Key: "general.quantization_version", Value: uint32(quantizationVersion)},
		{Key: "general.file_type", Value: p.FileType},
	}
	if m := p.Imatrix; m != nil {
		kvs = append(kvs, gguf.KV{Key: "quantize.imatrix.file", Value: fillIn(m.File, digests)})
		if m.Dataset != "" {
			kvs = append(kvs, gguf.KV{Key: "quantize.imatrix.dataset", Value: m.Dataset})
		}
		kvs = append(kvs, gguf.KV{Key: "quantize.imatrix.entries_count", Value: uint32(m.Entries)},
			gguf.KV{Key: "quantize.imatrix.chunks_count", Value: uint32(m.Chunks)})
	}
	if p.Alignment != gguf.DefaultAlignment {
		kvs = append(kvs, gguf.KV{Key: gguf.KeyAlignment, Value: uint32(p.Alignment)})
	}
	if p.KV != nil {
		kvs = append(kvs, gguf.KV{Key: KeyKV, Value: string(p.KV)})
	}
	return append(kvs,
		gguf.KV{Key: KeyRecipe, Value: fillIn(p.Recipe, digests)},
		gguf.KV{Key: KeyLock, Value: fillIn(p.Lock, digests)},
		gguf.KV{Key: KeyStages, Value: p.Stages})
}

// size is that of the file, or of all shards together.
func (k *packer) size(ctx context.Context, infos []gguf.TensorInfo) (int64, error) {
	if k.params.Split == 0 {
		_, size, err := gguf.HeaderSizeOf(k.g.q.model.facts.Bytes, k.params.extras(nil), infos)
		if err != nil {
			return 0, k.cannot(err)
		}
		return size, nil
	}
	kvs, err := k.g.q.model.Metadata(ctx)
	if err != nil {
		return 0, err
	}
	shards, err := gguf.Split(append(kvs, k.params.extras(nil)...), infos, 0, k.params.Split)
	if err != nil {
		return 0, k.cannot(err)
	}
	size := int64(0)
	for _, s := range shards {
		size += s.Header.FileSize
	}
	return size, nil
}

func (k *packer) cannot(err error) error {
	return diag.Errorf(k.g.b.Range, "File cannot be written", "%v.", err)
}

// action plans the action; tensors are the inputs that hold the blocks.
func (k *packer) action(tensors []engine.Input) (int, error) {
	g := k.g
	for i := range g.tensors {
		t := &g.tensors[i]
		slices := 1
		if t.expert < 0 {
			slices = len(g.q.model.Tensors[t.tensor].Slices)
		}
		k.params.Tensors = append(k.params.Tensors, packTensor{t.name, t.dims, t.d.typ.Name, slices})
	}
	params, err := engine.NewParams(k.params)
	if err != nil {
		return 0, err
	}
	inputs := make([]engine.Input, 0, 1+len(k.contents)+len(tensors))
	inputs = append(inputs, engine.Input{Name: "metadata", Source: -1, Action: g.q.model.metadataAction, Output: metadataOutput})
	for _, c := range k.contents {
		inputs = append(inputs, engine.Input{Name: "content", Source: -1, Action: c, Output: contentOutput})
	}
	return g.p.Action(&engine.Action{
		Address: g.b.Address, Stage: g.b.Stage.ID(), Version: g.b.Stage.Version, Params: params,
		Inputs: append(inputs, tensors...), Memory: 4 * g.q.model.facts.Bytes,
	}), nil
}

func runGGUF(ctx context.Context, env *engine.Env) error {
	var params packParams
	if err := env.Params.Decode(&params); err != nil {
		return err
	}
	kvs, tensors, err := packInputs(ctx, env, &params)
	if err != nil {
		return err
	}
	infos := make([]gguf.TensorInfo, len(params.Tensors))
	for i, t := range params.Tensors {
		typ, ok := quant.Lookup(t.Type)
		if !ok {
			return fmt.Errorf("tensor %s: unknown type %q", t.Name, t.Type)
		}
		infos[i] = gguf.TensorInfo{Name: t.Name, Dims: t.Dims, Type: typ}
	}
	if params.Split == 0 {
		header, err := gguf.EncodeHeader(kvs, infos, 0)
		if err != nil {
			return err
		}
		return writeManifest(env, &params, infos, []gguf.Shard{{End: len(infos), Header: header}}, tensors)
	}
	shards, err := gguf.Split(kvs, infos, 0, params.Split)
	if err != nil {
		return err
	}
	return writeManifest(env, &params, infos, shards, tensors)
}

// packInputs reads the model's keys and the digests; tensors are the inputs
// that hold blocks.
func packInputs(ctx context.Context, env *engine.Env, params *packParams) (kvs []gguf.KV, tensors []engine.EnvInput, err error) {
	var digests []string
	for i, in := range env.Inputs {
		switch in.Name {
		case "metadata":
			b, err := env.ReadAll(ctx, i, 1<<30)
			if err != nil {
				return nil, nil, err
			}
			f, err := gguf.Parse(bytes.NewReader(b), int64(len(b)), "metadata")
			if err != nil {
				return nil, nil, err
			}
			kvs = f.KVs
		case "content":
			d, err := readDigest(ctx, env, i)
			if err != nil {
				return nil, nil, err
			}
			digests = append(digests, d)
		case "tensors":
			tensors = append(tensors, in)
		}
	}
	return append(kvs, params.extras(digests)...), tensors, nil
}

// writeManifest writes the headers and says where every blob goes.
func writeManifest(env *engine.Env, params *packParams, infos []gguf.TensorInfo, shards []gguf.Shard, tensors []engine.EnvInput) error {
	var m engine.Manifest
	next := 0
	for n, s := range shards {
		f := engine.ManifestFile{Size: s.Header.FileSize}
		if params.Split > 0 {
			f.Name = strings.TrimSuffix(gguf.SplitPath("", n, len(shards)), ".gguf")
		}
		w, err := env.Create(fmt.Sprintf("%s%d", headerOutput, n), int64(len(s.Header.Bytes)))
		if err != nil {
			return err
		}
		if _, err := w.Write(s.Header.Bytes); err != nil {
			w.Abort()
			return err
		}
		id, size, err := w.Close()
		if err != nil {
			return err
		}
		f.Pieces = append(f.Pieces, engine.Piece{ID: id, Size: size})
		for i := s.Start; i < s.End; i++ {
			at := s.Header.Offsets[i-s.Start]
			for range params.Tensors[i].Slices {
				if next >= len(tensors) {
					return fmt.Errorf("tensor %s: there are no more inputs", params.Tensors[i].Name)
				}
				f.Pieces = append(f.Pieces, engine.Piece{ID: tensors[next].ID, Offset: at, Size: tensors[next].Size})
				at += tensors[next].Size
				next++
			}
			want, err := gguf.TensorSize(infos[i])
			if err != nil {
				return err
			}
			if got := at - s.Header.Offsets[i-s.Start]; got != want {
				return fmt.Errorf("tensor %s: its blocks have %d bytes, and %s of its shape has %d", infos[i].Name, got, infos[i].Type, want)
			}
		}
		m.Files = append(m.Files, f)
	}
	if next != len(tensors) {
		return fmt.Errorf("%d tensors, and %d inputs", next, len(tensors))
	}
	raw, err := m.Encode()
	if err != nil {
		return err
	}
	return env.Write(engine.ManifestOutput, raw)
}
