package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/llama-pajamas/pj/cache"
)

// Env is all that a stage sees while one of its actions runs: what its key was
// made of, and helpers that cannot change the output.
type Env struct {
	Params Params
	Inputs []EnvInput
	// Log goes to the action's own file in the cache's folder logs/.
	Log *slog.Logger

	open     func(ctx context.Context, i int) (io.ReadCloser, error)
	create   func(sizeHint int64) (cache.BlobWriter, error)
	progress func(int64)
	scratch  func() (string, error)
	workers  *semaphore.Weighted
	scraps   *sync.Pool

	mu      sync.Mutex
	outputs []cache.Output
	meta    []byte
	writing map[*envWriter]bool // writers that are open
}

// EnvInput is one input of an action.
type EnvInput struct {
	Name string
	Size int64 // bytes
	ID   cache.OutputID
	// Source is the name of the tensor or file, "" for another action's output.
	Source string
}

// Open reads an input from its start. Reading it to its end checks it.
func (e *Env) Open(ctx context.Context, i int) (io.ReadCloser, error) {
	if i < 0 || i >= len(e.Inputs) {
		return nil, fmt.Errorf("input %d of %d", i, len(e.Inputs))
	}
	return e.open(ctx, i)
}

// ReadAll reads an input of at most limit bytes.
func (e *Env) ReadAll(ctx context.Context, i int, limit int64) ([]byte, error) {
	r, err := e.Open(ctx, i)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size := e.Inputs[i].Size; size > limit {
		return nil, fmt.Errorf("input %s has %d bytes, more than the %d that make sense", e.Inputs[i].Name, size, limit)
	}
	b := make([]byte, e.Inputs[i].Size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("input %s: %w", e.Inputs[i].Name, err)
	}
	return b, nil
}

// Create starts the output of a name; each name once. Close ends it, Abort
// drops it; one of the two must be called.
func (e *Env) Create(name string, sizeHint int64) (cache.BlobWriter, error) {
	w, err := e.create(sizeHint)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.writing == nil {
		e.writing = map[*envWriter]bool{}
	}
	out := &envWriter{BlobWriter: w, env: e, name: name}
	e.writing[out] = true
	return out, nil
}

// Scrap is something that an earlier action of the build left by Leave, whatever
// its stage, nil where there is nothing: memory that need not be made anew.
func (e *Env) Scrap() any {
	if e.scraps == nil {
		return nil
	}
	return e.scraps.Get()
}

// Leave gives memory to later actions. The caller must not use it any more.
func (e *Env) Leave(v any) {
	if e.scraps != nil {
		e.scraps.Put(v)
	}
}

// Write makes an output of bytes that are at hand.
func (e *Env) Write(name string, b []byte) error {
	w, err := e.Create(name, int64(len(b)))
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		w.Abort()
		return fmt.Errorf("output %s: %w", name, err)
	}
	_, _, err = w.Close()
	return err
}

// envWriter notes what was written when it is closed.
type envWriter struct {
	cache.BlobWriter
	env  *Env
	name string
}

func (w *envWriter) Close() (cache.OutputID, int64, error) {
	id, size, err := w.BlobWriter.Close()
	w.env.mu.Lock()
	defer w.env.mu.Unlock()
	delete(w.env.writing, w)
	if err != nil {
		return id, size, fmt.Errorf("output %s: %w", w.name, err)
	}
	for _, o := range w.env.outputs {
		if o.Name == w.name {
			return id, size, fmt.Errorf("output %s is written twice", w.name)
		}
	}
	w.env.outputs = append(w.env.outputs, cache.Output{Name: w.name, ID: id, Size: size})
	return id, size, nil
}

func (w *envWriter) Abort() {
	w.BlobWriter.Abort()
	w.env.mu.Lock()
	defer w.env.mu.Unlock()
	delete(w.env.writing, w)
}

// abandon drops the outputs that a failed run left open.
func (e *Env) abandon() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.writing {
		w.BlobWriter.Abort()
	}
	e.writing = nil
}

// maxMeta bounds what SetMeta keeps; the cache takes no more.
const maxMeta = 64 << 10

// SetMeta keeps facts that the action measured beside its outputs; reports read
// them. Their canonical JSON has at most 64 KiB.
func (e *Env) SetMeta(v any) error {
	raw, err := canonicalJSON(v)
	if err != nil {
		return fmt.Errorf("measurements: %w", err)
	}
	if len(raw) > maxMeta {
		return fmt.Errorf("measurements: they have %d bytes, at most %d are kept: write them as an output", len(raw), maxMeta)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.meta = raw
	return nil
}

// Progress says that so many bytes of the action's Work are done.
func (e *Env) Progress(bytes int64) { e.progress(bytes) }

// Scratch is an empty folder that is removed when the action ends.
func (e *Env) Scratch() (string, error) { return e.scratch() }

// Parallel calls fn for 0 to n-1, on the calling goroutine and on workers that
// have nothing else to do. What fn does for one index must not depend on
// another's. It returns the error of the lowest index that failed; a panic of
// fn counts as one.
func (e *Env) Parallel(ctx context.Context, n int, fn func(i int) error) error {
	var (
		mu     sync.Mutex
		next   int
		failed = n
		first  error
		wg     sync.WaitGroup
	)
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if next >= n || next > failed || ctx.Err() != nil {
			return -1
		}
		next++
		return next - 1
	}
	work := func() {
		for i := take(); i >= 0; i = take() {
			if err := guard(func() error { return fn(i) }); err != nil {
				mu.Lock()
				if i < failed {
					failed, first = i, err
				}
				mu.Unlock()
			}
		}
	}
	for range n - 1 {
		if e.workers == nil || !e.workers.TryAcquire(1) {
			break
		}
		wg.Go(func() {
			defer e.workers.Release(1)
			work()
		})
	}
	work()
	wg.Wait()
	if first == nil && next < n {
		first = ctx.Err()
	}
	return first
}

// entry is what the finished action leaves for the index.
func (e *Env) entry(key []cache.Component) (cache.Entry, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.writing) != 0 {
		return cache.Entry{}, fmt.Errorf("%d outputs were not closed", len(e.writing))
	}
	if len(e.outputs) == 0 {
		return cache.Entry{}, fmt.Errorf("it wrote no output")
	}
	return cache.Entry{Outputs: e.outputs, Key: key, Meta: json.RawMessage(e.meta)}, nil
}
