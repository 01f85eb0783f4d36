package cli

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// planJSON is what plan and build print with --json; a contract with scripts.
type planJSON struct {
	Recipe      string                     `json:"recipe"`
	Summary     summaryJSON                `json:"summary"`
	Actions     []actionJSON               `json:"actions"`
	Tensors     []engine.TensorPlan        `json:"tensors"`
	Artifacts   []artifactJSON             `json:"artifacts"`
	Models      []modelJSON                `json:"models"`
	Pending     []string                   `json:"pending"`
	Verdicts    []engine.Verdict           `json:"verdicts"`
	Reports     []string                   `json:"reports"`
	Outputs     map[string]json.RawMessage `json:"outputs"`
	Diagnostics diag.Diagnostics           `json:"diagnostics"`
}

type summaryJSON struct {
	Actions  int     `json:"actions"`
	Cached   int     `json:"cached"`
	New      int     `json:"new"`
	Rebuild  int     `json:"rebuild"`
	Pending  int     `json:"pending"`
	Executed int     `json:"executed"`
	Seconds  float64 `json:"seconds"`
	// PeakMemoryBytes is what a build would need, or needed.
	PeakMemoryBytes int64 `json:"peak_memory_bytes"`
	// DiskBytes is what a build would write, at most.
	DiskBytes    int64   `json:"disk_bytes"`
	HashedBytes  int64   `json:"hashed_bytes"`
	HashSeconds  float64 `json:"hash_seconds"`
	StoreSeconds float64 `json:"store_seconds"`
}

type actionJSON struct {
	Address string            `json:"address"`
	Stage   string            `json:"stage"`
	Status  engine.Status     `json:"status"`
	Reason  string            `json:"reason"`
	ID      *cache.ActionID   `json:"id"`
	Inputs  []*cache.OutputID `json:"inputs"`
	// Seconds is how long it ran in this build.
	Seconds *float64 `json:"seconds,omitempty"`
}

type artifactJSON struct {
	Address       string  `json:"address"`
	Path          string  `json:"path"`
	Format        string  `json:"format"`
	Bytes         int64   `json:"bytes"`
	BytesMin      int64   `json:"bytes_min,omitempty"`
	BytesMax      int64   `json:"bytes_max,omitempty"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	Elements      int64   `json:"elements"`
	// SHA256 is that of the file, of an artifact that is one.
	SHA256  *string               `json:"sha256"`
	Written *bool                 `json:"written,omitempty"`
	Files   []engine.ArtifactFile `json:"files,omitempty"`
	Methods map[string]int        `json:"methods,omitempty"`
	Notes   []string              `json:"notes,omitempty"`
}

type modelJSON struct {
	Address      string `json:"address"`
	Source       string `json:"source"`
	Revision     string `json:"revision,omitempty"`
	Architecture string `json:"architecture"`
	Bytes        int64  `json:"bytes"`
}

// json is the plan's object, without a build's results.
func (p *planned) json() planJSON {
	out := planJSON{
		Recipe: p.Recipe, Actions: make([]actionJSON, len(p.Actions)), Tensors: p.Tensors, Artifacts: []artifactJSON{},
		Models: []modelJSON{}, Pending: append([]string{}, p.Pending...), Verdicts: []engine.Verdict{}, Reports: []string{},
		Outputs: map[string]json.RawMessage{}, Diagnostics: diag.Diagnostics{},
	}
	n := p.count()
	need := p.need()
	out.Summary = summaryJSON{
		Actions: n.actions, Cached: n.cached, New: n.new, Rebuild: n.rebuild, Pending: len(p.Pending),
		PeakMemoryBytes: need.memory, DiskBytes: need.cache + need.files,
	}
	for i, a := range p.Actions {
		s := p.states[i]
		out.Actions[i] = actionJSON{Address: a.Address, Stage: stageName(a.Stage), Status: s.Status, Reason: s.Reason, Inputs: p.inputs(a)}
		if !s.ID.IsZero() {
			out.Actions[i].ID = &p.states[i].ID
		}
	}
	for _, a := range p.Artifacts {
		out.Artifacts = append(out.Artifacts, artifactJSON{
			Address: a.Address, Path: a.Path, Format: a.Format, Bytes: a.Bytes, BytesMin: a.BytesMin, BytesMax: a.BytesMax,
			BitsPerWeight: a.BitsPerWeight, Elements: a.Elements, Notes: a.Notes,
		})
	}
	for _, m := range p.Models {
		out.Models = append(out.Models, modelJSON{m.Address, m.Source, m.Revision, m.Arch, m.Bytes})
	}
	return out
}

// addResult puts in what a build did.
func (out *planJSON) addResult(r *engine.Result) {
	s := &out.Summary
	s.Executed, s.PeakMemoryBytes = r.Executed, peakMemory()
	s.Seconds, s.HashedBytes = seconds(r.Elapsed), r.HashedBytes
	s.HashSeconds, s.StoreSeconds = seconds(r.HashTime), seconds(r.StoreTime)
	for i, d := range r.Ran {
		ran := seconds(d)
		out.Actions[i].Seconds = &ran
	}
	for i := range out.Artifacts {
		a := &out.Artifacts[i]
		for _, done := range r.Artifacts {
			if done.Address != a.Address {
				continue
			}
			a.Bytes, a.Files, a.Written, a.Methods = done.Bytes, done.Files, &done.Written, done.Methods
			if len(done.Files) == 1 {
				a.SHA256 = &done.Files[0].SHA256
			}
		}
	}
	out.Verdicts = append(out.Verdicts, r.Verdicts...)
	out.Reports = append(out.Reports, r.Reports...)
}

func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }

// stageName is "quantize" of "stage quantize"; others keep their kind.
func stageName(id string) string { return strings.TrimPrefix(id, "stage ") }

// inputs are the contents of an action's inputs, nil where one is not known.
func (p *planned) inputs(a *engine.Action) []*cache.OutputID {
	out := make([]*cache.OutputID, len(a.Inputs))
	for i, in := range a.Inputs {
		switch {
		case in.Source >= 0:
			if !p.contents[in.Source].IsZero() {
				out[i] = &p.contents[in.Source]
			}
		case p.states[in.Action].Entry != nil:
			outputs := p.states[in.Action].Entry.Outputs
			for o := range outputs {
				if outputs[o].Name == in.Output {
					out[i] = &outputs[o].ID
				}
			}
		}
	}
	return out
}

// counts are the numbers of a plan's last line.
type counts struct{ actions, cached, new, rebuild int }

func (p *planned) count() counts {
	n := counts{actions: len(p.Actions)}
	for _, s := range p.states {
		switch s.Status {
		case engine.Cached:
			n.cached++
		case engine.Rebuild:
			n.rebuild++
		default:
			n.new++
		}
	}
	return n
}
