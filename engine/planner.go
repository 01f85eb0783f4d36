package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/internal/filestat"
)

// Planner collects a plan while the blocks of a program are lowered, in
// dependency order.
type Planner struct {
	Catalog *Catalog
	Program *Program
	// Services are what stages need of the outside (a hub client), by type;
	// cmd puts them there.
	Services Services

	plan    *Plan
	known   *Known
	blocks  map[string]*Block
	results map[string]any
	files   map[string]int
	sources map[sourceRange]int
	diags   diag.Diagnostics
	mistake bool                // some error is no *PassingError
	corrupt *cache.CorruptError // the first bad blob that a stage read
}

// Services gives stages access to the outside without the engine knowing what
// it is. Stages assert the interface they need.
type Services any

// Lower expands a program into a plan. Known answers what content is already
// known, so that rules which depend on evidence can be decided where it is
// cached; nil: nothing is.
func Lower(ctx context.Context, c *Catalog, prog *Program, services Services, known *Known, outputDir string, want []string) (*Plan, error) {
	scope := blake3.Sum256([]byte(filepath.Join(prog.Dir, filepath.Base(prog.Path))))
	p := &Planner{
		Catalog: c, Program: prog, Services: services, known: known,
		plan: &Plan{
			Version: PlanVersion, Recipe: prog.Path, Scope: cache.OutputID(scope).String()[:16], OutputDir: outputDir,
			Files: []File{}, Sources: []Source{}, Actions: []*Action{}, Tensors: []TensorPlan{},
			Artifacts: []ArtifactPlan{}, Conclusions: []ConclusionPlan{}, Models: []ModelPlan{}, Diagnostics: diag.Diagnostics{},
		},
		blocks: map[string]*Block{}, results: map[string]any{}, files: map[string]int{}, sources: map[sourceRange]int{},
	}
	for _, b := range prog.Blocks {
		p.blocks[b.Address] = b
	}
	needed, err := p.needed(want)
	if err != nil {
		return nil, err
	}
	failed := map[string]bool{}
	for _, b := range prog.Blocks {
		if !needed[b.Address] || b.Stage.Lower == nil {
			continue
		}
		if p.dependsOn(b, failed) {
			failed[b.Address] = true // the cause is said, and enough
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := b.Stage.Lower(ctx, p, b); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p.fail(b, err)
			failed[b.Address] = true
		}
	}
	if p.corrupt != nil {
		return nil, p.corrupt // whatever the stages made of it; Build mends it
	}
	p.plan.Diagnostics = append(p.plan.Diagnostics, p.diags...)
	p.reportsLast()
	err = p.diags.Err()
	if err != nil && !p.mistake {
		err = &PassingError{err}
	}
	return p.plan, err
}

// PassingError is an error of lowering that is no mistake of the recipe and may
// be gone the next time, such as a network that is down.
type PassingError struct{ Err error }

func (e *PassingError) Error() string { return e.Err.Error() }
func (e *PassingError) Unwrap() error { return e.Err }

// reportsLast puts reports after the judgements that they show.
func (p *Planner) reportsLast() {
	isReport := func(c ConclusionPlan) int {
		if c.Stage == "report" || strings.HasPrefix(c.Stage, "report ") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.plan.Conclusions, func(a, b ConclusionPlan) int { return isReport(a) - isReport(b) })
}

// fail turns an error of a block's lowering into diagnostics at the block.
func (p *Planner) fail(b *Block, err error) {
	var ds diag.Diagnostics
	var d diag.Diagnostic
	var passing *PassingError
	p.mistake = p.mistake || !errors.As(err, &passing)
	switch {
	case errors.As(err, &ds):
		p.diags = append(p.diags, ds...)
	case errors.As(err, &d):
		p.diags = append(p.diags, d)
	default:
		p.diags = append(p.diags, diag.Errorf(b.Range, b.Address+" cannot be planned", "%v", err))
	}
}

