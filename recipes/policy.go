package recipes

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// Policy is an evaluated policy block. It is safe for concurrent use.
type Policy struct {
	address   string
	rng       diag.Range
	mix       string
	fallback  string
	preserve  *bool
	evidence  *blockRef
	parent    *blockRef
	rules     []*rule
	kv        []*kvRule
	budget    *Budget
	canonical json.RawMessage
	failed    bool // something of it could not be read, and that is reported
}

var _ engine.Policy = (*Policy)(nil)

// Budget bounds what an artifact may be. Zero means no bound.
type Budget struct {
	Bytes         int64   // of the whole file
	BitsPerWeight float64 // of all weights on average
	MaxKLD        float64 // mean KL divergence against the source
	Range         diag.Range
}

// rule is a tensor rule with its condition.
type rule struct {
	engine.Rule
	when   *condition // nil: always
	always bool
	canon  map[string]any
	// measured is where the condition first looks at evidence; nil if nowhere.
	measured *hcl.Range
}

// Address is the policy's address.
func (p *Policy) Address() string { return p.address }

// Range is where the policy is declared.
func (p *Policy) Range() diag.Range { return p.rng }

// Mix is the llama-quantize mix that tensors take which no rule covers, in the
// catalog's spelling; "" if none.
func (p *Policy) Mix() string { return p.mix }

// Default is the type of tensors that no rule covers, in the catalog's
// spelling; "" if none.
func (p *Policy) Default() string { return p.fallback }

// Preserve keeps tensors that the source stores as MXFP4 as they are.
func (p *Policy) Preserve() bool { return p.preserve != nil && *p.preserve }

// Evidence is what rules and encoders go by; nil if none.
func (p *Policy) Evidence() *engine.Ref {
	if p.evidence == nil {
		return nil
	}
	r := p.evidence.Ref
	return &r
}

// Budget is what the artifacts of the policy may take: bytes of the file, bits
// per weight, mean KL divergence; 0 where there is no bound.
func (p *Policy) Budget() (bytes int64, bitsPerWeight, maxKLD float64) {
	if p.budget == nil {
		return 0, 0, 0
	}
	return p.budget.Bytes, p.budget.BitsPerWeight, p.budget.MaxKLD
}

// Canonical is the policy's body in HCL's JSON syntax, what it inherits
// included.
func (p *Policy) Canonical() json.RawMessage { return p.canonical }

// Rules describes the tensor rules, in order.
func (p *Policy) Rules() []engine.Rule {
	out := make([]engine.Rule, len(p.rules))
	for i, r := range p.rules {
		out[i] = r.Rule
	}
	return out
}

// Match finds the first rule that matches a tensor. Where that depends on
// evidence which is not there yet, the decision is pending. Errors are those of
// a rule's expression, such as a division by zero, with the rule's place.
func (p *Policy) Match(t *engine.TensorAttrs) (engine.Decision, error) {
	var candidates []*engine.Rule
	for _, r := range p.rules {
		o := isTrue
		if !r.always {
			var err error
			if o, err = r.when.holds(t); err != nil {
				return engine.Decision{}, fmt.Errorf("%s: tensor %s: %w", r.Label, t.Name, err)
			}
		}
		switch {
		case o == isTrue && candidates == nil:
			return engine.Decision{Rule: &r.Rule}, nil
		case o == isTrue:
			return engine.Decision{Pending: true, Candidates: append(candidates, &r.Rule)}, nil
		case o&isTrue != 0:
			candidates = append(candidates, &r.Rule)
		}
	}
	if candidates != nil {
		return engine.Decision{Pending: true, Candidates: append(candidates, nil)}, nil
	}
	return engine.Decision{}, nil
}
