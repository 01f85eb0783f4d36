package mmap

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	want := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	require.NoError(t, os.WriteFile(path, want, 0o600))
	f, err := Open(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, f.Bytes))
	f.Forget(100, 50000)
	f.Forget(0, len(want))
	f.Forget(60000, 100000)
	require.True(t, bytes.Equal(want, f.Bytes), "forgotten bytes are read again")
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
}

func TestOpenNothing(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	require.Error(t, err)
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	f, err := Open(empty)
	require.NoError(t, err)
	require.Empty(t, f.Bytes)
	require.NoError(t, f.Close())
}
