package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// poll calls try until it succeeds, fails or ctx ends. The pause between two
// tries grows from half a millisecond to 20 ms: locks here are held briefly,
// and a blocking flock could not be cancelled.
func poll(ctx context.Context, try func() (bool, error)) error {
	pause := 500 * time.Microsecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ok, err := try(); ok || err != nil {
			return err
		}
		pause = min(2*pause, 20*time.Millisecond)
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// tryLockPath creates a lock file and takes its lock, nil where another holds
// it. The holder removes the file before it lets go, so a lock counts only
// while the path still names the locked file.
func tryLockPath(path string) (*os.File, error) {
	for {
		f, err := openShared(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		ok, err := tryLock(f, true)
		if err != nil || !ok {
			f.Close()
			return nil, err
		}
		if samePath(f, path) {
			return f, nil
		}
		f.Close()
	}
}

// releaseLockPath removes a lock file that tryLockPath took and lets it go.
func releaseLockPath(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}

// samePath reports whether path still names the open file.
func samePath(f *os.File, path string) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	want, err := os.Stat(path)
	return err == nil && os.SameFile(have, want)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
