package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// recipe is a program of three blocks: evidence over two tensors, tensors that
// are doubled as often as the evidence says, and an artifact of them.
type recipe struct {
	w       *world
	program *Program
	catalog *Catalog
	path    string
	lowered int
	n, size int
	extra   []string // more evidence, each after the one before
}

func newRecipe(w *world) *recipe {
	r := &recipe{w: w, n: 3, size: 100}
	r.path = w.write("model.bin", cachetest.Bytes(3, r.n*r.size))
	stages := w.catalog()
	lower := func(block, name string, lower func(ctx context.Context, p *Planner, b *Block) error) *Stage {
		s, _ := stages.Stage(block, name)
		if s == nil {
			s = &Stage{Block: block, Name: name, Version: 1, Params: &struct{}{}}
		}
		s.Lower = lower
		return s
	}
	block := func(s *Stage, address string, refs ...string) *Block {
		return &Block{Stage: s, Address: address, Params: &struct{}{}, Refs: refs, Used: true, Canonical: json.RawMessage(`{}`)}
	}
	r.program = &Program{Path: "recipe.hcl", Dir: w.dir, Blocks: []*Block{
		block(lower("stage", "evidence", r.lowerEvidence), "stage.evidence.e"),
		block(lower("stage", "double", r.lowerDouble), "stage.double.d", "stage.evidence.e"),
		block(lower("artifact", "pack", r.lowerPack), "artifact.pack.a", "stage.double.d"),
	}}
	r.catalog = stages
	return r
}

func (r *recipe) lowerEvidence(ctx context.Context, p *Planner, b *Block) error {
	file := p.File(File{Path: r.path, Size: int64(r.n * r.size)})
	last := source("in", p.Source(Source{Name: "t0", File: file, Size: int64(r.size)}))
	var entry *cache.Entry
	for i, address := range append([]string{b.Address}, r.extra...) {
		params, err := NewParams(values{"tag": address, "round": i})
		if err != nil {
			return err
		}
		action := p.Action(&Action{Address: address, Stage: "stage evidence", Version: 1, Params: params, Inputs: []Input{last}, Work: 1})
		if entry, err = p.Evidence(ctx, address, action); err != nil || entry == nil {
			return err
		}
		last = output("in", action)
	}
	blob, err := p.Store().Open(ctx, entry.Outputs[0].ID)
	if err != nil {
		return fmt.Errorf("evidence: %v", err) // the cause is lost, as in a diagnostic
	}
	defer blob.Close()
	raw, err := io.ReadAll(blob)
	if err != nil {
		return fmt.Errorf("evidence: %v", err)
	}
	sum, err := strconv.Atoi(string(raw))
	p.SetResult(b, 2+sum%3)
	return err
}

// lowerDouble makes an action for each tensor. The first of them waits for
// nothing.
func (r *recipe) lowerDouble(ctx context.Context, p *Planner, b *Block) error {
	factor, err := p.Result(Ref{Address: "stage.evidence.e"})
	var parts []Input
	for i := range r.n {
		if i > 0 && err != nil {
			break
		}
		params := values{"tag": fmt.Sprint("part", i)}
		if i > 0 {
			params["factor"] = factor
		}
		list, err := NewParams(params)
		if err != nil {
			return err
		}
		s := p.Source(Source{Name: fmt.Sprint("t", i), File: 0, Offset: int64(i * r.size), Size: int64(r.size)})
		parts = append(parts, output("part", p.Action(&Action{
			Address: fmt.Sprintf("%s[%d]", b.Address, i), Stage: "stage double", Version: 1, Params: list, Inputs: []Input{source("in", s)}, Work: 1,
		})))
	}
	p.SetResult(b, parts)
	return nil
}

