package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"
)

// progressOf sums up the progress of the last build, and what was announced.
func (w *world) progressOf() (planned, done int64, count int) {
	for _, e := range w.events {
		switch e.Kind {
		case EventPlanned:
			planned, count = planned+e.Bytes, count+e.Count
		case EventProgress:
			done += e.Bytes
			if e.Bytes <= 0 {
				w.t.Errorf("progress of %d bytes", e.Bytes)
			}
		}
	}
	return planned, done, count
}

// Progress comes to the planned work exactly, whatever stages say and however
// often actions run.
func TestProgress(t *testing.T) {
	for name, say := range map[string]func(env *Env){
		"nothing":  func(*Env) {},
		"all":      func(env *Env) { env.Progress(100) },
		"a part":   func(env *Env) { env.Progress(30) },
		"too much": func(env *Env) { env.Progress(70); env.Progress(1 << 40); env.Progress(1) },
		"backward": func(env *Env) { env.Progress(-5); env.Progress(50); env.Progress(-1 << 62) },
		"at once": func(env *Env) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for range 50 {
						env.Progress(1)
					}
				})
			}
			wg.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLocalWorld(t)
			w.hook = func(_ context.Context, env *Env, _ string) error {
				say(env)
				return nil
			}
			p := w.packed(3, 100, "a.bin")
			w.must(p)
			planned, done, count := w.progressOf()
			require.EqualValues(t, 500, planned)
			require.Equal(t, planned, done)
			require.Equal(t, 5, count)
			w.must(p)
			planned, done, count = w.progressOf()
			require.Zero(t, planned+done)
			require.Zero(t, count)

			// What is made again because it went bad is no part of the plan's work.
			w.flipBlobs(true)
			p.add("more", "stage double", nil, output("in", 0))
			require.NoError(t, os.RemoveAll(p.OutputDir))
			require.Greater(t, w.must(p).Executed, 3)
			planned, done, count = w.progressOf()
			require.EqualValues(t, 100, planned)
			require.Equal(t, planned, done)
			require.Equal(t, 1, count)
		})
	}
}

func TestParallel(t *testing.T) {
	env := func(workers int) *Env { return &Env{workers: semaphore.NewWeighted(int64(workers))} }
	for _, workers := range []int{0, 1, 7, 100} {
		for _, n := range []int{0, 1, 2, 50} {
			var calls [50]atomic.Int64
			require.NoError(t, env(workers).Parallel(t.Context(), n, func(i int) error {
				calls[i].Add(1)
				return nil
			}))
			for i := range calls {
				want := 0
				if i < n {
					want = 1
				}
				require.EqualValues(t, want, calls[i].Load())
			}
		}
	}
	require.NoError(t, (&Env{}).Parallel(t.Context(), 3, func(int) error { return nil }))

	// The lowest error wins, whoever is first.
	for range 50 {
		var high atomic.Bool
		err := env(8).Parallel(t.Context(), 100, func(i int) error {
			switch i {
			case 5:
				for deadline := time.Now().Add(20 * time.Millisecond); !high.Load() && time.Now().Before(deadline); {
					time.Sleep(100 * time.Microsecond)
				}
				return errors.New("five")
			case 6, 7, 30:
				high.Store(true)
				return fmt.Errorf("%d", i)
			}
			return nil
		})
		require.EqualError(t, err, "five")
	}
	began := make(chan struct{})
	require.EqualError(t, env(1).Parallel(t.Context(), 2, func(i int) error {
		if i == 0 {
			<-began
			return errors.New("zero")
		}
		close(began)
		time.Sleep(5 * time.Millisecond)
		return errors.New("one, later")
	}), "zero")

	// After an error nothing above it is begun.
	var last int
	require.ErrorIs(t, env(0).Parallel(t.Context(), 100, func(i int) error {
		last = i
		if i == 3 {
			return errBroken
		}
		return nil
	}), errBroken)
	require.Equal(t, 3, last)

	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	err := env(3).Parallel(ctx, 1000, func(i int) error {
		calls.Add(1)
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, calls.Load(), int64(4))
}

// Workers that have nothing to do help, and are free again afterwards.
func TestParallelUsesIdleWorkers(t *testing.T) {
	for _, jobs := range []int{1, 4} {
		w := newWorld(t)
		x := w.executor()
		x.Jobs = jobs
		var running, peak atomic.Int64
		_, err := w.runOne(x, func(ctx context.Context, env *Env) error {
			var parts [16][]byte
			err := env.Parallel(ctx, len(parts), func(i int) error {
				n := running.Add(1)
				defer running.Add(-1)
				for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
				}
				time.Sleep(2 * time.Millisecond)
				parts[i] = []byte{byte(i)}
				return nil
			})
			if err != nil {
				return err
			}
			out, err := env.Create("out", 0)
			if err != nil {
				return err
			}
			if _, err := io.Copy(out, bytes.NewReader(bytes.Join(parts[:], nil))); err != nil {
				return err
			}
			_, _, err = out.Close()
			return err
		})
		require.NoError(t, err)
		require.LessOrEqual(t, peak.Load(), int64(jobs))
		require.Equal(t, jobs > 1, peak.Load() > 1)
	}
}
