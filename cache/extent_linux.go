package cache

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func copyExtent(dst *os.File, dstOff int64, src *os.File, srcOff, size int64) (method string, err error) {
	method = MethodCopyRange
	if srcOff%blockSize == 0 && dstOff%blockSize == 0 && size >= blockSize {
		blocks := size / blockSize * blockSize
		cloned, err := reflink(dst, dstOff, src, srcOff, blocks)
		if err != nil {
			return MethodReflink, err
		}
		if cloned {
			if blocks == size {
				return MethodReflink, nil
			}
			method, dstOff, srcOff, size = MethodReflink, dstOff+blocks, srcOff+blocks, size-blocks
		}
	}
	done, err := copyFileRange(dst, dstOff, src, srcOff, size)
	if err != nil || done == size {
		return method, err
	}
	if method != MethodReflink {
		method = MethodCopy
	}
	return method, plainCopy(dst, dstOff+done, src, srcOff+done, size-done)
}

// reflink shares blocks; ok is false where this pair of files cannot.
func reflink(dst *os.File, dstOff int64, src *os.File, srcOff, size int64) (ok bool, err error) {
	err = unix.IoctlFileCloneRange(int(dst.Fd()), &unix.FileCloneRange{
		Src_fd:      int64(src.Fd()),
		Src_offset:  uint64(srcOff),
		Src_length:  uint64(size),
		Dest_offset: uint64(dstOff),
	})
	runtime.KeepAlive(dst)
	runtime.KeepAlive(src)
	if err != nil && cannot(err) {
		return false, nil
	}
	return err == nil, err
}

// copyFileRange has the kernel copy as much as it will.
func copyFileRange(dst *os.File, dstOff int64, src *os.File, srcOff, size int64) (done int64, err error) {
	for done < size {
		from, to := srcOff+done, dstOff+done
		n, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(min(size-done, 1<<30)), 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil && !cannot(err) {
			return done, err
		}
		if err != nil || n <= 0 {
			break
		}
		done += int64(n)
	}
	runtime.KeepAlive(dst)
	runtime.KeepAlive(src)
	return done, nil
}

// cannot reports whether an error means that another way must be taken, not
// that the disk failed.
func cannot(err error) bool {
	for _, e := range []error{unix.ENOSYS, unix.EOPNOTSUPP, unix.ENOTTY, unix.EXDEV, unix.EINVAL, unix.EPERM, unix.ETXTBSY} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
