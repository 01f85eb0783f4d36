package stages

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/model"
)

type ggufParams struct {
	From      engine.Ref   `hcl:"from" ref:"weights" doc:"the stage that makes the weights"`
	Path      string       `hcl:"path" path:"output" doc:"the file to write, below the output folder; its name ends in .gguf"`
	Experts   string       `hcl:"experts" default:"stacked" enum:"stacked,tiered" doc:"stacked: one tensor and type for a layer's experts, as llama.cpp wants it; tiered: each expert its own, which only pj run executes"`
	Collapse  string       `hcl:"collapse" default:"max" enum:"max,min,mean,weighted" doc:"which type stacked experts share where the policy gives them several: of the most bits, of the fewest, or nearest to their mean, weighted by share or not"`
	Alignment int64        `hcl:"alignment" default:"0" doc:"of the tensors' data, a power of two; 0: 32, and 4096 where experts are tiered"`
	Split     engine.Bytes `hcl:"split" default:"0" doc:"write several files of at most so many bytes of tensors each, as llama.cpp does; 0: one file"`
}

var _ = register(&engine.Stage{
	Block: "artifact", Name: "gguf", Version: 1, Yields: "file", Params: &ggufParams{},
	Doc: "A GGUF file, as llama.cpp's converter and quantizer would write it.",
	Check: func(b *engine.Block) error {
		g := b.Params.(*ggufParams)
		switch a := g.Alignment; {
		case !strings.HasSuffix(strings.ToLower(g.Path), ".gguf"):
			return diag.Errorf(b.Attrs["path"], "Not a GGUF file's name", "The path %q must end in .gguf, by which programs know the file.", g.Path)
		case a != 0 && (a < 8 || a > 1<<20 || a&(a-1) != 0):
			return diag.Errorf(b.Attrs["alignment"], "Alignment out of range", "The alignment is a power of two from 8 to 1048576, or 0, not %d.", a)
		case g.Split < 0 || g.Split > 0 && g.Split < 1<<12:
			return diag.Errorf(b.Attrs["split"], "Shards too small", "split is at least 4096 bytes, or 0 for one file.")
		}
		return nil
	},
	Lower: lowerGGUF,
	Run:   runGGUF,
})

func lowerGGUF(ctx context.Context, p *engine.Planner, b *engine.Block) error {
	params := b.Params.(*ggufParams)
	from, err := p.Result(params.From)
	if err != nil {
		return err
	}
	g := &ggufPlan{p: p, b: b, params: params, q: from.(*weights)}
	if err := g.decide(); err != nil {
		return err
	}
	if err := g.plan(ctx); err != nil {
		return err
	}
	return nil
}

// ggufPlan is one artifact while it is planned.
type ggufPlan struct {
	p      *engine.Planner
	b      *engine.Block
	params *ggufParams
	q      *weights

	resolved  *resolver
	decisions []tensorDecision
	tensors   []ggufTensor
	pending   bool
	notes     []string
	kv        [][]kvRow // by layer; nil: no rules
}

// ggufTensor is one tensor of the file.
type ggufTensor struct {
	name   string
	dims   []int64
	tensor int // of the model
	expert int // -1: all slices
	d      *decision
}

// slices counts the matrices that the tensor is made of.
func (t *ggufTensor) slices(m *modelResult) int {
	if t.expert >= 0 {
		return 1
	}
	return len(m.Tensors[t.tensor].Slices)
}

// decide finds the type of each tensor of the file.
func (g *ggufPlan) decide() error {
	decisions, r, err := g.q.resolve(g.b.Range)
	if err != nil {
		return err
	}
	g.decisions, g.resolved = decisions, r
	g.pending = g.q.evidence != nil && !g.q.evidence.Known
	r.unmatched(g.p)
	collapsed := 0
	for i := range decisions {
		t, d := &g.q.model.Tensors[i], &decisions[i]
		g.pending = g.pending || d.pending()
		if g.params.Experts == "tiered" && tierable(t) {
			g.addExperts(i)
			continue
		}
		one := d.one
		if d.experts != nil {
			if one, err = g.collapse(i, d.experts); err != nil {
				return err
			}
			if types, _ := typesOf(d.experts); len(types) > 1 {
				collapsed++
			}
		}
		g.tensors = append(g.tensors, ggufTensor{name: t.Name, dims: t.Dims, tensor: i, expert: -1, d: one})
	}
	if collapsed > 0 {
		stacks := "a stack"
		if collapsed > 1 {
			stacks = fmt.Sprintf("%d stacks", collapsed)
		}
		g.notes = append(g.notes, fmt.Sprintf("%s of experts: the policy gives experts of one layer several types, and a stack gets one (collapse = %q)", stacks, g.params.Collapse))
	}
	if slices.ContainsFunc(g.tensors, func(t ggufTensor) bool { return t.expert >= 0 }) {
		g.notes = append(g.notes, "stock llama.cpp does not load this file: each expert is a tensor of its own (experts = \"tiered\"); pj run executes it")
	}
	if g.alignment() != gguf.DefaultAlignment && g.params.Experts != "tiered" {
		g.notes = append(g.notes, fmt.Sprintf("tensors are aligned to %d bytes", g.alignment()))
	}
	if g.kv, err = g.kvRows(); err != nil {
		return err
	}
	g.notes = append(g.notes, kvNotes(g.kv)...)
	return nil
}

