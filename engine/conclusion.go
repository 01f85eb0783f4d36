package engine

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/atomicfile"
)

// Conclusion is what a judgement or a report sees once the artifacts are there.
type Conclusion struct {
	Address string
	Plan    *Plan
	Result  *Result
	Store   cache.Store
	// Program is the pj that ran, for a report's footer.
	Program string

	params json.RawMessage
	path   string // relative to the output folder, "" for none
}

// Verdict is the outcome of a validate block.
type Verdict struct {
	Address string  `json:"address"`
	Passed  bool    `json:"passed"`
	Checks  []Check `json:"checks"`
}

// Check is one thing that a validation looked at.
type Check struct {
	Metric string  `json:"metric"` // "size.bytes"
	Value  float64 `json:"value"`
	// Limit is the threshold, nil where the value is only reported; Bound says
	// on which side of it a value passes: "<=", ">=".
	Limit  *float64 `json:"limit,omitempty"`
	Bound  string   `json:"bound,omitempty"`
	Passed bool     `json:"passed"`
	Note   string   `json:"note,omitempty"`
}

// ValueText is the value as people read it.
func (c Check) ValueText() string { return measured(c.Value) }

// LimitText is the bound with its threshold, "<= 0.06"; "" where there is none.
func (c Check) LimitText() string {
	if c.Limit == nil {
		return ""
	}
	return c.Bound + " " + measured(*c.Limit)
}

// measured writes whole numbers as they are, and six digits of others.
func measured(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// Decode fills the block's parameters.
func (c *Conclusion) Decode(into any) error {
	if err := json.Unmarshal(c.params, into); err != nil {
		return fmt.Errorf("%s: %w", c.Address, err)
	}
	return nil
}

// Entry is what the cache holds of an action of the plan.
func (c *Conclusion) Entry(action int) *cache.Entry {
	if action < 0 || action >= len(c.Result.States) {
		return nil
	}
	return c.Result.States[action].Entry
}

// Artifact finds an artifact of the plan.
func (c *Conclusion) Artifact(address string) (*ArtifactPlan, bool) {
	for i := range c.Plan.Artifacts {
		if c.Plan.Artifacts[i].Address == address {
			return &c.Plan.Artifacts[i], true
		}
	}
	return nil, false
}

// Tensors are those of an artifact, in its order.
func (c *Conclusion) Tensors(artifact string) []*TensorPlan {
	var out []*TensorPlan
	for i := range c.Plan.Tensors {
		if c.Plan.Tensors[i].Artifact == artifact {
			out = append(out, &c.Plan.Tensors[i])
		}
	}
	return out
}

// Model finds a model of the plan.
func (c *Conclusion) Model(address string) (*ModelPlan, bool) {
	for i := range c.Plan.Models {
		if c.Plan.Models[i].Address == address {
			return &c.Plan.Models[i], true
		}
	}
	return nil, false
}

// Judge adds a verdict; it passed if all its checks did.
func (c *Conclusion) Judge(checks []Check) {
	v := Verdict{Address: c.Address, Passed: true, Checks: checks}
	for _, check := range checks {
		v.Passed = v.Passed && check.Passed
	}
	c.Result.Verdicts = append(c.Result.Verdicts, v)
}

// Measured gives the values of the block, as the recipe's outputs see them
// (validate.a.size.value).
func (c *Conclusion) Measured(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Address, err)
	}
	if c.Result.Measured == nil {
		c.Result.Measured = map[string]json.RawMessage{}
	}
	c.Result.Measured[c.Address] = raw
	return nil
}

// WriteFile writes a file of a report: name is relative to the block's path and
// does not leave it; "" is that path itself. It returns the whole path.
func (c *Conclusion) WriteFile(name string, data []byte) (string, error) {
	if name != "" {
		if err := CheckOutputPath(name); err != nil {
			return "", fmt.Errorf("%s: %w", c.Address, err)
		}
	}
	rel := filepath.Join(filepath.FromSlash(c.path), filepath.FromSlash(name))
	path, err := outputFile(c.Plan.OutputDir, filepath.ToSlash(rel))
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.Address, err)
	}
	if err := atomicfile.WriteFile(path, data); err != nil {
		return "", fmt.Errorf("%s: %w", c.Address, err)
	}
	c.Result.Reports = append(c.Result.Reports, path)
	return path, nil
}
