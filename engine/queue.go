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
// Where nothing runs everything may, also what is larger than the budget. Units
// that are late come after the others, and those that another build is at when
// nothing else is left.
func (q *queue) next() *unit {
	if q.running > 0 && !q.fits(q.least) {
		return nil
	}
	first := -1
	for n, u := range slices.Backward(q.ready) {
		if q.running > 0 && (u.busy || !q.fits(u.memory)) {
			continue
		}
		if first < 0 || u.rank() < q.ready[first].rank() {
			first = n
		}
		if u.rank() == 0 {
			break
		}
	}
	if first < 0 {
		return nil
	}
	u := q.ready[first]
	q.ready = slices.Delete(q.ready, first, first+1)
	q.running++
	q.used += u.memory
	return u
}

// rank says how soon a unit should run.
func (u *unit) rank() int {
	switch {
	case u.busy:
		return 2
	case u.late:
		return 1
	}
	return 0
}

func (q *queue) fits(memory int64) bool { return memory <= q.budget-q.used }

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
