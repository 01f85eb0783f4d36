package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/llama-pajamas/pj/internal/diag"
)

// PlanVersion is the version of the plan's JSON form.
const PlanVersion = 1

// Plan is everything that a build would do, expanded before anything runs.
// Actions stand in dependency order. A plan is immutable once Lower returned
// it, and can be written to a file and built from it.
type Plan struct {
	Version int    `json:"version"`
	Recipe  string `json:"recipe"` // the recipe's path, as the user named it
	// Scope names the recipe on this machine, to find what was last built of it.
	Scope     string `json:"scope"`
	OutputDir string `json:"output_dir"`

	Files       []File           `json:"files"`
	Sources     []Source         `json:"sources"`
	Actions     []*Action        `json:"actions"`
	Tensors     []TensorPlan     `json:"tensors"`
	Artifacts   []ArtifactPlan   `json:"artifacts"`
	Conclusions []ConclusionPlan `json:"conclusions"`
	Models      []ModelPlan      `json:"models"`
	// Pending lists the addresses of evidence that must be there before the
	// plan is whole; it is lowered again then.
	Pending []string `json:"pending,omitempty"`
	// Refusals are problems that a plan may show, as warnings, and that keep a
	// build from starting.
	Refusals    diag.Diagnostics `json:"refusals,omitempty"`
	Diagnostics diag.Diagnostics `json:"diagnostics"`
}

// TensorPlan is one tensor of one artifact: what type it gets and why.
type TensorPlan struct {
	Artifact string  `json:"artifact"`
	Name     string  `json:"name"`
	Role     string  `json:"role"`
	Layer    int     `json:"layer"`
	Shape    []int64 `json:"shape"` // fastest dimension first
	Elements int64   `json:"elements"`
	// Type is nil while it waits for evidence; then Candidates bound it.
	Type       *string  `json:"type"`
	Bytes      int64    `json:"bytes"`
	Candidates []string `json:"candidates,omitempty"`
	BytesMin   int64    `json:"bytes_min,omitempty"`
	BytesMax   int64    `json:"bytes_max,omitempty"`
	// Rule is the place of the rule that decided, or "mix Q4_K_M", "default", "source".
	Rule string `json:"rule"`
	// Fallback says why the type is not the one asked for, null if it is.
	Fallback *string `json:"fallback"`
	// Asked is the name as written where the type it became differs ("INT4").
	Asked       string `json:"asked,omitempty"`
	SourceType  string `json:"source_type"`
	SourceBytes int64  `json:"source_bytes"`
	// Actions are the steps that make the tensor, in the order of its slices.
	Actions []int `json:"action_indexes,omitempty"`
}

