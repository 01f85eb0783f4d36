package cache

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"runtime"
)

// A renamed file must not be open on Windows, unless it was opened to be shared.
const closeBeforeRename = runtime.GOOS == "windows"

var errDamagedFile = errors.New("it is cut short or is no database")

// boltMeta is what a meta page of the bbolt file format (version 2) says: 64
// bytes after a page header of 16.
type boltMeta struct {
	pageSize int64
	pages    uint64 // high water mark: no page at or above it is in use
	txid     uint64
	version  uint32
}

const (
	boltMagic       = 0xED0CDAED
	boltVersion     = 2
	boltMinPage     = 512
	boltMaxPage     = 16 << 20
	boltHeaderBytes = 16
	boltMetaBytes   = 64
)

// checkFile looks whether a file is long enough for what its meta pages say.
// bbolt maps the file without looking, and a page behind the end would fault.
func checkFile(f *os.File) (empty bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	size := info.Size()
	if size == 0 {
		return true, nil
	}
	first, ok0, err := readMeta(f, 0)
	if err != nil {
		return false, err
	}
	page := int64(os.Getpagesize())
	if ok0 {
		page = first.pageSize
	}
	best, ok := first, ok0
	second, ok1, err := readMeta(f, page)
	if err != nil {
		return false, err
	}
	if ok1 && (!ok || second.txid > first.txid) {
		best, ok = second, true
	}
	if !ok || size < 2*best.pageSize || best.pages > uint64(size/best.pageSize) {
		return false, errDamagedFile
	}
	if best.version > boltVersion {
		return false, &NewerIndexError{Have: int(best.version), Known: boltVersion}
	}
	return false, nil
}

// readMeta reads the meta page at an offset; ok is false where there is none.
func readMeta(f *os.File, offset int64) (m boltMeta, ok bool, err error) {
	var b [boltMetaBytes]byte
	if _, err := f.ReadAt(b[:], offset+boltHeaderBytes); err != nil {
		if errors.Is(err, io.EOF) {
			return m, false, nil
		}
		return m, false, err
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	m = boltMeta{
		version:  binary.NativeEndian.Uint32(b[4:]),
		pageSize: int64(binary.NativeEndian.Uint32(b[8:])),
		pages:    binary.NativeEndian.Uint64(b[40:]),
		txid:     binary.NativeEndian.Uint64(b[48:]),
	}
	ok = binary.NativeEndian.Uint32(b[:]) == boltMagic && binary.NativeEndian.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= boltMinPage && m.pageSize <= boltMaxPage && m.pageSize&(m.pageSize-1) == 0
	return m, ok, nil
}
