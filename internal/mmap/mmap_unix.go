//go:build unix

package mmap

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open maps a file.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", path)
	case size == 0:
		return &File{}, nil
	case int64(int(size)) != size:
		return nil, fmt.Errorf("%s: %d bytes are more than this machine can map", path, size)
	}
	b, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: map into memory: %w", path, err)
	}
	return &File{Bytes: b, close: func() error { return unix.Munmap(b) }}, nil
}

// Forget tells the system that a part of the file is not needed soon, so that
// its memory can be used for something else. The bytes stay readable.
func (f *File) Forget(offset, size int) {
	page := os.Getpagesize()
	end := (offset + size) / page * page
	offset = (offset + page - 1) / page * page
	if offset < 0 || end <= offset || end > len(f.Bytes) {
		return
	}
	_ = unix.Madvise(f.Bytes[offset:end], unix.MADV_DONTNEED) // advice: nothing is lost where it fails
}
