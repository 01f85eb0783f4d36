// Package cache keeps the outputs of actions by the hash of their content, and
// an index from what was asked (ActionID) to what came out (OutputID).
package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Component is one named part of an action's key, kept beside the entry so
// that a later miss can name the part that changed.
type Component struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Output is one blob that an action produced.
type Output struct {
	Name string   `json:"name"`
	ID   OutputID `json:"id"`
	Size int64    `json:"size"`
}

// Entry is what the index holds of a finished action.
type Entry struct {
	Outputs []Output
	// Key lists the components that the ActionID was hashed from.
	Key []Component
	// Meta is a small canonical JSON document of facts that the action measured
	// (a tensor's quantization error); at most 64 KiB, "" if none.
	Meta []byte
	// Elapsed is how long the action ran.
	Elapsed time.Duration
}

// Commit is one finished action of a batch.
type Commit struct {
	ID    ActionID
	Entry Entry
}

// Store keeps blobs and the action index. Implementations are safe for use by
// many goroutines and many processes. One conformance suite (cachetest) runs
// against every implementation.
type Store interface {
	// Lookup returns the entry of each id, nil where there is none or where one
	// of its blobs is gone. What it returns is marked as used, so that a
	// concurrent gc leaves it alone. Order and length are those of ids.
	Lookup(ctx context.Context, ids []ActionID) ([]*Entry, error)

	// Begin starts a batch of blobs that become visible together, by Commit.
	Begin(ctx context.Context) (Batch, error)

	// Open opens a blob. ErrNotFound if it is not there.
	Open(ctx context.Context, id OutputID) (Blob, error)

	// Quarantine takes a blob that proved corrupt out of use: later Lookups of
	// the actions that produced it are misses until one makes it again. The
	// bytes are kept aside where the store can, and said in the log.
	Quarantine(ctx context.Context, id OutputID) error
}

// Batch collects the blobs of actions that run together. Not safe for
// concurrent use, except for the writers that Create returned.
type Batch interface {
	// Create starts a blob whose size is about sizeHint bytes (0: unknown).
	// Small blobs of a batch share a pack file.
	Create(sizeHint int64) (BlobWriter, error)
	// Commit makes the blobs durable, then the entries visible, in one short
	// transaction of the index. It may be called several times; each call
	// commits what was closed since. Entries may name only blobs of this batch
	// or blobs that the store already has. An id that the index already has
	// keeps its first entry if that one's blobs are present.
	Commit(ctx context.Context, commits []Commit) error
	// Discard drops what was not committed. Safe after Commit; call it deferred.
	Discard()
}

// BlobWriter takes a blob's bytes. Exactly one of Close and Abort ends it.
type BlobWriter interface {
	io.Writer
	// Close ends the blob and names it.
	Close() (OutputID, int64, error)
	Abort()
}

// Blob is an open blob. Read streams it from the start and returns a
// *CorruptError instead of the last bytes where they are not those of its id, so
// that reading exactly Size bytes verifies too.
type Blob interface {
	io.ReadCloser
	Size() int64
	// Extent says where the bytes lie in a file, so that an artifact can share
	// them (reflink) or have the kernel copy them; ok is false for a store that
	// has no files. The file belongs to the blob: it is closed with it.
	Extent() (f *os.File, offset int64, ok bool)
}

// Records are small facts that belong to this machine alone (what a file's
// tensors hashed to, what was last built where). Losing them costs time, never
// correctness.
type Records interface {
	// Records returns the values of keys, nil where there is none.
	Records(ctx context.Context, bucket string, keys []string) ([][]byte, error)
	// PutRecords writes all pairs in one transaction; a nil value deletes.
	PutRecords(ctx context.Context, bucket string, pairs map[string][]byte) error
}

// Claimer lets builds that share a store on one machine leave each other's
// actions alone.
type Claimer interface {
	// Claim takes the lock of a piece of work until release is called or the
	// process ends. Without wait, ok is false where another process holds it.
	Claim(ctx context.Context, work string, wait bool) (release func(), ok bool, err error)
}

// ErrNotFound is returned by Open for a blob that the store does not have.
var ErrNotFound = errors.New("blob not found")

// CorruptError says that a blob's bytes do not hash to its id.
type CorruptError struct {
	ID   OutputID
	Path string // where the bytes lie, "" if not in a file
}

func (e *CorruptError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("blob %s is corrupt", e.ID)
	}
	return fmt.Sprintf("blob %s in %s is corrupt", e.ID, e.Path)
}
