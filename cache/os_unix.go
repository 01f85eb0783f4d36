//go:build unix

package cache

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openShared opens a file that other processes may rename or remove meanwhile.
func openShared(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o644) }

// tryLock takes the advisory lock of an open file, without waiting. The lock
// goes with the open file: closing it, or the end of the process, releases it.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		default:
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// tryLockIndex takes the lock that bbolt takes, so that bbolt then finds it
// held by the same open file and does not wait in steps of 50 ms.
func tryLockIndex(f *os.File, exclusive bool) (bool, error) { return tryLock(f, exclusive) }

// unlockIndex releases the lock of an open file; closing it does not while it
// is mapped. It fails where the file is closed already, which is fine.
func unlockIndex(f *os.File) { unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: the file system has no such thing
		return err
	}
	return nil
}

func processAlive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

func isNoSpaceErrno(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func isReadOnlyErrno(err error) bool { return errors.Is(err, unix.EROFS) }

// freeSpace is what an ordinary user may still write to dir's file system.
func freeSpace(dir string) (int64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
