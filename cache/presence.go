package cache

import (
	"os"
	"time"
)

// presence answers which blobs are there, with one stat a file. It is used
// inside a transaction: gc, which takes files away, cannot run beside it.
type presence struct {
	l     *Local
	now   time.Time
	sizes map[fileKey]int64 // -1: the file is not there
	// last answers for the file asked before; neighbours mostly share a pack.
	last     fileKey
	lastSize int64
}

func (l *Local) presence() *presence {
	return &presence{l: l, now: l.now(), sizes: map[fileKey]int64{}, lastSize: -1}
}

// size of a file of blobs, -1 if it is not there. The file counts as used.
func (p *presence) size(k fileKey) int64 {
	if k == p.last && p.lastSize >= 0 {
		return p.lastSize
	}
	size, ok := p.sizes[k]
	if !ok {
		size = -1
		path := p.l.path(k)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			size = info.Size()
			markUsed(path, info, p.now)
		}
		p.sizes[k] = size
	}
	p.last, p.lastSize = k, size
	return size
}

// has reports whether the blob is there, by its file's size.
func (p *presence) has(at location) bool {
	size := p.size(at.file)
	return size >= 0 && at.fits(size)
}

// hasOutputs reports whether all blobs of an entry are there.
func (p *presence) hasOutputs(t *tx, e *Entry) bool {
	for _, o := range e.Outputs {
		if at, ok := t.location(o.ID); !ok || at.size != o.Size || !p.has(at) {
			return false
		}
	}
	return true
}

// markUsed sets a file's time to now if it is older than the grain. Failing is
// fine: in a cache that cannot be written nothing is removed either.
func markUsed(path string, info os.FileInfo, now time.Time) {
	if now.Sub(info.ModTime()) > usedGrain {
		os.Chtimes(path, time.Time{}, now)
	}
}
