package cache

import (
	"fmt"
	"io"
	"os"
)

// How CopyExtent brought the bytes over.
const (
	MethodReflink   = "reflink"         // the files share blocks
	MethodCopyRange = "copy_file_range" // the kernel copied
	MethodCopy      = "copy"            // read and written
)

// CopyExtent writes a blob's bytes to dst at dstOff. Where both offsets are
// multiples of 4096 and the file system can, whole blocks are shared and only
// what is left of the last one is copied; else the kernel copies, else they are
// read and written. It does not look at the bytes: a caller that must know them
// to be sound reads the blob. Safe for use on several ranges of dst at once.
func CopyExtent(dst *os.File, dstOff int64, b Blob) (method string, err error) {
	src, srcOff, ok := b.Extent()
	if !ok {
		if _, err := io.Copy(io.NewOffsetWriter(dst, dstOff), b); err != nil {
			return MethodCopy, fmt.Errorf("copying a blob to %s: %w", dst.Name(), err)
		}
		return MethodCopy, nil
	}
	method, err = copyExtent(dst, dstOff, src, srcOff, b.Size())
	if err != nil {
		return method, fmt.Errorf("copying %d bytes from %s to %s: %w", b.Size(), src.Name(), dst.Name(), err)
	}
	return method, nil
}

// plainCopy reads and writes; a source that is too short is an error.
func plainCopy(dst *os.File, dstOff int64, src *os.File, srcOff, size int64) error {
	buf := make([]byte, min(size, 1<<20))
	for size > 0 {
		n, err := src.ReadAt(buf[:min(size, int64(len(buf)))], srcOff)
		if n == 0 {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if _, err := dst.WriteAt(buf[:n], dstOff); err != nil {
			return err
		}
		srcOff, dstOff, size = srcOff+int64(n), dstOff+int64(n), size-int64(n)
	}
	return nil
}
