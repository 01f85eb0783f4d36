package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// download gets a content into blobs, unless somebody else did
// meanwhile; fresh is false then.
func (s *Snapshot) download(ctx context.Context, f *File, report func(int64)) (fresh bool, err error) {
	t, blob := s.target(f.Name), s.blobPath(f)
	for _, dir := range []string{filepath.Dir(blob), filepath.Dir(s.lockPath(f))} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return false, s.diskError(t, err)
		}
	}
	release, err := s.c.lock(ctx, t, s.lockPath(f))
	if err != nil {
		return false, err
	}
	defer release()
	if _, ok := s.content(f); ok {
		return false, nil
	}
	if at, err := os.Lstat(blob); err == nil {
		return false, t.fail(ErrCorrupt, "%s is in the way: it has %d bytes where the hub lists %d: remove it", blob, at.Size(), f.Size)
	}
	d := &download{s: s, f: f, t: t, path: blob + ".incomplete", report: report}
	err = d.run(ctx)
	if errors.Is(err, ErrCorrupt) && d.wrong {
		s.c.log.Warn("wrong bytes; downloading again from the start", "target", t.String(), "reason", err.Error())
		err = d.run(ctx)
	}
	if err != nil {
		return false, err
	}
	if err := os.Rename(d.path, blob); err != nil && !whole(blob, f.Size) {
		return false, s.diskError(t, err)
	}
	if err := syncDir(filepath.Dir(blob)); err != nil {
		return false, s.diskError(t, err)
	}
	return true, nil
}

// download is one content on its way into a file.
type download struct {
	s      *Snapshot
	f      *File
	t      target
	path   string
	report func(int64)

	file *os.File
	hash hash.Hash
	n    int64 // bytes that are in the file and in the hash
	// wrong says that all bytes were there and not the right ones.
	wrong bool
}

// run fills the file, from where it ends. On success it is synced and closed;
// where the content is wrong it is removed, and otherwise kept.
func (d *download) run(ctx context.Context) (err error) {
	d.n, d.wrong, d.hash = 0, false, newHash(d.f)
	if err := d.open(); err != nil {
		return d.s.diskError(d.t, err)
	}
	defer func() {
		if cerr := d.file.Close(); err == nil && cerr != nil {
			err = d.s.diskError(d.t, cerr)
		}
		if d.wrong {
			os.Remove(d.path)
		}
	}()
	if err := d.takeUp(ctx); err != nil {
		return err
	}
	if err := d.fill(ctx); err != nil {
		return err
	}
	if got := hex.EncodeToString(d.hash.Sum(nil)); got != d.f.id() {
		d.wrong = true
		return d.t.fail(ErrCorrupt, "the download has the %s %s, and the hub lists %s: try again; if it stays, a proxy or HF_ENDPOINT changes files", hashName(d.f), got, d.f.id())
	}
	if err := d.file.Sync(); err != nil {
		return d.s.diskError(d.t, err)
	}
	return nil
}

// open opens what an earlier download left. What is longer than the content, or
// no file, cannot be the beginning of it.
func (d *download) open() error {
	at, err := os.Lstat(d.path)
	switch {
	case err == nil && at.Mode().IsRegular() && at.Size() > d.f.Size:
		if err := os.Remove(d.path); err != nil {
			return err
		}
	case err == nil && !at.Mode().IsRegular():
		return fmt.Errorf("%s is in the way and is no file: remove it", d.path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	d.file, err = os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o666)
	return err
}

// takeUp hashes what is in the file.
func (d *download) takeUp(ctx context.Context) error {
	buf := make([]byte, streamBuffer)
	for {
		if ctx.Err() != nil {
			return d.t.wrap(ctx.Err())
		}
		n, err := d.file.ReadAt(buf, d.n)
		d.hash.Write(buf[:n])
		d.n += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			d.report(d.n)
			return nil
		case err != nil:
			return d.s.diskError(d.t, err)
		}
	}
}

// fill asks the hub for what is missing until nothing is.
func (d *download) fill(ctx context.Context) error {
	retry := d.s.c.patient()
	retry.later = "; the download will go on where it stopped"
	for d.n < d.f.Size {
		before := d.n
		err := d.s.stream(ctx, d.f, d.n, d.f.Size, d.f.Size, d.add)
		if err == nil {
			continue
		}
		if err := retry.next(ctx, d.t, err, d.n-before); err != nil {
			return err
		}
	}
	return nil
}

// add writes at an offset, not at the end: where a file system only pretends to
// lock, two processes write the same bytes to the same place.
func (d *download) add(b []byte) error {
	if _, err := d.s.c.writeAt(d.file, b, d.n); err != nil {
		return d.s.diskError(d.t, err)
	}
	d.hash.Write(b)
	d.n += int64(len(b))
	d.report(d.n)
	return nil
}

func newHash(f *File) hash.Hash {
	if f.SHA256 != "" {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h
}

func hashName(f *File) string {
	if f.SHA256 != "" {
		return "SHA-256"
	}
	return "git hash"
}

// diskError is for what the cache's file system refuses.
func (s *Snapshot) diskError(t target, err error) error {
	if noSpace(err) {
		return t.fail(ErrDiskFull, "the disk of %s is full (%v): free some space, or set HF_HUB_CACHE to another disk; a download goes on where it stopped", s.c.cacheDir, err)
	}
	if errors.Is(err, fs.ErrPermission) || readOnly(err) {
		return t.fail(fs.ErrPermission, "the cache cannot be written (%v): set HF_HUB_CACHE to a folder of yours", err)
	}
	return t.wrap(err)
}

// syncDir makes a rename durable. Windows has no such call, and some file
// systems refuse it; there the rename is as durable as it gets.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !noSync(err) {
		return err
	}
	return nil
}
