// Package pool runs short parallel loops: a fork and a join cost about a
// microsecond, so that loops of twenty microseconds are worth dividing. Its
// goroutines wait for the next loop in a spin, and park only when none comes
// for a while; waking a parked goroutine on another core costs a hundred times
// as much.
package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// ErrClosed is what Run gives after Close.
var ErrClosed = errors.New("the pool of workers is closed")

// Panic is what Run panics with when the function that it runs panics, on
// whatever worker.
type Panic struct {
	Value any    // what the function panicked with; errGoexit if it ended its goroutine
	Stack []byte // of the worker
}

func (p *Panic) Error() string { return fmt.Sprintf("%v\n\nin a worker:\n%s", p.Value, p.Stack) }

// Unwrap gives Value where it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

var errGoexit = errors.New("runtime.Goexit was called")

// What the low bits of a pool's state say; the bits above count loops.
const (
	closed = 1 << iota // no loop comes any more
	open               // there is a loop to join
	loop               // one loop
)

// Pool is a number of workers: the goroutine that calls Run, and others that
// wait for it.
type Pool struct {
	workers int
	spins   bool // there is a processor for each worker to spin on

	turn   chan struct{} // held by Run and Close
	wake   chan struct{} // a token for each worker to unpark
	joined chan struct{} // tells a waiting Run that no worker is active
	served sync.WaitGroup

	// The loop, written while it isn't open and no worker is active.
	f                func(worker, lo, hi int)
	done             <-chan struct{}
	n, chunk, chunks int

	_       [64]byte
	state   atomic.Uint64 // what spinning workers look at
	_       [64]byte
	next    atomic.Int64 // the first chunk that nobody has claimed
	_       [64]byte
	active  atomic.Int32 // workers that have joined, or are finding out that they can't
	parked  atomic.Int32 // workers that wait for a token and have none yet
	waiting atomic.Bool  // Run waits for joined
	stopped atomic.Bool  // a chunk was claimed and not run
	failure atomic.Pointer[Panic]
}

// New starts a pool of that many workers, GOMAXPROCS where workers is 0 or
// less; one of them is the caller of Run. The pool needs to be closed.
func New(workers int) *Pool {
	processors := runtime.GOMAXPROCS(0)
	if workers <= 0 {
		workers = processors
	}
	return start(workers, workers <= processors)
}

func start(workers int, spins bool) *Pool {
	p := &Pool{
		workers: workers,
		spins:   spins,
		turn:    make(chan struct{}, 1),
		wake:    make(chan struct{}, workers),
		joined:  make(chan struct{}, 1),
	}
	for worker := 1; worker < workers; worker++ {
		p.served.Add(1)
		go p.serve(worker)
	}
	return p
}

// Workers is the number of workers, at least 1.
func (p *Pool) Workers() int { return p.workers }

// Run calls f for every chunk of [0, n): [0, chunk), [chunk, 2*chunk) and so
// on, the last one perhaps shorter, each once, in no order, by any worker.
// Boundaries depend on n and chunk alone; chunk 0 or less asks for boundaries
// that suit the number of workers. No two calls at a time have the same worker,
// which is below Workers.
//
// Once ctx is cancelled no further chunk is begun, and Run returns its error if
// any is left out; nil says that all were run. After a panic in f the other
// workers end their chunks, and Run panics with a *Panic.
//
// Several goroutines may call Run; one waits for the other, so f must not call
// it. Run allocates nothing, but f is kept on the heap: make it once, not for
// every call.
func (p *Pool) Run(ctx context.Context, n, chunk int, f func(worker, lo, hi int)) error {
	done := ctx.Done()
	select {
	case <-done:
		return ctx.Err()
	default:
	}
	select {
	case p.turn <- struct{}{}:
	case <-done:
		return ctx.Err()
	}
	defer func() { <-p.turn }()
	s := p.state.Load()
	if s&closed != 0 {
		return ErrClosed
	}
	if n <= 0 {
		return nil
	}
	if chunk <= 0 { // a few for each, as they may not advance at the same speed
		chunk = (n-1)/(4*p.workers) + 1
	}
	chunk = min(chunk, n)
	p.f, p.done, p.n, p.chunk, p.chunks = f, done, n, chunk, (n-1)/chunk+1
	p.next.Store(0)
	p.stopped.Store(false)
	p.failure.Store(nil)
	if p.workers == 1 || p.chunks == 1 {
		p.claim(0)
	} else {
		p.fork(s + loop)
	}
	p.f, p.done = nil, nil
	if failure := p.failure.Load(); failure != nil {
		panic(failure)
	}
	if p.stopped.Load() {
		return ctx.Err()
	}
	return nil
}

