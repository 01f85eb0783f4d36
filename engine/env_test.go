package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// runOne builds one action of 100 bytes of work that does what run says.
func (w *world) runOne(x *Executor, run func(ctx context.Context, env *Env) error) (*Result, error) {
	p := w.empty()
	s := p.addSource("t", p.addFile(w.t, w.write("one.bin", cachetest.Bytes(1, 100))), 0, 100)
	p.add("one", "stage one", nil, source("in", s))
	x.Known = w.known
	x.Catalog = NewCatalog(&Stage{Block: "stage", Name: "one", Version: 1, Params: &struct{}{}, Run: run})
	return w.build(x, p)
}

func TestOutputs(t *testing.T) {
	write := func(env *Env, name string) error { return env.Write(name, []byte(name)) }
	for name, tt := range map[string]struct {
		run  func(ctx context.Context, env *Env) error
		want string // "" where it succeeds
		outs []string
	}{
		"two": {run: func(_ context.Context, env *Env) error { return errors.Join(write(env, "b"), write(env, "a")) }, outs: []string{"b", "a"}},
		"one name twice": {run: func(_ context.Context, env *Env) error { return errors.Join(write(env, "b"), write(env, "b")) },
			want: "output b is written twice"},
		"none": {run: func(context.Context, *Env) error { return nil }, want: "it wrote no output"},
		"not closed": {run: func(_ context.Context, env *Env) error {
			_, err := env.Create("x", 0)
			return errors.Join(err, write(env, "y"))
		}, want: "1 outputs were not closed"},
		"aborted": {run: func(_ context.Context, env *Env) error {
			out, err := env.Create("x", 1<<40)
			if err != nil {
				return err
			}
			out.Abort()
			return write(env, "x")
		}, outs: []string{"x"}},
		"closed, then aborted": {run: func(_ context.Context, env *Env) error {
			out, err := env.Create("x", 3)
			if err != nil {
				return err
			}
			defer out.Abort()
			_, err = out.Write([]byte("abc"))
			_, _, err2 := out.Close()
			return errors.Join(err, err2)
		}, outs: []string{"x"}},
		"closed twice": {run: func(_ context.Context, env *Env) error {
			out, err := env.Create("x", 3)
			if err != nil {
				return err
			}
			_, _, err = out.Close()
			_, _, err2 := out.Close()
			return errors.Join(err, err2)
		}, want: "output x: cache: the blob is already closed"},
		"facts too large": {run: func(_ context.Context, env *Env) error {
			return errors.Join(write(env, "x"), env.SetMeta(strings.Repeat("x", 64<<10)))
		}, want: "measurements: they have 65538 bytes, at most 65536 are kept"},
		"facts that fit": {run: func(_ context.Context, env *Env) error {
			return errors.Join(write(env, "x"), env.SetMeta(strings.Repeat("x", 64<<10-2)))
		}, outs: []string{"x"}},
		"facts without a form": {run: func(_ context.Context, env *Env) error { return env.SetMeta(func() {}) }, want: "measurements: "},
		"input that is not there": {run: func(ctx context.Context, env *Env) error {
			_, err := env.Open(ctx, 1)
			return err
		}, want: "input 1 of 1"},
		"input too large": {run: func(ctx context.Context, env *Env) error {
			_, err := env.ReadAll(ctx, 0, 99)
			return err
		}, want: "input in has 100 bytes, more than the 99 that make sense"},
	} {
		t.Run(name, func(t *testing.T) {
			onStores(t, func(t *testing.T, w *world) {
				res, err := w.runOne(w.executor(), tt.run)
				if tt.want != "" {
					require.ErrorContains(t, err, "one: "+tt.want)
					require.Equal(t, 0, res.Executed)
					require.Nil(t, res.States[0].Entry)
					require.False(t, strings.Contains(err.Error(), "cache: cannot store"), "the cache is not the one to notice")
					return
				}
				require.NoError(t, err)
				var names []string
				for _, o := range res.States[0].Entry.Outputs {
					names = append(names, o.Name)
				}
				require.Equal(t, tt.outs, names)
			})
		})
	}
}

func TestInputs(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		want := cachetest.Bytes(1, 100)
		_, err := w.runOne(w.executor(), func(ctx context.Context, env *Env) error {
			require.Equal(t, []EnvInput{{Name: "in", Size: 100, ID: contentID(want), Source: "t"}}, env.Inputs)
			for range 2 { // from its start each time
				b, err := env.ReadAll(ctx, 0, 100)
				require.NoError(t, err)
				require.Equal(t, want, b)
				b, err = readInput(ctx, env, 0)
				require.NoError(t, err)
				require.Equal(t, want, b)
			}
			return env.Write("out", nil)
		})
		require.NoError(t, err)
	})
}