// ArtifactPlan is one artifact: the action that assembles it, and where it goes.
type ArtifactPlan struct {
	Address string `json:"address"`
	Path    string `json:"path"` // relative to the output folder
	Format  string `json:"format"`
	// Model is the address of the model that its weights come from.
	Model string `json:"model,omitempty"`
	// Action makes the artifact's manifest (output "manifest").
	Action        int     `json:"action_index"`
	Bytes         int64   `json:"bytes"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	// Bounds while tensors wait for evidence.
	BytesMin int64 `json:"bytes_min,omitempty"`
	BytesMax int64 `json:"bytes_max,omitempty"`
	// Elements counts the weights of all tensors.
	Elements int64 `json:"elements"`
	// Notes are for people: what stock runtimes will not load, what a name became.
	Notes []string `json:"notes,omitempty"`
}

// ModelPlan is a model that the plan reads: enough for the lock file.
type ModelPlan struct {
	Address  string `json:"address"`
	Source   string `json:"source"` // as written
	Revision string `json:"revision,omitempty"`
	// Files are indexes into Plan.Files; Sources those of all its content, the
	// small files included, in the order of its digest.
	Files   []int  `json:"files"`
	Sources []int  `json:"sources"`
	Bytes   int64  `json:"bytes"`
	Arch    string `json:"architecture"`
}

// ConclusionPlan is a judgement or report to make once the artifacts exist.
type ConclusionPlan struct {
	Address string          `json:"address"`
	Stage   string          `json:"stage"`
	Params  json.RawMessage `json:"params"`
	Path    string          `json:"path,omitempty"` // relative to the output folder
}

// Encode writes the plan as JSON.
func (p *Plan) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(p)
}

// maxPlanBytes bounds a plan file: the largest real plans are some 20 MB.
const maxPlanBytes = 512 << 20

// ReadPlan reads and checks a plan file.
func ReadPlan(path string) (*Plan, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if st.Size() > maxPlanBytes {
		return nil, fmt.Errorf("plan %s is %d bytes long; at most %d are read", path, st.Size(), maxPlanBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p, err := DecodePlan(raw)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w; make it anew with pj plan -o", path, err)
	}
	return p, nil
}

// DecodePlan parses a plan and checks every index in it, so that a damaged
// file can't make the executor read or write what it should not.
func DecodePlan(raw []byte) (*Plan, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var p Plan
	err := d.Decode(&p)
	if err == nil {
		err = atEnd(d)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err != nil && json.Unmarshal(raw, &head) == nil && head.Version > PlanVersion {
		p.Version, err = head.Version, nil // what it has more is no mistake
	}
	if err != nil {
		return nil, err
	}
	if p.Version != PlanVersion {
		return nil, fmt.Errorf("it has version %d, this program reads %d", p.Version, PlanVersion)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

func (p *Plan) check() error {
	for i, f := range p.Files {
		if f.Size < 0 {
			return fmt.Errorf("file %d (%s) has %d bytes", i, f.Path, f.Size)
		}
	}
	for i, s := range p.Sources {
		if s.File < 0 || s.File >= len(p.Files) {
			return fmt.Errorf("source %d (%s) names file %d of %d", i, s.Name, s.File, len(p.Files))
		}
		if f := p.Files[s.File]; s.Offset < 0 || s.Size < 0 || s.Offset > f.Size-s.Size {
			return fmt.Errorf("source %d (%s): bytes %d+%d are not within the %d bytes of %s", i, s.Name, s.Offset, s.Size, f.Size, f.Path)
		}
	}
	for i, a := range p.Actions {
		if a == nil {
			return fmt.Errorf("action %d is null", i)
		}
		if a.Work < 0 || a.Memory < 0 {
			return fmt.Errorf("action %d (%s) has negative work or memory", i, a.Address)
		}
		for j, in := range a.Inputs {
			switch {
			case in.Action < 0 && in.Source >= 0 && in.Source < len(p.Sources):
			case in.Source < 0 && in.Action >= 0 && in.Action < i:
			default:
				return fmt.Errorf("action %d (%s): input %d (%s) names neither a source nor an earlier action", i, a.Address, j, in.Name)
			}
		}
	}
	for _, t := range p.Tensors {
		for _, a := range t.Actions {
			if a < 0 || a >= len(p.Actions) {
				return fmt.Errorf("tensor %s names action %d of %d", t.Name, a, len(p.Actions))
			}
		}
	}
	for _, a := range p.Artifacts {
		if a.Action < -1 || a.Action >= len(p.Actions) {
			return fmt.Errorf("%s names action %d of %d", a.Address, a.Action, len(p.Actions))
		}
		if err := CheckOutputPath(a.Path); err != nil {
			return fmt.Errorf("%s: %w", a.Address, err)
		}
	}
	for _, c := range p.Conclusions {
		if c.Path != "" {
			if err := CheckOutputPath(c.Path); err != nil {
				return fmt.Errorf("%s: %w", c.Address, err)
			}
		}
	}
	for _, m := range p.Models {
		for _, f := range m.Files {
			if f < 0 || f >= len(p.Files) {
				return fmt.Errorf("%s names file %d of %d", m.Address, f, len(p.Files))
			}
		}
		for _, s := range m.Sources {
			if s < 0 || s >= len(p.Sources) {
				return fmt.Errorf("%s names source %d of %d", m.Address, s, len(p.Sources))
			}
		}
	}
	return nil
}
