package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/zeebo/blake3"
)

// Open opens a blob. Where it lies is remembered from Lookup and Commit, so
// that this mostly costs one open file and no transaction.
func (l *Local) Open(ctx context.Context, id OutputID) (Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if at, ok := l.remembered(id); ok {
		if b, err := l.openAt(id, at); err == nil {
			return b, nil
		}
		l.forget(id)
	}
	var b Blob
	err := l.index.view(ctx, func(t *tx) error { // inside, as gc may take the file away after it
		at, ok := t.location(id)
		if !ok {
			return fmt.Errorf("%w: %s in cache %s", ErrNotFound, id, l.dir)
		}
		var err error
		if b, err = l.openAt(id, at); isNotExist(err) {
			return fmt.Errorf("%w: %s: its file %s is gone; the next build makes it again", ErrNotFound, id, l.path(at.file))
		}
		if err == nil {
			l.remember(placedBlob{id, at})
		}
		return err
	})
	return b, err
}

// openAt opens the file of a blob and looks whether it is long enough.
func (l *Local) openAt(id OutputID, at location) (Blob, error) {
	path := l.path(at.file)
	f, err := openShared(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !at.fits(info.Size()) {
		err = &CorruptError{ID: id, Path: path}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	markUsed(path, info, l.now())
	return &localBlob{id: id, file: f, offset: at.offset, size: at.size, hash: blake3.New()}, nil
}

// localBlob reads a range of a file and hashes what it gives out.
type localBlob struct {
	id           OutputID
	file         *os.File
	offset, size int64
	read         int64
	hash         *blake3.Hasher
	err          error // how reading ended
}

func (b *localBlob) Size() int64 { return b.size }

// Extent says where the bytes lie.
func (b *localBlob) Extent() (*os.File, int64, bool) { return b.file, b.offset, true }

func (b *localBlob) Close() error { return b.file.Close() }

// Read gives out the next bytes. The last ones only once the whole was found to
// be sound, so that reading exactly Size bytes verifies too.
func (b *localBlob) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := int(min(int64(len(p)), b.size-b.read))
	n, err := b.file.ReadAt(p[:n], b.offset+b.read)
	b.hash.Write(p[:n])
	b.read += int64(n)
	if b.read == b.size {
		var sum OutputID
		b.hash.Sum(sum[:0])
		if b.err = io.EOF; sum != b.id {
			b.err = b.corrupt()
			return 0, b.err
		}
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	switch {
	case err == io.EOF, errors.Is(err, syscall.EIO): // cut since it was opened, or on bad sectors
		b.err = b.corrupt()
	case err != nil:
		b.err = fmt.Errorf("blob %s: %w", b.id, err)
	}
	return n, b.err
}

func (b *localBlob) corrupt() error { return &CorruptError{ID: b.id, Path: b.file.Name()} }
