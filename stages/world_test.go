package stages

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/model"
)

// answer is what a rule of a fakePolicy says of a tensor.
type answer int

const (
	no answer = iota
	yes
	maybe // it waits for evidence
)

// fakeRule is a rule with its condition; nil: always.
type fakeRule struct {
	engine.Rule
	when func(t *engine.TensorAttrs) answer
}

// fakePolicy is a policy without a recipe.
type fakePolicy struct {
	mix, def      string
	preserve      bool
	evidence      *engine.Ref
	rules         []*fakeRule
	kv            func(layer *engine.TensorAttrs) []engine.KVRule
	bytes         int64
	bitsPerWeight float64
	maxKLD        float64
}

const policyAddress = "policy.p"

var policyRange = diag.Range{File: "recipe.hcl", Line: 10}

func (p *fakePolicy) Address() string                   { return policyAddress }
func (p *fakePolicy) Range() diag.Range                 { return policyRange }
func (p *fakePolicy) Mix() string                       { return p.mix }
func (p *fakePolicy) Default() string                   { return p.def }
func (p *fakePolicy) Preserve() bool                    { return p.preserve }
func (p *fakePolicy) Evidence() *engine.Ref             { return p.evidence }
func (p *fakePolicy) Canonical() json.RawMessage        { return json.RawMessage(`{"mix":"` + p.mix + `"}`) }
func (p *fakePolicy) Budget() (int64, float64, float64) { return p.bytes, p.bitsPerWeight, p.maxKLD }

func (p *fakePolicy) KV(layer *engine.TensorAttrs) ([]engine.KVRule, error) {
	if p.kv == nil {
		return nil, nil
	}
	return p.kv(layer), nil
}

func (p *fakePolicy) Rules() (out []engine.Rule) {
	for _, r := range p.rules {
		out = append(out, r.Rule)
	}
	return out
}

func (p *fakePolicy) Match(t *engine.TensorAttrs) (engine.Decision, error) {
	var candidates []*engine.Rule
	for _, r := range p.rules {
		a := yes
		if r.when != nil {
			a = r.when(t)
		}
		switch {
		case a == yes && candidates == nil:
			return engine.Decision{Rule: &r.Rule}, nil
		case a == yes:
			return engine.Decision{Pending: true, Candidates: append(candidates, &r.Rule)}, nil
		case a == maybe:
			candidates = append(candidates, &r.Rule)
		}
	}
	if candidates != nil {
		return engine.Decision{Pending: true, Candidates: append(candidates, nil)}, nil
	}
	return engine.Decision{}, nil
}

// ruled is a policy of rules, numbered as they come.
func ruled(p fakePolicy, rules ...fakeRule) *fakePolicy {
	for i := range rules {
		r := &rules[i]
		r.Index = i + 1
		r.Range = diag.Range{File: "recipe.hcl", Line: 20 + r.Index}
		r.Label = "policy.p rule " + string(rune('0'+r.Index)) + " (" + r.Range.String() + ")"
		p.rules = append(p.rules, r)
	}
	return &p
}

func typed(name string, when func(t *engine.TensorAttrs) answer) fakeRule {
	return fakeRule{engine.Rule{Type: name}, when}
}

func role(want string) func(t *engine.TensorAttrs) answer {
	return func(t *engine.TensorAttrs) answer {
		if t.Role == want {
			return yes
		}
		return no
	}
}

// toyTensor is a tensor of a toy model.
type toyTensor struct {
	name string
	typ  string
	dims []int64
}

// toy describes a model of tensors, placed as a GGUF file's would be.
func toy(tensors ...toyTensor) *modelResult {
	m := &modelResult{address: "model.m", Model: &model.Model{Architecture: "toy", Layers: 2, Experts: 4, ExpertsUsed: 2}}
	for _, t := range tensors {
		place := arch.PlaceOf(t.name)
		typ, ok := quant.Lookup(t.typ)
		if !ok {
			panic(t.typ)
		}
		n, slices := int64(1), int64(1)
		for _, d := range t.dims {
			n *= d
		}
		if place.Stacked && len(t.dims) == 3 {
			slices = t.dims[2]
		}
		one := model.Tensor{Name: t.name, Dims: t.dims, Role: place.Role, Layer: place.Layer, Projection: place.Projection, Type: typ}
		for range slices {
			one.Slices = append(one.Slices, model.Slice{Layout: model.Layout{Encoding: t.typ, Rows: n / t.dims[0] / slices, Cols: t.dims[0]}})
		}
		m.Tensors = append(m.Tensors, one)
	}
	return m
}

