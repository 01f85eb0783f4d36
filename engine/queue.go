package engine

import (
	"cmp"
	"math"
	"slices"
)

// queue says which unit is next, within a budget of memory.
type queue struct {
	units   []*unit
	budget  int64
	ready   []*unit // the last of the plan first, so that the next one is at the end
	running int
	used    int64 // memory of what runs
	least   int64 // memory of the smallest unit
}

func newQueue(units []*unit, budget int64) *queue {
	q := &queue{units: units, budget: budget, least: math.MaxInt64}
	if budget <= 0 {
		q.budget = math.MaxInt64
	}
	for _, u := range slices.Backward(units) {
		q.least = min(q.least, u.memory)
		if u.waits == 0 {
			q.ready = append(q.ready, u)
		}
	}
	return q
}

// next takes the first unit of the plan that may run now, nil if there is none.
// Where nothing runs everything may, also what is larger than the budget.
func (q *queue) next() *unit {
	if q.running > 0 && !q.fits(q.least) {
		return nil
	}
	for n, u := range slices.Backward(q.ready) {
		// Where another build is at a unit there is time for anything else first.
		if q.running > 0 && (u.busy || !q.fits(u.memory)) || q.running == 0 && u.busy && q.idle() {
			continue
		}
		q.ready = slices.Delete(q.ready, n, n+1)
		q.running++
		q.used += u.memory
		return u
	}
	return nil
}

func (q *queue) fits(memory int64) bool { return memory <= q.budget-q.used }

// idle reports whether a unit is ready that no other build is at.
func (q *queue) idle() bool {
	return slices.ContainsFunc(q.ready, func(u *unit) bool { return !u.busy })
}

// ended notes that a unit runs no more.
func (q *queue) ended(u *unit) {
	q.running--
	q.used -= u.memory
}

// release makes ready what only waited for this unit.
func (q *queue) release(u *unit) {
	for _, n := range u.next {
		if q.units[n].waits--; q.units[n].waits == 0 {
			q.add(q.units[n])
		}
	}
}

func (q *queue) add(u *unit) {
	at, _ := slices.BinarySearchFunc(q.ready, u, func(a, b *unit) int { return cmp.Compare(b.index, a.index) })
	q.ready = slices.Insert(q.ready, at, u)
}
