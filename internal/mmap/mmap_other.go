//go:build !unix

package mmap

import "os"

// Open reads the whole file where mapping is not to be had.
func Open(path string) (*File, error) {
	b, err := os.ReadFile(path)
	return &File{Bytes: b}, err
}

// Forget does nothing: the bytes are the program's own.
func (f *File) Forget(offset, size int) {}