// A panic fails its action, with its stack in the action's log; the program and
// what others made stay.
func TestPanic(t *testing.T) {
	logs := t.TempDir()
	for name, tt := range map[string]struct {
		run  func(ctx context.Context, env *Env) error
		want string
	}{
		"text":  {func(context.Context, *Env) error { panic("oh no") }, "it panicked: oh no"},
		"error": {func(context.Context, *Env) error { panic(errBroken) }, "it panicked: broken on purpose"},
		"index": {func(_ context.Context, env *Env) error { env.Inputs = env.Inputs[:len(env.Inputs)+5]; return nil }, "slice bounds out of range"},
		"in parallel": {func(ctx context.Context, env *Env) error {
			return env.Parallel(ctx, 8, func(i int) error { panic(fmt.Sprint("oh no ", i)) })
		}, "it panicked: oh no 0"},
		"with an open output": {func(_ context.Context, env *Env) error {
			out, err := env.Create("big", 0)
			require.NoError(t, err)
			_, err = out.Write(make([]byte, 5<<20))
			require.NoError(t, err)
			panic("oh no")
		}, "it panicked: oh no"},
	} {
		t.Run(name, func(t *testing.T) {
			onStores(t, func(t *testing.T, w *world) {
				x := w.executor()
				x.LogDir = filepath.Join(logs, strings.ReplaceAll(t.Name(), "/", "_"))
				require.NoError(t, os.Mkdir(x.LogDir, 0o755))
				_, err := w.runOne(x, tt.run)
				var failed *ActionError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, "one", failed.Address)
				require.ErrorContains(t, err, tt.want)
				var p *PanicError
				require.ErrorAs(t, err, &p)
				require.Equal(t, tt.want == "it panicked: broken on purpose", errors.Is(err, errBroken))
				log, err := os.ReadFile(failed.Log)
				require.NoError(t, err)
				require.Contains(t, string(log), tt.want)
				require.Contains(t, string(log), "\ngoroutine ")
				require.Contains(t, string(log), "env_test.go:")
				_, err = w.runOne(w.executor(), func(_ context.Context, env *Env) error { return env.Write("out", nil) })
				require.NoError(t, err)
			})
		})
	}
}

func TestLogs(t *testing.T) {
	w := newWorld(t)
	x := w.executor()
	x.LogDir = t.TempDir()
	files := func() []string {
		names, err := filepath.Glob(filepath.Join(x.LogDir, "*"))
		require.NoError(t, err)
		return names
	}
	ok := func(_ context.Context, env *Env) error { return env.Write("out", nil) }
	_, err := w.runOne(x, ok)
	require.NoError(t, err)
	require.Empty(t, files(), "nothing was said")

	w = newWorld(t)
	_, err = w.runOne(x, func(ctx context.Context, env *Env) error {
		env.Log.Info("expert 3 got no tokens", "layer", 7)
		return ok(ctx, env)
	})
	require.NoError(t, err)
	require.Len(t, files(), 1)
	log, err := os.ReadFile(files()[0])
	require.NoError(t, err)
	require.Contains(t, string(log), `msg="expert 3 got no tokens" layer=7`)

	require.NoError(t, os.Remove(files()[0]))
	w = newWorld(t)
	_, err = w.runOne(x, func(context.Context, *Env) error { return errBroken })
	require.EqualError(t, err, "one: broken on purpose (log: "+files()[0]+")")
	log, err = os.ReadFile(files()[0])
	require.NoError(t, err)
	require.Contains(t, string(log), "broken on purpose")

	// Where no log can be written the build goes on.
	for _, dir := range []string{"", filepath.Join(x.LogDir, "none")} {
		w = newWorld(t)
		x := w.executor()
		x.LogDir = dir
		_, err = w.runOne(x, func(ctx context.Context, env *Env) error {
			env.Log.Info("hello")
			return ok(ctx, env)
		})
		require.NoError(t, err)
		_, err = newWorld(t).runOne(x, func(context.Context, *Env) error { return errBroken })
		require.EqualError(t, err, "one: broken on purpose")
	}
}

func TestScratch(t *testing.T) {
	w := newWorld(t)
	x := w.executor()
	for _, result := range []error{nil, errBroken} {
		var dir string
		_, err := newWorld(t).runOne(x, func(_ context.Context, env *Env) error {
			require.NoError(t, env.Write("out", nil))
			var err error
			dir, err = env.Scratch()
			require.NoError(t, err)
			require.Equal(t, x.Scratch, filepath.Dir(dir))
			again, err := env.Scratch()
			require.NoError(t, err)
			require.Equal(t, dir, again)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
			return result
		})
		require.ErrorIs(t, err, result)
		require.NoDirExists(t, dir)
	}
	x.Scratch = filepath.Join(t.TempDir(), "none")
	_, err := w.runOne(x, func(_ context.Context, env *Env) error {
		_, err := env.Scratch()
		return err
	})
	require.ErrorContains(t, err, "scratch folder: ")
}

// pending counts the outputs that were begun and not ended.
type pending struct {
	cache.Store
	n atomic.Int64
}

func (p *pending) Begin(ctx context.Context) (cache.Batch, error) {
	b, err := p.Store.Begin(ctx)
	return &pendingBatch{b, p}, err
}

type pendingBatch struct {
	cache.Batch
	p *pending
}

func (b *pendingBatch) Create(size int64) (cache.BlobWriter, error) {
	w, err := b.Batch.Create(size)
	b.p.n.Add(1)
	return &pendingWriter{w, b.p}, err
}

type pendingWriter struct {
	cache.BlobWriter
	p *pending
}

func (w *pendingWriter) Close() (cache.OutputID, int64, error) {
	w.p.n.Add(-1)
	return w.BlobWriter.Close()
}

func (w *pendingWriter) Abort() {
	w.p.n.Add(-1)
	w.BlobWriter.Abort()
}

// However a stage ends, no output stays open.
func TestNoOutputStaysOpen(t *testing.T) {
	for name, end := range map[string]func() error{
		"error":   func() error { return errBroken },
		"panic":   func() error { panic("oh no") },
		"nothing": func() error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newLocalWorld(t)
			store := &pending{Store: w.store}
			w.known.Store = store
			_, err := w.runOne(w.executor(), func(_ context.Context, env *Env) error {
				for range 3 {
					if _, err := env.Create("x", 0); err != nil {
						return err
					}
				}
				require.NoError(t, env.Write("y", nil))
				require.EqualValues(t, 3, store.n.Load())
				return end()
			})
			require.Error(t, err)
			require.EqualValues(t, 0, store.n.Load())
		})
	}
}
