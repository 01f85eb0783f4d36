package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
)

// Begin starts a batch. Its temporary files lie in a folder that gc removes
// once this process has ended, however it ended.
func (l *Local) Begin(ctx context.Context) (Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v, err := l.newLiveDir("batch")
	if err != nil {
		return nil, l.explain(err)
	}
	return &localBatch{l: l, live: v, ids: map[OutputID]bool{}}, nil
}

type localBatch struct {
	l    *Local
	live *live

	mu    sync.Mutex // the writers of a batch run at once
	done  bool
	files int               // how many temporary files were named
	pack  *part             // the pack that small blobs are appended to, nil if none
	parts []*part           // what is complete but for the pack
	ids   map[OutputID]bool // blobs that wait for a commit
	// broken is set where a sync failed: the system may have dropped the pages,
	// so that a second sync would wrongly succeed.
	broken error
}

// part is a file that becomes one file of blobs.
type part struct {
	file  blobFile // nil once it is synced and closed
	tmp   string
	size  int64
	pack  bool
	blobs []placed

	key     fileKey // known once it is complete
	inPlace bool
}

type placed struct {
	id           OutputID
	offset, size int64
}

var errBatchDone = errors.New("cache: the batch was discarded")

// newFile creates a temporary file. The caller holds mu.
func (b *localBatch) newFile() (blobFile, error) {
	if b.done {
		return nil, errBatchDone
	}
	b.files++
	return b.l.create(filepath.Join(b.live.dir, strconv.Itoa(b.files)))
}

// addSmall appends a blob to the batch's pack, unless the batch has it already.
func (b *localBatch) addSmall(id OutputID, content []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return errBatchDone
	}
	if b.ids[id] {
		return nil
	}
	if b.pack != nil && b.pack.size+int64(len(content)) > packLimit {
		b.parts = append(b.parts, b.pack)
		b.pack = nil
	}
	if b.pack == nil {
		f, err := b.newFile()
		if err != nil {
			return b.l.explain(err)
		}
		b.pack = &part{file: f, tmp: f.Name(), pack: true}
	}
	offset := b.pack.size
	if len(content) >= blockSize {
		offset = (offset + blockSize - 1) / blockSize * blockSize
	}
	if _, err := b.pack.file.WriteAt(content, offset); err != nil {
		b.pack.file.Truncate(b.pack.size) // what came before is still good
		return b.l.explain(err)
	}
	b.pack.size = offset + int64(len(content))
	b.pack.blobs = append(b.pack.blobs, placed{id, offset, int64(len(content))})
	b.ids[id] = true
	return nil
}

// addBig adds a blob that has a file of its own.
func (b *localBatch) addBig(id OutputID, f blobFile, size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done || b.ids[id] {
		f.Close()
		os.Remove(f.Name())
		if b.done {
			return errBatchDone
		}
		return nil
	}
	b.parts = append(b.parts, &part{file: f, tmp: f.Name(), size: size, blobs: []placed{{id, 0, size}}})
	b.ids[id] = true
	return nil
}

// Commit syncs the files, then renames them into place and enters them and the
// actions in one transaction. Where it fails nothing is visible; what waits
// stays, so that it may be called again unless the disk failed.
func (b *localBatch) Commit(ctx context.Context, commits []Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range commits {
		if err := checkEntry(commits[i].ID, &commits[i].Entry); err != nil {
			return err
		}
	}
	parts, err := b.take()
	if err != nil || len(parts)+len(commits) == 0 {
		return err
	}
	syncErr := b.l.explain(finishAll(parts, !b.l.noSync))
	err = syncErr
	if err == nil {
		err = b.l.commit(ctx, parts, commits)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.parts, b.broken = append(parts, b.parts...), syncErr
		return err
	}
	for _, p := range parts {
		for _, blob := range p.blobs {
			delete(b.ids, blob.id)
		}
	}
	return nil
}

// take hands over what is complete; writers that end from now on begin a new pack.
func (b *localBatch) take() ([]*part, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return nil, errBatchDone
	}
	if b.broken != nil {
		return nil, b.broken
	}
	parts := b.parts
	if b.pack != nil && len(b.pack.blobs) > 0 {
		parts = append(parts, b.pack)
		b.pack = nil
	}
	b.parts = nil
	return parts, nil
}

// Discard drops what was not committed.
func (b *localBatch) Discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	b.done = true
	if b.pack != nil {
		b.parts = append(b.parts, b.pack)
	}
	for _, p := range b.parts {
		if p.file != nil {
			p.file.Close()
		}
	}
	b.pack, b.parts, b.ids = nil, nil, nil
	b.live.release()
}

