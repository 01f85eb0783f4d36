package stages

import (
	"context"
	"errors"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// sizeMetric judges the artifact's files as a whole, headers included.
type sizeMetric struct {
	MaxBytes         *engine.Bytes `hcl:"max_bytes" optional:"true" doc:"of all files together"`
	MaxBitsPerWeight *float64      `hcl:"max_bits_per_weight" optional:"true" doc:"the files' bits by the number of weights"`
	MaxRatio         *float64      `hcl:"max_ratio" optional:"true" doc:"the files' bytes by those of the baseline's weight files"`
}

// sizeValues are what outputs see: validate.a.size.bytes.
type sizeValues struct {
	Bytes         int64   `json:"bytes"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	Ratio         float64 `json:"ratio"`
}

func (m *sizeMetric) check(place func(string) diag.Range) error {
	return firstOf(
		positive(place, "max_bytes", (*int64)(m.MaxBytes)),
		positive(place, "max_bits_per_weight", m.MaxBitsPerWeight),
		positive(place, "max_ratio", m.MaxRatio),
	)
}

func (m *sizeMetric) judge(_ context.Context, s *subject) ([]engine.Check, any, error) {
	if s.baseline.Bytes <= 0 {
		return nil, nil, errors.New(s.baseline.Address + " has no weight files to compare with")
	}
	v := sizeValues{
		Bytes: s.artifact.Bytes, BitsPerWeight: s.artifact.BitsPerWeight,
		Ratio: float64(s.artifact.Bytes) / float64(s.baseline.Bytes),
	}
	return []engine.Check{
		atMost("bytes", float64(v.Bytes), (*int64)(m.MaxBytes)),
		atMost("bits_per_weight", v.BitsPerWeight, m.MaxBitsPerWeight),
		atMost("ratio", v.Ratio, m.MaxRatio),
	}, v, nil
}
