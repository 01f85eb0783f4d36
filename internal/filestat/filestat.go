// Package filestat tells whether a file is still the one that was looked at
// before, without reading it.
package filestat

import (
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ID is what changes where a file's content may have changed. IDs are compared
// with ==.
type ID struct {
	Size   int64
	Mtime  int64 // nanoseconds since 1970
	Ctime  int64 // of the inode, 0 where the system has none
	Inode  uint64
	Device uint64
}

// Of is the ID of the regular file at path, symbolic links followed.
func Of(path string) (ID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return ID{}, err
	}
	if !info.Mode().IsRegular() {
		return ID{}, fmt.Errorf("%s is not a regular file", path)
	}
	return FromInfo(info), nil
}

// FromInfo is the ID of a file that was looked at.
func FromInfo(info fs.FileInfo) ID {
	id := ID{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
	id.fill(info)
	return id
}

// Settle is how coarse the clocks of file systems are: two writes within it may
// leave the same times.
const Settle = 20 * time.Millisecond

// Settled reports whether the file was last written long enough before now, so
// that a later write would show in the ID. A time in the future, as archives and
// wrong clocks leave, is no write's of now.
func (id ID) Settled(now time.Time) bool {
	from, to := now.Add(-Settle).UnixNano(), now.Add(Settle).UnixNano()
	recent := func(t int64) bool { return t >= from && t <= to }
	return !recent(id.Mtime) && !recent(id.Ctime)
}
