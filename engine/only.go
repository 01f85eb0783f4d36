package engine

import "slices"

// Only is the part of a plan that makes what is wanted: actions, artifacts and
// conclusions by address. What they need, and what the plan waits for, is
// part of it. Sources and files stay whole.
func (p *Plan) Only(wanted func(address string) bool) *Plan {
	keep := make([]bool, len(p.Actions))
	out := *p
	out.Artifacts = []ArtifactPlan{}
	for _, a := range p.Artifacts {
		if wanted(a.Address) {
			out.Artifacts = append(out.Artifacts, a)
			if a.Action >= 0 {
				keep[a.Action] = true
			}
		}
	}
	for i, a := range slices.Backward(p.Actions) {
		keep[i] = keep[i] || wanted(a.Address) || slices.ContainsFunc(p.Pending, func(e string) bool { return AddressCovers(e, a.Address) })
		for _, in := range a.Inputs {
			if keep[i] && in.Source < 0 {
				keep[in.Action] = true
			}
		}
	}
	at := make([]int, len(p.Actions)) // where an action goes
	out.Actions = []*Action{}
	for i, a := range p.Actions {
		if !keep[i] {
			at[i] = -1
			continue
		}
		b := *a
		b.Inputs = slices.Clone(a.Inputs)
		for n, in := range b.Inputs {
			if in.Source < 0 {
				b.Inputs[n].Action = at[in.Action]
			}
		}
		at[i] = len(out.Actions)
		out.Actions = append(out.Actions, &b)
	}
	for n, a := range out.Artifacts {
		if a.Action >= 0 {
			out.Artifacts[n].Action = at[a.Action]
		}
	}
	out.Tensors = []TensorPlan{}
	for _, t := range p.Tensors {
		made := []int{}
		for _, a := range t.Actions {
			if keep[a] {
				made = append(made, at[a])
			}
		}
		kept := slices.ContainsFunc(out.Artifacts, func(a ArtifactPlan) bool { return a.Address == t.Artifact })
		if kept || len(made) > 0 && len(made) == len(t.Actions) {
			t.Actions = made
			out.Tensors = append(out.Tensors, t)
		}
	}
	out.Conclusions = []ConclusionPlan{}
	for _, c := range p.Conclusions {
		if wanted(c.Address) {
			out.Conclusions = append(out.Conclusions, c)
		}
	}
	return &out
}
