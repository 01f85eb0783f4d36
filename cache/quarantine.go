package cache

import (
	"context"
	"errors"
	"io"
	"os"
)

// Quarantine takes a blob out of use: its row is removed from the index, its
// bytes go to tmp/quarantine. Its neighbours in a pack stay, and so do the rows
// of the actions that name it: they count for nothing until one of them, or
// another action, makes the blob again, and then all of them do.
func (l *Local) Quarantine(ctx context.Context, id OutputID) error {
	_, err := l.takeOut(ctx, map[OutputID]*location{id: nil})
	return err
}

// takenOut is what takeOut did.
type takenOut struct {
	found   map[OutputID]bool       // were in the index
	aside   map[OutputID]string     // where the bytes were kept
	skipped map[OutputID]bool       // no longer lay where the caller found them at fault
	actions map[OutputID][]ActionID // that named the blob
}

// takeOut removes blobs from the index and keeps their bytes aside. A location
// says where the caller found the blob at fault: if it lies elsewhere by now,
// or a file that was missing is back, it is left alone.
func (l *Local) takeOut(ctx context.Context, bad map[OutputID]*location) (out takenOut, err error) {
	if err := l.makeFolders(); err != nil {
		return out, l.explain(err)
	}
	err = l.index.update(ctx, func(t *tx) error {
		out = takenOut{found: map[OutputID]bool{}, aside: map[OutputID]string{}, skipped: map[OutputID]bool{}, actions: map[OutputID][]ActionID{}}
		for id, where := range bad {
			at, ok := t.location(id)
			if ok && where != nil && at != *where {
				out.skipped[id] = true
				continue
			}
			if out.found[id] = ok; ok {
				path, err := l.keepAside(id, at)
				if err != nil {
					l.log.Warn("the bytes of a corrupt blob could not be kept", "blob", id, "path", l.path(at.file), "error", err)
				}
				if path != "" {
					out.aside[id] = path
				}
			}
			if err := t.blobs.Delete(id[:]); err != nil {
				return err
			}
		}
		return t.eachAction(func(id ActionID, e *Entry) error {
			if e == nil {
				return nil
			}
			for _, o := range e.Outputs {
				if _, isBad := bad[o.ID]; isBad && !out.skipped[o.ID] {
					out.actions[o.ID] = append(out.actions[o.ID], id)
				}
			}
			return nil
		})
	})
	if err != nil {
		return out, l.explain(err)
	}
	for id := range bad {
		l.forget(id)
		if out.found[id] || len(out.actions[id]) > 0 {
			l.log.Warn("a blob of the cache is out of use; what produced it runs again",
				"blob", id, "kept", out.aside[id], "actions", len(out.actions[id]))
		}
	}
	return out, nil
}

// dropActions removes the actions for which drop says so; e is nil where the
// row is damaged.
func (t *tx) dropActions(drop func(id ActionID, e *Entry) bool) (n int, err error) {
	var victims []ActionID
	err = t.eachAction(func(id ActionID, e *Entry) error {
		if drop(id, e) {
			victims = append(victims, id)
		}
		return nil
	})
	for _, id := range victims {
		if err == nil {
			err = t.actions.Delete(id[:])
		}
	}
	return len(victims), err
}

// keepAside moves the file of a blob, or copies its part of a pack, to
// tmp/quarantine. The path is "" where there was nothing to keep.
func (l *Local) keepAside(id OutputID, at location) (path string, err error) {
	path = l.tmp("quarantine", id.String())
	if !at.file.pack {
		if err = os.Rename(l.path(at.file), path); err == nil {
			now := l.now()
			os.Chtimes(path, now, now)
			return path, nil
		}
		if isNotExist(err) {
			err = nil
		}
		return "", err
	}
	src, err := openShared(l.path(at.file), os.O_RDONLY)
	if isNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer src.Close()
	dst, err := os.Create(path)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(dst, io.NewSectionReader(src, at.offset, at.size))
	return path, errors.Join(err, dst.Close())
}
