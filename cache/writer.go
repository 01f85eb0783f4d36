package cache

import (
	"errors"
	"os"

	"github.com/zeebo/blake3"
)

// Create starts a blob. Up to 4 MiB it is kept in memory until it is closed;
// beyond, it goes to a file of its own.
func (b *localBatch) Create(sizeHint int64) (BlobWriter, error) {
	b.mu.Lock()
	done := b.done
	b.mu.Unlock()
	if done {
		return nil, errBatchDone
	}
	w := &localWriter{b: b}
	w.buf = b.l.buffer(int(min(max(sizeHint, 0), bigBlob)))
	return w, nil
}

// buffer gets memory for a blob of about size bytes.
func (l *Local) buffer(size int) []byte {
	if p, ok := l.buffers.Get().(*[]byte); ok && cap(*p) >= size {
		return (*p)[:0]
	}
	return make([]byte, 0, size)
}

func (l *Local) recycle(buf []byte) {
	if cap(buf) > 0 {
		l.buffers.Put(&buf)
	}
}

type localWriter struct {
	b    *localBatch
	buf  []byte // the blob so far, where it has no file
	file blobFile
	hash *blake3.Hasher // of what is in file
	size int64
	err  error // the first failure; also set by Close and Abort
}

var errWriterClosed = errors.New("cache: the blob is already closed")

// Write takes the next bytes of the blob.
func (w *localWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.file == nil && len(w.buf)+len(p) < bigBlob {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if w.file == nil {
		w.spill()
	}
	if w.err == nil {
		w.write(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// spill moves what is buffered to a file.
func (w *localWriter) spill() {
	w.b.mu.Lock()
	file, err := w.b.newFile()
	w.b.mu.Unlock()
	if err != nil {
		w.err = w.b.l.explain(err)
		return
	}
	w.file, w.hash = file, blake3.New()
	w.write(w.buf)
	w.b.l.recycle(w.buf)
	w.buf = nil
}

func (w *localWriter) write(p []byte) {
	n, err := w.file.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	if err != nil {
		w.err = w.b.l.explain(err)
	}
}

// Close ends the blob and gives it to the batch.
func (w *localWriter) Close() (OutputID, int64, error) {
	if w.err != nil {
		err := w.err
		w.Abort()
		return OutputID{}, 0, err
	}
	w.err = errWriterClosed
	var id OutputID
	if w.file != nil {
		w.hash.Sum(id[:0])
		if err := w.b.addBig(id, w.file, w.size); err != nil {
			return OutputID{}, 0, err
		}
		return id, w.size, nil
	}
	id, size := blake3.Sum256(w.buf), int64(len(w.buf))
	err := w.b.addSmall(id, w.buf)
	w.b.l.recycle(w.buf)
	w.buf = nil
	if err != nil {
		return OutputID{}, 0, err
	}
	return id, size, nil
}

// Abort drops the blob.
func (w *localWriter) Abort() {
	if w.file != nil && !errors.Is(w.err, errWriterClosed) {
		w.file.Close()
		os.Remove(w.file.Name())
	}
	if w.buf != nil {
		w.b.l.recycle(w.buf)
		w.buf = nil
	}
	w.err = errWriterClosed
}
