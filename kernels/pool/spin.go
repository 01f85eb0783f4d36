package pool

import (
	"runtime"
	"time"
)

// spinFor bounds a spin. It is what waking a parked goroutine costs, so that
// the worst case is no more than twice the best.
const spinFor = 100 * time.Microsecond

const (
	pauses     = 4  // between two looks
	turnsGiven = 32 // between two offers of the processor to other goroutines
)

// spinner is a wait that gives up after a while.
type spinner struct {
	turns int
	start time.Time
	never bool
	// yields: others may have the processor. A worker that has nothing to do
	// offers it; Run doesn't, as it gets it back only after their time slices.
	yields bool
}

// again says whether to look once more; the first look is at once.
func (s *spinner) again() bool {
	s.turns++
	switch {
	case s.turns == 1:
		return true
	case s.never:
		return false
	case s.turns == 2:
		s.start = time.Now()
	case s.turns%turnsGiven == 0:
		if time.Since(s.start) > spinFor {
			return false
		}
		if s.yields {
			runtime.Gosched()
		}
	}
	pause(pauses)
	return true
}
