// Package atomicfile writes files that are there whole or not at all, also
// after a crash or a power cut.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// tries bounds the search for a free temporary name.
const tries = 100

// Write makes the file at path hold what write puts into w, replacing a file
// that is there (or a symbolic link: what it points at is left alone). The
// bytes go to a hidden file in the same folder, which is synced and renamed; if
// anything fails it is removed and path is as before. What a process that was
// killed left there goes with the next write. A new file gets the mode 0666 less
// the umask, a replaced one keeps its mode. A device or a pipe is an error.
// write must not close w.
func Write(path string, write func(w *os.File) error) (err error) {
	mode, replaced := fs.FileMode(0), false
	switch info, err := os.Lstat(path); {
	case err == nil && info.IsDir():
		return fmt.Errorf("write %s: a folder has this name: choose another path or move the folder away", path)
	case err == nil && info.Mode().IsRegular():
		mode, replaced = info.Mode().Perm(), true
	case err == nil && special(path):
		return fmt.Errorf("write %s: it is a device or a pipe, which cannot be replaced by a file: choose another path", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write %s: %w", path, err)
	}
	sweep(filepath.Dir(path))
	w, release, err := create(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer release()
	done := false
	defer func() {
		// Also where write panics.
		if !done {
			w.Close()
			os.Remove(w.Name())
		}
	}()
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if replaced {
		if err := w.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := w.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(w.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	done = true
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: sync its folder: %w", path, err)
	}
	return nil
}

// special reports whether path is, or leads to, what is neither a file nor a
// folder: /dev/null and /dev/stdout must not be renamed over.
func special(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// WriteFile is Write of data.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w *os.File) error {
		_, err := w.Write(data)
		return err
	})
}

// Probe fails where Write could not make a file in dir. Like Write, it leaves
// nothing behind, and removes what killed processes left.
func Probe(dir string) error {
	sweep(dir)
	w, release, err := create(dir)
	if err != nil {
		return err
	}
	defer release()
	return errors.Join(w.Close(), os.Remove(w.Name()))
}

// create opens a new hidden file in dir, which is this process's until release
// is called. os.CreateTemp would do but for its mode, 0600, which the umask
// cannot widen.
func create(dir string) (w *os.File, release func(), err error) {
	for range tries {
		name := filepath.Join(dir, fmt.Sprintf("%s%016x%s", prefix, rand.Uint64(), suffix))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if release, ok := hold(name); ok {
			return f, release, nil
		}
		f.Close()
	}
	return nil, nil, fmt.Errorf("no free temporary name in %s", dir)
}

// syncDir makes a rename durable. Windows has no such call, and some file
// systems refuse it; there the rename is as durable as it gets.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
