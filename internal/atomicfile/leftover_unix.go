//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package atomicfile

import (
	"os"
	"syscall"
)

// hold marks a new file as one that is being written, until release is called
// or the process ends. ok is false where somebody took it for abandoned before
// it was marked. File systems without locks have no marks, and nothing on them
// is taken for abandoned.
func hold(path string) (release func(), ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return func() {}, !os.IsNotExist(err)
	}
	switch err := flock(f); {
	case err == syscall.EWOULDBLOCK:
		f.Close()
		return nil, false
	case err != nil:
		f.Close()
		return func() {}, true
	}
	mine, err1 := f.Stat()
	there, err2 := os.Lstat(path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		f.Close()
		return nil, false
	}
	return func() { f.Close() }, true
}

func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

// removeAbandoned removes a file that no process holds.
func removeAbandoned(path string) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && flock(f) == nil {
		os.Remove(path)
	}
}
