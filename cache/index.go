package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/semaphore"
)

// schemaVersion is the format of the index as a whole: its buckets and keys.
const schemaVersion = 1

var (
	metaBucket    = []byte("meta")
	schemaKey     = []byte("schema")
	actionsBucket = []byte("actions") // ActionID -> Entry
	blobsBucket   = []byte("blobs")   // OutputID -> location
	recordsPrefix = "records/"        // + bucket: key -> bytes
)

// index is the bbolt database. It is opened for each transaction and closed
// after it, so that no process keeps another out while it works. Its lock also
// guards the names below blobs/: files appear there and vanish from there only
// inside a write transaction.
type index struct {
	dir, path string
	pidFile   string
	timeout   time.Duration
	log       *slog.Logger
	noSync    bool
	// holders finds out who holds the lock of a file.
	holders func(path string) []int
	// sem orders the transactions of this process: one unit for a reader, all
	// for a writer.
	sem *semaphore.Weighted
}

const semUnits = 1 << 20

func newIndex(dir string, timeout time.Duration, log *slog.Logger) *index {
	return &index{
		dir: dir, path: filepath.Join(dir, "index.db"), pidFile: filepath.Join(dir, "tmp", "index.pid"),
		timeout: timeout, log: log, holders: lockHolders, sem: semaphore.NewWeighted(semUnits),
	}
}

// tx is one transaction. The buckets are nil where a reader finds no index.
type tx struct {
	bolt           *bbolt.Tx
	actions, blobs *bbolt.Bucket
}

// view runs fn on the index as it is; other readers may run beside it.
func (x *index) view(ctx context.Context, fn func(*tx) error) error {
	return x.transact(ctx, reading, fn)
}

// scan is view for a function that reads much of the index: all of it is mapped
// at once, in the order of the disk.
func (x *index) scan(ctx context.Context, fn func(*tx) error) error {
	return x.transact(ctx, scanning, fn)
}

// update runs fn alone and commits what it wrote. fn runs again where the index
// proved damaged halfway, so it must be repeatable.
func (x *index) update(ctx context.Context, fn func(*tx) error) error {
	return x.transact(ctx, writing, fn)
}

// access is how a transaction uses the index.
type access int

const (
	reading access = iota
	scanning
	writing
)

func (x *index) transact(ctx context.Context, how access, fn func(*tx) error) error {
	write := how == writing
	units := int64(1)
	if write {
		units = semUnits
	}
	if err := x.sem.Acquire(ctx, units); err != nil {
		return err
	}
	defer x.sem.Release(units)
	for attempt := 0; ; attempt++ {
		err := x.once(ctx, how, fn)
		var damage *damagedError
		switch {
		case errors.Is(err, errNoIndex):
			return fn(&tx{})
		case !errors.As(err, &damage) || attempt == 2:
			return err
		}
		if moveErr := x.moveAside(ctx, damage); moveErr != nil {
			if write || ctx.Err() != nil {
				return fmt.Errorf("%w; it cannot be moved aside: %w", damage, moveErr)
			}
			x.log.Warn("the cache index is damaged and cannot be moved aside; the cache is taken as empty",
				"index", x.path, "damage", damage.cause, "error", moveErr)
			return fn(&tx{})
		}
	}
}

var errNoIndex = errors.New("no index")

// damagedError says that the file is not, or no longer, a sound index.
type damagedError struct {
	path  string
	file  os.FileInfo // which file it was, nil if unknown
	cause error
	stack []byte // where it was noticed, if by a panic
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("cache index %s is damaged: %v", e.path, e.cause)
}

// once opens the index, runs one transaction and closes it.
func (x *index) once(ctx context.Context, how access, fn func(*tx) error) error {
	write := how == writing
	var (
		file  *os.File // what the database is in
		db    *bbolt.DB
		fnErr error
		fresh bool
		start = time.Now()
	)
	opts := &bbolt.Options{
		Timeout: x.timeout, ReadOnly: !write, NoStatistics: true, NoSync: x.noSync, NoGrowSync: x.noSync,
		OpenFile: func(path string, _ int, _ os.FileMode) (f *os.File, err error) {
			f, fresh, err = x.openFile(ctx, write)
			file = f
			return f, err
		},
	}
	if how == scanning {
		opts.MmapFlags = mapAll
	}
	run := func(b *bbolt.Tx) error {
		t, err := openTx(b, x.path, write)
		if err == nil {
			fnErr = fn(t)
			err = fnErr
		}
		return err
	}
	err := x.guard(&file, func() (err error) {
		if db, err = bbolt.Open(x.path, 0o644, opts); err != nil {
			return err
		}
		if !write {
			return db.View(run)
		}
		x.writePid()
		return db.Update(run)
	})
	if write && db != nil {
		os.Remove(x.pidFile)
	}
	x.close(db, file, err)
	if err == nil && fresh {
		err = syncDir(x.dir)
	}
	var damage *damagedError
	switch {
	case err == nil || errors.As(err, &damage):
		return err
	case fnErr != nil:
		return fnErr
	case errors.Is(err, berrors.ErrTimeout):
		return x.locked(start)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return x.damaged(file, err)
	}
	return x.name(err)
}

