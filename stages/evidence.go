package stages

import (
	"fmt"
	"strconv"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// Evidence is what a block that yields evidence stands for while a plan is
// made: how much each column of a tensor's input matters, and which experts are
// used.
type Evidence struct {
	// Action made the evidence; each slice is an output of its own.
	Action int
	// Known says that the action's result was at hand; the rest is empty until
	// then.
	Known bool
	// Slices count the importances of each tensor: one for each expert of a
	// stack. Outputs are named by SliceOutput and hold a float32 for each column.
	Slices map[string]int
	// Columns are the lengths of the importances of each tensor.
	Columns map[string]int64
	// Counts are the tokens that each expert of a layer saw; a layer is missing
	// where that is not known.
	Counts map[int][]float64
	// Dataset, Entries and Chunks become the keys quantize.imatrix.*, where
	// there is a file.
	Dataset string
	Entries int
	Chunks  int

	address       string
	contentAction int // -1: it was not read from a file
}

func (e *Evidence) content() (string, int) { return "file", e.contentAction }

// fits checks the evidence against a model that is to be quantized by it.
func (e *Evidence) fits(m *modelResult, at diag.Range) (*diag.Diagnostic, error) {
	if e == nil || !e.Known {
		return nil, nil
	}
	found, wrong := 0, ""
	bad := 0
	for i := range m.Tensors {
		t := &m.Tensors[i]
		slices, ok := e.Slices[t.Name]
		if !ok {
			continue
		}
		found++
		if cols := e.Columns[t.Name]; cols != t.Dims[0] || slices != len(t.Slices) {
			if bad++; bad == 1 {
				wrong = fmt.Sprintf("%s has %d x %d, and the tensor has %d x %d", t.Name, slices, cols, len(t.Slices), t.Dims[0])
			}
		}
	}
	switch {
	case bad > 0:
		if bad > 1 {
			wrong += fmt.Sprintf("; %d more do not fit", bad-1)
		}
		return nil, diag.Errorf(at, "Evidence is of another model", "The importances of %s are not those of %s (matrices x columns): %s. Take evidence that was made with this model.", e.address, m.address, wrong)
	case found == 0:
		w := diag.Warnf(at, "Evidence without effect", "%s knows no tensor of %s.", e.address, m.address)
		return &w, nil
	}
	return nil, nil
}

// SliceOutput names the importance of one slice of a tensor.
func SliceOutput(tensor string, slice, slices int) string {
	if slices <= 1 {
		return tensor
	}
	return tensor + "[" + strconv.Itoa(slice) + "]"
}

func (e *Evidence) has(tensor string, slice int) bool {
	return e.Known && slice < e.Slices[tensor]
}

func (e *Evidence) input(tensor string, slice int) engine.Input {
	return engine.Input{Name: "importance", Source: -1, Action: e.Action, Output: SliceOutput(tensor, slice, e.Slices[tensor])}
}

// expert is what rules see of one expert of a layer.
func (e *Evidence) expert(layer, index, used int) *engine.ExpertAttrs {
	a := &engine.ExpertAttrs{Index: index}
	if e == nil || !e.Known {
		return a
	}
	counts := e.Counts[layer]
	if index >= len(counts) {
		return a
	}
	// Each token uses `used` experts, so the tokens are the counts' sum by that.
	// One division: the share is the nearest number to the true one.
	sum, before := 0.0, 0
	for i, n := range counts {
		sum += n
		if n > counts[index] || n == counts[index] && i < index {
			before++
		}
	}
	a.Known = true
	if sum > 0 {
		a.Share = counts[index] * float64(max(used, 1)) / sum
		a.RouteShare = counts[index] / sum
	}
	a.Rank = float64(before) / float64(len(counts))
	return a
}
