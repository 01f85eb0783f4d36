package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// heldSource is the largest source that is kept in memory between hashing and
// use; larger ones are read again, from the system's page cache as a rule.
const heldSource = 32 << 20

// learn makes sure that the content of an action's sources is known. It gives
// the bytes of those that were read for it and are small enough to keep.
func (e *execution) learn(ctx context.Context, a *Action) (map[int][]byte, error) {
	var held map[int][]byte
	for n, in := range a.Inputs {
		if in.Source < 0 {
			continue
		}
		file := e.plan.Sources[in.Source].File
		if err := e.ensureFile(ctx, file); err != nil {
			return nil, err
		}
		content, err := e.learnSource(ctx, in.Source, len(a.Inputs) <= maxHeldInputs)
		if err != nil {
			return nil, err
		}
		if content != nil {
			if held == nil {
				held = map[int][]byte{}
			}
			held[n] = content
		}
	}
	return held, nil
}

// learnSource makes sure that a source's content is known. Where another action
// is at it already, this one waits.
func (e *execution) learnSource(ctx context.Context, source int, keep bool) ([]byte, error) {
	for {
		e.mu.Lock()
		known := !e.known.sources[source].IsZero()
		reading := e.reading[source]
		if !known && reading == nil {
			e.reading[source] = make(chan struct{})
		}
		e.mu.Unlock()
		if known {
			return nil, nil
		}
		if reading == nil {
			break
		}
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	content, id, err := e.readSource(ctx, source, keep)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.known.sources[source], e.known.learned = id, true
	}
	close(e.reading[source])
	delete(e.reading, source)
	return content, err
}

// maxHeldInputs bounds the memory of actions that read many sources.
const maxHeldInputs = 4

// readSource hashes a source, and keeps a small one.
func (e *execution) readSource(ctx context.Context, source int, keep bool) ([]byte, cache.OutputID, error) {
	start := time.Now()
	size := e.plan.Sources[source].Size
	defer func() {
		e.mu.Lock()
		e.res.HashTime += time.Since(start)
		e.res.HashedBytes += size
		e.mu.Unlock()
	}()
	if !keep || size > heldSource {
		id, err := hashSource(ctx, e.plan, source, nil)
		return nil, id, err
	}
	r, err := openSource(e.plan, source)
	if err != nil {
		return nil, cache.OutputID{}, err
	}
	defer r.Close()
	content := e.buffer(size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, cache.OutputID{}, err
	}
	return content, blake3.Sum256(content), nil
}

// buffer gives memory for a source that is held.
func (e *execution) buffer(size int64) []byte {
	if b, ok := e.buffers.Get().(*[]byte); ok && int64(cap(*b)) >= size {
		return (*b)[:size]
	}
	return make([]byte, size)
}

// giveBack ends the use of sources that were held.
func (e *execution) giveBack(held map[int][]byte) {
	for _, b := range held {
		e.buffers.Put(&b)
	}
}

// fetch is a file that is being brought here, or was.
type fetch struct {
	once sync.Once
	err  error
}

// ensureFile fetches a file that is not here, once.
func (e *execution) ensureFile(ctx context.Context, file int) error {
	e.mu.Lock()
	present := e.known.files[file].present
	f := e.fetches[file]
	if f == nil {
		f = &fetch{}
		e.fetches[file] = f
	}
	e.mu.Unlock()
	if present {
		return nil
	}
	f.once.Do(func() { f.err = e.fetchFile(ctx, file) })
	return f.err
}