// resolved decides on a toy model.
func resolved(m *modelResult, p engine.Policy, e *Evidence) ([]tensorDecision, *resolver, error) {
	q := &weights{model: m, policy: p, evidence: e, effort: "normal"}
	return q.resolve(diag.Range{File: "recipe.hcl", Line: 1})
}

// world is a folder with a recipe's files, a cache, and the blocks of a program.
type world struct {
	t        testing.TB
	dir      string
	store    *cache.Memory
	blocks   []*engine.Block
	policies map[string]engine.Policy
	program  string
	// planned runs between planning and building.
	planned func()
}

func newWorld(t testing.TB) *world {
	return &world{t: t, dir: t.TempDir(), store: cache.NewMemory(), policies: map[string]engine.Policy{}, program: "pj test"}
}

func (w *world) out() string { return filepath.Join(w.dir, "out") }

// block adds a block; canonical is its body as JSON.
func (w *world) block(kind, label, name string, params any, canonical string, refs ...string) *engine.Block {
	stage, ok := Catalog().Stage(kind, label)
	require.True(w.t, ok)
	address := kind + "." + name
	if label != "" {
		address = kind + "." + label + "." + name
	}
	b := &engine.Block{
		Stage: stage, Address: address, Params: params, Refs: refs, Base: w.dir, Used: true, Canonical: json.RawMessage(canonical),
		Range: diag.Range{File: "recipe.hcl", Line: 100 + len(w.blocks)}, Attrs: map[string]diag.Range{},
	}
	w.blocks = append(w.blocks, b)
	return b
}

// quantized adds model.m of a file, and stage.quantize.q of it by a policy.
func (w *world) quantized(file string, p engine.Policy) {
	w.block("model", "", "m", &modelParams{Source: file, Requantize: true}, `{"source":"`+file+`"}`)
	w.policies[policyAddress] = p
	refs := []string{"model.m", policyAddress}
	if e := p.Evidence(); e != nil {
		refs = append(refs, e.Address)
	}
	w.block("stage", "quantize", "q", &quantizeParams{
		Model: engine.Ref{Address: "model.m"}, Policy: engine.Ref{Address: policyAddress}, Effort: "normal",
	}, `{"model":"${model.m}","policy":"${policy.p}","effort":"normal"}`, refs...)
}

// artifact adds artifact.gguf.NAME of stage.quantize.q.
func (w *world) artifact(name string, params ggufParams) {
	params.From = engine.Ref{Address: "stage.quantize.q"}
	params.Path = name + ".gguf"
	if params.Experts == "" {
		params.Experts = "stacked"
	}
	if params.Collapse == "" {
		params.Collapse = "max"
	}
	w.block("artifact", "gguf", name, &params, `{"from":"${stage.quantize.q}"}`, "stage.quantize.q")
}

// built is what a build left.
type built struct {
	*engine.Result
	t     testing.TB
	store cache.Store
}

func (w *world) lower(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
	prog := &engine.Program{Path: filepath.Join(w.dir, "recipe.hcl"), Dir: w.dir, Blocks: w.blocks, Policies: w.policies}
	return engine.Lower(ctx, Catalog(), prog, nil, known, w.out(), nil)
}

// plan lowers the blocks without a cache.
func (w *world) plan() (*engine.Plan, error) { return w.lower(w.t.Context(), nil) }

func (w *world) build() (*built, error) {
	x := &engine.Executor{Known: engine.Known{Store: w.store, Records: w.store}, Catalog: Catalog(), Jobs: 2, Program: w.program}
	res, err := x.Build(w.t.Context(), func(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
		p, err := w.lower(ctx, known)
		if w.planned != nil {
			w.planned()
		}
		return p, err
	})
	return &built{res, w.t, w.store}, err
}

func (w *world) mustBuild() *built {
	w.t.Helper()
	b, err := w.build()
	require.NoError(w.t, err)
	return b
}

// entry is what an action left.
func (b *built) entry(address string) *cache.Entry {
	b.t.Helper()
	for i, a := range b.Plan.Actions {
		if a.Address == address {
			require.NotNil(b.t, b.States[i].Entry, address)
			return b.States[i].Entry
		}
	}
	var all []string
	for _, a := range b.Plan.Actions {
		all = append(all, a.Address)
	}
	require.Failf(b.t, "no such action", "%s; there are %q", address, all)
	return nil
}

