package infer

import "github.com/llama-pajamas/pj/runtime/infer/ops"

// Observer sees what goes on in a pass. Functions that are nil cost nothing;
// others make it slower. Slices are valid during the call. Rows are those of
// the pass, whose tokens' positions in their sequences Batch gives.
type Observer struct {
	// Batch: a pass begins with these positions.
	Batch func(positions []int32)
	// Linear: what some linear layers get, rows of cols numbers; the names are
	// those of their weights, layer is -1 for the output.
	Linear func(layer int, names []string, x []float32, cols int)
	// Router: a layer's logits, a row for each token; the chosen experts and
	// their weights, used of each for each token.
	Router func(layer int, logits []float32, chosen []int32, weights []float32)
	// Layer: the residual stream behind a layer, rows of cols numbers.
	Layer func(layer int, x []float32, cols int)
	// Watch sees inside of attention and experts.
	ops.Watch
}

func (o *Observer) watch() *ops.Watch {
	if o == nil || o.Attention == nil && o.ExpertInput == nil && o.ExpertOutput == nil {
		return nil
	}
	return &o.Watch
}

// read copies rows of a buffer.
func (p *pass) read(x ops.Buffer, rows int) []float32 {
	n := rows * x.Cols()
	if cap(p.seen) < n {
		p.seen = make([]float32, n)
	}
	p.seen = p.seen[:n]
	if p.b.Read(p.seen, x, 0) != nil {
		return nil
	}
	return p.seen
}

// Names of the weights that share an input.
var (
	attentionInputs = []string{"attn_q.weight", "attn_k.weight", "attn_v.weight"}
	attentionOutput = []string{"attn_output.weight"}
	denseInputs     = []string{"ffn_gate.weight", "ffn_up.weight"}
	denseDown       = []string{"ffn_down.weight"}
	mixtureInputs   = []string{"ffn_gate_inp.weight", "ffn_gate_exps.weight", "ffn_up_exps.weight"}
	outputInputs    = []string{"output.weight"}
)

// saw shows what linear layers get.
func (p *pass) saw(x ops.Buffer, rows, layer int, prefix string, names []string) {
	if p.observer == nil || p.observer.Linear == nil {
		return
	}
	if seen := p.read(x, rows); seen != nil {
		full := make([]string, len(names))
		for i, n := range names {
			full[i] = prefix + n
		}
		p.observer.Linear(layer, full, seen, x.Cols())
	}
}

// routed shows a layer's routes.
func (p *pass) routed(layer int) {
	if p.observer == nil || p.observer.Router == nil {
		return
	}
	chosen, weights, err := p.b.Routes(p.routing)
	if err != nil {
		return
	}
	if logits := p.read(p.router, len(p.batch.Tokens)); logits != nil {
		p.observer.Router(layer, logits, chosen, weights)
	}
}

// behind shows the residual stream behind a layer.
func (p *pass) behind(layer int) {
	if p.observer == nil || p.observer.Layer == nil {
		return
	}
	if x := p.read(p.x, p.rows()); x != nil {
		p.observer.Layer(layer, x, p.x.Cols())
	}
}
