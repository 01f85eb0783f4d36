package cache

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// GCOptions of GC. With the zero value only what nobody can use is removed:
// orphans, and what dead processes left.
type GCOptions struct {
	// MaxSize is how large blobs/ may stay; 0: no bound. The least recently
	// used files go first.
	MaxSize int64
	// OlderThan removes what was not used for so long; 0: no bound.
	OlderThan time.Duration
	DryRun    bool      // only say what would be removed
	Now       time.Time // zero: the clock
}

// RemovedFile is a file of blobs that GC removed, or would.
type RemovedFile struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	LastUsed time.Time `json:"last_used"`
	Reason   string    `json:"reason"` // "orphan", "age", "size"
}

// GCReport is what GC removed, or would.
type GCReport struct {
	Removed   []RemovedFile `json:"removed"` // least recently used first
	Bytes     int64         `json:"bytes"`   // of the removed files
	Blobs     int           `json:"blobs"`   // rows of the index
	Actions   int           `json:"actions"`
	Kept      int           `json:"kept"` // files that stay
	KeptBytes int64         `json:"kept_bytes"`
	// InUse counts files that were due but stay because a running process may
	// use them.
	InUse     int   `json:"in_use"`
	TempFiles int   `json:"temp_files"` // of dead processes, and old quarantine
	TempBytes int64 `json:"temp_bytes"`
}

// GC removes the least recently used files of blobs and the entries that need
// them, and what dead processes left behind. It never removes what was used
// since the oldest running build or batch began (or in the hour before): times,
// leases and the index are read, and names taken away, in one write
// transaction. The bytes are freed after it, so that builds wait briefly.
func (l *Local) GC(ctx context.Context, opts GCOptions) (GCReport, error) {
	if opts.Now.IsZero() {
		opts.Now = l.now()
	}
	var report GCReport
	if opts.DryRun {
		err := l.index.scan(ctx, func(t *tx) error {
			report = GCReport{}
			_, err := l.planGC(ctx, t, opts, &report)
			return err
		})
		report.TempFiles, report.TempBytes = l.sweep(opts.Now, true)
		return report, l.explain(err)
	}
	if err := l.makeFolders(); err != nil {
		return report, l.explain(err)
	}
	// First, so that there is room for the transaction on a full disk.
	report.TempFiles, report.TempBytes = l.sweep(opts.Now, false)
	temp := report
	err := l.collect(ctx, opts, &report)
	if err != nil && isNoSpace(err) {
		// The names are gone already, which is harmless, and so now is their
		// content: there is room to enter it in the index.
		l.emptyTrash()
		first := report
		if err = l.collect(ctx, opts, &report); err == nil {
			report.Removed = append(first.Removed, report.Removed...)
			report.Bytes += first.Bytes
		}
	}
	report.TempFiles, report.TempBytes = temp.TempFiles, temp.TempBytes
	l.forgetAll()
	l.emptyTrash()
	return report, l.explain(err)
}

