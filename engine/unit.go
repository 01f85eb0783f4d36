package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/filestat"
)

// runUnit runs what is still needed of a unit and commits it as one batch. busy
// says that another build is at the same work.
func (e *execution) runUnit(ctx context.Context, u *unit) (busy bool, err error) {
	release, ok, err := e.claim(ctx, u)
	if err != nil || !ok {
		return !ok && err == nil, err
	}
	defer release()
	todo, err := e.stillMissing(ctx, u.actions)
	if err != nil || len(todo) == 0 {
		return false, err
	}
	batch, err := e.x.Store.Begin(ctx)
	if err != nil {
		return false, storeError(err)
	}
	defer batch.Discard()
	var commits []cache.Commit
	var at []int
	var errs []error
	for _, i := range todo {
		if !e.inputsMade(i) {
			continue // what it needs failed
		}
		commit, err := e.perform(ctx, i, batch, e.remake)
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil || !e.x.KeepGoing {
				break
			}
		}
		if commit != nil {
			commits, at = append(commits, *commit), append(at, i)
		}
	}
	// What is finished is not lost, whatever became of the rest.
	err = e.commit(context.WithoutCancel(ctx), batch, at, commits)
	return false, errors.Join(append(errs, err)...)
}

// inputsMade reports whether the actions that this one needs have run.
func (e *execution) inputsMade(i int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, in := range e.plan.Actions[i].Inputs {
		if in.Source < 0 && e.known.entries[in.Action] == nil {
			return false
		}
	}
	return true
}

// claim takes the lock of a unit's work, so that builds side by side do not do
// it twice. Where the store has no locks, nobody shares it.
func (e *execution) claim(ctx context.Context, u *unit) (release func(), ok bool, err error) {
	c, has := e.x.Store.(cache.Claimer)
	if !has {
		return func() {}, true, nil
	}
	if u.busy {
		e.x.tell(Event{Kind: EventWaiting, Action: e.plan.Actions[u.actions[0]]})
	}
	release, ok, err = c.Claim(ctx, u.name, u.busy)
	if err != nil {
		return nil, false, storeError(err)
	}
	return release, ok, nil
}

