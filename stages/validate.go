package stages

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// validateParams has a block for each metric: a pointer to a struct that is a
// metric, declared in a file of its own.
type validateParams struct {
	Candidate engine.Ref  `hcl:"candidate" ref:"artifact" doc:"what is judged"`
	Baseline  *engine.Ref `hcl:"baseline" ref:"model" optional:"true" doc:"what it is compared with; the model that the candidate was made of where it is not set"`

	Size  *sizeMetric  `hcl:"size,block" doc:"how large the candidate is"`
	Error *errorMetric `hcl:"error,block" doc:"how far the candidate's weights are from the model's"`
}

// metric is one thing that a validation measures and judges.
type metric interface {
	// check looks at the limits alone; place finds where one is written.
	check(place func(attribute string) diag.Range) error
	// judge measures. The checks' names get the metric's in front; values are
	// what the recipe's outputs see below it.
	judge(ctx context.Context, s *subject) (checks []engine.Check, values any, err error)
}

// subject is what is judged.
type subject struct {
	c        *engine.Conclusion
	artifact *engine.ArtifactPlan
	baseline *engine.ModelPlan
}

var _ = register(&engine.Stage{
	Block: "validate", Version: 1, Yields: "validate", Params: &validateParams{},
	Doc:      "What an artifact must prove: its size, its error, and more; a limit that is missed fails the build once everything is written.",
	Check:    checkValidate,
	Lower:    lowerValidate,
	Conclude: concludeValidate,
})

// namedMetric is a metric that a block sets.
type namedMetric struct {
	name string
	metric
}

// metrics are those that the block sets, in the order of the fields.
func (v *validateParams) metrics() []namedMetric {
	var out []namedMetric
	value := reflect.ValueOf(v).Elem()
	for i := range value.NumField() {
		name, option, _ := strings.Cut(value.Type().Field(i).Tag.Get("hcl"), ",")
		if option == "block" && !value.Field(i).IsNil() {
			out = append(out, namedMetric{name, value.Field(i).Interface().(metric)})
		}
	}
	return out
}

func checkValidate(b *engine.Block) error {
	params := b.Params.(*validateParams)
	metrics := params.metrics()
	if len(metrics) == 0 {
		return diag.Errorf(b.Range, "Nothing to validate", "%s has no metric: add a block such as size { max_bytes = \"16 GB\" } or error {}.", b.Address)
	}
	var problems diag.Diagnostics
	for _, m := range metrics {
		place := func(attribute string) diag.Range {
			if r, ok := b.Attrs[m.name+"."+attribute]; ok {
				return r
			}
			return b.Attrs[m.name]
		}
		err := m.check(place)
		var d diag.Diagnostic
		switch {
		case err == nil:
		case errors.As(err, &d):
			problems = append(problems, d)
		default:
			problems = append(problems, diag.Errorf(place(""), "Metric cannot be used", "%s: %v.", m.name, err))
		}
	}
	return problems.Err()
}

func lowerValidate(_ context.Context, p *engine.Planner, b *engine.Block) error {
	params := b.Params.(*validateParams)
	candidate, err := p.Result(params.Candidate)
	if err != nil {
		return err
	}
	if _, ok := candidate.(*ggufResult); !ok {
		return diag.Errorf(b.Attrs["candidate"], "Cannot be judged", "%s: validations cannot judge %s.", b.Address, params.Candidate.Address)
	}
	if params.Baseline != nil {
		if _, err := p.Result(*params.Baseline); err != nil {
			return err
		}
	}
	return p.Conclude(b, "")
}

func concludeValidate(ctx context.Context, c *engine.Conclusion) error {
	var params validateParams
	if err := c.Decode(&params); err != nil {
		return err
	}
	s, err := newSubject(c, &params)
	if err != nil {
		return err
	}
	checks := []engine.Check{}
	values := map[string]any{}
	for _, m := range params.metrics() {
		got, value, err := m.judge(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for i := range got {
			got[i].Metric = m.name + "." + got[i].Metric
		}
		checks = append(checks, got...)
		values[m.name] = value
	}
	c.Judge(checks)
	return c.Measured(values)
}

func newSubject(c *engine.Conclusion, params *validateParams) (*subject, error) {
	s := &subject{c: c}
	var ok bool
	if s.artifact, ok = c.Artifact(params.Candidate.Address); !ok {
		return nil, fmt.Errorf("the plan has no %s", params.Candidate.Address)
	}
	baseline := s.artifact.Model
	if params.Baseline != nil {
		baseline = params.Baseline.Address
	}
	if s.baseline, ok = c.Model(baseline); !ok {
		return nil, fmt.Errorf("the plan has no %s", baseline)
	}
	return s, nil
}

// atMost is the check of a value that a limit bounds from above; without a limit
// it is only reported.
func atMost[T int64 | float64](name string, value float64, limit *T) engine.Check {
	c := engine.Check{Metric: name, Value: value, Passed: true}
	if limit != nil {
		l := float64(*limit)
		c.Limit, c.Bound, c.Passed = &l, "<=", value <= l
	}
	return c
}

// notNegative refuses limits that nothing can meet, of what can be 0.
func notNegative(place func(string) diag.Range, name string, limit *float64) error {
	if limit != nil && *limit < 0 {
		return diag.Errorf(place(name), "Limit out of range", "%s is %v, and must not be negative.", name, *limit)
	}
	return nil
}

// positive refuses limits that nothing can meet.
func positive[T int64 | float64](place func(string) diag.Range, name string, limit *T) error {
	if limit != nil && *limit <= 0 {
		return diag.Errorf(place(name), "Limit out of range", "%s is %v, and must be more than 0.", name, *limit)
	}
	return nil
}

// firstOf is the first error of a list.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
