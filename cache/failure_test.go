package cache_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// fullDisk is a file system with room for a number of bytes.
type fullDisk struct {
	room   atomic.Int64
	onSync bool // the lack is noticed only by a sync, as with delayed allocation
}

type fullFile struct {
	*os.File
	disk *fullDisk
}

func (d *fullDisk) create(path string) (cache.BlobFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	return fullFile{f, d}, err
}

func (f fullFile) take(n int) (int, error) {
	left := f.disk.room.Add(-int64(n))
	if left >= 0 || f.disk.onSync {
		return n, nil
	}
	f.disk.room.Store(0)
	return max(0, n+int(left)), &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

func (f fullFile) Write(p []byte) (int, error) {
	n, full := f.take(len(p))
	n, err := f.File.Write(p[:n])
	if full != nil {
		err = full
	}
	return n, err
}

func (f fullFile) WriteAt(p []byte, at int64) (int, error) {
	n, full := f.take(len(p))
	n, err := f.File.WriteAt(p[:n], at)
	if full != nil {
		err = full
	}
	return n, err
}

func (f fullFile) Sync() error {
	if f.disk.room.Load() < 0 {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return nil
}

func requireFull(t *testing.T, err error, dir string) {
	t.Helper()
	require.ErrorIs(t, err, syscall.ENOSPC)
	var space *cache.SpaceError
	require.ErrorAs(t, err, &space)
	require.Positive(t, space.Free)
	require.ErrorContains(t, err, "cache "+dir+": no space left on device, "+cache.FormatBytes(space.Free)+" left")
	require.ErrorContains(t, err, "free some with `pj cache gc --max-size SIZE`, or use another folder with --cache-dir")
	require.ErrorContains(t, err, filepath.Join(dir, "tmp", "live"))
}

func TestDiskFull(t *testing.T) {
	for _, size := range []int{100_000, 6 << 20} {
		t.Run(fmt.Sprint("writing ", size), func(t *testing.T) {
			dir := t.TempDir()
			disk := &fullDisk{}
			disk.room.Store(1 << 30)
			l, err := cache.Open(dir, cache.Options{}.WithFiles(disk.create))
			require.NoError(t, err)
			kept := cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, 1000))

			b, err := l.Begin(t.Context())
			require.NoError(t, err)
			before := cachetest.Put(t, b, "data", cachetest.Bytes(2, 5000))
			disk.room.Store(50_000)
			w, err := b.Create(0)
			require.NoError(t, err)
			_, err = w.Write(cachetest.Bytes(3, size))
			if err == nil {
				_, _, err = w.Close()
			} else {
				w.Abort()
			}
			requireFull(t, err, dir)

			// What fits still does: the failed blob left no trace in the pack.
			after := cachetest.Put(t, b, "data", cachetest.Bytes(4, 0))
			disk.room.Store(1 << 30)
			last := cachetest.Put(t, b, "last", cachetest.Bytes(5, 20000))
			require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: cachetest.Action(2), Entry: cache.Entry{Outputs: []cache.Output{before, last}}}}))
			for _, out := range []cache.Output{kept, before, after, last} {
				_, err := cachetest.Read(t.Context(), l, out.ID)
				require.NoError(t, err)
			}
			requireClean(t, l)
		})
	}
	t.Run("sync", func(t *testing.T) {
		dir := t.TempDir()
		disk := &fullDisk{onSync: true}
		l, err := cache.Open(dir, cache.Options{}.WithFiles(disk.create))
		require.NoError(t, err)
		b, err := l.Begin(t.Context())
		require.NoError(t, err)
		out := cachetest.Put(t, b, "data", cachetest.Bytes(2, 5000))
		commits := []cache.Commit{{ID: cachetest.Action(1), Entry: cache.Entry{Outputs: []cache.Output{out}}}}
		requireFull(t, b.Commit(t.Context(), commits), dir)
		disk.room.Store(1 << 20)
		requireFull(t, b.Commit(t.Context(), commits), dir) // a second sync would prove nothing
		b.Discard()
		require.Empty(t, names(t, dir, "tmp", "live"))
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
		require.NoError(t, err)
		require.Nil(t, entries[0])
		cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(2, 5000))
	})
}

func TestOpenFailures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err := cache.Open(file, cache.Options{})
	require.ErrorContains(t, err, "cache folder "+file+" is a file: name a folder with --cache-dir")
	_, err = cache.Open(filepath.Join(file, "below"), cache.Options{})
	require.ErrorContains(t, err, file)
}