// expertInfix is in the names of tensors that hold a single expert's matrix.
const expertInfix = ".expert."

// addExperts gives each expert of a layer's stacks a tensor of its own, gate, up
// and down of one expert side by side so that it is one read.
func (g *ggufPlan) addExperts(i int) {
	stacks := g.stacks(g.q.model.Tensors[i].Layer)
	if i != slices.Min(slices.Collect(maps.Values(stacks))) {
		return // came with the layer's first stack
	}
	for e := range g.q.model.Tensors[i].Slices {
		for _, projection := range []string{"gate", "up", "down"} {
			j, ok := stacks[projection]
			if !ok {
				continue
			}
			o, d := &g.q.model.Tensors[j], g.decisions[j].one
			if g.decisions[j].experts != nil {
				d = g.decisions[j].experts[e]
			}
			name := fmt.Sprintf("blk.%d%s%d.%s.weight", o.Layer, expertInfix, e, projection)
			g.tensors = append(g.tensors, ggufTensor{name: name, dims: o.Dims[:2], tensor: j, expert: e, d: d})
		}
	}
}

// tierable reports whether a tensor is a stack whose experts can be tensors of
// their own.
func tierable(t *model.Tensor) bool {
	return len(t.Slices) > 1 && t.Layer >= 0 && t.Name == fmt.Sprintf("blk.%d.ffn_%s_exps.weight", t.Layer, t.Projection)
}

// stacks are a layer's stacks of experts by their projection.
func (g *ggufPlan) stacks(layer int) map[string]int {
	out := map[string]int{}
	for i := range g.q.model.Tensors {
		if t := &g.q.model.Tensors[i]; t.Layer == layer && tierable(t) {
			out[t.Projection] = i
		}
	}
	return out
}

func (g *ggufPlan) alignment() int64 {
	switch {
	case g.params.Alignment != 0:
		return g.params.Alignment
	case g.params.Experts == "tiered":
		return 4096
	}
	return gguf.DefaultAlignment
}

// plan adds the actions of all tensors, then the one that puts them together.
func (g *ggufPlan) plan(ctx context.Context) error {
	n := 0
	for i := range g.tensors {
		n += g.tensors[i].slices(g.q.model)
	}
	inputs := make([]engine.Input, 0, n)
	var infos []gguf.TensorInfo
	var low, high []gguf.TensorInfo // bounds while evidence is missing
	for i := range g.tensors {
		t := &g.tensors[i]
		plan, made, err := g.tensor(t)
		if err != nil {
			return err
		}
		inputs = append(inputs, made...)
		g.p.Tensor(*plan)
		lo, hi := t.d.typ, t.d.typ
		if lo == nil {
			lo, hi = t.d.candidates[0], t.d.candidates[len(t.d.candidates)-1]
		}
		low = append(low, gguf.TensorInfo{Name: t.name, Dims: t.dims, Type: lo})
		high = append(high, gguf.TensorInfo{Name: t.name, Dims: t.dims, Type: hi})
		infos = low
	}
	artifact := engine.ArtifactPlan{
		Address: g.b.Address, Path: path.Clean(g.params.Path), Format: "gguf", Model: g.q.model.address, Action: -1, Notes: g.notes,
	}
	for i := range g.tensors {
		t := &g.tensors[i]
		n := int64(1)
		for _, d := range t.dims {
			n *= d
		}
		artifact.Elements += n
	}
	pack, err := g.pack(ctx, infos)
	if err != nil {
		return err
	}
	if g.pending {
		for _, bound := range []struct {
			infos []gguf.TensorInfo
			to    *int64
		}{{low, &artifact.BytesMin}, {high, &artifact.BytesMax}} {
			if *bound.to, err = pack.size(ctx, bound.infos); err != nil {
				return err
			}
		}
	} else {
		if artifact.Bytes, err = pack.size(ctx, infos); err != nil {
			return err
		}
		artifact.BitsPerWeight = float64(artifact.Bytes) * 8 / float64(max(artifact.Elements, 1))
		if artifact.Action, err = pack.action(inputs); err != nil {
			return err
		}
		if err := g.checkBudget(&artifact); err != nil {
			return err
		}
	}
	g.p.Artifact(artifact)
	g.p.SetResult(g.b, &ggufResult{artifact: len(g.tensors), address: g.b.Address})
	return nil
}

// ggufResult is what the artifact stands for to later blocks.
type ggufResult struct {
	artifact int
	address  string
}

