package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/llama-pajamas/pj/cache"
)

// Fetcher brings the file of a plan that is not on this machine yet.
type Fetcher interface {
	Fetch(ctx context.Context, f File, progress func(bytes int64)) error
}

// Executor runs plans. Its fields are set before the first call.
type Executor struct {
	Known
	Catalog *Catalog
	Fetch   Fetcher // nil: files that are not here are an error
	Jobs    int     // workers; 0: one per processor
	Memory  int64   // budget of the actions that run at once, in bytes; 0: none
	// KeepGoing runs what does not depend on an action that failed.
	KeepGoing bool
	// RequireCached refuses to run anything: a *NotCachedError.
	RequireCached bool
	// LogDir gets a file for each action that has something to say; "": none.
	LogDir  string
	Scratch string // folder for actions' scratch; "": the system's
	Observe func(Event)
	// Resolved, where not nil, is what was found out just now of the plan that
	// lower gives first, so that it need not be done again.
	Resolved *Resolution
	Program  string // the pj that runs, for reports
}

// NotCachedError says what would have had to run.
type NotCachedError struct {
	Misses []Miss
	Total  int
}

// Miss is an action that the cache does not have.
type Miss struct {
	Address string
	Reason  string
}

func (e *NotCachedError) Error() string {
	s := fmt.Sprintf("%d of %d actions are not in the cache, and --require-cached forbids to run them", len(e.Misses), e.Total)
	for i, m := range e.Misses {
		if i == 5 {
			return s + fmt.Sprintf("\n  and %d more", len(e.Misses)-i)
		}
		s += fmt.Sprintf("\n  %s: %s", m.Address, m.Reason)
	}
	return s
}

// ActionError says which action failed.
type ActionError struct {
	Address string
	Log     string // its log file, "" if it has none
	Err     error
}

func (e *ActionError) Error() string {
	s := e.Address + ": " + e.Err.Error()
	if e.Log != "" {
		s += " (log: " + e.Log + ")"
	}
	return s
}

func (e *ActionError) Unwrap() error { return e.Err }

// Build makes a plan true: it runs what the cache does not have, plans again
// where the plan waited for evidence, writes the artifacts, and judges and
// reports. lower makes the plan from what is known. The Result is there, as far
// as the build came, also where the error is not nil.
func (x *Executor) Build(ctx context.Context, lower func(ctx context.Context, known *Known) (*Plan, error)) (*Result, error) {
	start := time.Now()
	var before *Result
	damaged := map[cache.OutputID]int{}
	for {
		plan, err := lower(ctx, &x.Known)
		var corrupt *cache.CorruptError
		if errors.As(err, &corrupt) && !x.RequireCached {
			// Evidence that went bad: without it the plan waits for it.
			if damaged[corrupt.ID]++; damaged[corrupt.ID] < attempts {
				if err := x.Store.Quarantine(ctx, corrupt.ID); err != nil {
					return before, storeError(err)
				}
				continue
			}
		}
		if err != nil {
			return before, err
		}
		e, err := x.newExecution(ctx, plan)
		if err != nil {
			if before == nil {
				before = &Result{Plan: plan}
			}
			return before, err
		}
		executed := e.continues(before)
		err = e.run(ctx)
		e.res.Elapsed = time.Since(start)
		if err != nil {
			return e.res, err
		}
		if len(plan.Pending) == 0 {
			err := x.conclude(ctx, e)
			e.res.Elapsed = time.Since(start)
			return e.res, err
		}
		if before != nil && e.res.Executed == executed && slices.Equal(plan.Pending, before.Plan.Pending) {
			return e.res, fmt.Errorf("the plan still waits for %v, and nothing is left to run: this is a bug", plan.Pending)
		}
		before = e.res
	}
}

// continues takes over what an earlier wave of the same build did, and gives the
// number of actions that it ran: what it made is no cache hit of this build.
func (e *execution) continues(before *Result) (executed int) {
	if before == nil {
		return 0
	}
	r := e.res
	r.Executed, r.HashedBytes, r.HashTime, r.StoreTime = before.Executed, before.HashedBytes, before.HashTime, before.StoreTime
	e.written = map[string]ArtifactResult{}
	for _, a := range before.Artifacts {
		e.written[a.Address] = a
	}
	e.earlier = map[string]earlier{}
	for i, a := range before.Plan.Actions {
		d, ran := before.Ran[i]
		e.earlier[a.Address] = earlier{before.States[i], d, ran}
	}
	for i := range e.plan.Actions {
		e.sinceEarlier(i)
	}
	return before.Executed
}

// earlier is what an earlier wave of the build did with an action.
type earlier struct {
	state   State
	elapsed time.Duration
	ran     bool
}

