package recipes

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

func warning(at diag.Range, summary, detail string, args ...any) diag.Diagnostic {
	return diag.Warnf(at, summary, detail, args...)
}

// readRule reads a tensor block.
func (r *policyReader) readRule(b *nested) {
	c, p := b.content, r.p
	x := &rule{canon: map[string]any{}}
	x.Index = len(p.rules) + 1
	x.Range = r.m.place(b.rng)
	x.Label = fmt.Sprintf("%s rule %d (%s)", p.address, x.Index, x.Range)
	for _, t := range []struct {
		name string
		to   *string
	}{{"type", &x.Type}, {"min", &x.Min}, {"max", &x.Max}} {
		known, written := r.name(c.attrs[t.name], ofType, r.m.catalog.Types)
		*t.to = written
		if known != "" {
			x.canon[t.name] = known
		}
	}
	if known, _ := r.name(c.attrs["effort"], "effort", efforts); known != "" {
		x.Effort = known
		x.canon["effort"] = known
	}
	switch {
	case c.attrs["type"] == nil && c.attrs["min"] == nil && c.attrs["max"] == nil && c.attrs["effort"] == nil:
		r.fail(b.rng, "Rule without effect", "A tensor rule sets type, or min and max as bounds, or effort.")
	case x.Type != "" && (x.Min != "" || x.Max != ""):
		at := c.attrs["min"]
		if at == nil {
			at = c.attrs["max"]
		}
		r.fail(at.rng, "Type and bounds", "type is exact, so min and max have nothing to bound. Set the one or the others.")
	}
	w := c.attrs["when"]
	if w == nil {
		x.always = true
		p.rules = append(p.rules, x)
		return
	}
	if !w.expr.usable() || !w.expr.checkKeys() {
		r.ok = false
		return
	}
	if _, isText := literal(w.expr.Expression); isText {
		r.fail(w.expr.Range(), "Wrong type", "A condition is an expression, not a string%s.", map[bool]string{true: `: write "${…}"`}[strings.HasSuffix(r.m.file, jsonSuffix)])
		return
	}
	base := w.expr.context(r.each, nil)
	if !w.expr.affordable(base) {
		r.ok = false
		return
	}
	x.when = newCondition(w.expr.Expression, base)
	x.canon["when"] = "${" + r.m.portable(printExpression(w.expr.Expression, base)).(string) + "}"
	r.m.closed(w.expr.Expression, base)
	if !r.try(x) {
		return
	}
	p.rules = append(p.rules, x)
	if x.when.sees == 0 {
		o, _ := x.when.evaluate(&engine.TensorAttrs{})
		x.always = o == isTrue
		if o == isFalse {
			r.m.warnf(w.expr.Range(), "Rule never matches", "The condition does not look at the tensor, and is false.")
		}
	}
	x.measured = measuredAt(w.expr)
}

// measuredAt is where an expression first looks at evidence; nil if nowhere.
func measuredAt(e *expression) *hcl.Range {
	for _, t := range e.Variables() {
		if attrOf(t)&measuredSet != 0 {
			r := t.SourceRange()
			return &r
		}
	}
	return nil
}

// try asks the condition about tensors of every kind, so that a mistake in it is
// found now and not in the middle of a plan.
func (r *policyReader) try(x *rule) bool {
	c := x.when
	for _, sample := range samples(c.sees) {
		vars, err := tensorVariables(sample, c.sees)
		if err == nil {
			// What may be anything is left open, so that a rule which takes names
			// apart is not asked about names that do not exist.
			for name, v := range map[string]cty.Value{"name": cty.UnknownVal(cty.String), "shape": cty.UnknownVal(cty.List(cty.Number)), "elements": cty.UnknownVal(cty.Number)} {
				if _, ok := vars[name]; ok {
					vars[name] = v
				}
			}
			_, err = c.truth(c.expr, sample, c.child(vars))
		}
		if err != nil {
			r.ok = false
			var ce *conditionError
			if errors.As(err, &ce) {
				r.m.hcl(ce.diagnostics)
			}
			return false
		}
	}
	return true
}

// samples are tensors that stand for all kinds, as far as an expression tells
// them apart.
func samples(sees attrs) []*engine.TensorAttrs {
	roleChoice, attentionChoice, projectionChoice := roles[:1], attentions[:1], projections[:1]
	layerChoice := []int{0}
	if sees&seesRole != 0 {
		roleChoice = roles
	}
	if sees&seesAttention != 0 {
		attentionChoice = attentions
	}
	if sees&seesProjection != 0 {
		projectionChoice = projections
	}
	if sees&seesLayer != 0 {
		layerChoice = []int{-1, 0, 47}
	}
	experts := []*engine.ExpertAttrs{nil}
	if sees&(seesExpert|seesOfExpert) != 0 {
		experts = []*engine.ExpertAttrs{nil, {Index: 3}, {Index: 3, Known: true, Share: 0.25, RouteShare: 0.03125, Rank: 0.5, Importance: 1.5}}
	}
	value := 0.5
	measures := []*float64{nil}
	if sees&(seesLayerImportance|seesSensitivity) != 0 {
		measures = []*float64{nil, &value}
	}
	// Not every combination: with every role, each value of the others.
	var out []*engine.TensorAttrs
	turns := max(len(attentionChoice), len(projectionChoice), len(layerChoice), len(experts), len(measures))
	for _, role := range roleChoice {
		for i := range turns {
			v := measures[i%len(measures)]
			out = append(out, &engine.TensorAttrs{Role: role, Layer: layerChoice[i%len(layerChoice)], Layers: 48,
				Attention: attentionChoice[i%len(attentionChoice)], Projection: projectionChoice[i%len(projectionChoice)],
				Expert: experts[i%len(experts)], LayerImportance: v, Sensitivity: v})
		}
	}
	return out
}