// collect does the work of GC in one transaction.
func (l *Local) collect(ctx context.Context, opts GCOptions, report *GCReport) error {
	return l.index.update(ctx, func(t *tx) error {
		*report = GCReport{}
		plan, err := l.planGC(ctx, t, opts, report)
		if err != nil {
			return err
		}
		for _, f := range plan.files {
			if err := l.trash(l.path(f.key)); err != nil {
				return err
			}
		}
		for _, id := range plan.blobs {
			if err := t.blobs.Delete(id[:]); err != nil {
				return err
			}
		}
		for _, id := range plan.actions {
			if err := t.actions.Delete(id[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// gcPlan is what is to go.
type gcPlan struct {
	files   []storedFile
	blobs   []OutputID
	actions []ActionID
}

// planGC chooses the files, and the rows of the index that go with them or that
// need what is missing anyway.
func (l *Local) planGC(ctx context.Context, t *tx, opts GCOptions, report *GCReport) (plan gcPlan, err error) {
	files, err := l.listFiles()
	if err != nil {
		return plan, err
	}
	named := map[OutputID]bool{}
	if err := t.eachAction(func(_ ActionID, e *Entry) error {
		if e != nil {
			for _, o := range e.Outputs {
				named[o.ID] = true
			}
		}
		return ctx.Err()
	}); err != nil {
		return plan, err
	}
	live := map[fileKey]bool{} // some action names a blob in it
	if err := t.eachBlob(func(id OutputID, at location, ok bool) error {
		if ok && named[id] {
			live[at.file] = true
		}
		return ctx.Err()
	}); err != nil {
		return plan, err
	}
	if plan.files, err = l.chooseFiles(files, live, opts, report); err != nil {
		return plan, err
	}
	stays := map[fileKey]bool{}
	for _, f := range files {
		stays[f.key] = true
	}
	for _, f := range plan.files {
		delete(stays, f.key)
	}
	present := map[OutputID]bool{}
	if err := t.eachBlob(func(id OutputID, at location, ok bool) error {
		if ok && stays[at.file] {
			present[id] = true
		} else {
			plan.blobs = append(plan.blobs, id)
		}
		return nil
	}); err != nil {
		return plan, err
	}
	err = t.eachAction(func(id ActionID, e *Entry) error {
		if e == nil || slices.ContainsFunc(e.Outputs, func(o Output) bool { return !present[o.ID] }) {
			plan.actions = append(plan.actions, id)
		}
		return nil
	})
	report.Blobs, report.Actions = len(plan.blobs), len(plan.actions)
	return plan, err
}

// chooseFiles decides which files go and completes the report's counts.
func (l *Local) chooseFiles(files []storedFile, live map[fileKey]bool, opts GCOptions, report *GCReport) ([]storedFile, error) {
	since, working, err := l.keepSince()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b storedFile) int {
		if c := a.used.Compare(b.used); c != 0 {
			return c
		}
		return bytes.Compare(a.key.hash[:], b.key.hash[:])
	})
	var total int64
	for _, f := range files {
		total += f.size
	}
	report.Kept, report.KeptBytes = len(files), total
	var chosen []storedFile
	for _, f := range files {
		age := opts.Now.Sub(f.used)
		reason := ""
		switch {
		case !live[f.key] && age > safetyAge:
			reason = "orphan"
		case opts.OlderThan > 0 && age > opts.OlderThan:
			reason = "age"
		case opts.MaxSize > 0 && report.KeptBytes > opts.MaxSize:
			reason = "size"
		default:
			continue
		}
		if working && !f.used.Before(since) {
			report.InUse++
			continue
		}
		chosen = append(chosen, f)
		report.Kept--
		report.KeptBytes -= f.size
		report.Bytes += f.size
		report.Removed = append(report.Removed, RemovedFile{l.path(f.key), f.size, f.used, reason})
	}
	return chosen, nil
}

// storedFile is a file of blobs on disk.
type storedFile struct {
	key  fileKey
	size int64
	used time.Time
}

// listFiles lists the files of blobs. Names that this package did not make are
// left out, and so left alone.
func (l *Local) listFiles() ([]storedFile, error) {
	root := filepath.Join(l.dir, "blobs")
	folders, err := os.ReadDir(root)
	if err != nil {
		if isNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	var out []storedFile
	for _, folder := range folders {
		pack := folder.Name() == "packs"
		if !folder.IsDir() || !pack && len(folder.Name()) != 2 {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(root, folder.Name()))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			key := fileKey{pack: pack}
			n, err := hex.Decode(key.hash[:], []byte(e.Name())[:min(len(e.Name()), 64)])
			if err != nil || n != len(key.hash) || len(e.Name()) != 64 || !pack && e.Name()[:2] != folder.Name() {
				continue
			}
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue // gone meanwhile
			}
			out = append(out, storedFile{key, info.Size(), info.ModTime()})
		}
	}
	return out, nil
}

// trash takes a file's name away from blobs; freeing its blocks comes later. On
// a disk so full that a name cannot move, it is removed at once.
func (l *Local) trash(path string) error {
	err := os.Rename(path, l.tmp("trash", randomName()))
	if err != nil && !isNotExist(err) {
		err = os.Remove(path)
	}
	if isNotExist(err) {
		return nil
	}
	return err
}

func (l *Local) emptyTrash() {
	for _, name := range readNames(l.tmp("trash")) {
		if err := os.Remove(l.tmp("trash", name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.log.Warn("cannot remove a file of the cache", "path", l.tmp("trash", name), "error", err)
		}
	}
}