// finish makes a part durable and names it.
func (p *part) finish(sync bool) error {
	if p.file == nil {
		return nil
	}
	if sync {
		if err := p.file.Sync(); err != nil {
			return err
		}
	}
	if err := p.file.Close(); err != nil {
		return err
	}
	p.file = nil
	if !p.pack {
		p.key = fileKey{hash: p.blobs[0].id}
		return nil
	}
	// A pack's name is the hash of its table of contents: equal names have equal
	// blobs at equal places.
	table := []byte("pj cache pack 1\n")
	for _, blob := range p.blobs {
		table = append(table, blob.id[:]...)
		table = strconv.AppendInt(append(table, ' '), blob.offset, 10)
		table = strconv.AppendInt(append(table, ' '), blob.size, 10)
		table = append(table, '\n')
	}
	p.key = fileKey{pack: true, hash: blake3.Sum256(table)}
	return nil
}

// finishAll finishes several parts at once, so that the file system can join
// their syncs.
func finishAll(parts []*part, sync bool) error {
	var syncs errgroup.Group
	syncs.SetLimit(8)
	for _, p := range parts {
		syncs.Go(func() error { return p.finish(sync) })
	}
	return syncs.Wait()
}

// commit makes finished parts visible, and the entries with them.
func (l *Local) commit(ctx context.Context, parts []*part, commits []Commit) error {
	var seen map[OutputID]location
	err := l.index.update(ctx, func(t *tx) error {
		c := committer{l: l, t: t, p: l.presence(), seen: map[OutputID]location{}}
		seen = c.seen
		return c.run(parts, commits)
	})
	if err != nil {
		return l.explain(err)
	}
	for _, p := range parts {
		if !p.inPlace { // the cache had all of it
			os.Remove(p.tmp)
		}
	}
	for id, at := range seen {
		l.remember(placedBlob{id, at})
	}
	return nil
}

// committer is the work of one commit inside its transaction.
type committer struct {
	l    *Local
	t    *tx
	p    *presence
	seen map[OutputID]location
}

func (c *committer) run(parts []*part, commits []Commit) error {
	folders := map[string]bool{}
	for _, p := range parts {
		if err := c.place(p, folders); err != nil {
			return err
		}
	}
	if c.l.noSync {
		clear(folders)
	}
	for dir := range folders {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := c.enter(p); err != nil {
			return err
		}
	}
	for i := range commits {
		if err := c.commit(&commits[i]); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether the cache has the blob.
func (c *committer) has(id OutputID) (location, bool) {
	at, ok := c.t.location(id)
	return at, ok && c.p.has(at)
}

// place renames a part to its name, unless the cache has all its blobs. It
// notes the folders whose names changed.
func (c *committer) place(p *part, folders map[string]bool) error {
	path := c.l.path(p.key)
	if p.inPlace { // by a transaction that then failed
		if c.p.size(p.key) >= p.size {
			return nil
		}
		return &os.PathError{Op: "commit", Path: path, Err: errors.New("the file vanished before it was entered in the index")}
	}
	if c.hasAll(p) {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o755); err == nil {
		folders[filepath.Dir(dir)] = true
	}
	now := c.l.now()
	os.Chtimes(p.tmp, now, now) // a batch may have taken hours
	if err := os.Rename(p.tmp, path); err != nil {
		return err
	}
	p.inPlace = true
	folders[dir] = true
	delete(c.p.sizes, p.key)
	c.p.lastSize = -1
	return nil
}

func (c *committer) hasAll(p *part) bool {
	for _, blob := range p.blobs {
		if _, ok := c.has(blob.id); !ok {
			return false
		}
	}
	return true
}

// enter lists a part's blobs in the index. A blob that the cache has already
// stays where it is.
func (c *committer) enter(p *part) error {
	for _, blob := range p.blobs {
		at, ok := c.has(blob.id)
		if !ok {
			at = location{file: p.key, offset: blob.offset, size: blob.size}
			if err := c.t.blobs.Put(blob.id[:], encodeLocation(blob.id, at)); err != nil {
				return err
			}
		}
		c.seen[blob.id] = at
	}
	return nil
}

// commit enters an action, unless the index has it with all its blobs.
func (c *committer) commit(commit *Commit) error {
	id, e := commit.ID, &commit.Entry
	for _, o := range e.Outputs {
		at, ok := c.seen[o.ID]
		if !ok {
			at, ok = c.has(o.ID)
		}
		if err := checkOutput(id, o, at.size, ok); err != nil {
			return err
		}
		c.seen[o.ID] = at
	}
	if old := c.t.entry(id, true); old != nil && c.p.hasOutputs(c.t, old) {
		return nil
	}
	return c.t.actions.Put(id[:], encodeEntry(id, e))
}
