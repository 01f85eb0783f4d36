package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// VerifyOptions of Verify; the zero value is fine.
type VerifyOptions struct {
	Workers int // how many blobs are read at once; 0: one a processor
	// Progress is told how many of the bytes are read, one call at a time.
	Progress func(done, total int64)
}

// BadBlob is a blob that Verify took out of use.
type BadBlob struct {
	ID          OutputID   `json:"id"`
	Size        int64      `json:"size"`
	Path        string     `json:"path"`                  // where it lies, or should
	Offset      int64      `json:"offset"`                // in that file
	Quarantined string     `json:"quarantined,omitempty"` // where its bytes were kept
	Actions     []ActionID `json:"actions"`               // that made it
}

// VerifyReport is what Verify found. The lists are ordered by ID.
type VerifyReport struct {
	Blobs   int       `json:"blobs"` // that were checked
	Bytes   int64     `json:"bytes"`
	Corrupt []BadBlob `json:"corrupt"` // their bytes have another hash
	Missing []BadBlob `json:"missing"` // their file is gone or too short
	// Dropped counts entries that could not be read.
	Dropped int `json:"dropped"`
	// Orphans are files that no blob of the index lies in; gc removes them.
	Orphans []string `json:"orphans"`
}

// Clean reports whether everything that the index names is there and sound.
func (r *VerifyReport) Clean() bool {
	return len(r.Corrupt)+len(r.Missing)+r.Dropped == 0
}

// Verify reads every blob and compares it with its hash. Corrupt blobs are
// quarantined, missing ones dropped: what made them runs again. In a cache that
// cannot be written the report is complete, and an error says that nothing was
// repaired.
func (l *Local) Verify(ctx context.Context, opts VerifyOptions) (VerifyReport, error) {
	if release, err := l.Lease(ctx); err == nil { // a cache that cannot be written needs none
		defer release()
	}
	var report VerifyReport
	blobs, orphans, damaged, err := l.listBlobs(ctx)
	if err != nil {
		return report, err
	}
	report.Orphans = orphans
	bad, err := l.checkBlobs(ctx, blobs, opts, &report)
	if err == nil && (len(bad) > 0 || damaged) {
		err = l.repair(ctx, bad, damaged, &report)
	}
	return report, err
}

// listBlobs lists the blobs in the order in which they lie, and the files that
// none of them lies in. damaged: there are entries that cannot be read.
func (l *Local) listBlobs(ctx context.Context) (blobs []placedBlob, orphans []string, damaged bool, err error) {
	err = l.index.scan(ctx, func(t *tx) (err error) {
		blobs, damaged = nil, false
		if err := t.eachBlob(func(id OutputID, at location, ok bool) error {
			if ok {
				blobs = append(blobs, placedBlob{id, at})
			}
			return nil
		}); err != nil {
			return err
		}
		if orphans, err = l.listOrphans(blobs); err != nil {
			return err
		}
		return t.eachAction(func(_ ActionID, e *Entry) error {
			damaged = damaged || e == nil
			return nil
		})
	})
	slices.SortFunc(blobs, func(a, b placedBlob) int {
		if c := bytes.Compare(a.at.file.hash[:], b.at.file.hash[:]); c != 0 {
			return c
		}
		return int(min(max(a.at.offset-b.at.offset, -1), 1))
	})
	return blobs, orphans, damaged, err
}

func (l *Local) listOrphans(blobs []placedBlob) ([]string, error) {
	used := make(map[fileKey]bool, len(blobs))
	for _, b := range blobs {
		used[b.at.file] = true
	}
	files, err := l.listFiles()
	var orphans []string
	for _, f := range files {
		if !used[f.key] {
			orphans = append(orphans, l.path(f.key))
		}
	}
	slices.Sort(orphans)
	return orphans, err
}

// badBlob says where a blob was found at fault.
type badBlob struct {
	at      location
	missing bool
}

// checkBlobs reads the blobs with several workers.
func (l *Local) checkBlobs(ctx context.Context, blobs []placedBlob, opts VerifyOptions, report *VerifyReport) (map[OutputID]badBlob, error) {
	var total int64
	for _, b := range blobs {
		total += b.at.size
	}
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var mu sync.Mutex // guards report, bad and the calls of Progress
	bad := map[OutputID]badBlob{}
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan placedBlob)
	group.Go(func() error {
		defer close(queue)
		for _, b := range blobs {
			select {
			case queue <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			buf := make([]byte, 1<<20)
			for b := range queue {
				missing, err := l.checkBlob(ctx, b, buf)
				var corrupt *CorruptError
				isCorrupt := errors.As(err, &corrupt)
				if err != nil && !isCorrupt {
					return err
				}
				mu.Lock()
				report.Blobs++
				report.Bytes += b.at.size
				if missing || isCorrupt {
					bad[b.id] = badBlob{b.at, missing}
				}
				if opts.Progress != nil {
					opts.Progress(report.Bytes, total)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	return bad, group.Wait()
}

// checkBlob reads one blob; a *CorruptError says that it is not what it was.
func (l *Local) checkBlob(ctx context.Context, b placedBlob, buf []byte) (missing bool, err error) {
	blob, err := l.openAt(b.id, b.at)
	if err != nil {
		var short *CorruptError
		if isNotExist(err) || errors.As(err, &short) {
			return true, nil
		}
		return false, err
	}
	defer blob.Close()
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if _, err := blob.Read(buf); err != nil {
			if err == io.EOF {
				return false, nil
			}
			return false, err
		}
	}
}

// repair takes out what was found at fault and completes the report.
func (l *Local) repair(ctx context.Context, bad map[OutputID]badBlob, damaged bool, report *VerifyReport) error {
	locations := map[OutputID]*location{}
	for id, b := range bad {
		at := b.at
		locations[id] = &at
	}
	out, err := l.takeOut(ctx, locations)
	for id, b := range bad {
		if out.skipped[id] {
			continue
		}
		found := BadBlob{ID: id, Size: b.at.size, Path: l.path(b.at.file), Offset: b.at.offset,
			Quarantined: out.aside[id], Actions: out.actions[id]}
		if b.missing {
			report.Missing = append(report.Missing, found)
		} else {
			report.Corrupt = append(report.Corrupt, found)
		}
	}
	byID := func(a, b BadBlob) int { return bytes.Compare(a.ID[:], b.ID[:]) }
	slices.SortFunc(report.Corrupt, byID)
	slices.SortFunc(report.Missing, byID)
	if err != nil || !damaged {
		return err
	}
	return l.explain(l.index.update(ctx, func(t *tx) (err error) {
		report.Dropped, err = t.dropActions(func(_ ActionID, e *Entry) bool { return e == nil })
		return err
	}))
}