func (r *recipe) lowerPack(ctx context.Context, p *Planner, b *Block) error {
	v, err := p.Result(Ref{Address: "stage.double.d"})
	if err != nil {
		return err
	}
	parts := v.([]Input)
	a := ArtifactPlan{Address: b.Address, Path: "a.bin", Format: "pack", Action: -1}
	if len(parts) == r.n {
		list, err := NewParams(values{"tag": b.Address, "align": 16})
		if err != nil {
			return err
		}
		a.Action = p.Action(&Action{Address: b.Address, Stage: b.Stage.ID(), Version: 1, Params: list, Inputs: parts, Work: 1})
	}
	p.Artifact(a)
	// Another one is whole from the start.
	list, err := NewParams(values{"tag": "first", "align": 16})
	if err != nil {
		return err
	}
	first := p.Action(&Action{Address: "artifact.pack.first", Stage: b.Stage.ID(), Version: 1, Params: list, Inputs: parts[:1], Work: 1})
	p.Artifact(ArtifactPlan{Address: "artifact.pack.first", Path: "first.bin", Format: "pack", Action: first})
	return nil
}

func (r *recipe) lower(ctx context.Context, known *Known) (*Plan, error) {
	r.lowered++
	return Lower(ctx, r.catalog, r.program, nil, known, filepath.Join(r.w.dir, "out"), nil)
}

func (r *recipe) build(x *Executor) (*Result, error) {
	r.lowered = 0
	r.w.mu.Lock()
	r.w.events = nil
	r.w.mu.Unlock()
	return x.Build(r.w.t.Context(), r.lower)
}

func TestPlanWithoutEvidence(t *testing.T) {
	r := newRecipe(newWorld(t))
	for _, known := range []*Known{nil, &r.w.known} {
		plan, err := r.lower(t.Context(), known)
		require.NoError(t, err)
		require.Equal(t, []string{"stage.evidence.e"}, plan.Pending)
		require.Len(t, plan.Actions, 3)
		require.Equal(t, -1, plan.Artifacts[0].Action)
	}
}

func TestTwoWaves(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		r := newRecipe(w)
		res, err := r.build(w.executor())
		require.NoError(t, err)
		require.Equal(t, 2, r.lowered)
		require.Empty(t, res.Plan.Pending)
		require.Len(t, res.Plan.Actions, 6)
		require.Equal(t, 6, res.Executed)
		require.Equal(t, []Status{New, New, New, New, New, New}, statuses(res.States), "what the first wave ran was not cached")
		require.Len(t, res.Ran, 6)
		for i, s := range res.States {
			require.NotNil(t, s.Entry)
			require.Equal(t, neverBuilt, s.Reason, res.Plan.Actions[i].Address)
		}
		require.EqualValues(t, 200, res.HashedBytes, "t0 was read to plan")
		require.Equal(t, []bool{true, true}, []bool{res.Artifacts[0].Written, res.Artifacts[1].Written})
		require.NotEmpty(t, res.Artifacts[1].Methods)

		// With the evidence in the cache one wave is enough.
		res, err = r.build(w.executor())
		require.NoError(t, err)
		require.Equal(t, 1, r.lowered)
		require.Equal(t, 0, res.Executed)
		require.Empty(t, res.Ran)
		require.Equal(t, []bool{false, false}, []bool{res.Artifacts[0].Written, res.Artifacts[1].Written})

		// Other evidence that comes to the same leaves the tensors alone.
		content := cachetest.Bytes(3, 300)
		content[0], content[1] = content[1], content[0]
		w.write("model.bin", content)
		res, err = r.build(w.executor())
		require.NoError(t, err)
		require.Equal(t, 2, r.lowered)
		require.Equal(t, []string{"artifact.pack.a", "artifact.pack.first", "stage.double.d[0]", "stage.evidence.e"}, w.ran())
		require.Equal(t, 4, res.Executed)
		require.Equal(t, "source t0 changed", w.reason("stage.evidence.e"))
	})
}

func TestMoreWaves(t *testing.T) {
	w := newWorld(t)
	r := newRecipe(w)
	r.extra = []string{"stage.evidence.f", "stage.evidence.g"}
	res, err := r.build(w.executor())
	require.NoError(t, err)
	require.Equal(t, 4, r.lowered)
	require.Equal(t, 8, res.Executed)
	require.Equal(t, []Status{New, New, New, New, New, New, New, New}, statuses(res.States))
}

