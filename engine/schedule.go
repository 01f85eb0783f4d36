package engine

import (
	"context"
	"errors"
)

// unit is what one worker does at a time: an action, or a group of actions that
// commit as one batch.
type unit struct {
	index   int
	actions []int // in the plan's order
	work    int64
	memory  int64
	waits   int    // units that must be done first
	next    []int  // units that wait for this one
	busy    bool   // another build is at it: wait for that one
	name    string // of its work: units of one name do the same
	// late says that it only names what others read and keep as they go: before
	// them it would read all of it for itself.
	late bool
}

// units groups what is not cached, in the plan's order. Actions of a group that
// stand at different depths of the graph become units of their own: so none
// needs another of its unit, and units never wait for each other in a circle.
func (e *execution) units() []*unit {
	type group struct {
		name  string
		depth int
	}
	var units []*unit
	groups := map[group]*unit{}
	of := make([]int, len(e.plan.Actions))
	depth := make([]int, len(e.plan.Actions))
	for i, a := range e.plan.Actions {
		for _, in := range a.Inputs {
			if in.Source < 0 {
				depth[i] = max(depth[i], depth[in.Action]+1)
			}
		}
		of[i] = -1
		if e.known.states[i].Status == Cached {
			continue
		}
		g := group{a.Group, depth[i]}
		u := groups[g]
		if u == nil || a.Group == "" {
			u = &unit{index: len(units)}
			units = append(units, u)
			groups[g] = u
		}
		of[i] = u.index
		u.actions = append(u.actions, i)
		u.work += a.Work
		u.memory = max(u.memory, a.Memory)
		u.late = u.late || sourceInputs(a) > maxHeldInputs
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

func sourceInputs(a *Action) (n int) {
	for i := range a.Inputs {
		if a.Inputs[i].Source >= 0 {
			n++
		}
	}
	return n
}

// outcome is how a unit ended. busy: another build is at it, nothing was done.
type outcome struct {
	unit *unit
	busy bool
	err  error
}

// schedule runs units on the workers, each after those it waits for, the first
// of the plan first, as the memory budget allows. A unit that another build is
// at comes last, when there is nothing else to do. Of units that do the same work,
// as those of two artifacts do where they agree, one runs at a time, and the
// others find its results.
func (e *execution) schedule(ctx context.Context, units []*unit) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, u := range units {
		u.name = e.workName(u)
	}
	q := newQueue(units, e.x.Memory)
	twins := map[string][]*unit{} // of those that run
	done := make(chan outcome)
	var errs []error
	for {
		stop := ctx.Err() != nil || len(errs) > 0 && !e.x.KeepGoing
		for !stop && e.workers.TryAcquire(1) {
			u := q.next()
			if u == nil {
				e.workers.Release(1)
				break
			}
			if waiting, runs := twins[u.name]; runs {
				twins[u.name] = append(waiting, u)
				q.ended(u)
				e.workers.Release(1)
				continue
			}
			twins[u.name] = nil
			go func() {
				busy, err := e.runUnit(ctx, u)
				e.workers.Release(1)
				done <- outcome{u, busy, err}
			}()
		}
		if q.running == 0 {
			break
		}
		o := <-done
		q.ended(o.unit)
		for _, u := range twins[o.unit.name] {
			q.add(u)
		}
		delete(twins, o.unit.name)
		if o.busy {
			o.unit.busy = true
			q.add(o.unit)
			continue
		}
		if o.err != nil {
			errs = append(errs, o.err)
			if !e.x.KeepGoing {
				cancel()
				continue
			}
		}
		// With KeepGoing also after a failure: each action looks for itself
		// whether what it needs was made.
		q.release(o.unit)
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
