package cache

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A live file, tmp/live/<name>.lock, is locked as long as the process that made
// it works: a build (a lease) or a batch. What it holds of temporary files lies
// in tmp/live/<name>.d. A live file without a lock belongs to a dead process.
type live struct {
	lock *os.File
	dir  string // <name>.d, made by those who need it
}

// LeaseInfo is what a live file says of its holder.
type LeaseInfo struct {
	PID   int       `json:"pid"`
	Start time.Time `json:"start"`
}

// Lease marks a build as running until release is called or the process ends:
// gc then keeps every blob that was used since (and in the hour before). Take
// it before the first Lookup.
func (l *Local) Lease(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v, err := l.newLive("build")
	if err != nil {
		return nil, l.explain(err)
	}
	return v.release, nil
}

// Scratch makes an empty folder for unfinished work, below tmp. It is removed by
// release, or by gc once the process has ended. It also counts as a lease.
func (l *Local) Scratch(ctx context.Context) (dir string, release func(), err error) {
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	v, err := l.newLiveDir("scratch")
	if err != nil {
		return "", nil, l.explain(err)
	}
	return v.dir, v.release, nil
}

// newLiveDir makes a live file and its folder.
func (l *Local) newLiveDir(kind string) (*live, error) {
	v, err := l.newLive(kind)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(v.dir, 0o755); err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

// newLive makes a live file under another name and renames it once it is
// locked, so that nobody finds it unlocked. A sweep that comes between takes it
// for a dead process's; then another is made.
func (l *Local) newLive(kind string) (*live, error) {
	if err := l.makeFolders(); err != nil {
		return nil, err
	}
	for {
		v, err := l.tryNewLive(kind)
		if v != nil || err != nil {
			return v, err
		}
	}
}

// tryNewLive is newLive; both results are nil where a sweep came between.
func (l *Local) tryNewLive(kind string) (*live, error) {
	base := l.tmp("live", kind+"-"+randomName())
	f, err := openShared(base+".new", os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	swept := false
	note, err := json.Marshal(LeaseInfo{PID: os.Getpid(), Start: l.now()})
	if err == nil {
		var locked bool
		locked, err = tryLock(f, true)
		swept = !locked
	}
	if err == nil && !swept {
		_, err = f.Write(note)
	}
	if err == nil && !swept {
		err = os.Rename(base+".new", base+".lock")
		if _, gone := os.Lstat(base + ".new"); isNotExist(err) && isNotExist(gone) {
			swept, err = true, nil
		}
	}
	if err != nil || swept {
		f.Close()
		os.Remove(base + ".new")
		return nil, err
	}
	return &live{lock: f, dir: base + ".d"}, nil
}

// release removes the live file and what it held. Safe to call twice.
func (v *live) release() {
	os.RemoveAll(v.dir)
	os.Remove(strings.TrimSuffix(v.dir, ".d") + ".lock")
	v.lock.Close()
}

// leases lists the holders of live files. The files of the dead are left to sweep.
func (l *Local) leases() ([]LeaseInfo, error) {
	entries, err := os.ReadDir(l.tmp("live"))
	if err != nil {
		if isNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	var out []LeaseInfo
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		info, alive, err := l.readLive(l.tmp("live", e.Name()))
		if err != nil {
			return nil, err
		}
		if alive {
			out = append(out, info)
		}
	}
	return out, nil
}

// readLive reads a live file; alive is false where its process has ended. A
// file that is unreadable counts as alive since its beginning.
func (l *Local) readLive(path string) (info LeaseInfo, alive bool, err error) {
	f, err := openShared(path, os.O_RDONLY)
	if isNotExist(err) {
		return info, false, nil
	}
	if err != nil {
		return info, false, err
	}
	defer f.Close()
	free, err := tryLock(f, false)
	if err != nil || free {
		return info, false, err
	}
	var note [256]byte
	n, _ := f.ReadAt(note[:], 0)
	if json.Unmarshal(note[:n], &info) != nil {
		if st, err := f.Stat(); err == nil {
			info.Start = st.ModTime()
		}
	}
	return info, true, nil
}

// keepSince is the time from which on gc must keep what was used: nothing that
// a live process may have looked up is older. ok is false where nobody works.
func (l *Local) keepSince() (since time.Time, ok bool, err error) {
	leases, err := l.leases()
	for i, lease := range leases {
		if i == 0 || lease.Start.Before(since) {
			since = lease.Start
		}
	}
	return since.Add(-usedGrain), len(leases) > 0, err
}

// sweep removes what dead processes left in tmp, and counts files and bytes.
// What others put into tmp is left alone: somebody may have named the wrong
// folder as the cache.
func (l *Local) sweep(now time.Time, dryRun bool) (files int, bytes int64) {
	drop := func(path string) {
		n, size := treeSize(path)
		if !dryRun {
			if err := os.RemoveAll(path); err != nil {
				l.log.Warn("cannot remove a temporary file of the cache", "path", path, "error", err)
				return
			}
		}
		files, bytes = files+n, bytes+size
	}
	for _, name := range readNames(l.tmp("live")) {
		path := l.tmp("live", name)
		switch filepath.Ext(name) {
		case ".lock":
			sweepLock(path, func() {
				drop(strings.TrimSuffix(path, ".lock") + ".d")
				drop(path)
			})
		case ".d":
			if _, err := os.Lstat(strings.TrimSuffix(path, ".d") + ".lock"); isNotExist(err) && olderThan(path, now, safetyAge) {
				drop(path)
			}
		default: // a live file that never got its name
			sweepLock(path, func() { drop(path) })
		}
	}
	for _, name := range readNames(l.tmp("claims")) {
		path := l.tmp("claims", name)
		sweepLock(path, func() { drop(path) })
	}
	for _, name := range readNames(l.tmp("trash")) {
		drop(l.tmp("trash", name))
	}
	for _, name := range readNames(l.tmp("quarantine")) {
		if path := l.tmp("quarantine", name); olderThan(path, now, asideAge) {
			drop(path)
		}
	}
	for _, name := range readNames(l.dir) {
		if path := filepath.Join(l.dir, name); strings.HasPrefix(name, "index.db.corrupt-") && olderThan(path, now, asideAge) {
			drop(path)
		}
	}
	return files, bytes
}

const (
	safetyAge = time.Hour           // of files that are not yet, or no longer, named
	asideAge  = 30 * 24 * time.Hour // of quarantined blobs and damaged indexes
)

// sweepLock calls drop if the lock file's holder is gone, holding the lock.
func sweepLock(path string, drop func()) {
	f, err := openShared(path, os.O_RDWR)
	if err != nil {
		return
	}
	defer f.Close()
	if ok, err := tryLock(f, true); err == nil && ok && samePath(f, path) {
		drop()
	}
}

func readNames(dir string) []string {
	entries, _ := os.ReadDir(dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// olderThan reports whether a file, or the newest file below a folder, was last
// written longer ago than age.
func olderThan(path string, now time.Time, age time.Duration) bool {
	old := true
	filepath.WalkDir(path, func(_ string, d os.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil && now.Sub(info.ModTime()) <= age {
				old = false
				return filepath.SkipAll
			}
		}
		return nil
	})
	return old
}

// treeSize counts the regular files at or below path, and their bytes.
func treeSize(path string) (files int, bytes int64) {
	filepath.WalkDir(path, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				files, bytes = files+1, bytes+info.Size()
			}
		}
		return nil
	})
	return files, bytes
}
