package cache_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// smudge changes a byte of a blob on disk.
func smudge(t *testing.T, l *cache.Local, id cache.OutputID) (path string, offset int64) {
	blob, err := l.Open(t.Context(), id)
	require.NoError(t, err)
	defer blob.Close()
	f, offset, _ := blob.Extent()
	w, err := os.OpenFile(f.Name(), os.O_RDWR, 0)
	require.NoError(t, err)
	defer w.Close()
	_, err = w.WriteAt([]byte("smudge"), offset+blob.Size()/2)
	require.NoError(t, err)
	return f.Name(), offset
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	ids := someActions(t, l, 20)
	entries, err := l.Lookup(t.Context(), ids)
	require.NoError(t, err)
	bad := entries[5].Outputs[0]
	big := cachetest.Store(t, l, cachetest.Action(100), cachetest.Bytes(1, 5<<20))
	gone := cachetest.Store(t, l, cachetest.Action(101), cachetest.Bytes(2, 6<<20))
	b, err := l.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: cachetest.Action(102), Entry: cache.Entry{Outputs: []cache.Output{gone}}}}))
	b.Discard()

	badPath, badOffset := smudge(t, l, bad.ID)
	bigPath, _ := smudge(t, l, big.ID)
	gonePath := extentPath(t, l, gone.ID)
	require.NoError(t, os.Remove(gonePath))
	edit(t, filepath.Join(dir, "index.db"), func(tx *bbolt.Tx) error { // an entry that nobody can read
		if err := tx.Bucket([]byte("actions")).Put(ids[12][:], []byte("damage")); err != nil {
			return err
		}
		return tx.Bucket([]byte("blobs")).Delete(entries[6].Outputs[0].ID[:]) // and a blob that is not listed
	})

	var calls int
	var last, total int64
	report, err := l.Verify(t.Context(), cache.VerifyOptions{Workers: 3, Progress: func(done, all int64) {
		require.Greater(t, done, last)
		calls, last, total = calls+1, done, all
	}})
	require.NoError(t, err)
	require.False(t, report.Clean())
	require.Equal(t, 21, report.Blobs)
	require.Equal(t, 21, calls)
	require.Equal(t, total, last)
	require.Equal(t, total, report.Bytes)
	require.Equal(t, 1, report.Dropped)
	require.Len(t, report.Corrupt, 2)
	for _, c := range report.Corrupt {
		want := cache.BadBlob{ID: bad.ID, Size: bad.Size, Path: badPath, Offset: badOffset, Actions: []cache.ActionID{ids[5]}}
		if c.ID == big.ID {
			want = cache.BadBlob{ID: big.ID, Size: big.Size, Path: bigPath, Actions: []cache.ActionID{cachetest.Action(100)}}
		}
		want.Quarantined = filepath.Join(dir, "tmp", "quarantine", c.ID.String())
		require.Equal(t, want, c)
		require.FileExists(t, c.Quarantined)
	}
	require.Len(t, report.Missing, 1)
	require.Equal(t, gonePath, report.Missing[0].Path)
	require.Empty(t, report.Missing[0].Quarantined)
	require.ElementsMatch(t, []cache.ActionID{cachetest.Action(101), cachetest.Action(102)}, report.Missing[0].Actions)

	again, err := l.Verify(t.Context(), cache.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, again.Clean())
	require.Equal(t, 18, again.Blobs)
	require.Empty(t, again.Orphans)
	entries, err = l.Lookup(t.Context(), ids)
	require.NoError(t, err)
	for i, e := range entries {
		require.Equal(t, i == 5 || i == 6 || i == 12, e == nil)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Verify(ctx, cache.VerifyOptions{})
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	_, err = l.Verify(ctx, cache.VerifyOptions{Workers: 1, Progress: func(int64, int64) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
}

func TestVerifyEmpty(t *testing.T) {
	report, err := open(t, t.TempDir()).Verify(t.Context(), cache.VerifyOptions{})
	require.NoError(t, err)
	require.Equal(t, cache.VerifyReport{}, report)
}
