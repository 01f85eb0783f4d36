package engine

import "time"

// EventKind says what an Event tells.
type EventKind int

const (
	// EventPlanned: Bytes of work and Count actions are to be done.
	EventPlanned EventKind = iota
	// EventStarted and EventFinished are about Action; Text is why it runs.
	EventStarted
	EventFinished
	// EventProgress: Bytes more of the work are done.
	EventProgress
	// EventFetch and EventAssemble: Text is the file that is fetched or put
	// together; Bytes are its size.
	EventFetch
	EventAssemble
	// EventWaiting: another build makes Action, and this one waits for it.
	EventWaiting
	// EventRemade: Text says which blob was corrupt or gone and is made again.
	EventRemade
)

// Event is one thing that happened in a build.
type Event struct {
	Kind    EventKind
	Action  *Action
	Text    string
	Bytes   int64
	Count   int
	Elapsed time.Duration
	Err     error
}
