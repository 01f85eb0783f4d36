package stages

import (
	"context"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// errorMetric judges how far the weights are from the model's.
type errorMetric struct {
	MaxRelativeRMSE       *float64 `hcl:"max_relative_rmse" optional:"true" doc:"of all weights: the root of their squared errors' sum by that of their squares"`
	MaxTensorRelativeRMSE *float64 `hcl:"max_tensor_relative_rmse" optional:"true" doc:"the same, of each tensor"`
	Roles                 []string `hcl:"roles" optional:"true" enum:"embedding,output,router,attention_q,attention_k,attention_v,attention_output,expert,shared_expert,ffn,norm,other" doc:"look at tensors of these roles only"`
}

// errorValues are what outputs see: validate.a.error.value.
type errorValues struct {
	Value float64 `json:"value"`
	// WorstValue is the largest error of a tensor, which Worst names.
	WorstValue float64 `json:"worst_value"`
	Worst      string  `json:"worst"`
}

func (m *errorMetric) check(place func(string) diag.Range) error {
	return firstOf(
		notNegative(place, "max_relative_rmse", m.MaxRelativeRMSE),
		notNegative(place, "max_tensor_relative_rmse", m.MaxTensorRelativeRMSE),
	)
}

func (m *errorMetric) judge(_ context.Context, s *subject) ([]engine.Check, any, error) {
	var all measurement
	var v errorValues
	looked := false
	for _, t := range s.c.Tensors(s.artifact.Address) {
		if len(m.Roles) > 0 && !slices.Contains(m.Roles, t.Role) {
			continue
		}
		one, err := measured(s.c, t)
		if err != nil {
			return nil, nil, err
		}
		looked = true
		all.merge(&one)
		if e := one.relative(); e > v.WorstValue {
			v.WorstValue, v.Worst = e, t.Name
		}
	}
	v.Value = all.relative()
	whole := atMost("relative_rmse", v.Value, m.MaxRelativeRMSE)
	worst := atMost("tensor_relative_rmse", v.WorstValue, m.MaxTensorRelativeRMSE)
	if v.Worst != "" {
		worst.Note = "worst: " + v.Worst
	}
	if !looked {
		whole.Passed, worst.Passed = false, false
		whole.Note = "no tensor has one of the roles " + strings.Join(m.Roles, ", ")
		worst.Note = whole.Note
	}
	return []engine.Check{whole, worst}, v, nil
}
