package stages

import (
	"fmt"
	"sort"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/mix"
)

// decision is what one tensor, or one expert of it, becomes.
type decision struct {
	typ      *quant.Type // nil while it waits for evidence
	effort   string
	rule     string // its place, or "mix Q4_K_M", "default", "source"
	label    string // the rule in full, "policy.a rule 3 (recipe.hcl:31)"
	asked    string // as written where the type has another name
	fallback string
	origins  map[string]string
	// candidates are the types it may become while it waits.
	candidates []*quant.Type
}

// tensorDecision is what becomes of one tensor: one decision, or one for each
// expert where they may differ.
type tensorDecision struct {
	one     *decision
	experts []*decision // nil where all have one
}

// each lists the decisions.
func (t *tensorDecision) each() []*decision {
	if t.experts != nil {
		return t.experts
	}
	return []*decision{t.one}
}

// pending reports whether evidence is still to come.
func (t *tensorDecision) pending() bool {
	for _, d := range t.each() {
		if d.typ == nil {
			return true
		}
	}
	return false
}

// resolver decides on the tensors of one artifact.
type resolver struct {
	q        *weights
	at       diag.Range // of the artifact, for what has no better place
	choices  []mix.Choice
	mix      *mix.Mix     // nil if the policy has none
	matched  map[int]bool // rules, by index
	applied  map[int]bool // those whose type some tensor got
	problems diag.Diagnostics
	// decided keeps what rules gave, so that experts of one rule share it.
	decided map[decidedKey]*decision
}

type decidedKey struct {
	rule   *engine.Rule // nil: none
	tensor int
}

// resolve decides on every tensor.
func (q *weights) resolve(at diag.Range) ([]tensorDecision, *resolver, error) {
	r := &resolver{q: q, at: at, matched: map[int]bool{}, applied: map[int]bool{}, decided: map[decidedKey]*decision{}}
	if err := r.assign(); err != nil {
		return nil, nil, err
	}
	out := make([]tensorDecision, len(q.model.Tensors))
	for i := range q.model.Tensors {
		d, err := r.tensor(i)
		if err != nil {
			r.problem(err)
			continue
		}
		out[i] = d
	}
	if len(r.problems) > 0 {
		return nil, nil, r.summary()
	}
	return out, r, nil
}

// assign asks the mix for every tensor; without a mix, only for those that are
// never quantized.
func (r *resolver) assign() error {
	name := r.q.policy.Mix()
	ask := name
	if ask == "" {
		ask = "F16"
	}
	m, ok := mix.Lookup(ask)
	if !ok {
		return diag.Errorf(r.q.policy.Range(), "Unknown mix "+name, "The mixes are %s.", strings.Join(mix.Names(), ", "))
	}
	if name != "" {
		r.mix = m
	}
	tensors := make([]mix.Tensor, len(r.q.model.Tensors))
	output := false
	for i := range r.q.model.Tensors {
		t := &r.q.model.Tensors[i]
		tensors[i] = mix.Tensor{Name: t.Name, Dims: t.Dims, Source: t.Type.Name}
		output = output || t.Name == "output.weight"
	}
	choices, err := m.Assign(mix.Model{
		Architecture: r.q.model.Architecture, Layers: r.q.model.Layers, Experts: r.q.model.Experts,
		Heads: r.q.model.Heads, HeadsKV: r.q.model.HeadsKV, HasOutput: output, HasImportance: r.q.evidence != nil,
	}, tensors)
	if err != nil {
		return diag.Errorf(r.q.policy.Range(), "The mix does not fit the model", "%v", err)
	}
	r.choices = choices
	return nil
}

// tensor decides on one tensor.
func (r *resolver) tensor(i int) (tensorDecision, error) {
	t := &r.q.model.Tensors[i]
	attrs := engine.TensorAttrs{
		Name: t.Name, Role: t.Role, Layer: t.Layer, Layers: r.q.model.Layers, Attention: t.Attention,
		Projection: t.Projection, Shape: t.Dims, Elements: t.Elements(),
	}
	if t.Role != "expert" || len(t.Slices) < 2 {
		d, err := r.decide(i, &attrs)
		return tensorDecision{one: d}, err
	}
	experts := make([]*decision, len(t.Slices))
	attrs.Elements /= int64(len(t.Slices))
	attrs.Shape = t.Dims[:2]
	same := true
	for e := range experts {
		attrs.Expert = r.q.evidence.expert(t.Layer, e, r.q.model.ExpertsUsed)
		d, err := r.decide(i, &attrs)
		if err != nil {
			return tensorDecision{}, err
		}
		experts[e] = d
		same = same && d == experts[0]
	}
	if same {
		return tensorDecision{one: experts[0]}, nil
	}
	return tensorDecision{experts: experts}, nil
}