func TestVanishedFile(t *testing.T) {
	for _, size := range []int{3000, 5 << 20} {
		dir := t.TempDir()
		l := open(t, dir)
		out := cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, size))
		path := extentPath(t, l, out.ID)
		require.NoError(t, os.Remove(path))
		for range 2 { // with its place remembered, then not
			_, err := l.Open(t.Context(), out.ID)
			require.ErrorIs(t, err, cache.ErrNotFound)
			require.ErrorContains(t, err, "its file "+path+" is gone; the next build makes it again")
			l.NoPlace()
		}
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
		require.NoError(t, err)
		require.Nil(t, entries[0])
		cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, size))
		requireClean(t, l)
	}
}

func TestTruncatedFile(t *testing.T) {
	for _, size := range []int{3000, 5 << 20} {
		l := open(t, t.TempDir())
		out := cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, size))
		path := extentPath(t, l, out.ID)
		blob, err := l.Open(t.Context(), out.ID)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, int64(size-1)))

		var corrupt *cache.CorruptError
		_, err = io.ReadAll(blob) // was open already
		require.ErrorAs(t, err, &corrupt)
		require.NoError(t, blob.Close())
		_, err = l.Open(t.Context(), out.ID)
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, path, corrupt.Path)
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
		require.NoError(t, err)
		require.Nil(t, entries[0])
		cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, size))
		requireClean(t, l)
	}
}

func extentPath(t testing.TB, s cache.Store, id cache.OutputID) string {
	b, err := s.Open(t.Context(), id)
	require.NoError(t, err)
	defer b.Close()
	f, _, ok := b.Extent()
	require.True(t, ok)
	return f.Name()
}

func TestQuarantineKeepsBytes(t *testing.T) {
	dir := t.TempDir()
	l, log := openLogged(t, dir)
	for i, size := range []int{3000, 5 << 20} {
		out := cachetest.Store(t, l, cachetest.Action(i), cachetest.Bytes(1, size))
		require.NoError(t, l.Quarantine(t.Context(), out.ID))
		kept, err := os.ReadFile(filepath.Join(dir, "tmp", "quarantine", out.ID.String()))
		require.NoError(t, err)
		require.True(t, bytes.Equal(cachetest.Bytes(1, size), kept))
		require.Contains(t, log.String(), out.ID.String())
		require.Contains(t, log.String(), "is out of use; what produced it runs again")
	}
}

// TestPackNeighbours shows that a blob that is taken out of a pack and made
// again leaves the others where they are.
func TestPackNeighbours(t *testing.T) {
	l := open(t, t.TempDir())
	ids := someActions(t, l, 50)
	entries, err := l.Lookup(t.Context(), ids)
	require.NoError(t, err)
	path := extentPath(t, l, entries[7].Outputs[0].ID)
	require.NoError(t, l.Quarantine(t.Context(), entries[7].Outputs[0].ID))
	someActions(t, l, 50) // the same pack again
	require.Equal(t, path, extentPath(t, l, entries[7].Outputs[0].ID))
	require.NoError(t, l.Quarantine(t.Context(), entries[8].Outputs[0].ID))
	cachetest.Store(t, l, ids[8], []byte("blob 8")) // in a pack of its own
	require.NotEqual(t, path, extentPath(t, l, entries[8].Outputs[0].ID))
	require.Equal(t, path, extentPath(t, l, entries[9].Outputs[0].ID))
	requireClean(t, l)
}

func TestLayout(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	b, err := l.Begin(t.Context())
	require.NoError(t, err)
	small, big := cachetest.Put(t, b, "s", cachetest.Bytes(1, 100)), cachetest.Put(t, b, "b", cachetest.Bytes(2, 4<<20))
	require.NoError(t, b.Commit(t.Context(), nil))
	b.Discard()
	require.Equal(t, []string{"blobs", "index.db", "logs", "tmp"}, names(t, dir))
	require.Equal(t, []string{big.ID.String()}, names(t, dir, "blobs", big.ID.String()[:2]))
	require.Len(t, names(t, dir, "blobs", "packs"), 1)
	require.Equal(t, filepath.Join(dir, "blobs", "packs", names(t, dir, "blobs", "packs")[0]), extentPath(t, l, small.ID))

	// 128 blobs of one batch are one file.
	someActions(t, l, 128)
	require.Len(t, names(t, dir, "blobs", "packs"), 2)
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 1536 << 20: "1.5 GiB", 1 << 62: "4.0 EiB"} {
		require.Equal(t, want, cache.FormatBytes(n))
	}
}
