package mix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// Assign chooses the type of each tensor; choices are in the order of tensors,
// which have to be all of the model's, in any order. An error names a tensor
// for which llama-quantize has no answer.
func (m *Mix) Assign(model Model, tensors []Tensor) ([]Choice, error) {
	if err := check(tensors); err != nil {
		return nil, err
	}
	w := walk{mix: m, model: model}
	for _, t := range tensors {
		p := partOf(t.Name)
		w.model.HasOutput = w.model.HasOutput || p == output
		if p == attentionV {
			w.of[attentionV]++
		}
	}
	w.of[gate], w.of[up], w.of[down] = model.Layers, model.Layers, model.Layers

	choices := make([]Choice, len(tensors))
	for _, i := range walkOrder(tensors) {
		c, err := w.choose(tensors[i])
		if err != nil {
			return nil, fmt.Errorf("mix %s: tensor %s: %w", m.Name, tensors[i].Name, err)
		}
		choices[i] = c
	}
	return choices, nil
}

// check looks at the tensors by themselves.
func check(tensors []Tensor) error {
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		if seen[t.Name] {
			return fmt.Errorf("mix: tensor %s is given twice", t.Name)
		}
		seen[t.Name] = true
		if len(t.Dims) < 1 || len(t.Dims) > 4 || slices.Min(t.Dims) < 1 {
			return fmt.Errorf("mix: tensor %s: dimensions %v, want 1 to 4 that are at least 1", t.Name, t.Dims)
		}
	}
	return nil
}

// walkOrder gives the indices of the tensors in the order in which
// llama-quantize comes to them, whatever their order in the file: by layer,
// then by the bytes of the name. Its counters depend on it.
func walkOrder(tensors []Tensor) []int {
	order := make([]int, len(tensors))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := tensors[a].Name, tensors[b].Name
		return cmp.Or(cmp.Compare(layerOf(x), layerOf(y)), strings.Compare(x, y))
	})
	return order
}

// walk is one pass over a model's tensors.
type walk struct {
	mix     *Mix
	model   Model
	nth, of [parts]int // counters of the parts, see place
}

// choose decides on the next tensor.
func (w *walk) choose(t Tensor) (Choice, error) {
	source, known := quant.Lookup(t.Source)
	if kept, ok := keptType(t, source); ok {
		if !known {
			return Choice{}, fmt.Errorf("it stays as it is stored, but its type %q is not known", t.Source)
		}
		return Choice{Type: kept, Kept: true}, nil
	}
	if w.mix.Type.Float {
		return Choice{Type: w.mix.Type}, nil
	}
	name, err := w.wanted(t)
	if err != nil {
		return Choice{}, err
	}
	wanted := must(name)
	got, err := fit(t, wanted)
	if err != nil {
		return Choice{}, err
	}
	c := Choice{Type: got, NeedsImportance: w.needsImportance(t, got)}
	if got != wanted {
		c.Wanted = wanted
	}
	return c, nil
}

// wanted names the type that the mix has for a tensor, whatever its shape.
func (w *walk) wanted(t Tensor) (string, error) {
	m, p := w.mix, partOf(t.Name)
	switch {
	case p == output, p == embedding && !w.model.HasOutput:
		if w.model.Architecture == "falcon" || t.Dims[0]%int64(m.Type.Block) != 0 {
			return "q8_0", nil
		}
		return m.output, nil
	case m.single != "":
		if w.stack(t, p) {
			return m.base, nil
		}
		return m.single, nil
	}
	at, err := w.next(t, p)
	if err != nil {
		return "", err
	}
	name := cmp.Or(m.rules[p].of(at), m.base)
	switch {
	case m.coarse:
	case w.model.Experts == 8 && (p == attentionV || p == attentionK):
		return "q8_0", nil // costs next to nothing there
	case p == attentionV && (name == "q3_k" || name == "q4_k") && w.model.seventyB():
		return "q5_k", nil
	}
	return name, nil
}

// stack says that a tensor stacks the matrices of experts.
func (w *walk) stack(t Tensor, p part) bool {
	if len(t.Dims) < 3 || t.Dims[2] < 2 {
		return false
	}
	// This one's compressed attention has stacks, too: one matrix for each head.
	return w.model.Architecture != "bailingmoe3" || p == gate || p == up || p == down
}

// next is the tensor's place, and counts it.
func (w *walk) next(t Tensor, p part) (place, error) {
	at := place{Model: &w.model, nth: w.nth[p], layer: w.nth[p], of: w.of[p]}
	w.nth[p]++
	feedForward := p == gate || p == up || p == down
	if !feedForward || w.model.Experts < 2 || w.mix.rules[p] == nil || w.mix.coarse {
		return at, nil
	}
	at.layer = layerOf(t.Name)
	if at.layer < 0 || at.layer >= w.model.Layers {
		return at, fmt.Errorf("its layer should be one of 0 to %d (block_count is %d), name it blk.N.…",
			w.model.Layers-1, w.model.Layers)
	}
	return at, nil
}

// fit is the type itself, or the one to use where the row is no multiple of the
// type's block.
func fit(t Tensor, wanted *quant.Type) (*quant.Type, error) {
	misfit := func(q *quant.Type) bool { return t.Dims[0]%int64(q.Block) != 0 }
	if !misfit(wanted) {
		return wanted, nil
	}
	name := wanted.Fallback
	if wanted.Name == "q2_0" {
		name = "q4_0"
	}
	switch {
	case name == "" && wanted.Block > 32:
		return nil, fmt.Errorf("rows of %d weights are no multiple of %d, and %s has no fallback; use another mix or pad the model",
			t.Dims[0], wanted.Block, wanted.Name)
	case name == "" || misfit(must(name)):
		return must("f16"), nil
	}
	return must(name), nil
}

// needsImportance says that llama-quantize would call the result garbage
// without an importance; it never does so of the embedding and the output.
func (w *walk) needsImportance(t Tensor, got *quant.Type) bool {
	if p := partOf(t.Name); p == output || p == embedding {
		return false
	}
	return got.NeedsImportance || got.Name == "q2_k" && w.mix.Name == "Q2_K_S"
}

// seventyB says that llama.cpp takes the model for one of 70 B parameters.
func (m *Model) seventyB() bool {
	switch m.Architecture {
	case "llama", "llama-embed":
		return m.Layers == 80 && m.Experts != 8 && m.Heads != m.HeadsKV
	case "qwen2", "deci", "olmo":
		return m.Layers == 80
	case "jais2":
		return m.Layers == 68
	}
	return false
}