// decide applies the rules to a tensor or expert.
func (r *resolver) decide(i int, attrs *engine.TensorAttrs) (*decision, error) {
	m, err := r.q.policy.Match(attrs)
	if err != nil {
		return nil, diag.Errorf(r.q.policy.Range(), "A rule fails", "%v", err)
	}
	if m.Pending {
		if e := r.q.evidence; e == nil || e.Known {
			return nil, r.unmeasured(i, m.Candidates)
		}
		return r.waiting(i, m.Candidates)
	}
	if m.Rule != nil {
		r.matched[m.Rule.Index] = true
	}
	return r.byRule(i, m.Rule)
}

// byRule is the decision where a rule matched, or none.
func (r *resolver) byRule(i int, rule *engine.Rule) (*decision, error) {
	key := decidedKey{rule, i}
	if d := r.decided[key]; d != nil {
		return d, nil
	}
	d, err := r.ruled(i, rule)
	if err != nil {
		return nil, err
	}
	if d.effort == "" {
		d.effort = r.q.effort
	}
	d.origins = map[string]string{"type": d.label}
	if rule != nil && rule.Effort != "" {
		d.origins["effort"] = rule.Label
	}
	r.decided[key] = d
	return d, nil
}

func (r *resolver) ruled(i int, rule *engine.Rule) (*decision, error) {
	t, choice := &r.q.model.Tensors[i], r.choices[i]
	if rule == nil {
		return r.uncovered(i)
	}
	d := &decision{effort: rule.Effort, rule: rule.Range.String(), label: rule.Label}
	if rule.Type == "" {
		r.applied[rule.Index] = true
		return r.bounded(i, rule)
	}
	typ, fallback, err := ggufType(rule.Type, t.Type, t.Dims[0])
	if err != nil {
		return nil, diag.Errorf(rule.Range, "Type does not fit", "%s, tensor %s: %v.", rule.Label, t.Name, err)
	}
	if choice.Kept && !typ.Float && t.Role != "router" {
		// Vectors and what belongs to them are read as floats by every runtime:
		// a rule for all tensors does not mean them.
		d, err := r.uncovered(i)
		return d, err
	}
	r.applied[rule.Index] = true
	d.typ, d.fallback = typ, fallback
	if !strings.EqualFold(rule.Type, typ.Name) && fallback == "" {
		d.asked = rule.Type
	}
	return d, nil
}

// uncovered is what a tensor becomes that no rule covers.
func (r *resolver) uncovered(i int) (*decision, error) {
	t, choice, policy := &r.q.model.Tensors[i], r.choices[i], r.q.policy
	switch {
	case choice.Kept:
		return &decision{typ: choice.Type, rule: "source", label: "as llama.cpp keeps it"}, nil
	case policy.Preserve() && t.Type.Name == "mxfp4":
		return &decision{typ: t.Type, rule: "preserve", label: policy.Address() + " preserve"}, nil
	case policy.Default() != "":
		name := policy.Default()
		typ, fallback, err := ggufType(name, t.Type, t.Dims[0])
		if err != nil {
			return nil, diag.Errorf(policy.Range(), "Type does not fit", "%s default, tensor %s: %v.", policy.Address(), t.Name, err)
		}
		d := &decision{typ: typ, rule: "default", label: policy.Address() + " default", fallback: fallback}
		if !strings.EqualFold(name, typ.Name) && fallback == "" {
			d.asked = name
		}
		return d, nil
	case r.mix != nil:
		return r.mixed(i)
	}
	return nil, diag.Errorf(policy.Range(), "Tensor without a type", "%s: no rule covers %s (role %s, layer %d). Set mix or default in the policy, or add a rule.", policy.Address(), t.Name, t.Role, t.Layer)
}

// mixed is the mix's choice.
func (r *resolver) mixed(i int) (*decision, error) {
	t, choice, policy := &r.q.model.Tensors[i], r.choices[i], r.q.policy
	d := &decision{typ: choice.Type, rule: "mix " + r.mix.Name, label: policy.Address() + " mix " + r.mix.Name}
	if choice.Wanted != nil {
		d.fallback = fallbackText(choice.Wanted, choice.Type, t.Dims[0])
	}
	if choice.Type.Quantize == nil {
		return nil, diag.Errorf(policy.Range(), "Type cannot be written", "%s: mix %s gives %s the type %s, which this program can only read. Choose another mix, or a rule with another type for it.", policy.Address(), r.mix.Name, t.Name, choice.Type)
	}
	return d, nil
}