// workName is the same for the same work in another process, as long as both
// plan from the same files.
func (e *execution) workName(u *unit) string {
	a := e.plan.Actions[u.actions[0]]
	h := blake3.New()
	fmt.Fprintf(h, "%s %d %d\n", a.Stage, a.Version, len(u.actions))
	for _, p := range a.Params {
		fmt.Fprintf(h, "%s %s\n", p.Name, p.Value)
	}
	for _, in := range a.Inputs {
		if in.Source >= 0 {
			s := e.plan.Sources[in.Source]
			fmt.Fprintf(h, "%s %d %d\n", e.plan.Files[s.File].Path, s.Offset, s.Size)
		} else {
			fmt.Fprintf(h, "%s %s\n", e.plan.Actions[in.Action].Address, in.Output)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// stillMissing looks up again what can be keyed: another build may have made it
// since.
func (e *execution) stillMissing(ctx context.Context, actions []int) ([]int, error) {
	var keyed, rest []int
	var ids []cache.ActionID
	e.mu.Lock()
	var s keyScratch
	for _, i := range actions {
		if e.known.keyable(i) {
			keyed, ids = append(keyed, i), append(ids, e.known.key(i, &s))
		} else {
			rest = append(rest, i)
		}
	}
	e.mu.Unlock()
	entries, err := e.x.Store.Lookup(ctx, ids)
	if err != nil {
		return nil, storeError(err)
	}
	var todo []int
	for n, i := range keyed {
		if entries[n] != nil {
			e.found(i, ids[n], entries[n])
		} else {
			todo = append(todo, i)
		}
	}
	// In the plan's order, as errors and progress go by it.
	return merge(todo, rest), nil
}

// merge joins two ascending lists.
func merge(a, b []int) []int {
	out := make([]int, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// found notes that the cache has an action after all.
func (e *execution) found(i int, id cache.ActionID, entry *cache.Entry) {
	e.mu.Lock()
	e.known.entries[i] = entry
	e.known.states[i] = State{Status: Cached, ID: id, Entry: entry}
	e.res.States[i] = e.known.states[i]
	e.sinceEarlier(i)
	e.mu.Unlock()
	e.advance(i, e.plan.Actions[i].Work)
}

// advance tells that so many bytes more of an action's work are done, of which
// no more are counted than it has, however often it has to run.
func (e *execution) advance(i int, n int64) {
	for {
		was := e.advanced[i].Load()
		step := min(n, e.plan.Actions[i].Work-was)
		if step <= 0 {
			return
		}
		if e.advanced[i].CompareAndSwap(was, was+step) {
			e.x.tell(Event{Kind: EventProgress, Bytes: step})
			return
		}
	}
}

// attempts bounds how often one blob is made again because it was corrupt.
const attempts = 3

// perform runs one action and gives what to commit; nil where the cache had it.
// remake makes inputs again that were lost.
func (e *execution) perform(ctx context.Context, i int, batch cache.Batch, remake func(context.Context, *lostInput) error) (*cache.Commit, error) {
	a := e.plan.Actions[i]
	tries := map[cache.OutputID]int{}
	for ctx.Err() == nil {
		commit, err := e.performOnce(ctx, i, batch)
		var lost *lostInput
		if errors.As(err, &lost) {
			if tries[lost.id]++; tries[lost.id] < attempts {
				if err = remake(ctx, lost); err == nil {
					continue
				}
			}
		}
		if err != nil && ctx.Err() != nil {
			break
		}
		e.advance(i, a.Work)
		if err != nil {
			return nil, e.failed(a, err)
		}
		return commit, nil
	}
	return nil, ctx.Err()
}

func (e *execution) failed(a *Action, err error) error {
	var failed *ActionError
	if errors.As(err, &failed) {
		return err // of an action that this one needed
	}
	return &ActionError{Address: a.Address, Err: err}
}

func (e *execution) performOnce(ctx context.Context, i int, batch cache.Batch) (*cache.Commit, error) {
	a := e.plan.Actions[i]
	held, err := e.learn(ctx, a)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	if in := e.known.unknown(i); in != nil {
		e.mu.Unlock()
		return nil, fmt.Errorf("its input %s is output %q of %s, which made none of that name", in.Name, in.Output, e.plan.Actions[in.Action].Address)
	}
	old := e.known.states[i].ID
	id := e.known.key(i, &keyScratch{})
	components := e.known.components(i)
	e.known.states[i].ID = id
	e.mu.Unlock()
	if old != id {
		// Its sources were not known when the plan was looked up.
		entries, err := e.x.Store.Lookup(ctx, []cache.ActionID{id})
		if err != nil {
			return nil, storeError(err)
		}
		if entries[0] != nil {
			e.found(i, id, entries[0])
			e.giveBack(held)
			return nil, nil
		}
		if err := e.explain(ctx, i); err != nil {
			return nil, err
		}
	}
	commit, err := e.execute(ctx, i, batch, held, id, components)
	if err == nil { // else somebody may be at it yet
		e.giveBack(held)
	}
	return commit, err
}

// explain says anew why an action runs, now that its inputs are known.
func (e *execution) explain(ctx context.Context, i int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.x.explainMiss(ctx, e.known, i); err != nil {
		return err
	}
	s := e.known.states[i]
	e.res.States[i].ID, e.res.States[i].Reason, e.res.States[i].Status = s.ID, s.Reason, s.Status
	return nil
}

// execute runs the action's stage.
func (e *execution) execute(ctx context.Context, i int, batch cache.Batch, held map[int][]byte, id cache.ActionID, components []cache.Component) (*cache.Commit, error) {
	a := e.plan.Actions[i]
	stage, ok := e.x.Catalog.stages[a.Stage]
	if !ok || stage.Run == nil {
		return nil, fmt.Errorf("this program has no stage that runs %q", a.Stage)
	}
	if stage.Version != a.Version {
		return nil, fmt.Errorf("the plan wants %s v%d, and this program has v%d: plan again", a.Stage, a.Version, stage.Version)
	}
	w := e.newWork(i, id, batch, held)
	defer w.close()
	e.x.tell(Event{Kind: EventStarted, Action: a, Text: e.res.States[i].Reason})
	start := time.Now()
	err := guard(func() error { return stage.Run(ctx, w.env) })
	elapsed := time.Since(start)
	if err == nil {
		err = e.unchanged(a)
	}
	var entry cache.Entry
	if err == nil {
		entry, err = w.env.entry(components)
		entry.Elapsed = elapsed
	}
	if err != nil && ctx.Err() == nil {
		w.log.failed(a.Address, err)
	}
	e.x.tell(Event{Kind: EventFinished, Action: a, Elapsed: elapsed, Err: err})
	if err != nil {
		if lost := w.lost(err); lost != nil {
			return nil, lost
		}
		if path := w.log.path(); path != "" && ctx.Err() == nil {
			return nil, &ActionError{Address: a.Address, Log: path, Err: err}
		}
		return nil, err
	}
	e.mu.Lock()
	e.res.Ran[i] += elapsed
	e.res.Executed++
	e.mu.Unlock()
	return &cache.Commit{ID: id, Entry: entry}, nil
}

// unchanged makes sure that the files which an action read are still those that
// its key was made of.
func (e *execution) unchanged(a *Action) error {
	checked := map[int]bool{}
	for _, in := range a.Inputs {
		if in.Source < 0 {
			continue
		}
		f := e.plan.Sources[in.Source].File
		if checked[f] {
			continue
		}
		checked[f] = true
		now, err := filestat.Of(e.plan.Files[f].Path)
		e.mu.Lock()
		before := e.known.files[f].id
		e.mu.Unlock()
		if err != nil {
			return fmt.Errorf("source file: %w", err)
		}
		if now != before {
			return fmt.Errorf("%s changed while it was read: build again when it is complete", e.plan.Files[f].Path)
		}
	}
	return nil
}

// commit makes a batch's actions visible, and their outputs known to those that
// wait for them.
func (e *execution) commit(ctx context.Context, batch cache.Batch, actions []int, commits []cache.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	start := time.Now()
	if err := batch.Commit(ctx, commits); err != nil {
		return storeError(err)
	}
	// Another build may have been first: what stands in the index holds.
	ids := make([]cache.ActionID, len(commits))
	for n := range commits {
		ids[n] = commits[n].ID
	}
	entries, err := e.x.Store.Lookup(ctx, ids)
	if err != nil {
		return storeError(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.res.StoreTime += time.Since(start)
	for n, i := range actions {
		if entries[n] == nil {
			return fmt.Errorf("cache: %s was committed and is gone", e.plan.Actions[i].Address)
		}
		e.known.entries[i] = entries[n]
		e.known.states[i].ID = ids[n]
		e.res.States[i].ID, e.res.States[i].Entry = ids[n], entries[n]
	}
	if time.Since(e.flushed) < flushEvery {
		return nil
	}
	e.flushed = time.Now()
	return e.x.remember(ctx, e.known)
}

// flushEvery is how often what sources hash to is written down during a build:
// a killed one hashes again what came since.
const flushEvery = 5 * time.Second
