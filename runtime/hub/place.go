package hub

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// content finds a file's content in the cache: its blob, or where contents could
// not be linked another file of the snapshot that has the same.
func (s *Snapshot) content(f *File) (path string, ok bool) {
	if blob := s.blobPath(f); whole(blob, f.Size) {
		return blob, true
	}
	for i := range s.Files {
		twin := &s.Files[i]
		if twin.id() == f.id() && twin.Size == f.Size && whole(s.Path(twin.Name), f.Size) {
			return s.Path(twin.Name), true
		}
	}
	return "", false
}

// place makes a file's path lead to its content: by a relative symbolic link as
// the hub's tools make it, else by a hard link, else by moving the content
// there if it is new, else by a copy. It never replaces what is at the path.
func (s *Snapshot) place(f *File, fresh bool) error {
	t, path := s.target(f.Name), s.Path(f.Name)
	content, ok := s.content(f)
	if !ok {
		return t.fail(fs.ErrNotExist, "another program removed %s just now: try again", s.blobPath(f))
	}
	if content == path {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return s.diskError(t, err)
	}
	rel, err := filepath.Rel(filepath.Dir(path), content)
	if err != nil {
		return t.wrap(err)
	}
	isBlob := content == s.blobPath(f)
	if isBlob {
		err = s.c.symlink(rel, path)
	} else {
		err = errors.ErrUnsupported
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = s.c.link(content, path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		s.c.log.Warn("the cache's disk has no links; the file takes its place twice where two revisions have it", "target", t.String(), "reason", err.Error())
		if fresh && isBlob {
			err = moveNew(content, path)
		} else {
			err = copyNew(content, path)
		}
	}
	switch {
	case whole(path, f.Size): // also where another was faster
		return nil
	case err == nil || errors.Is(err, fs.ErrExist):
		return t.fail(ErrCorrupt, "%s is in the way and does not lead to the %d bytes that the hub lists: remove it", path, f.Size)
	}
	return s.diskError(t, err)
}

// moveNew is a rename that does not replace.
func moveNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// copyNew copies beside the original first, so that the name is only ever that
// of a whole file.
func copyNew(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.CreateTemp(filepath.Dir(from), ".copy-*.incomplete")
	if err != nil {
		return err
	}
	defer os.Remove(w.Name())
	_, err = io.Copy(w, r)
	err = errors.Join(err, w.Chmod(0o644), w.Sync(), w.Close())
	if err != nil {
		return err
	}
	return moveNew(w.Name(), to)
}