// output is a blob that an action left.
func (b *built) output(address, name string) []byte {
	b.t.Helper()
	for _, o := range b.entry(address).Outputs {
		if o.Name == name {
			raw, err := readBlob(b.t.Context(), b.store, o, 1<<30)
			require.NoError(b.t, err)
			return raw
		}
	}
	require.Failf(b.t, "no such output", "%s of %s", name, address)
	return nil
}

// meta are the measurements of an action.
func (b *built) meta(address string) (m sliceMeta) {
	b.t.Helper()
	require.NoError(b.t, json.Unmarshal(b.entry(address).Meta, &m))
	return m
}

// source is a tensor of a GGUF file that is written as a model.
type source struct {
	name   string
	dims   []int64
	typ    string // f32 where empty
	values []float32
}

// noise are weights that look like a model's.
func noise(n int, seed uint64) []float32 {
	out := make([]float32, n)
	for i := range out {
		var sum float32
		for range 4 {
			seed = seed*6364136223846793005 + 1442695040888963407
			sum += float32(int32(seed>>32)) / (1 << 31)
		}
		out[i] = sum / 16
	}
	return out
}

// writeModel writes a GGUF file of an architecture that has no table.
func (w *world) writeModel(name string, sources ...source) {
	w.t.Helper()
	kvs := []gguf.KV{
		{Key: "general.architecture", Value: "toy"}, {Key: "toy.block_count", Value: uint32(1)},
		{Key: "toy.expert_count", Value: uint32(4)}, {Key: "toy.expert_used_count", Value: uint32(2)},
	}
	var infos []gguf.TensorInfo
	for i := range sources {
		s := &sources[i]
		if s.typ == "" {
			s.typ = "f32"
		}
		t, _ := quant.Lookup(s.typ)
		infos = append(infos, gguf.TensorInfo{Name: s.name, Dims: s.dims, Type: t})
	}
	h, err := gguf.EncodeHeader(kvs, infos, 0)
	require.NoError(w.t, err)
	file := make([]byte, h.FileSize)
	copy(file, h.Bytes)
	for i := range sources {
		copy(file[h.Offsets[i]:], sources[i].encoded(w.t))
	}
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), file, 0o644))
}

func (s *source) encoded(t testing.TB) []byte {
	if s.typ == "f32" {
		var out []byte // as it is: NaN, too
		for _, v := range s.values {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
		return out
	}
	typ, _ := quant.Lookup(s.typ)
	out := make([]byte, typ.RowBytes(int64(len(s.values))))
	require.NoError(t, typ.Quantize(out, s.values, quant.Options{Cols: int(s.dims[0])}))
	return out
}

// moe is a small model with experts: 4 experts of 2 x 3 rows in one layer.
func moe() []source {
	return []source{
		{name: "token_embd.weight", dims: []int64{256, 8}, values: noise(256*8, 1)},
		{name: "blk.0.attn_norm.weight", dims: []int64{256}, values: noise(256, 2)},
		{name: "blk.0.attn_q.weight", dims: []int64{256, 4}, values: noise(256*4, 3)},
		{name: "blk.0.ffn_gate_inp.weight", dims: []int64{256, 4}, values: noise(256*4, 4)},
		{name: "blk.0.ffn_down_exps.weight", dims: []int64{256, 2, 4}, values: noise(256*2*4, 5)},
		{name: "blk.0.ffn_gate_exps.weight", dims: []int64{256, 3, 4}, values: noise(256*3*4, 6)},
		{name: "blk.0.ffn_up_exps.weight", dims: []int64{256, 3, 4}, values: noise(256*3*4, 7)},
	}
}

// pendingEvidence plans evidence that has not been made yet.
func pendingEvidence(ctx context.Context, p *engine.Planner, b *engine.Block) error {
	params, err := engine.NewParams(map[string]string{})
	if err != nil {
		return err
	}
	action := p.Action(&engine.Action{Address: b.Address, Stage: b.Stage.ID(), Params: params})
	if _, err := p.Evidence(ctx, b.Address, action); err != nil {
		return err
	}
	p.SetResult(b, &Evidence{Action: action, contentAction: -1})
	return nil
}
