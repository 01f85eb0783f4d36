package stages

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/llama-pajamas/pj/engine"
)

// worstTensors is how many tensors a report lists by their error.
const worstTensors = 20

// newReport collects what a build made and measured.
func newReport(ctx context.Context, c *engine.Conclusion, of []engine.Ref) (*report, error) {
	scope, err := newReportScope(c, of)
	if err != nil {
		return nil, err
	}
	r := &report{Version: reportVersion, Address: c.Address, Artifacts: []reportArtifact{}, Models: []reportModel{}, Verdicts: []engine.Verdict{}}
	models := map[string]bool{}
	for i := range c.Plan.Artifacts {
		a := &c.Plan.Artifacts[i]
		if !scope.all && !scope.artifacts[a.Address] {
			continue
		}
		one, err := newReportArtifact(ctx, c, a)
		if err != nil {
			return nil, err
		}
		r.Artifacts = append(r.Artifacts, *one)
		models[a.Model] = true
	}
	for i := range c.Plan.Models {
		if m := &c.Plan.Models[i]; models[m.Address] {
			r.Models = append(r.Models, reportModel{m.Address, reportSource(m), m.Revision, m.Arch, m.Bytes})
		}
	}
	for _, v := range c.Result.Verdicts {
		if scope.all || scope.verdicts[v.Address] {
			r.Verdicts = append(r.Verdicts, v)
		}
	}
	r.Run = newReportRun(c)
	return r, nil
}

// reportSource is a model's source without the folders of this machine.
func reportSource(m *engine.ModelPlan) string {
	if strings.HasPrefix(m.Source, hubScheme) {
		return m.Source
	}
	return filepath.Base(filepath.FromSlash(m.Source))
}

func newReportArtifact(ctx context.Context, c *engine.Conclusion, a *engine.ArtifactPlan) (*reportArtifact, error) {
	r := &reportArtifact{
		Address: a.Address, Path: a.Path, Format: a.Format, Model: a.Model, Bytes: a.Bytes, Weights: a.Elements, BitsPerWeight: a.BitsPerWeight,
		Types: map[string]*reportPart{}, Roles: map[string]*reportPart{}, Layers: []reportLayer{}, Files: []reportFile{},
		Tensors: []reportTensor{}, Worst: []reportWorst{}, Asked: []reportAsked{}, Fallbacks: []reportFallback{}, Notes: append([]string{}, a.Notes...),
	}
	if m, ok := c.Model(a.Model); ok && m.Bytes > 0 {
		r.SourceBytes, r.SourceRatio = m.Bytes, float64(a.Bytes)/float64(m.Bytes)
	}
	for _, done := range c.Result.Artifacts {
		if done.Address == a.Address {
			r.Files = relativeFiles(c.Plan.OutputDir, done.Files)
		}
	}
	if err := r.addTensors(c); err != nil {
		return nil, err
	}
	if err := r.addResident(c, a); err != nil {
		return nil, err
	}
	var err error
	r.Provenance, err = provenanceOf(ctx, c, a)
	return r, err
}

func relativeFiles(dir string, files []engine.ArtifactFile) []reportFile {
	out := []reportFile{}
	for _, f := range files {
		name := f.Path
		if rel, err := filepath.Rel(dir, f.Path); err == nil {
			name = rel
		}
		out = append(out, reportFile{filepath.ToSlash(name), f.Bytes, f.SHA256})
	}
	return out
}

// addResident says what a run keeps in memory of the weights.
func (r *reportArtifact) addResident(c *engine.Conclusion, a *engine.ArtifactPlan) error {
	entry := c.Entry(a.Action)
	if entry == nil {
		return fmt.Errorf("%s has no result", a.Address)
	}
	for _, o := range entry.Outputs {
		if strings.HasPrefix(o.Name, headerOutput) {
			r.ResidentBytes += o.Size
		}
	}
	tiered := false
	for i := range r.Tensors {
		t := &r.Tensors[i]
		r.ResidentBytes += t.Bytes
		tiered = tiered || strings.Contains(t.Name, expertInfix)
	}
	if tiered {
		r.ResidentNote = "experts stay in the file until they are needed; what a streaming run keeps resident is not measured here"
	}
	return nil
}

