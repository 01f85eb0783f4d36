package stages

import (
	"math"
	"strconv"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// collapse gives a stack of experts one type where the policy gives them
// several.
func (g *ggufPlan) collapse(tensor int, experts []*decision) (*decision, error) {
	t := &g.q.model.Tensors[tensor]
	named, waiting := typesOf(experts)
	if waiting {
		return &decision{rule: "evidence", candidates: named}, nil
	}
	if len(named) == 1 {
		// One type for different reasons: the first expert's stands for all.
		d := *experts[0]
		return &d, nil
	}
	var bits, weight float64
	for e, d := range experts {
		w := 1.0
		if g.params.Collapse == "weighted" {
			w = g.q.evidence.expert(t.Layer, e, g.q.model.ExpertsUsed).Share
		}
		bits += float64(w * d.typ.BitsPerWeight())
		weight += w
	}
	typ := named[0]
	switch g.params.Collapse {
	case "max":
		typ = named[len(named)-1]
	case "mean", "weighted":
		if weight == 0 { // nothing is known of the shares
			typ = named[len(named)-1]
			break
		}
		typ = nearestType(named, bits/weight)
	}
	for _, d := range experts {
		if d.typ == typ {
			got := *d
			got.rule = "collapse of " + strconv.Itoa(len(named)) + " types, " + d.rule
			got.asked = listTypes(named)
			return &got, nil
		}
	}
	return experts[0], nil
}

// typesOf lists the types of decisions by rising bits; waiting says that some
// are not known.
func typesOf(experts []*decision) (types []*quant.Type, waiting bool) {
	seen := map[*quant.Type]bool{}
	add := func(t *quant.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		at := len(types)
		for at > 0 && less(t, types[at-1]) {
			at--
		}
		types = append(types[:at], append([]*quant.Type{t}, types[at:]...)...)
	}
	for _, d := range experts {
		if d.typ != nil {
			add(d.typ)
			continue
		}
		waiting = true
		for _, c := range d.candidates {
			add(c)
		}
	}
	return types, waiting
}

// less orders types by bits, then by name.
func less(a, b *quant.Type) bool {
	if x, y := a.BitsPerWeight(), b.BitsPerWeight(); x != y {
		return x < y
	}
	return a.Name < b.Name
}

// nearestType is the type whose bits are nearest; of two as near, the finer.
func nearestType(types []*quant.Type, bits float64) *quant.Type {
	best := types[0]
	for _, t := range types {
		if math.Abs(t.BitsPerWeight()-bits) <= math.Abs(best.BitsPerWeight()-bits) {
			best = t
		}
	}
	return best
}

func listTypes(types []*quant.Type) string {
	s := ""
	for i, t := range types {
		if i > 0 {
			s += ", "
		}
		s += t.Name
	}
	return s
}