// fork opens the loop to all workers, takes part, and returns when no worker is
// in it any more. Workers that come too late are not waited for.
func (p *Pool) fork(s uint64) {
	p.state.Store(s | open)
	p.unpark(p.chunks - 1)
	defer func() { // also where f ends this goroutine
		p.state.Store(s)
		p.join()
	}()
	p.claim(0)
}

// claim runs chunks until none is left, or this worker has to stop.
func (p *Pool) claim(worker int) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if value == nil {
			value = errGoexit
		}
		p.failure.CompareAndSwap(nil, &Panic{value, debug.Stack()})
		p.next.Store(int64(p.chunks))
	}()
	for {
		i := int(p.next.Add(1) - 1)
		if i >= p.chunks {
			break
		}
		select {
		case <-p.done:
			p.stopped.Store(true)
			p.next.Store(int64(p.chunks))
			continue
		default:
		}
		lo := i * p.chunk
		p.f(worker, lo, lo+min(p.chunk, p.n-lo))
	}
	returned = true
}

// join waits until no worker is active.
func (p *Pool) join() {
	for wait := (spinner{never: !p.spins}); wait.again(); {
		if p.active.Load() == 0 {
			return
		}
	}
	p.waiting.Store(true)
	if p.active.Load() == 0 && p.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.joined
}

// serve is the life of a worker besides the caller of Run.
func (p *Pool) serve(worker int) {
	defer func() {
		if p.state.Load()&closed == 0 { // f ended this goroutine
			go p.serve(worker)
			return
		}
		p.served.Done()
	}()
	for last := uint64(0); ; {
		last = p.await(last)
		if last&closed != 0 {
			return
		}
		p.enter(worker)
	}
}

// enter takes part in the loop, if it is still open. Run closes it before it
// looks at active, and a worker is active before it looks at the loop, so one
// of them sees the other.
func (p *Pool) enter(worker int) {
	p.active.Add(1)
	defer func() {
		if p.active.Add(-1) == 0 && p.waiting.Load() && p.waiting.CompareAndSwap(true, false) {
			p.joined <- struct{}{}
		}
	}()
	if p.state.Load()&open != 0 {
		p.claim(worker)
	}
}

// await gives the state once it shows a loop after last, or the end.
func (p *Pool) await(last uint64) uint64 {
	for {
		for wait := (spinner{never: !p.spins, yields: true}); wait.again(); {
			if s := p.state.Load(); s != last && s&(open|closed) != 0 {
				return s
			}
		}
		p.parked.Add(1)
		if s := p.state.Load(); s != last && s&(open|closed) != 0 && p.unparkable() {
			return s
		}
		<-p.wake
	}
}

// unpark wakes up to n workers.
func (p *Pool) unpark(n int) {
	for ; n > 0 && p.unparkable(); n-- {
		p.wake <- struct{}{}
	}
}

// unparkable takes one off the parked workers, which is then owed a token,
// unless it is the caller.
func (p *Pool) unparkable() bool {
	for {
		n := p.parked.Load()
		if n == 0 {
			return false
		}
		if p.parked.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// Close ends the workers after the loop that runs, and waits for them. A pool
// may be closed more than once.
func (p *Pool) Close() {
	p.turn <- struct{}{}
	p.state.Or(closed)
	p.unpark(p.workers)
	<-p.turn
	p.served.Wait()
}
