package stages

import (
	"strconv"

	"github.com/llama-pajamas/pj/engine"
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
	// Shares are the fractions of a layer's tokens that use each expert.
	Shares map[int][]float64
	// File, Dataset, Entries and Chunks become the keys quantize.imatrix.*.
	File    string
	Dataset string
	Entries int
	Chunks  int

	contentAction int
}

func (e *Evidence) content() (string, int) { return "file", e.contentAction }

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
	shares, ok := e.Shares[layer]
	if !ok || index >= len(shares) {
		return a
	}
	before := 0
	for i, s := range shares {
		if s > shares[index] || s == shares[index] && i < index {
			before++
		}
	}
	a.Known, a.Share = true, shares[index]
	a.RouteShare = a.Share / float64(max(used, 1))
	a.Rank = float64(before) / float64(len(shares))
	return a
}