// name adds the index's path to an error of bbolt's that has none.
func (x *index) name(err error) error {
	var path *os.PathError
	var locked *LockedError
	var newer *NewerIndexError
	if errors.As(err, &path) || errors.As(err, &locked) || errors.As(err, &newer) || errors.Is(err, errNoIndex) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("cache index %s: %w", x.path, err)
}

// guard runs fn and turns what a damaged database does to bbolt into an error:
// failed assertions, wild page numbers, and faults of the memory map where the
// file is shorter than it says or the disk cannot read it.
func (x *index) guard(file **os.File, fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			d := x.damaged(*file, fmt.Errorf("%v", p))
			d.stack = debug.Stack()
			err = d
		}
	}()
	return fn()
}

func (x *index) damaged(f *os.File, cause error) *damagedError {
	d := &damagedError{path: x.path, cause: cause}
	if f != nil {
		d.file, _ = f.Stat()
	}
	if d.file == nil {
		d.file, _ = os.Stat(x.path)
	}
	return d
}

// close ends a transaction's use of the database. After a panic bbolt may hold
// its own locks, so that its Close never returns, or may have kept the memory
// map, which keeps the file's lock; so that one is released by hand.
func (x *index) close(db *bbolt.DB, file *os.File, err error) {
	var damage *damagedError
	if !errors.As(err, &damage) || damage.stack == nil {
		if db != nil {
			db.Close()
		} else if file != nil {
			file.Close()
		}
		return
	}
	if db != nil {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			defer func() { recover() }()
			db.Close()
		}()
		select {
		case <-closed:
		case <-time.After(time.Second):
		}
	}
	if file != nil {
		unlockIndex(file)
		file.Close()
	}
}

// openFile opens and locks the file that the path names, and looks whether it
// can be a database at all. fresh: it was empty.
func (x *index) openFile(ctx context.Context, write bool) (f *os.File, fresh bool, err error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR | os.O_CREATE
	}
	start := time.Now()
	for {
		f, err = os.OpenFile(x.path, flag, 0o644)
		if isNotExist(err) && !write {
			return nil, false, errNoIndex
		}
		if errors.Is(err, os.ErrPermission) && !write {
			err = fmt.Errorf("the cache index cannot be read: make it readable, or use another folder with --cache-dir: %w", err)
		}
		if err != nil {
			return nil, false, err
		}
		if err = x.lock(ctx, f, write, start); err != nil {
			break
		}
		if samePath(f, x.path) { // else it was moved aside while we waited
			fresh, err = checkFile(f)
			break
		}
		f.Close()
	}
	switch {
	case err == errDamagedFile:
		err = x.damaged(f, err)
	case err != nil:
		var version *NewerIndexError
		if errors.As(err, &version) {
			version.Path = x.path
		}
	case fresh && !write:
		err = errNoIndex
	}
	if err != nil {
		f.Close()
		return nil, false, err
	}
	return f, fresh, nil
}

func (x *index) lock(ctx context.Context, f *os.File, exclusive bool, start time.Time) error {
	waiting, cancel := context.WithDeadline(ctx, start.Add(x.timeout))
	defer cancel()
	if ok, err := tryLockIndex(f, exclusive); ok || err != nil { // even where no time is left
		return err
	}
	err := poll(waiting, func() (bool, error) { return tryLockIndex(f, exclusive) })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return x.locked(start)
	}
	return err
}

// locked names those who hold the index.
func (x *index) locked(start time.Time) error {
	e := &LockedError{Path: x.path, PIDs: x.holders(x.path), Waited: time.Since(start)}
	if len(e.PIDs) == 0 {
		note, _ := os.ReadFile(x.pidFile)
		if pid, err := strconv.Atoi(string(bytes.TrimSpace(note))); err == nil && pid > 0 && processAlive(pid) {
			e.PIDs = []int{pid}
		}
	}
	return e
}

// writePid leaves a note for those who wait. It is a courtesy: where it cannot
// be written the transaction goes on.
func (x *index) writePid() {
	os.WriteFile(x.pidFile, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o644)
}

