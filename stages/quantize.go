package stages

import (
	"context"
	"fmt"
	"strconv"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/model"
)

type quantizeParams struct {
	Model  engine.Ref `hcl:"model" ref:"model" doc:"what to quantize"`
	Policy engine.Ref `hcl:"policy" ref:"policy" doc:"the precision of every part"`
	Effort string     `hcl:"effort" default:"normal" enum:"fast,normal,best" doc:"how hard the encoders search, where a rule does not say otherwise"`
}

var _ = register(&engine.Stage{
	Block: "stage", Name: "quantize", Version: 3, Yields: "weights", Params: &quantizeParams{},
	Doc: "Weights at the precision that a policy decides. Types are chosen for each artifact; every tensor, and every expert's projection, is an action of its own.",
	Lower: func(_ context.Context, p *engine.Planner, b *engine.Block) error {
		q := &weights{block: b, others: map[sliceKey]int{}, taken: map[string]bool{}, params: map[paramsKey]engine.Params{}}
		params := b.Params.(*quantizeParams)
		m, err := p.Result(params.Model)
		if err != nil {
			return err
		}
		if q.policy, err = p.Policy(params.Policy); err != nil {
			return err
		}
		q.model, q.effort = m.(*modelResult), params.Effort
		q.first = make([][]plannedSlice, len(q.model.Tensors))
		if ref := q.policy.Evidence(); ref != nil {
			e, err := p.Result(*ref)
			if err != nil {
				return err
			}
			q.evidence = e.(*Evidence)
			warning, err := q.evidence.fits(q.model, b.Attrs["policy"])
			if err != nil {
				return err
			}
			if warning != nil {
				p.Warn(*warning)
			}
		}
		p.SetResult(b, q)
		return nil
	},
	Run: runQuantize,
})

// weights is what a quantize stage stands for: artifacts ask it for tensors.
type weights struct {
	block    *engine.Block
	model    *modelResult
	policy   engine.Policy
	evidence *Evidence // nil if the policy has none
	effort   string

	// The actions planned so far: the first of each tensor's slices, and those
	// of artifacts that differ, with their addresses.
	first  [][]plannedSlice
	others map[sliceKey]int
	taken  map[string]bool
	params map[paramsKey]engine.Params
}

// sliceKey is what an action of the stage depends on, within the stage.
type sliceKey struct {
	tensor, slice int
	how           sliceWork
}

// sliceWork is what is done with a slice.
type sliceWork struct {
	typ        *quant.Type
	effort     string
	importance bool
}

// plannedSlice is the action that makes a slice; how.typ is nil where there is
// none yet.
type plannedSlice struct {
	how    sliceWork
	action int
}

// sliceParams are the parameters of an action: one matrix, or vector, of a
// tensor.
type sliceParams struct {
	Type   string       `json:"type"`
	Effort string       `json:"effort,omitempty"`
	Layout model.Layout `json:"layout"`
}

// paramsKey finds parameters that many actions share.
type paramsKey struct {
	typ, effort, encoding string
	rows, cols            int64
	first, stride         int64
	columns, transpose    bool
	heads                 int
}

// slice plans the action that makes one slice of a tensor for an artifact, and
// returns its index.
func (q *weights) slice(p *engine.Planner, tensor, slice int, d *decision, artifact string) (int, error) {
	t := &q.model.Tensors[tensor]
	s := &t.Slices[slice]
	effort := d.effort
	if d.typ.Float || copies(s.Layout, d.typ) {
		effort = "" // nothing is searched
	}
	importance := effort != "" && q.evidence != nil && q.evidence.has(t.Name, slice)
	how := sliceWork{d.typ, effort, importance}
	if q.first[tensor] == nil {
		q.first[tensor] = make([]plannedSlice, len(t.Slices))
	}
	first := &q.first[tensor][slice]
	if first.how == how {
		return first.action, nil
	}
	if a, ok := q.others[sliceKey{tensor, slice, how}]; ok {
		return a, nil
	}
	params, err := q.paramsOf(d.typ.Name, effort, s.Layout)
	if err != nil {
		return 0, err
	}
	size := int64(0)
	a := &engine.Action{
		Address: q.address(t, slice, artifact, first.how.typ != nil), Stage: q.block.Stage.ID(), Version: q.block.Stage.Version,
		Params: params, Origins: d.origins, Group: q.group(t, artifact),
	}
	sources := q.model.sources(tensor, slice)
	for i, part := range s.Parts {
		a.Inputs = append(a.Inputs, engine.Input{Name: "weights", Source: sources[i], Action: -1})
		size += part.Size
	}
	if importance {
		a.Inputs = append(a.Inputs, q.evidence.input(t.Name, slice))
	}
	a.Work = max(size, s.Layout.Rows*s.Layout.Cols)
	a.Memory = sliceMemory(s.Layout, size)
	added := p.Action(a)
	if first.how.typ == nil {
		*first = plannedSlice{how, added}
	} else {
		q.others[sliceKey{tensor, slice, how}] = added
	}
	return added, nil
}

// copies reports whether the source has the type's own bits already.
func copies(l model.Layout, t *quant.Type) bool {
	from, err := l.Type()
	return err == nil && from == t
}

func (q *weights) paramsOf(typ, effort string, l model.Layout) (engine.Params, error) {
	key := paramsKey{typ, effort, l.Encoding, l.Rows, l.Cols, l.First, l.Stride, l.Columns, l.Transpose, l.PermuteHeads}
	if params, ok := q.params[key]; ok && l.Values == nil {
		return params, nil
	}
	params, err := engine.NewParams(sliceParams{Type: typ, Effort: effort, Layout: l})
	if err == nil && l.Values == nil {
		q.params[key] = params
	}
	return params, err
}

// address is `stage.quantize.a["blk.0.attn_q.weight"]`, of an expert's matrix
// with its number behind. Where artifacts of one stage differ, those after the
// first have their own name in it.
func (q *weights) address(t *model.Tensor, slice int, artifact string, differs bool) string {
	expert := ""
	if len(t.Slices) > 1 {
		expert = "[" + strconv.Itoa(slice) + "]"
	}
	if !differs {
		return q.block.Address + `["` + t.Name + `"]` + expert
	}
	address := q.block.Address + `["` + t.Name + `", "` + artifact + `"]` + expert
	for i := 2; q.taken[address]; i++ {
		address = fmt.Sprintf("%s[%q, %q, %d]%s", q.block.Address, t.Name, artifact, i, expert)
	}
	q.taken[address] = true
	return address
}

// smallTensor is up to which size the tensors of a layer are made as one batch.
const smallTensor = 1 << 20

// group is the batch of a tensor: a stack of experts is one, and so are the
// small tensors of a layer.
func (q *weights) group(t *model.Tensor, artifact string) string {
	if len(t.Slices) > 1 {
		return q.block.Address + " " + t.Name + " " + artifact
	}
	if t.Elements() <= smallTensor {
		return q.block.Address + " layer " + strconv.Itoa(t.Layer) + " " + artifact
	}
	return ""
}