func (p *Planner) dependsOn(b *Block, failed map[string]bool) bool {
	for _, r := range b.Refs {
		if failed[r] {
			return true
		}
		if pol := p.Program.Policies[r]; pol != nil && pol.Evidence() != nil && failed[pol.Evidence().Address] {
			return true
		}
	}
	return false
}

// needed are the blocks to lower: those that the wanted addresses name and
// what they refer to; all used ones where nothing is named.
func (p *Planner) needed(want []string) (map[string]bool, error) {
	out := map[string]bool{}
	var add func(address string)
	add = func(address string) {
		b := p.blocks[address]
		if b == nil || out[address] {
			return
		}
		out[address] = true
		for _, r := range b.Refs {
			add(r)
			if pol := p.Program.Policies[r]; pol != nil && pol.Evidence() != nil {
				add(pol.Evidence().Address)
			}
		}
	}
	for _, w := range want {
		found := false
		for address := range p.blocks {
			if AddressCovers(w, address) || AddressCovers(address, w) {
				add(address)
				found = true
			}
		}
		if !found {
			return nil, diag.Diagnostics{diag.Errorf(diag.Range{File: p.Program.Path}, "Unknown address "+w,
				"The recipe has no such block; it has %s.", strings.Join(p.addresses(), ", "))}
		}
	}
	if len(want) == 0 {
		for address, b := range p.blocks {
			if b.Used {
				add(address)
			}
		}
	}
	return out, nil
}

func (p *Planner) addresses() []string {
	var out []string
	for a := range p.blocks {
		out = append(out, a)
	}
	sort.Strings(out)
	return out
}

// AddressCovers reports whether whole names item or something that item lies
// in: "stage.quantize.a" covers `stage.quantize.a["x"]`, "module.m" covers
// "module.m.artifact.gguf.a".
func AddressCovers(whole, item string) bool {
	rest, ok := strings.CutPrefix(item, whole)
	return ok && (rest == "" || rest[0] == '[' || rest[0] == '.')
}

// File adds a file that actions read; the same path twice is one file.
func (p *Planner) File(f File) int {
	if i, ok := p.files[f.Path]; ok {
		return i
	}
	if f.Remote == "" {
		// One that is not there is an error where it is read.
		if id, err := filestat.Of(f.Path); err == nil {
			f.Modified = id.Mtime
		}
	}
	p.plan.Files = append(p.plan.Files, f)
	p.files[f.Path] = len(p.plan.Files) - 1
	return len(p.plan.Files) - 1
}

// Source adds a range of a file; the same range twice is one source, under its
// first name.
func (p *Planner) Source(s Source) int {
	key := sourceRange{s.File, s.Offset, s.Size}
	if i, ok := p.sources[key]; ok {
		return i
	}
	p.plan.Sources = append(p.plan.Sources, s)
	p.sources[key] = len(p.plan.Sources) - 1
	return len(p.plan.Sources) - 1
}

// sourceRange is what tells sources apart.
type sourceRange struct {
	file         int
	offset, size int64
}

// Expect makes room for n more sources and as many actions.
func (p *Planner) Expect(n int) {
	p.plan.Sources = slices.Grow(p.plan.Sources, n)
	p.plan.Actions = slices.Grow(p.plan.Actions, n)
	if len(p.sources) == 0 {
		p.sources = make(map[sourceRange]int, n)
	}
}

// SourceFile is the file that a source lies in.
func (p *Planner) SourceFile(source int) int { return p.plan.Sources[source].File }

// Facts fills v with what an action that was added before measured, and reports
// whether it is known: its result is in the cache.
func (p *Planner) Facts(ctx context.Context, action int, v any) (bool, error) {
	if p.known == nil {
		return false, nil
	}
	state, err := p.known.state(ctx, p.plan, action)
	if err != nil || state.Entry == nil || len(state.Entry.Meta) == 0 {
		return false, err
	}
	if err := json.Unmarshal(state.Entry.Meta, v); err != nil {
		return false, nil // another program's: it will be made again
	}
	return true, nil
}

// Action adds an action and returns its index, for the inputs of later ones.
func (p *Planner) Action(a *Action) int {
	p.plan.Actions = append(p.plan.Actions, a)
	return len(p.plan.Actions) - 1
}

