package pool

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var sizes = []int{1, 2, 3, 8}

// eachSize runs a test with pools of some sizes, each of which has to end its
// goroutines.
func eachSize(t *testing.T, fn func(t *testing.T, p *Pool)) {
	for _, workers := range sizes {
		before := runtime.NumGoroutine()
		p := New(workers)
		require.Equal(t, workers, p.Workers())
		fn(t, p)
		p.Close()
		p.Close()
		require.ErrorIs(t, p.Run(context.Background(), 1, 1, func(int, int, int) {}), ErrClosed)
		for range 1000 { // they have ended, the runtime has perhaps not
			if runtime.NumGoroutine() <= before {
				break
			}
			time.Sleep(time.Millisecond)
		}
		require.LessOrEqual(t, runtime.NumGoroutine(), before, "goroutines of %d workers are left", workers)
	}
}

func TestEveryChunkOnce(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		for _, tt := range []struct{ n, chunk, chunks int }{
			{-1, 4, 0}, {0, 4, 0}, {1, 1, 1}, {7, 7, 1}, {7, 100, 1}, {8, 7, 2}, {100, 1, 100}, {1000, 3, 334},
			{5, math.MaxInt, 1}, {math.MaxInt, math.MaxInt/3 + 1, 3},
		} {
			var mu sync.Mutex
			got := map[int]int{}
			require.NoError(t, p.Run(context.Background(), tt.n, tt.chunk, func(_, lo, hi int) {
				mu.Lock()
				defer mu.Unlock()
				require.NotContains(t, got, lo)
				got[lo] = hi
			}))
			require.Len(t, got, tt.chunks)
			for i := range tt.chunks {
				require.Equal(t, i*tt.chunk+min(tt.chunk, tt.n-i*tt.chunk), got[i*tt.chunk], "%d by %d", tt.n, tt.chunk)
			}
		}
	})
}

// Chunks that the pool may choose cover everything, too.
func TestChosenChunks(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		for _, n := range []int{1, 5, 4*p.Workers() + 1, 1000} {
			var covered, calls atomic.Int64
			require.NoError(t, p.Run(context.Background(), n, 0, func(_, lo, hi int) {
				covered.Add(int64(hi - lo))
				calls.Add(1)
			}))
			require.EqualValues(t, n, covered.Load())
			require.LessOrEqual(t, calls.Load(), int64(4*p.Workers()))
		}
	})
}

// A worker's number is its own as long as it runs.
func TestWorkerNumbers(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		busy := make([]atomic.Bool, p.Workers())
		for range 50 {
			require.NoError(t, p.Run(context.Background(), 64, 1, func(worker, _, _ int) {
				if !busy[worker].CompareAndSwap(false, true) {
					panic("two at a time")
				}
				pause(20)
				busy[worker].Store(false)
			}))
		}
	})
}

// Workers take part, whether they spin or are parked.
func TestAllTakePart(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		for _, rest := range []time.Duration{0, 20 * spinFor} {
			time.Sleep(rest)
			var inside sync.WaitGroup
			inside.Add(p.Workers())
			require.NoError(t, p.Run(context.Background(), p.Workers(), 1, func(int, int, int) {
				inside.Done()
				inside.Wait() // returns only if each chunk has a worker
			}))
		}
	})
}

// What is written by workers is seen after Run, and what was written before is
// seen by workers; the race detector has its eye on it.
func TestManyLoops(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		x := make([]int, 97)
		loops := 2000
		for i := range loops {
			require.NoError(t, p.Run(context.Background(), len(x), 8, func(_, lo, hi int) {
				for j := lo; j < hi; j++ {
					x[j]++
				}
			}))
			require.Equal(t, i+1, x[i%len(x)])
			if i%500 == 0 {
				time.Sleep(2 * spinFor)
			}
		}
		for _, v := range x {
			require.Equal(t, loops, v)
		}
	})
}

