package filestat

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o644))
	first, err := Of(path)
	require.NoError(t, err)
	require.EqualValues(t, 3, first.Size)
	again, err := Of(path)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.False(t, first.Settled(time.Unix(0, first.Mtime)))
	require.True(t, first.Settled(time.Unix(0, max(first.Mtime, first.Ctime)).Add(time.Second)))
	require.True(t, first.Settled(time.Unix(0, min(first.Mtime, first.Mtime)).Add(-time.Hour)), "a time in the future")

	time.Sleep(2 * Settle)
	require.NoError(t, os.WriteFile(path, []byte("abd"), 0o644))
	// Even where somebody puts the old time back, the inode's own tells.
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(0, first.Mtime)))
	changed, err := Of(path)
	require.NoError(t, err)
	if first.Ctime != 0 {
		require.NotEqual(t, first, changed)
	}

	_, err = Of(filepath.Dir(path))
	require.ErrorContains(t, err, "not a regular file")
	_, err = Of(path + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
}