// What waves do adds up. Without records each of them reads its sources anew.
func TestWavesAddUp(t *testing.T) {
	w := newWorld(t)
	w.known.Records = nil
	r := newRecipe(w)
	r.extra = []string{"stage.evidence.f", "stage.evidence.g"}
	res, err := r.build(w.executor())
	require.NoError(t, err)
	require.Equal(t, 4, r.lowered)
	require.Equal(t, 8, res.Executed)
	require.Len(t, res.Ran, 8)
	require.EqualValues(t, 3*100+300, res.HashedBytes)
	require.True(t, res.Artifacts[1].Written)
}

// An address that the next wave means something else by was a hit if the cache
// had that before.
func TestWavesOfOtherKeys(t *testing.T) {
	w := newWorld(t)
	plan := func(tag string) *Plan {
		p := w.tensors(1, 10)
		p.Actions[0].Params, _ = p.Actions[0].Params.With("evidence", tag)
		return p
	}
	w.must(plan("second"))
	waves := []*Plan{plan("first"), plan("second")}
	waves[0].Pending = []string{"stage.evidence.e"}
	n := -1
	res, err := w.executor().Build(t.Context(), func(context.Context, *Known) (*Plan, error) {
		n++
		return waves[n], nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, res.Executed, "the first wave's; its sum is the same")
	require.Equal(t, []Status{Cached, Cached}, statuses(res.States))
	require.Empty(t, res.Ran)
}

// Evidence that another build measured meanwhile is no reason to give up.
func TestWavesOfAnotherBuild(t *testing.T) {
	w := newWorld(t)
	r := newRecipe(w)
	r.extra = []string{"stage.evidence.f", "stage.evidence.g"}
	other := newWorldOn(t, w.dir, w.store)
	x := w.executor()
	res, err := x.Build(t.Context(), func(ctx context.Context, known *Known) (*Plan, error) {
		plan, err := r.lower(ctx, known)
		if err != nil || len(plan.Pending) == 0 {
			return plan, err
		}
		// Between planning and running, the other one runs exactly this. It is not
		// given the next plan, and says so.
		_, err = other.build(other.executor(), plan)
		require.ErrorContains(t, err, "still waits")
		return plan, nil
	})
	require.NoError(t, err)
	require.Empty(t, res.Plan.Pending)
	require.Equal(t, 3, res.Executed, "only what no plan had that waited")
}

func TestPlanThatWaitsForever(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(1, 10)
	p.Pending = []string{"stage.evidence.e"}
	_, err := w.build(w.executor(), p)
	require.ErrorContains(t, err, "still waits for [stage.evidence.e], and nothing is left to run")
}

func TestFailureInALaterWave(t *testing.T) {
	w := newWorld(t)
	r := newRecipe(w)
	w.hook = failing("part1")
	res, err := r.build(w.executor())
	require.ErrorIs(t, err, errBroken)
	require.Len(t, res.Plan.Actions, 6)
	require.GreaterOrEqual(t, res.Executed, 3)
	// Where the second plan cannot be made, the result tells of the first wave.
	w = newWorld(t)
	r = newRecipe(w)
	x := w.executor()
	res, err = x.Build(t.Context(), func(ctx context.Context, known *Known) (*Plan, error) {
		if r.lowered == 1 {
			return nil, errBroken
		}
		return r.lower(ctx, known)
	})
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, 3, res.Executed)
}

// Facts are what an action measured, once it has run.
func TestFacts(t *testing.T) {
	w := newWorld(t)
	r := newRecipe(w)
	facts := func() (found bool) {
		var into struct{ Sum int }
		stage, _ := r.catalog.Stage("stage", "evidence")
		inner := stage.Lower
		stage.Lower = func(ctx context.Context, p *Planner, b *Block) error {
			if err := inner(ctx, p, b); err != nil {
				return err
			}
			var err error
			found, err = p.Facts(ctx, 0, &into)
			return err
		}
		defer func() { stage.Lower = inner }()
		_, err := r.lower(t.Context(), &w.known)
		require.NoError(t, err)
		require.Equal(t, found, into.Sum > 0)
		return found
	}
	require.False(t, facts())
	_, err := r.build(w.executor())
	require.NoError(t, err)
	require.True(t, facts())
}