// addTensors adds what is known of each tensor, and all that is summed up from
// it.
func (r *reportArtifact) addTensors(c *engine.Conclusion) error {
	var all measurement
	layers := map[int]*reportPart{}
	var worst []*reportTensor
	for _, t := range c.Tensors(r.Address) {
		one, err := newReportTensor(c, t)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Address, err)
		}
		all.merge(&one.sum)
		partOf(r.Types, one.Type).add(one)
		partOf(r.Roles, one.Role).add(one)
		if one.Layer >= 0 {
			partOf(layers, one.Layer).add(one)
		}
		r.Tensors = append(r.Tensors, *one)
	}
	r.RelativeRMSE = all.relative()
	finishParts(r.Types)
	finishParts(r.Roles)
	finishParts(layers)
	for n, p := range layers {
		r.Layers = append(r.Layers, reportLayer{n, *p})
	}
	sort.Slice(r.Layers, func(i, j int) bool { return r.Layers[i].Layer < r.Layers[j].Layer })
	for i := range r.Tensors {
		worst = append(worst, &r.Tensors[i])
	}
	r.addWorst(worst)
	r.addNames()
	return nil
}

func newReportTensor(c *engine.Conclusion, t *engine.TensorPlan) (*reportTensor, error) {
	if t.Type == nil {
		return nil, fmt.Errorf("tensor %s has no type", t.Name)
	}
	sum, err := measured(c, t)
	if err != nil {
		return nil, err
	}
	one := &reportTensor{
		Name: t.Name, Role: t.Role, Layer: t.Layer, Shape: t.Shape, Weights: t.Elements, Type: *t.Type, Bytes: t.Bytes,
		SourceType: t.SourceType, Rule: withoutFolder(t.Rule, c.Plan.Recipe), Asked: t.Asked,
		RelativeRMSE: sum.relative(), MaxAbsError: sum.MaxAbs, sum: sum,
	}
	if t.Fallback != nil {
		one.Fallback = *t.Fallback
	}
	if sum.weighted {
		w := sum.relativeWeighted()
		one.WeightedRelativeRMSE = &w
	}
	return one, nil
}

// withoutFolder makes a rule's place relative to the recipe's folder, so that a
// report does not depend on where the recipe lies.
func withoutFolder(rule, recipe string) string {
	dir := filepath.Dir(recipe)
	if dir == "." {
		return rule
	}
	prefix := strings.TrimSuffix(dir, string(filepath.Separator)) + string(filepath.Separator)
	parts := strings.Split(rule, ", ") // "collapse of 2 types, /home/me/recipe.hcl:7"
	for i := range parts {
		parts[i] = strings.TrimPrefix(parts[i], prefix)
	}
	return filepath.ToSlash(strings.Join(parts, ", "))
}

func partOf[K comparable](parts map[K]*reportPart, key K) *reportPart {
	if parts[key] == nil {
		parts[key] = &reportPart{}
	}
	return parts[key]
}

func (p *reportPart) add(t *reportTensor) {
	p.Tensors++
	p.Weights += t.Weights
	p.Bytes += t.Bytes
	p.sum.merge(&t.sum)
}

func finishParts[K comparable](parts map[K]*reportPart) {
	for _, p := range parts {
		p.BitsPerWeight = float64(p.Bytes) * 8 / float64(max(p.Weights, 1))
		p.RelativeRMSE = p.sum.relative()
	}
}

// addWorst lists the tensors of the largest error.
func (r *reportArtifact) addWorst(tensors []*reportTensor) {
	sort.SliceStable(tensors, func(i, j int) bool { return tensors[i].RelativeRMSE > tensors[j].RelativeRMSE })
	for _, t := range tensors[:min(len(tensors), worstTensors)] {
		if t.RelativeRMSE == 0 {
			break
		}
		w := reportWorst{Name: t.Name, Type: t.Type, RelativeRMSE: t.RelativeRMSE, Rows: []reportRow{}}
		for _, row := range t.sum.worst {
			out := reportRow{Row: row.Row, RelativeRMSE: row.RelRMSE}
			if len(t.Shape) > 2 {
				out.Expert = &row.slice
			}
			w.Rows = append(w.Rows, out)
		}
		r.Worst = append(r.Worst, w)
	}
}

// addNames counts what names became and which types were replaced.
func (r *reportArtifact) addNames() {
	asked := map[[2]string]int{}
	fallbacks := map[string]int{}
	for i := range r.Tensors {
		t := &r.Tensors[i]
		if t.Asked != "" {
			key := [2]string{t.Asked, t.Type}
			at, ok := asked[key]
			if !ok {
				at = len(r.Asked)
				asked[key] = at
				r.Asked = append(r.Asked, reportAsked{Asked: t.Asked, Type: t.Type})
			}
			r.Asked[at].Tensors++
		}
		if t.Fallback != "" {
			at, ok := fallbacks[t.Fallback]
			if !ok {
				at = len(r.Fallbacks)
				fallbacks[t.Fallback] = at
				r.Fallbacks = append(r.Fallbacks, reportFallback{Reason: t.Fallback, Example: t.Name})
			}
			r.Fallbacks[at].Tensors++
		}
	}
}
