package hub

import (
	"slices"
	"sort"
	"sync"
)

const (
	// minAhead is the least that a request for a small piece asks for: the
	// header of most shards. Requests that follow on one another ask for twice
	// as much each time, up to maxAhead.
	minAhead = 1 << 20
	maxAhead = 8 << 20
	// direct is the size from which a read is not kept.
	direct = 32 << 20
	// maxKept bounds what all files together keep; the piece that was used
	// longest ago goes first.
	maxKept = 256 << 20
)

// piece is a range of a file.
type piece struct {
	off  int64
	data []byte
	used int64 // the cache's clock
}

func (p *piece) end() int64 { return p.off + int64(len(p.data)) }

// fileRanges are the pieces of one file, by offset, without overlaps.
type fileRanges struct {
	pieces []*piece
	// lastEnd and ahead belong to the newest request.
	lastEnd int64
	ahead   int64
	// turn holds a token while no request is under way. One at a time: what the
	// next one wants is likely in what the one before it asked for.
	turn chan struct{}
}

// rangeCache keeps what was read of files that are not local.
type rangeCache struct {
	mu    sync.Mutex
	files map[string]*fileRanges
	kept  int64
	clock int64
	limit int64
}

func (c *rangeCache) init() {
	c.files = map[string]*fileRanges{}
	c.limit = maxKept
}

func (c *rangeCache) file(name string) *fileRanges {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.files[name]
	if r == nil {
		r = &fileRanges{turn: make(chan struct{}, 1)}
		r.turn <- struct{}{}
		c.files[name] = r
	}
	return r
}

// copy fills p from offset off on, as far as the kept pieces reach.
func (c *rangeCache) copy(r *fileRanges, p []byte, off int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	n := 0
	for i := r.after(off); i < len(r.pieces) && n < len(p); i++ {
		at := r.pieces[i]
		if at.off > off+int64(n) {
			break
		}
		n += copy(p[n:], at.data[off+int64(n)-at.off:])
		at.used = c.clock
	}
	return n
}

// after is the index of the first piece that ends behind off.
func (r *fileRanges) after(off int64) int {
	return sort.Search(len(r.pieces), func(i int) bool { return r.pieces[i].end() > off })
}

// plan is what to ask for where [off, end) is wanted of a file of the given size
// and off is not kept. Up to the next kept piece the answer is at least as long
// as what is wanted.
func (c *rangeCache) plan(r *fileRanges, off, end, size int64) (until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if off == r.lastEnd && r.ahead > 0 {
		r.ahead = min(2*r.ahead, maxAhead)
	} else {
		r.ahead = minAhead
	}
	until = min(max(end, off+r.ahead), size)
	if i := r.after(off); i < len(r.pieces) {
		until = min(until, r.pieces[i].off)
	}
	r.lastEnd = until
	return until
}

// keep adds a piece and drops old ones where there are too many.
func (c *rangeCache) keep(r *fileRanges, off int64, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	r.pieces = slices.Insert(r.pieces, r.after(off), &piece{off: off, data: data, used: c.clock})
	c.kept += int64(len(data))
	for c.kept > c.limit && c.dropOldest() {
	}
}

// dropOldest drops the piece that was used longest ago, unless it is the newest.
func (c *rangeCache) dropOldest() bool {
	var owner *fileRanges
	at := -1
	used := c.clock
	for _, r := range c.files {
		for i, p := range r.pieces {
			if p.used < used {
				owner, at, used = r, i, p.used
			}
		}
	}
	if owner == nil {
		return false
	}
	c.kept -= int64(len(owner.pieces[at].data))
	owner.pieces = slices.Delete(owner.pieces, at, at+1)
	return true
}

// forget drops a file's pieces: there is a local copy now.
func (c *rangeCache) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.files[name]
	if r == nil {
		return
	}
	for _, p := range r.pieces {
		c.kept -= int64(len(p.data))
	}
	r.pieces, r.lastEnd, r.ahead = nil, 0, 0
}
