package engine

import (
	"context"

	"github.com/llama-pajamas/pj/cache"
)

// Contents are the content ids of a plan's sources, zero where they are not
// known. Nothing is hashed.
func (k *Known) Contents(ctx context.Context, plan *Plan) ([]cache.OutputID, error) {
	r := newResolution(plan)
	if err := k.recall(ctx, r); err != nil {
		return nil, err
	}
	return r.sources, nil
}

// Explanation is everything that decides whether an action runs.
type Explanation struct {
	State
	// Key are the components of its key; an input whose content is not known
	// has no value. Last is the key of what was built at its address before,
	// nil where nothing was or it is no longer in the cache.
	Key  []cache.Component
	Last []cache.Component
	// Inputs are the contents of Action.Inputs, zero where they are not known.
	Inputs []cache.OutputID
}

// Explain looks at some actions of a plan. Sources are hashed as Resolve does.
func (k *Known) Explain(ctx context.Context, plan *Plan, hashLimit int64, actions []int) ([]Explanation, error) {
	r, err := k.resolve(ctx, plan, hashLimit, nil)
	if err != nil {
		return nil, err
	}
	last, err := k.lastPlan(ctx, plan.Scope)
	if err != nil {
		return nil, err
	}
	ids := make([]cache.ActionID, len(actions))
	for n, i := range actions {
		ids[n] = last[plan.Actions[i].Address]
	}
	before, err := k.Store.Lookup(ctx, ids)
	if err != nil {
		return nil, storeError(err)
	}
	out := make([]Explanation, len(actions))
	for n, i := range actions {
		e := Explanation{State: r.states[i], Key: r.components(i)}
		if before[n] != nil {
			e.Last = before[n].Key
		}
		at := len(e.Key)
		inputs := plan.Actions[i].Inputs
		unknown := map[string]bool{}
		for j := range inputs {
			id := r.content(&inputs[j])
			e.Inputs = append(e.Inputs, id)
			if id.IsZero() {
				unknown[inputPrefix+inputs[j].Name] = true
			}
		}
		for at--; at >= 0; at-- {
			if unknown[e.Key[at].Name] {
				e.Key[at].Value = ""
			}
		}
		out[n] = e
	}
	return out, nil
}