// sinceEarlier corrects what is said of an action that the cache has because an
// earlier wave made it.
func (e *execution) sinceEarlier(i int) {
	s := &e.res.States[i]
	was, ok := e.earlier[e.plan.Actions[i].Address]
	if !ok || s.Status != Cached || was.state.ID != s.ID {
		return
	}
	s.Status, s.Reason = was.state.Status, was.state.Reason
	if was.ran {
		e.res.Ran[i] = was.elapsed
	}
}

// execution is one plan at work.
type execution struct {
	x     *Executor
	plan  *Plan
	known *resolution
	res   *Result

	// written and earlier say what an earlier wave made, by address.
	written map[string]ArtifactResult
	earlier map[string]earlier
	workers *semaphore.Weighted
	mu      sync.Mutex // guards known's and res' fields while units run
	flushed time.Time  // when the records were last written
	fetches map[int]*fetch
	reading map[int]chan struct{} // sources that are being hashed; closed when they are
	// advanced is how much of each action's work is done.
	advanced []atomic.Int64
	// buffers and scraps are memory that one action leaves to the next: of sources
	// that are held, and of stages.
	buffers, scraps sync.Pool
	// remaking is held while an action runs again whose output was lost.
	remaking sync.Mutex
}

func (x *Executor) jobs() int {
	if x.Jobs > 0 {
		return x.Jobs
	}
	return runtime.GOMAXPROCS(0)
}

func (x *Executor) tell(e Event) {
	if x.Observe != nil {
		x.Observe(e)
	}
}

func (x *Executor) newExecution(ctx context.Context, plan *Plan) (*execution, error) {
	known, err := x.start(ctx, plan)
	if err != nil {
		return nil, err
	}
	e := x.executionOf(plan, known)
	for i, s := range known.states {
		if s.Status == Cached {
			e.advanced[i].Store(plan.Actions[i].Work) // no part of what is to be done
		}
	}
	if x.RequireCached {
		miss := &NotCachedError{Total: len(plan.Actions)}
		for i, s := range known.states {
			if s.Status != Cached {
				miss.Misses = append(miss.Misses, Miss{plan.Actions[i].Address, s.Reason})
			}
		}
		if len(miss.Misses) > 0 {
			return nil, miss
		}
	}
	return e, nil
}

func (x *Executor) executionOf(plan *Plan, known *resolution) *execution {
	return &execution{
		x: x, plan: plan, known: known,
		res:     &Result{Plan: plan, Ran: map[int]time.Duration{}, States: append([]State(nil), known.states...), Contents: known.sources},
		workers: semaphore.NewWeighted(int64(x.jobs())),
		flushed: time.Now(), fetches: map[int]*fetch{}, reading: map[int]chan struct{}{},
		advanced: make([]atomic.Int64, len(plan.Actions)),
	}
}

// start resolves a plan, unless that was done a moment ago.
func (x *Executor) start(ctx context.Context, plan *Plan) (*resolution, error) {
	first := x.Resolved
	x.Resolved = nil
	if first != nil && first.r.plan == plan && (!x.RequireCached || first.r.complete()) {
		return first.r, nil
	}
	return x.resolve(ctx, plan, x.hashLimit(), nil)
}

// hashLimit is how much is hashed before anything runs. What does not matter to
// a refusal is better hashed where it is used.
func (x *Executor) hashLimit() int64 {
	if x.RequireCached {
		return -1
	}
	return 0
}

// run does what is left of the plan, then writes the artifacts.
func (e *execution) run(ctx context.Context) error {
	units := e.units()
	var work int64
	count := 0
	for _, u := range units {
		work += u.work
		count += len(u.actions)
	}
	e.x.tell(Event{Kind: EventPlanned, Bytes: work, Count: count})
	err := e.schedule(ctx, units)
	// What was hashed and built is worth remembering, however it ended.
	keep := context.WithoutCancel(ctx)
	err = errors.Join(err, e.rememberAll(keep))
	if err != nil && (!e.x.KeepGoing || ctx.Err() != nil) {
		return err
	}
	return errors.Join(err, e.assembleAll(ctx))
}

// rememberAll writes the records.
func (e *execution) rememberAll(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.x.remember(ctx, e.known), e.x.saveLast(ctx, e.known))
}

// conclude judges and reports, in the plan's order.
func (x *Executor) conclude(ctx context.Context, e *execution) error {
	for _, c := range e.plan.Conclusions {
		if err := ctx.Err(); err != nil {
			return err
		}
		stage, ok := x.Catalog.stages[c.Stage]
		if !ok || stage.Conclude == nil {
			return fmt.Errorf("%s: this program has no %s", c.Address, c.Stage)
		}
		err := stage.Conclude(ctx, &Conclusion{
			Address: c.Address, Plan: e.plan, Result: e.res, Store: x.Store, Program: x.Program,
			params: c.Params, path: c.Path,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", c.Address, err)
		}
	}
	return nil
}
