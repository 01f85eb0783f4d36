//go:build !linux

package cache

import "os"

func copyExtent(dst *os.File, dstOff int64, src *os.File, srcOff, size int64) (method string, err error) {
	return MethodCopy, plainCopy(dst, dstOff, src, srcOff, size)
}
