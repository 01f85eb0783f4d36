package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
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
	Program string // the pj that runs, for reports
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
	var res *Result
	executed, ran := 0, map[string]time.Duration{}
	before := map[string]State{}
	for wave := 0; ; wave++ {
		plan, err := lower(ctx, &x.Known)
		if err != nil {
			return res, err
		}
		if err := plan.Refusals.Err(); err != nil {
			return &Result{Plan: plan}, err
		}
		e, err := x.newExecution(ctx, plan)
		if err != nil {
			return &Result{Plan: plan}, err
		}
		// What an earlier wave ran was no cache hit of this build.
		for i, a := range plan.Actions {
			if s, ok := before[a.Address]; ok && e.res.States[i].Status == Cached {
				s.ID, s.Entry = e.res.States[i].ID, e.res.States[i].Entry
				e.res.States[i] = s
				e.res.Ran[i] = ran[a.Address]
			}
		}
		e.res.Executed = executed
		res = e.res
		err = e.run(ctx)
		res.Elapsed = time.Since(start)
		if err != nil {
			return res, err
		}
		if len(plan.Pending) == 0 {
			err := x.conclude(ctx, e)
			res.Elapsed = time.Since(start)
			return res, err
		}
		if wave > 0 && res.Executed == executed {
			return res, fmt.Errorf("the plan still waits for %v, and nothing is left to run: this is a bug", plan.Pending)
		}
		executed = res.Executed
		for i, d := range res.Ran {
			ran[plan.Actions[i].Address] = d
			before[plan.Actions[i].Address] = res.States[i]
		}
	}
}

// execution is one plan at work.
type execution struct {
	x     *Executor
	plan  *Plan
	known *resolution
	res   *Result

	workers *semaphore.Weighted
	mu      sync.Mutex // guards known's and res' fields while units run
	flushed time.Time  // when the records were last written
	fetches map[int]*fetch
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
	known, err := x.resolve(ctx, plan, x.hashLimit())
	if err != nil {
		return nil, err
	}
	e := &execution{
		x: x, plan: plan, known: known,
		res:     &Result{Plan: plan, Ran: map[int]time.Duration{}, States: append([]State(nil), known.states...)},
		workers: semaphore.NewWeighted(int64(x.jobs())),
		flushed: time.Now(), fetches: map[int]*fetch{},
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
	if err != nil {
		return err
	}
	return e.assembleAll(ctx)
}

// rememberAll writes the records; a cache that can't be written costs only them.
func (e *execution) rememberAll(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := errors.Join(e.x.remember(ctx, e.known), e.x.saveLast(ctx, e.known))
	var readOnly *cache.ReadOnlyError
	if errors.As(err, &readOnly) {
		slog.Debug("records were not written", "error", err)
		return nil
	}
	return err
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