func (e *execution) fetchFile(ctx context.Context, file int) error {
	f := e.plan.Files[file]
	if e.x.Fetch == nil || f.Remote == "" {
		return fmt.Errorf("source file %s is not there", f.Path)
	}
	e.x.tell(Event{Kind: EventFetch, Text: f.Remote, Bytes: f.Size})
	if err := e.x.Fetch.Fetch(ctx, f, func(int64) {}); err != nil {
		return err
	}
	state, err := lookAt(f.Path)
	if err != nil {
		return fmt.Errorf("source file: %w", err)
	}
	if state.id.Size != f.Size {
		return fmt.Errorf("source file %s has %d bytes after it was fetched, not %d", f.Path, state.id.Size, f.Size)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known.files[file] = state
	return nil
}

// work is one run of an action.
type work struct {
	e       *execution
	action  int
	env     *Env
	log     *actionLog
	scratch string
	mu      sync.Mutex
	// broken is the first input whose blob was corrupt or gone.
	broken *lostInput
}

// lostInput says that an action could not read another's output.
type lostInput struct {
	id      cache.OutputID
	by      int // the action that made it
	corrupt bool
	err     error
}

func (l *lostInput) Error() string { return l.err.Error() }
func (l *lostInput) Unwrap() error { return l.err }

func (e *execution) newWork(i int, id cache.ActionID, batch cache.Batch, held map[int][]byte) *work {
	a := e.plan.Actions[i]
	w := &work{e: e, action: i, log: newActionLog(e.x.LogDir, id)}
	env := &Env{Params: a.Params, Inputs: make([]EnvInput, len(a.Inputs)), Log: w.log.Logger, workers: e.workers, scraps: &e.scraps, scratch: w.makeScratch}
	e.mu.Lock()
	for n, in := range a.Inputs {
		env.Inputs[n] = EnvInput{Name: in.Name, ID: e.known.content(&in)}
		if in.Source >= 0 {
			env.Inputs[n].Size, env.Inputs[n].Source = e.plan.Sources[in.Source].Size, e.plan.Sources[in.Source].Name
		} else {
			env.Inputs[n].Size = outputSize(e.known.entries[in.Action], in.Output)
		}
	}
	e.mu.Unlock()
	env.open = func(ctx context.Context, n int) (io.ReadCloser, error) {
		if b, ok := held[n]; ok {
			return io.NopCloser(bytes.NewReader(b)), nil
		}
		if in := a.Inputs[n]; in.Source >= 0 {
			return openSource(e.plan, in.Source)
		}
		return w.openBlob(ctx, n)
	}
	env.create = func(hint int64) (cache.BlobWriter, error) {
		b, err := batch.Create(hint)
		if err != nil {
			return nil, err
		}
		return &timedWriter{BlobWriter: b, e: e}, nil
	}
	env.progress = func(n int64) { e.advance(i, n) }
	w.env = env
	return w
}

func outputSize(entry *cache.Entry, name string) int64 {
	for _, o := range entry.Outputs {
		if o.Name == name {
			return o.Size
		}
	}
	return 0
}

// openBlob opens another action's output, and notes where it proves bad.
func (w *work) openBlob(ctx context.Context, n int) (io.ReadCloser, error) {
	in, id := w.e.plan.Actions[w.action].Inputs[n], w.env.Inputs[n].ID
	b, err := w.e.x.Store.Open(ctx, id)
	if err != nil {
		return nil, w.note(id, in.Action, err)
	}
	return &watchedBlob{Blob: b, note: func(err error) error { return w.note(id, in.Action, err) }}, nil
}

// note remembers an input that can be made again.
func (w *work) note(id cache.OutputID, by int, err error) error {
	var corrupt *cache.CorruptError
	isCorrupt := errors.As(err, &corrupt)
	if isCorrupt || errors.Is(err, cache.ErrNotFound) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.broken == nil {
			w.broken = &lostInput{id: id, by: by, corrupt: isCorrupt, err: err}
		}
	}
	return err
}

// lost is the input that failed the run, nil if it was something else.
func (w *work) lost(err error) *lostInput {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil && errors.Is(err, w.broken.err) {
		return w.broken
	}
	return nil
}

type watchedBlob struct {
	cache.Blob
	note func(error) error
}

func (b *watchedBlob) Read(p []byte) (int, error) {
	n, err := b.Blob.Read(p)
	if err != nil && err != io.EOF {
		err = b.note(err)
	}
	return n, err
}

func (w *work) makeScratch() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.scratch != "" {
		return w.scratch, nil
	}
	dir, err := os.MkdirTemp(w.e.x.Scratch, "action-")
	if err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	w.scratch = dir
	return dir, nil
}

func (w *work) close() {
	w.env.abandon()
	if w.scratch != "" {
		os.RemoveAll(w.scratch)
	}
	w.log.close()
}

// timedWriter counts the time that writing blobs takes.
type timedWriter struct {
	cache.BlobWriter
	e     *execution
	spent time.Duration
}

func (t *timedWriter) Write(p []byte) (int, error) {
	start := time.Now()
	n, err := t.BlobWriter.Write(p)
	t.spent += time.Since(start)
	return n, err
}

func (t *timedWriter) Close() (cache.OutputID, int64, error) {
	start := time.Now()
	id, n, err := t.BlobWriter.Close()
	t.e.mu.Lock()
	t.e.res.StoreTime += t.spent + time.Since(start)
	t.e.mu.Unlock()
	return id, n, err
}

// actionLog is the log file of one action, which is made when there is
// something to write.
type actionLog struct {
	*slog.Logger
	w *lazyFile
}

type lazyFile struct {
	mu   sync.Mutex
	path string // "" where no logs are kept
	file *os.File
}

func newActionLog(dir string, id cache.ActionID) *actionLog {
	f := &lazyFile{}
	if dir != "" {
		f.path = filepath.Join(dir, id.String()[:24]+".log")
	}
	return &actionLog{slog.New(slog.NewTextHandler(f, nil)), f}
}

// Write appends to the file. A log that can't be written stops no build.
func (f *lazyFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return len(p), nil
	}
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			f.path = ""
			return len(p), nil
		}
		f.file = file
	}
	return f.file.Write(p)
}

// failed writes down why the action failed; a panic's stack as it is, as the
// log's own format would make one line of it.
func (l *actionLog) failed(address string, err error) {
	l.Error(address, "error", err)
	var p *PanicError
	if errors.As(err, &p) {
		l.w.Write(p.Stack)
	}
}

// path is the log's file, "" where nothing was written.
func (l *actionLog) path() string {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if l.w.file == nil {
		return ""
	}
	return l.w.path
}

func (l *actionLog) close() {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if l.w.file != nil {
		l.w.file.Close()
	}
}
