package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// LockedError says that the index could not be had because other processes
// hold it.
type LockedError struct {
	Path   string // the index
	PIDs   []int  // who holds it, empty where that cannot be told
	Waited time.Duration
}

func (e *LockedError) Error() string {
	who, cure := "another process", "wait for it to end and try again"
	if len(e.PIDs) > 0 {
		var ids []string
		for _, pid := range e.PIDs {
			ids = append(ids, fmt.Sprint(pid))
		}
		who = "process " + strings.Join(ids, ", ")
		cure = "wait for it to end, or stop it if it hangs (kill " + strings.Join(ids, " ") + "), and try again"
	}
	return fmt.Sprintf("cache index %s is held by %s (waited %s): %s", e.Path, who, e.Waited.Round(time.Millisecond), cure)
}

// SpaceError says that the disk of the cache is full.
type SpaceError struct {
	Dir  string // the cache
	Free int64  // bytes left on its file system, -1 if unknown
	Err  error
}

func (e *SpaceError) Error() string {
	left := "how much is left is unknown"
	if e.Free >= 0 {
		left = formatBytes(e.Free) + " left"
	}
	return fmt.Sprintf("cache %s: no space left on device, %s: what was committed is safe; free some with `pj cache gc --max-size SIZE`, or use another folder with --cache-dir: %v", e.Dir, left, e.Err)
}

func (e *SpaceError) Unwrap() error { return e.Err }

// ReadOnlyError says that the cache can be read but not written.
type ReadOnlyError struct {
	Dir string
	Err error
}

func (e *ReadOnlyError) Error() string {
	return fmt.Sprintf("cache %s is read-only, so nothing can be stored in it: make it writable, or use another folder with --cache-dir or PJ_CACHE_DIR: %v", e.Dir, e.Err)
}

func (e *ReadOnlyError) Unwrap() error { return e.Err }

// NewerIndexError says that a later program wrote the index.
type NewerIndexError struct {
	Path        string
	Have, Known int // schema versions
}

func (e *NewerIndexError) Error() string {
	return fmt.Sprintf("cache index %s was written by a newer pj (format %d, this one knows up to %d): use that pj, or another folder with --cache-dir", e.Path, e.Have, e.Known)
}

// explain adds the cure to the failures of writing that a user can do something
// about.
func (l *Local) explain(err error) error {
	var space *SpaceError
	var readOnly *ReadOnlyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &space), errors.As(err, &readOnly):
		return err
	case isNoSpace(err):
		free, ok := freeSpace(existing(l.dir))
		if !ok {
			free = -1
		}
		return &SpaceError{Dir: l.dir, Free: free, Err: err}
	case isReadOnly(err):
		return &ReadOnlyError{Dir: l.dir, Err: err}
	}
	return err
}

// isNoSpace also looks at the text, since bbolt drops the cause of some errors.
func isNoSpace(err error) bool {
	return isNoSpaceErrno(err) || strings.Contains(err.Error(), "no space left on device")
}

func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || isReadOnlyErrno(err)
}

// existing is the nearest folder above path that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// formatBytes writes a size for people: "1.5 GiB".
func formatBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	f, units := float64(n)/1024, "KMGTPE"
	for f >= 1024 && len(units) > 1 {
		f, units = f/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", f, units[0])
}