// bounded keeps the choice without the rule within the rule's bounds.
func (r *resolver) bounded(i int, rule *engine.Rule) (*decision, error) {
	t := &r.q.model.Tensors[i]
	base, err := r.uncovered(i)
	if err != nil {
		return nil, err
	}
	d := *base
	d.effort = rule.Effort
	if rule.Effort != "" && rule.Min == "" && rule.Max == "" || r.choices[i].Kept {
		return &d, nil
	}
	var least *quant.Type // what min means for the tensor, where it fits
	for _, bound := range []struct {
		name string
		over func(a, b *quant.Type) bool
	}{
		{rule.Min, func(a, b *quant.Type) bool { return a.BitsPerWeight() < b.BitsPerWeight() }},
		{rule.Max, func(a, b *quant.Type) bool { return a.BitsPerWeight() > b.BitsPerWeight() }},
	} {
		if bound.name == "" {
			continue
		}
		limit, fallback, err := ggufType(bound.name, t.Type, t.Dims[0])
		if err != nil {
			return nil, diag.Errorf(rule.Range, "Type does not fit", "%s, tensor %s: %v.", rule.Label, t.Name, err)
		}
		switch {
		case fallback != "": // of types that do not fit anything may come
		case bound.name == rule.Min:
			least = limit
		case least != nil && least.BitsPerWeight() > limit.BitsPerWeight():
			return nil, diag.Errorf(rule.Range, "Bounds leave nothing", "%s, tensor %s: min = %s has more bits than max = %s.", rule.Label, t.Name, least, limit)
		}
		if bound.over(d.typ, limit) {
			d.typ, d.fallback, d.asked = limit, fallback, ""
			d.rule, d.label = rule.Range.String(), rule.Label
		}
	}
	return &d, nil
}

// unmeasured is the error where a rule asks for what no evidence will tell.
func (r *resolver) unmeasured(i int, candidates []*engine.Rule) error {
	at, label := r.q.policy.Range(), r.q.policy.Address()
	if len(candidates) > 0 && candidates[0] != nil {
		at, label = candidates[0].Range, candidates[0].Label
	}
	t := &r.q.model.Tensors[i]
	if r.q.evidence == nil {
		return diag.Errorf(at, "Rule needs evidence", "%s, tensor %s: the condition is on what is measured, and the policy has no evidence. Set evidence in the policy.", label, t.Name)
	}
	return diag.Errorf(at, "Rule needs what was not measured", "%s, tensor %s: %s does not tell what the condition asks for. An importance matrix tells expert.share, expert.route_share and expert.rank if it is a GGUF file, nothing more.", label, t.Name, r.q.evidence.address)
}

// waiting is the decision while evidence is to come: what it may become.
func (r *resolver) waiting(i int, candidates []*engine.Rule) (*decision, error) {
	d := &decision{rule: "evidence"}
	seen := map[*quant.Type]bool{}
	for _, rule := range candidates {
		if rule != nil {
			r.matched[rule.Index] = true // it may
		}
		c, err := r.byRule(i, rule)
		if err != nil {
			return nil, err
		}
		if !seen[c.typ] {
			seen[c.typ] = true
			d.candidates = append(d.candidates, c.typ)
		}
	}
	sort.Slice(d.candidates, func(a, b int) bool {
		return d.candidates[a].BitsPerWeight() < d.candidates[b].BitsPerWeight()
	})
	return d, nil
}

// problem notes an error of one tensor.
func (r *resolver) problem(err error) {
	if d, ok := err.(diag.Diagnostic); ok {
		r.problems = append(r.problems, d)
		return
	}
	r.problems = append(r.problems, diag.Errorf(r.at, "Types cannot be decided", "%v", err))
}

// summary joins problems of one kind and place: a mistake often hits many
// tensors.
func (r *resolver) summary() diag.Diagnostics {
	type kind struct {
		summary string
		place   diag.Range
	}
	first := map[kind]int{}
	count := map[kind]int{}
	var out diag.Diagnostics
	for _, d := range r.problems {
		k := kind{d.Summary, d.Range}
		if _, ok := first[k]; !ok {
			first[k] = len(out)
			out = append(out, d)
		}
		count[k]++
	}
	for k, n := range count {
		if n > 1 {
			out[first[k]].Detail += fmt.Sprintf(" The same holds for %d more tensors.", n-1)
		}
	}
	return out
}

// unmatched warns of rules that no tensor met.
func (r *resolver) unmatched(p *engine.Planner) {
	for _, rule := range r.q.policy.Rules() {
		switch {
		case r.matched[rule.Index] && !r.applied[rule.Index]:
			p.Warn(diag.Warnf(rule.Range, "Rule decides nothing", "%s: all that it matches stays as it is, since every runtime reads vectors such as norms as floats. Ask for f32, f16 or bf16, or remove the rule.", rule.Label))
		case !r.matched[rule.Index]:
			p.Warn(diag.Warnf(rule.Range, "Rule never matches", "%s: no tensor of %s meets it, or an earlier rule takes them all. `pj info --tensors` lists the tensors.", rule.Label, r.q.model.address))
		}
	}
}
