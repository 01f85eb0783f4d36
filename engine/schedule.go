package engine

import (
	"context"
	"errors"
	"math"
)

// unit is what one worker does at a time: an action, or a group of actions that
// commit as one batch.
type unit struct {
	index   int
	actions []int // in the plan's order
	work    int64
	memory  int64
	waits   int   // units that must be done first
	next    []int // units that wait for this one
	busy    bool  // another build is at it: wait for that one
	failed  bool
}

// units groups what is not cached, in the plan's order.
func (e *execution) units() []*unit {
	var units []*unit
	groups := map[string]*unit{}
	of := make([]int, len(e.plan.Actions))
	for i, a := range e.plan.Actions {
		of[i] = -1
		if e.known.states[i].Status == Cached {
			continue
		}
		u := groups[a.Group]
		if u == nil || a.Group == "" {
			u = &unit{index: len(units)}
			units = append(units, u)
			if a.Group != "" {
				groups[a.Group] = u
			}
		}
		of[i] = u.index
		u.actions = append(u.actions, i)
		u.work += a.Work
		u.memory = max(u.memory, a.Memory)
	}
	for _, u := range units {
		seen := map[int]bool{u.index: true}
		for _, i := range u.actions {
			for _, in := range e.plan.Actions[i].Inputs {
				if in.Source >= 0 || of[in.Action] < 0 || seen[of[in.Action]] {
					continue
				}
				seen[of[in.Action]] = true
				u.waits++
				units[of[in.Action]].next = append(units[of[in.Action]].next, u.index)
			}
		}
	}
	return units
}

// outcome is how a unit ended. busy: another build is at it, nothing was done.
type outcome struct {
	unit *unit
	busy bool
	err  error
}

// schedule runs units on the workers, each after those it waits for, the first
// of the plan first, as the memory budget allows. A unit that another build is
// at comes last, when there is nothing else to do.
func (e *execution) schedule(ctx context.Context, units []*unit) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	budget := int64(math.MaxInt64)
	if e.x.Memory > 0 {
		budget = e.x.Memory
	}
	done := make(chan outcome)
	var errs []error
	running, left, used := 0, len(units), int64(0)
	ready := map[int]bool{}
	for _, u := range units {
		if u.waits == 0 {
			ready[u.index] = true
		}
	}
	pick := func() *unit {
		best := -1
		for i := range ready {
			u := units[i]
			if u.busy && running > 0 || running > 0 && used+u.memory > budget {
				continue
			}
			if best < 0 || i < best {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		delete(ready, best)
		return units[best]
	}
	for left > 0 || running > 0 {
		stop := ctx.Err() != nil || len(errs) > 0 && !e.x.KeepGoing
		for !stop && e.workers.TryAcquire(1) {
			u := pick()
			if u == nil {
				e.workers.Release(1)
				break
			}
			running++
			used += u.memory
			go func() {
				busy, err := e.runUnit(ctx, u)
				e.workers.Release(1)
				done <- outcome{u, busy, err}
			}()
		}
		if running == 0 {
			if stop || len(ready) == 0 {
				break // the rest waits for what failed
			}
			// Workers that help others are on their way back.
			if err := e.workers.Acquire(ctx, 1); err == nil {
				e.workers.Release(1)
			}
			continue
		}
		o := <-done
		running--
		used -= o.unit.memory
		switch {
		case o.busy:
			o.unit.busy = true
			ready[o.unit.index] = true
			continue
		case o.err != nil:
			errs = append(errs, o.err)
			if !e.x.KeepGoing {
				cancel()
			}
			left--
			continue
		}
		left--
		for _, n := range o.unit.next {
			if units[n].waits--; units[n].waits == 0 {
				ready[n] = true
			}
		}
	}
	return firstCause(ctx, errs)
}

// firstCause leaves out what was only cancelled because something else failed.
func firstCause(ctx context.Context, errs []error) error {
	var causes []error
	for _, err := range errs {
		if !errors.Is(err, context.Canceled) {
			causes = append(causes, err)
		}
	}
	switch {
	case len(causes) > 0:
		return errors.Join(causes...)
	case len(errs) > 0:
		return errs[0]
	}
	return ctx.Err()
}