// moveAside gives a damaged index another name, unless someone did so already.
func (x *index) moveAside(ctx context.Context, damage *damagedError) error {
	f, err := os.OpenFile(x.path, os.O_RDWR, 0o644)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := x.lock(ctx, f, true, time.Now()); err != nil {
		return err
	}
	have, err := f.Stat()
	if err != nil {
		return err
	}
	if !samePath(f, x.path) || damage.file != nil && !os.SameFile(have, damage.file) {
		return nil
	}
	if closeBeforeRename {
		f.Close()
	}
	aside := freeName(x.path + ".corrupt-")
	if err := os.Rename(x.path, aside); err != nil {
		return err
	}
	attrs := []any{"index", x.path, "damage", damage.cause, "moved", aside}
	if damage.stack != nil {
		attrs = append(attrs, "stack", string(damage.stack))
	}
	x.log.Warn("the cache index was damaged: it was moved aside and a fresh one begun; what it listed will be made again", attrs...)
	return syncDir(x.dir)
}

// freeName is the first of prefix1, prefix2, … that no file has.
func freeName(prefix string) string {
	for n := 1; ; n++ {
		if _, err := os.Lstat(prefix + strconv.Itoa(n)); isNotExist(err) {
			return prefix + strconv.Itoa(n)
		}
	}
}

// openTx finds the buckets, or makes them in an index that has none yet.
func openTx(b *bbolt.Tx, path string, write bool) (*tx, error) {
	meta := b.Bucket(metaBucket)
	if meta == nil {
		if name, _ := b.Cursor().First(); name != nil {
			return nil, &damagedError{path: path, cause: errors.New("it has no schema version")}
		}
		if !write {
			return &tx{}, nil
		}
		return createBuckets(b)
	}
	version, err := strconv.Atoi(string(meta.Get(schemaKey)))
	switch {
	case err != nil || version < 1:
		return nil, &damagedError{path: path, cause: fmt.Errorf("its schema version %q is unknown", meta.Get(schemaKey))}
	case version > schemaVersion:
		return nil, &NewerIndexError{Path: path, Have: version, Known: schemaVersion}
	}
	t := &tx{bolt: b, actions: b.Bucket(actionsBucket), blobs: b.Bucket(blobsBucket)}
	if t.actions == nil || t.blobs == nil {
		return nil, &damagedError{path: path, cause: errors.New("a bucket is missing")}
	}
	return t, nil
}

func createBuckets(b *bbolt.Tx) (*tx, error) {
	meta, err := b.CreateBucket(metaBucket)
	if err != nil {
		return nil, err
	}
	if err := meta.Put(schemaKey, []byte(strconv.Itoa(schemaVersion))); err != nil {
		return nil, err
	}
	t := &tx{bolt: b}
	if t.actions, err = b.CreateBucket(actionsBucket); err != nil {
		return nil, err
	}
	t.blobs, err = b.CreateBucket(blobsBucket)
	return t, err
}

// get is Bucket.Get for a bucket that may be missing. The value is valid in
// the transaction only.
func get(b *bbolt.Bucket, key []byte) []byte {
	if b == nil {
		return nil
	}
	return b.Get(key)
}

// entry returns an action's entry, nil where there is none or it is damaged.
func (t *tx) entry(id ActionID, outputsOnly bool) *Entry {
	value := get(t.actions, id[:])
	if value == nil {
		return nil
	}
	e, ok := decodeEntry(id[:], value, outputsOnly)
	if !ok {
		return nil
	}
	return e
}

// location says where a blob lies.
func (t *tx) location(id OutputID) (location, bool) {
	value := get(t.blobs, id[:])
	if value == nil {
		return location{}, false
	}
	return decodeLocation(id[:], value)
}

// eachBlob calls fn for every blob in the order of ids; ok is false where the
// row is damaged.
func (t *tx) eachBlob(fn func(id OutputID, at location, ok bool) error) error {
	if t.blobs == nil {
		return nil
	}
	return t.blobs.ForEach(func(k, v []byte) error {
		var id OutputID
		copy(id[:], k)
		at, ok := decodeLocation(k, v)
		return fn(id, at, ok && len(k) == len(id))
	})
}

// eachAction calls fn for every action with its outputs, nil where the row is
// damaged.
func (t *tx) eachAction(fn func(id ActionID, e *Entry) error) error {
	if t.actions == nil {
		return nil
	}
	return t.actions.ForEach(func(k, v []byte) error {
		var id ActionID
		copy(id[:], k)
		e, ok := decodeEntry(k, v, true)
		if !ok {
			e = nil
		}
		return fn(id, e)
	})
}

// recordBuckets lists the record buckets, without the prefix.
func (t *tx) recordBuckets() (names []string, err error) {
	if t.bolt == nil {
		return nil, nil
	}
	err = t.bolt.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if s, ok := strings.CutPrefix(string(name), recordsPrefix); ok {
			names = append(names, s)
		}
		return nil
	})
	return names, err
}