// tensor adds the actions that make one tensor.
func (g *ggufPlan) tensor(t *ggufTensor) (*engine.TensorPlan, []engine.Input, error) {
	m := &g.q.model.Tensors[t.tensor]
	plan := &engine.TensorPlan{
		Artifact: g.b.Address, Name: t.name, Role: m.Role, Layer: m.Layer, Shape: t.dims, Rule: t.d.rule, Asked: t.d.asked,
		SourceType: m.Type.Name, Elements: 1,
	}
	for _, d := range t.dims {
		plan.Elements *= d
	}
	parts := make([]int, 0, t.slices(g.q.model))
	if t.expert >= 0 {
		parts = append(parts, t.expert)
	} else {
		for s := range m.Slices {
			parts = append(parts, s)
		}
	}
	for _, s := range parts {
		for _, part := range m.Slices[s].Parts {
			plan.SourceBytes += part.Size
		}
	}
	if t.d.fallback != "" {
		plan.Fallback = &t.d.fallback
	}
	if t.d.typ == nil {
		return plan, nil, g.waiting(plan, t)
	}
	plan.Type = &t.d.typ.Name
	var err error
	if plan.Bytes, err = gguf.TensorSize(gguf.TensorInfo{Name: t.name, Dims: t.dims, Type: t.d.typ}); err != nil {
		return nil, nil, diag.Errorf(g.b.Range, "Tensor cannot be written", "%v.", err)
	}
	g.needImportance(t)
	if g.pending && !t.d.typ.Float && !copies(m.Slices[parts[0]].Layout, t.d.typ) {
		return plan, nil, nil // its encoder waits for the evidence, too
	}
	inputs := make([]engine.Input, 0, len(parts))
	plan.Actions = make([]int, 0, len(parts))
	for _, s := range parts {
		a, err := g.q.slice(g.p, t.tensor, s, t.d, g.b.Address)
		if err != nil {
			return nil, nil, err
		}
		plan.Actions = append(plan.Actions, a)
		inputs = append(inputs, engine.Input{Name: "tensors", Source: -1, Action: a, Output: tensorOutput})
	}
	return plan, inputs, nil
}

// waiting fills in the bounds of a tensor whose type waits for evidence.
func (g *ggufPlan) waiting(plan *engine.TensorPlan, t *ggufTensor) error {
	for _, c := range t.d.candidates {
		plan.Candidates = append(plan.Candidates, c.Name)
	}
	size := func(typ *quant.Type) (int64, error) {
		return gguf.TensorSize(gguf.TensorInfo{Name: t.name, Dims: t.dims, Type: typ})
	}
	var err error
	if plan.BytesMin, err = size(t.d.candidates[0]); err != nil {
		return err
	}
	plan.BytesMax, err = size(t.d.candidates[len(t.d.candidates)-1])
	return err
}

// needImportance refuses types that are garbage without an importance.
func (g *ggufPlan) needImportance(t *ggufTensor) {
	m := &g.q.model.Tensors[t.tensor]
	needs := t.d.typ.NeedsImportance || g.resolved.mix != nil && strings.HasPrefix(t.d.rule, "mix ") && g.resolved.choices[t.tensor].NeedsImportance
	if !needs || g.q.evidence != nil && (!g.q.evidence.Known || g.q.evidence.has(m.Name, max(t.expert, 0))) {
		return
	}
	g.p.Refuse(g.q.policy.Range(), "Importance is missing", "%s gets %s, which is garbage without an importance, and the policy's evidence has none for it. Set evidence in the policy, or choose another type.", m.Name, t.d.typ)
}

// checkBudget holds the file against the policy's budget.
func (g *ggufPlan) checkBudget(a *engine.ArtifactPlan) error {
	budget, ok := g.q.policy.(interface {
		Budget() (bytes int64, bitsPerWeight, maxKLD float64)
	})
	if !ok {
		return nil
	}
	bytes, bits, kld := budget.Budget()
	switch {
	case kld > 0:
		g.p.Refuse(g.q.policy.Range(), "Budget cannot be held", "max_kld of %s needs the model to be run while it is quantized, which no stage does: bound the bytes or bits_per_weight instead.", g.q.policy.Address())
	case bytes > 0 && a.Bytes > bytes:
		return diag.Errorf(g.q.policy.Range(), "Over budget", "%s would have %s, and the budget of %s is %s. Lower the types of its largest roles, which `pj plan` lists.", a.Address, bytesize.Format(a.Bytes), g.q.policy.Address(), bytesize.Format(bytes))
	case bits > 0 && a.BitsPerWeight > bits:
		return diag.Errorf(g.q.policy.Range(), "Over budget", "%s would have %.3f bits per weight, and the budget of %s is %g. Lower the types of its largest roles, which `pj plan` lists.", a.Address, a.BitsPerWeight, g.q.policy.Address(), bits)
	}
	return nil
}
