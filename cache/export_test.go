package cache

import (
	"context"
	"time"
)

// What the tests of package cache_test need of the inside.

type BlobFile = blobFile

func (o Options) WithClock(now func() time.Time) Options {
	o.now = now
	return o
}

func (o Options) WithFiles(create func(path string) (BlobFile, error)) Options {
	o.create = create
	return o
}

// WithoutSync spares a busy disk; whoever is killed loses nothing by it, only a
// machine that loses power would.
func (o Options) WithoutSync() Options {
	o.noSync = true
	return o
}

// HoldIndex runs fn inside a write transaction.
func (l *Local) HoldIndex(ctx context.Context, fn func() error) error {
	return l.index.update(ctx, func(*tx) error { return fn() })
}

// NoHolders makes the system tell nobody who holds a lock.
func (l *Local) NoHolders() { l.index.holders = func(string) []int { return nil } }

// NoPlace forgets where blobs lie, as a fresh process would not know.
func (l *Local) NoPlace() { l.forgetAll() }

var (
	EncodeEntry    = encodeEntry
	EncodeLocation = encodeLocation
	Seal           = seal
	DecodeEntry    = func(id ActionID, b []byte) (*Entry, bool) { return decodeEntry(id[:], b, false) }
	DecodeLocation = func(id OutputID, b []byte) (location, bool) { return decodeLocation(id[:], b) }
	FormatBytes    = formatBytes
	CheckIndexFile = checkFile
	PlainCopy      = plainCopy
)

// EncodePlace writes the place of a blob in a pack, or in a file of its own.
func EncodePlace(id OutputID, pack bool, hash [32]byte, offset, size int64) []byte {
	return encodeLocation(id, location{fileKey{pack, hash}, offset, size})
}