// Actions is how many actions the plan has so far.
func (p *Planner) Actions() int { return len(p.plan.Actions) }

// Tensor records what one tensor of an artifact becomes.
func (p *Planner) Tensor(t TensorPlan) { p.plan.Tensors = append(p.plan.Tensors, t) }

// Artifact records an artifact.
func (p *Planner) Artifact(a ArtifactPlan) { p.plan.Artifacts = append(p.plan.Artifacts, a) }

// Model records a model for the lock file and the report.
func (p *Planner) Model(m ModelPlan) { p.plan.Models = append(p.plan.Models, m) }

// Conclude records that the block is to be judged once everything is there.
func (p *Planner) Conclude(b *Block, path string) error {
	raw, err := json.Marshal(b.Params)
	if err != nil {
		return fmt.Errorf("%s: %w", b.Address, err)
	}
	p.plan.Conclusions = append(p.plan.Conclusions, ConclusionPlan{Address: b.Address, Stage: b.Stage.ID(), Params: raw, Path: path})
	return nil
}

// Warn adds a warning to the plan.
func (p *Planner) Warn(d diag.Diagnostic) { p.plan.Diagnostics = append(p.plan.Diagnostics, d) }

// Refuse adds a problem that is a warning in a plan and an error in a build.
func (p *Planner) Refuse(r diag.Range, summary, detail string, args ...any) {
	p.plan.Diagnostics = append(p.plan.Diagnostics, diag.Warnf(r, summary, detail, args...))
	p.plan.Refusals = append(p.plan.Refusals, diag.Errorf(r, summary, detail, args...))
}

// SetResult keeps what a lowered block stands for; later blocks of the same
// package read it through Result.
func (p *Planner) SetResult(b *Block, v any) { p.results[b.Address] = v }

// Result is what the block at ref stands for, as its Lower left it.
func (p *Planner) Result(ref Ref) (any, error) {
	v, ok := p.results[ref.Address]
	if !ok {
		return nil, fmt.Errorf("%s has not been planned", ref.Address)
	}
	return v, nil
}

// Block finds a block by address.
func (p *Planner) Block(address string) (*Block, bool) {
	b, ok := p.blocks[address]
	return b, ok
}

// Policy finds a policy.
func (p *Planner) Policy(ref Ref) (Policy, error) {
	pol := p.Program.Policies[ref.Address]
	if pol == nil {
		return nil, fmt.Errorf("%s is no policy of the recipe", ref.Address)
	}
	return pol, nil
}

// Evidence returns the entry of an action that was added before, if its result
// is known already. Where it is not, the plan waits for it: it is lowered again
// once the action has run.
func (p *Planner) Evidence(ctx context.Context, address string, action int) (*cache.Entry, error) {
	if p.known != nil {
		state, err := p.known.state(ctx, p.plan, action)
		if err != nil {
			return nil, err
		}
		if state.Status == Cached {
			return state.Entry, nil
		}
	}
	for _, a := range p.plan.Pending {
		if a == address {
			return nil, nil
		}
	}
	p.plan.Pending = append(p.plan.Pending, address)
	return nil, nil
}

// Store gives stages that read evidence while planning the blobs' bytes; nil
// where the plan is made without a cache.
func (p *Planner) Store() cache.Store {
	if p.known == nil {
		return nil
	}
	return evidenceStore{p.known.Store, p}
}

// evidenceStore notes which blob was corrupt.
type evidenceStore struct {
	cache.Store
	p *Planner
}

func (s evidenceStore) Open(ctx context.Context, id cache.OutputID) (cache.Blob, error) {
	b, err := s.Store.Open(ctx, id)
	if err != nil {
		return nil, s.note(err)
	}
	return &watchedBlob{Blob: b, note: s.note}, nil
}

func (s evidenceStore) note(err error) error {
	var corrupt *cache.CorruptError
	if errors.As(err, &corrupt) && s.p.corrupt == nil {
		s.p.corrupt = corrupt
	}
	return err
}
