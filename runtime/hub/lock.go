package hub

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

const (
	minPoll = 20 * time.Millisecond
	maxPoll = 500 * time.Millisecond
)

// lock takes the lock file that the hub's own tools take for a content, and
// waits for whoever holds it. A lock that could be waited for by the system
// could not be given up when ctx ends, so it is tried again and again.
func (c *Client) lock(ctx context.Context, t target, path string) (release func(), err error) {
	for pause := time.Duration(0); ; pause = min(max(2*pause, minPoll), maxPoll) {
		if err := sleep(ctx, pause); err != nil {
			return nil, t.wrap(err)
		}
		f, err := openLock(path)
		if err != nil {
			return nil, t.fail(err, "the cache cannot be locked (%v): set HF_HUB_CACHE to a folder of yours", err)
		}
		switch ok, err := tryLock(f); {
		case err != nil && noLocks(err):
			f.Close()
			c.log.Warn("the cache's file system has no locks; do not download the same files in two programs", "path", path, "reason", err.Error())
			return func() {}, nil
		case err != nil:
			f.Close()
			return nil, t.fail(err, "the cache cannot be locked (%v): set HF_HUB_CACHE to a folder on a local disk", err)
		case ok && samePath(f, path):
			// The file stays: removing it would let a third process lock a new
			// one while a second waits for this one.
			return func() { f.Close() }, nil
		case !ok && pause == 0:
			c.log.Info("waiting for another program that downloads the file", "target", t.String())
		}
		f.Close()
	}
}

// openLock also opens what another user made and only lets be read, which is
// enough for a lock.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
	if errors.Is(err, fs.ErrPermission) {
		if r, rerr := os.Open(path); rerr == nil {
			return r, nil
		}
	}
	return f, err
}

// samePath reports whether path still names the open file. Some programs remove
// the lock file when they let it go.
func samePath(f *os.File, path string) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	want, err := os.Stat(path)
	return err == nil && os.SameFile(have, want)
}
