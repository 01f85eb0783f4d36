package cache

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Sizes that decide how blobs lie on disk. They may change: the index says of
// each blob where it lies.
const (
	bigBlob   = 4 << 20   // from this size on a blob is a file of its own
	packLimit = 512 << 20 // a pack that would grow beyond it is closed, another begun
	blockSize = 4096      // what reflinks count in; blobs of at least that size start at a multiple of it
)

// usedGrain is how exactly the time of a file's last use is kept: an hour, as
// one write a file and hour is cheap.
const usedGrain = time.Hour

// Options of Open; the zero value is fine.
type Options struct {
	// LockTimeout is how long to wait for the index while other processes hold
	// it; 0 means 10 s.
	LockTimeout time.Duration
	// Logger gets warnings (a damaged index, a quarantined blob); nil means
	// slog.Default().
	Logger *slog.Logger

	now    func() time.Time                    // tests move the clock
	create func(path string) (blobFile, error) // tests fill the disk
	noSync bool                                // tests share a busy disk
}

// blobFile is what a batch writes to.
type blobFile interface {
	io.WriteCloser
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Name() string
}

// Local is a cache in a folder of this machine:
//
//	blobs/ab/<hash>      one blob of 4 MiB and more
//	blobs/packs/<hash>   the smaller blobs of one commit, one after the other
//	index.db             what actions produced, where blobs lie, records
//	tmp/                 unfinished work, locks, quarantine
//	logs/                for the program's logs
//
// Many goroutines and many processes may use one folder at once.
type Local struct {
	dir     string
	log     *slog.Logger
	index   *index
	now     func() time.Time
	create  func(path string) (blobFile, error)
	noSync  bool
	buffers sync.Pool // of *[]byte, for blobs that are being written

	mu sync.Mutex
	// locations remembers where blobs lie, so that opening thousands of them
	// does not open the index as often. Content is checked as it is read, so an
	// outdated place does no harm.
	locations map[OutputID]location
	recent    [][]placedBlob // not yet in locations
}

var (
	_ Store   = (*Local)(nil)
	_ Records = (*Local)(nil)
	_ Claimer = (*Local)(nil)
)

// Open opens the cache in dir, which is created where it is missing. A folder
// that cannot be written serves readers; Begin says so.
func Open(dir string, opts Options) (*Local, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cache folder %s: %w", dir, err)
	}
	l := &Local{dir: abs, log: opts.Logger, now: opts.now, create: opts.create, noSync: opts.noSync, locations: map[OutputID]location{}}
	if l.log == nil {
		l.log = slog.Default()
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.create == nil {
		l.create = func(path string) (blobFile, error) {
			return openShared(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		}
	}
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = 10 * time.Second
	}
	l.index = newIndex(abs, opts.LockTimeout, l.log)
	l.index.noSync = opts.noSync
	if err := l.makeFolders(); err != nil {
		info, statErr := os.Stat(abs)
		if statErr == nil && info.IsDir() && isReadOnly(err) {
			return l, nil
		}
		if statErr == nil && !info.IsDir() {
			return nil, fmt.Errorf("cache folder %s is a file: name a folder with --cache-dir", abs)
		}
		return nil, l.explain(err)
	}
	return l, nil
}

func (l *Local) makeFolders() error {
	packs := filepath.Join(l.dir, "blobs", "packs")
	if _, err := os.Stat(packs); err != nil {
		if err := os.MkdirAll(packs, 0o755); err != nil {
			return err
		}
		for _, dir := range []string{filepath.Dir(packs), l.dir} { // what is committed needs them
			if err := syncDir(dir); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"tmp/live", "tmp/claims", "tmp/quarantine", "tmp/trash", "logs"} {
		if err := os.MkdirAll(filepath.Join(l.dir, filepath.FromSlash(name)), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Dir is the cache's folder, absolute.
func (l *Local) Dir() string { return l.dir }

// tmp is a path below the folder for unfinished work.
func (l *Local) tmp(names ...string) string {
	return filepath.Join(append([]string{l.dir, "tmp"}, names...)...)
}

// path is where a file of blobs lies.
func (l *Local) path(k fileKey) string {
	name := hex.EncodeToString(k.hash[:])
	folder := name[:2]
	if k.pack {
		folder = "packs"
	}
	return filepath.Join(l.dir, "blobs", folder, name)
}

// remember keeps the places of blobs for later calls of Open.
func (l *Local) remember(blobs ...placedBlob) {
	if len(blobs) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = append(l.recent, blobs)
}

func (l *Local) forget(id OutputID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mergeRecent()
	delete(l.locations, id)
}

func (l *Local) forgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent = nil
	clear(l.locations)
}

func (l *Local) remembered(id OutputID) (location, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mergeRecent()
	at, ok := l.locations[id]
	return at, ok
}

// mergeRecent enters what was remembered; the caller holds mu. Builds that find
// everything cached never come here.
func (l *Local) mergeRecent() {
	const most = 1 << 20 // about 100 MB
	for _, blobs := range l.recent {
		if len(l.locations)+len(blobs) > most {
			clear(l.locations)
		}
		for _, b := range blobs {
			l.locations[b.id] = b.at
		}
	}
	l.recent = nil
}

// randomName is a file name that no other process will choose.
func randomName() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
