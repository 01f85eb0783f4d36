package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/zeebo/blake3"
)

// Memory is a cache in memory, of one process: for tests, and for rebuilding
// something beside the real cache to compare.
type Memory struct {
	mu      sync.Mutex
	actions map[ActionID]*Entry
	blobs   map[OutputID][]byte
	records map[string]map[string][]byte
	claims  map[string]chan struct{} // closed when the claim is released
}

var (
	_ Store   = (*Memory)(nil)
	_ Records = (*Memory)(nil)
	_ Claimer = (*Memory)(nil)
)

// NewMemory returns an empty cache.
func NewMemory() *Memory {
	return &Memory{
		actions: map[ActionID]*Entry{}, blobs: map[OutputID][]byte{},
		records: map[string]map[string][]byte{}, claims: map[string]chan struct{}{},
	}
}

// Lookup returns the entries of the ids whose blobs are all present.
func (m *Memory) Lookup(ctx context.Context, ids []ActionID) ([]*Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*Entry, len(ids))
	for i, id := range ids {
		if e := m.actions[id]; e != nil && m.hasOutputs(e) {
			out[i] = e.clone()
		}
	}
	return out, nil
}

func (m *Memory) hasOutputs(e *Entry) bool {
	for _, o := range e.Outputs {
		if _, ok := m.blobs[o.ID]; !ok {
			return false
		}
	}
	return true
}

// Open opens a blob.
func (m *Memory) Open(ctx context.Context, id OutputID) (Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.blobs[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return &memoryBlob{Reader: bytes.NewReader(content)}, nil
}

// memoryBlob needs no check: nothing changes the bytes after they were hashed.
type memoryBlob struct{ *bytes.Reader }

func (b *memoryBlob) Close() error                    { return nil }
func (b *memoryBlob) Extent() (*os.File, int64, bool) { return nil, 0, false }

// Quarantine drops a blob.
func (m *Memory) Quarantine(ctx context.Context, id OutputID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, id)
	return nil
}

// Begin starts a batch.
func (m *Memory) Begin(ctx context.Context) (Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &memoryBatch{m: m, blobs: map[OutputID][]byte{}}, nil
}

type memoryBatch struct {
	m     *Memory
	mu    sync.Mutex
	done  bool
	blobs map[OutputID][]byte // that wait for a commit
}

func (b *memoryBatch) Create(sizeHint int64) (BlobWriter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return nil, errBatchDone
	}
	return &memoryWriter{b: b}, nil
}

func (b *memoryBatch) Commit(ctx context.Context, commits []Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return errBatchDone
	}
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	for i := range commits {
		if err := b.check(&commits[i]); err != nil {
			return err
		}
	}
	for id, content := range b.blobs {
		b.m.blobs[id] = content
	}
	clear(b.blobs)
	for i := range commits {
		c := &commits[i]
		if old := b.m.actions[c.ID]; old == nil || !b.m.hasOutputs(old) {
			b.m.actions[c.ID] = c.Entry.clone()
		}
	}
	return nil
}

// check refuses an entry that names what is not there.
func (b *memoryBatch) check(c *Commit) error {
	if err := checkEntry(c.ID, &c.Entry); err != nil {
		return err
	}
	for _, o := range c.Entry.Outputs {
		content, ok := b.blobs[o.ID]
		if !ok {
			content, ok = b.m.blobs[o.ID]
		}
		if err := checkOutput(c.ID, o, int64(len(content)), ok); err != nil {
			return err
		}
	}
	return nil
}

func (b *memoryBatch) Discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done, b.blobs = true, nil
}

type memoryWriter struct {
	b   *memoryBatch
	buf []byte
	end bool
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	if w.end {
		return 0, errWriterClosed
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *memoryWriter) Close() (OutputID, int64, error) {
	if w.end {
		return OutputID{}, 0, errWriterClosed
	}
	w.end = true
	id := OutputID(blake3.Sum256(w.buf))
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if w.b.done {
		return OutputID{}, 0, errBatchDone
	}
	w.b.blobs[id] = w.buf
	return id, int64(len(w.buf)), nil
}

func (w *memoryWriter) Abort() { w.end, w.buf = true, nil }

// Records returns the values of keys, nil where there is none.
func (m *Memory) Records(ctx context.Context, bucket string, keys []string) ([][]byte, error) {
	if err := errors.Join(ctx.Err(), checkRecords(bucket, slices.Values(keys))); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([][]byte, len(keys))
	for i, key := range keys {
		if v, ok := m.records[bucket][key]; ok {
			out[i] = append([]byte{}, v...)
		}
	}
	return out, nil
}

// PutRecords writes all pairs; a nil value deletes.
func (m *Memory) PutRecords(ctx context.Context, bucket string, pairs map[string][]byte) error {
	if err := errors.Join(ctx.Err(), checkRecords(bucket, maps.Keys(pairs))); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[bucket] == nil {
		m.records[bucket] = map[string][]byte{}
	}
	for key, value := range pairs {
		if value == nil {
			delete(m.records[bucket], key)
		} else {
			m.records[bucket][key] = append([]byte{}, value...)
		}
	}
	return nil
}

// Claim takes the lock of a piece of work among the goroutines of this process.
func (m *Memory) Claim(ctx context.Context, work string, wait bool) (release func(), ok bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		m.mu.Lock()
		held := m.claims[work]
		if held == nil {
			mine := make(chan struct{})
			m.claims[work] = mine
			m.mu.Unlock()
			return sync.OnceFunc(func() {
				m.mu.Lock()
				delete(m.claims, work)
				m.mu.Unlock()
				close(mine)
			}), true, nil
		}
		m.mu.Unlock()
		if !wait {
			return nil, false, nil
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-held:
		}
	}
}
