package engine

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/filestat"
)

// Known is what a cache and this machine's records tell of a plan before
// anything runs. Records may be nil.
type Known struct {
	Store   cache.Store
	Records cache.Records
}

// Buckets of the records.
const (
	filesBucket     = "files"     // file path -> content ids of its ranges
	lastBucket      = "last"      // scope -> address and ActionID of what was planned last
	artifactsBucket = "artifacts" // path -> what was written there
)

// resolution is the state of every action of a plan, kept up to date while it
// is executed.
type resolution struct {
	plan    *Plan
	files   []fileState
	sources []cache.OutputID // content of Plan.Sources, zero where unknown
	states  []State
	// changed are sources that are not what an action of the last plan was made
	// of, as far as misses were explained.
	changed map[int]bool
	// learned says that sources holds what the records may not.
	learned bool
	// entries of finished or cached actions, by action.
	entries []*cache.Entry
	// last is what was planned last in this scope, once it was asked for.
	last map[string]cache.ActionID
}

// fileState is what is known of one of Plan.Files.
type fileState struct {
	id filestat.ID
	// present is false where the file is not there, or not yet.
	present bool
	// settled says that a later write will show in id.
	settled bool
	// stale says that it was known, but has changed since.
	stale bool
}

func newResolution(plan *Plan) *resolution {
	return &resolution{
		plan:    plan,
		files:   make([]fileState, len(plan.Files)),
		sources: make([]cache.OutputID, len(plan.Sources)),
		states:  make([]State, len(plan.Actions)),
		entries: make([]*cache.Entry, len(plan.Actions)),
	}
}

// Resolution is what is known of a plan before anything runs.
type Resolution struct {
	States   []State          // by action
	Contents []cache.OutputID // of the plan's sources, zero where they are not known

	r *resolution
}

// Resolve finds the state of every action: its key where all content is known,
// whether the cache has it, and why not. Sources are hashed only where all that
// are not known have at most hashLimit bytes together (< 0: always); reading,
// which may be nil, is told how much that will be, and the last file of it.
func (k *Known) Resolve(ctx context.Context, plan *Plan, hashLimit int64, reading func(bytes int64, file string)) (*Resolution, error) {
	r, err := k.resolve(ctx, plan, hashLimit, reading)
	if err != nil {
		return nil, err
	}
	return &Resolution{States: r.states, Contents: r.sources, r: r}, nil
}

func (k *Known) resolve(ctx context.Context, plan *Plan, hashLimit int64, reading func(int64, string)) (*resolution, error) {
	r := newResolution(plan)
	if err := k.recall(ctx, r); err != nil {
		return nil, err
	}
	if err := k.hashUnknown(ctx, r, hashLimit, reading); err != nil {
		return nil, err
	}
	todo := make([]int, len(plan.Actions))
	for i := range todo {
		todo[i] = i
	}
	if err := k.lookUp(ctx, r, todo); err != nil {
		return nil, err
	}
	return r, k.explainMisses(ctx, r)
}

// smallSource is the most that is read while planning, to know what an action
// makes whose result the plan depends on.
const smallSource = 1 << 30

// state resolves one action of a plan that is still being made, and what it
// needs.
func (k *Known) state(ctx context.Context, plan *Plan, action int) (State, error) {
	part := newPart(plan, action)
	r := newResolution(&part.plan)
	if err := k.recall(ctx, r); err != nil {
		return State{}, err
	}
	if err := k.hashUnknown(ctx, r, smallSource, nil); err != nil {
		return State{}, err
	}
	todo := make([]int, len(part.plan.Actions))
	for i := range todo {
		todo[i] = i
	}
	if err := k.lookUp(ctx, r, todo); err != nil {
		return State{}, err
	}
	return r.states[len(todo)-1], nil
}

// part is a plan that holds one action and what it needs, the action last.
type part struct {
	plan    Plan
	actions map[int]int
	sources map[int]int
	from    *Plan
}

func newPart(plan *Plan, action int) *part {
	p := &part{from: plan, actions: map[int]int{}, sources: map[int]int{}}
	p.plan.Scope, p.plan.Files = plan.Scope, plan.Files
	p.add(action)
	return p
}

func (p *part) add(action int) int {
	if i, ok := p.actions[action]; ok {
		return i
	}
	a := *p.from.Actions[action]
	a.Inputs = append([]Input(nil), a.Inputs...)
	for i, in := range a.Inputs {
		if in.Source < 0 {
			a.Inputs[i].Action = p.add(in.Action)
			continue
		}
		at, ok := p.sources[in.Source]
		if !ok {
			at = len(p.plan.Sources)
			p.sources[in.Source] = at
			p.plan.Sources = append(p.plan.Sources, p.from.Sources[in.Source])
		}
		a.Inputs[i].Source = at
	}
	p.plan.Actions = append(p.plan.Actions, &a)
	p.actions[action] = len(p.plan.Actions) - 1
	return p.actions[action]
}

// lookUp keys those actions of todo that can be keyed and asks the store for
// them, level by level, since an action's key needs the outputs of those before
// it.
func (k *Known) lookUp(ctx context.Context, r *resolution, todo []int) error {
	for len(todo) > 0 {
		var level, rest []int
		for _, i := range todo {
			if r.keyable(i) {
				level = append(level, i)
			} else {
				rest = append(rest, i)
			}
		}
		if len(level) == 0 {
			break
		}
		ids := make([]cache.ActionID, len(level))
		parallel(len(level), func(from, to int) {
			var s keyScratch
			for n := from; n < to; n++ {
				ids[n] = r.key(level[n], &s)
			}
		})
		entries, err := k.Store.Lookup(ctx, ids)
		if err != nil {
			return storeError(err)
		}
		for n, i := range level {
			r.states[i] = State{Status: New, ID: ids[n]}
			if entries[n] != nil {
				r.states[i].Status, r.states[i].Entry = Cached, entries[n]
				r.entries[i] = entries[n]
			}
		}
		todo = rest
	}
	for _, i := range todo {
		r.states[i] = State{Status: New}
	}
	return nil
}

// parallel runs f over [0, n) in one piece per processor.
func parallel(n int, f func(from, to int)) {
	workers := runtime.GOMAXPROCS(0)
	if n < 256 || workers == 1 {
		f(0, n)
		return
	}
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			f(n*w/workers, n*(w+1)/workers)
			return nil
		})
	}
	g.Wait()
}

// complete reports whether the store has everything.
func (r *resolution) complete() bool {
	return !slices.ContainsFunc(r.states, func(s State) bool { return s.Status != Cached })
}

// content is the id of one input, zero while it is unknown.
func (r *resolution) content(in *Input) cache.OutputID {
	if in.Source >= 0 {
		return r.sources[in.Source]
	}
	return outputID(r.entries[in.Action], in.Output)
}

// keyable reports whether the content of all inputs is known.
func (r *resolution) keyable(i int) bool { return r.unknown(i) == nil }

// unknown is the first input whose content is not known, nil if there is none.
func (r *resolution) unknown(i int) *Input {
	a := r.plan.Actions[i]
	for n := range a.Inputs {
		if r.content(&a.Inputs[n]).IsZero() {
			return &a.Inputs[n]
		}
	}
	return nil
}

// outputID finds an output of an entry by name, zero where there is none.
func outputID(e *cache.Entry, name string) cache.OutputID {
	if e == nil {
		return cache.OutputID{}
	}
	for i := range e.Outputs {
		if e.Outputs[i].Name == name {
			return e.Outputs[i].ID
		}
	}
	return cache.OutputID{}
}
