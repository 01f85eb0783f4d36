// Package mmap maps files into memory for reading.
package mmap

// File is a mapped file. Its Bytes are read by the system as they are touched,
// and not to be used after Close. A file that is cut short while it is mapped
// ends the program where the missing part is touched, as everywhere.
type File struct {
	Bytes []byte
	close func() error
}

// Close unmaps the file. It may be called again.
func (f *File) Close() error {
	if f == nil || f.close == nil {
		return nil
	}
	c := f.close
	f.close, f.Bytes = nil, nil
	return c()
}