func TestSeveralCallers(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		var callers sync.WaitGroup
		var sum atomic.Int64
		inside := atomic.Int32{}
		for range 8 {
			callers.Go(func() {
				for range 50 {
					err := p.Run(context.Background(), 16, 1, func(worker, lo, hi int) {
						if int(inside.Add(1)) > p.Workers() {
							panic("two loops at a time")
						}
						sum.Add(int64(lo))
						inside.Add(-1)
					})
					if err != nil {
						panic(err)
					}
				}
			})
		}
		callers.Wait()
		require.EqualValues(t, 8*50*120, sum.Load())
	})
}

func TestCancel(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		ctx, cancel := context.WithCancel(context.Background())
		var begun atomic.Int64
		err := p.Run(ctx, 1_000_000, 1, func(int, int, int) {
			if begun.Add(1) == 100 {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Less(t, begun.Load(), int64(1_000_000))
		require.ErrorIs(t, p.Run(ctx, 1, 1, func(int, int, int) { begun.Store(0) }), context.Canceled)
		require.NotZero(t, begun.Load(), "a cancelled loop has run")

		// All ran, whatever came after.
		ctx, cancel = context.WithCancel(context.Background())
		require.NoError(t, p.Run(ctx, 1, 1, func(int, int, int) { cancel() }))
	})
}

// A caller that waits for another gives up with its context.
func TestCancelWhileWaiting(t *testing.T) {
	p := New(2)
	defer p.Close()
	inside, end := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- p.Run(context.Background(), 1, 1, func(int, int, int) { close(inside); <-end })
	}()
	<-inside
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Run(ctx, 1, 1, func(int, int, int) {}), context.DeadlineExceeded)
	close(end)
	require.NoError(t, <-first)
}

func TestPanic(t *testing.T) {
	cause := errors.New("cause")
	eachSize(t, func(t *testing.T, p *Pool) {
		for at := range 5 {
			var caught any
			func() {
				defer func() { caught = recover() }()
				_ = p.Run(context.Background(), 5, 1, func(_, lo, _ int) {
					if lo == at {
						panicHere(cause)
					}
				})
			}()
			failure, ok := caught.(*Panic)
			require.True(t, ok, "%v", caught)
			require.ErrorIs(t, failure, cause)
			require.Contains(t, failure.Error(), "panicHere")
			require.NoError(t, p.Run(context.Background(), 5, 1, func(int, int, int) {}), "the pool is usable afterwards")
		}
	})
}

//go:noinline
func panicHere(err error) { panic(err) }

// A function that ends its goroutine, as a failing test does, takes no worker
// with it.
func TestGoexit(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		for range 3 {
			ended := make(chan any)
			go func() {
				defer func() { ended <- recover() }()
				var inside sync.WaitGroup
				inside.Add(p.Workers())
				_ = p.Run(context.Background(), p.Workers(), 1, func(worker, _, _ int) {
					inside.Done()
					inside.Wait()
					if worker == p.Workers()-1 {
						runtime.Goexit()
					}
				})
			}()
			caught := <-ended
			if p.Workers() > 1 { // else the caller itself is gone
				require.ErrorIs(t, caught.(error), errGoexit)
			}
		}
		var inside sync.WaitGroup
		inside.Add(p.Workers())
		require.NoError(t, p.Run(context.Background(), p.Workers(), 1, func(int, int, int) { inside.Done(); inside.Wait() }))
	})
}

func TestNoAllocations(t *testing.T) {
	eachSize(t, func(t *testing.T, p *Pool) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var sum atomic.Int64
		f := func(_, lo, hi int) { sum.Add(int64(hi - lo)) }
		require.NoError(t, p.Run(ctx, 64, 1, f))
		require.Zero(t, testing.AllocsPerRun(200, func() { _ = p.Run(ctx, 64, 1, f) }))
	})
}

// Idle workers leave the processor to others.
func TestSpinIsBounded(t *testing.T) {
	p := start(2, true)
	defer p.Close()
	for range 20 {
		require.NoError(t, p.Run(context.Background(), 2, 1, func(int, int, int) {}))
		require.Eventually(t, func() bool { return p.parked.Load() == 1 }, 10*time.Second, time.Millisecond)
	}
}

func TestNewDefault(t *testing.T) {
	p := New(0)
	defer p.Close()
	require.Equal(t, runtime.GOMAXPROCS(0), p.Workers())
}
