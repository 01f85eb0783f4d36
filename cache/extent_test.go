package cache_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

func TestCopyExtent(t *testing.T) {
	stores := map[string]cache.Store{"local": open(t, t.TempDir()), "memory": cache.NewMemory()}
	for name, s := range stores {
		for _, size := range []int{0, 1, 4095, 4096, 3*4096 + 5, 4<<20 + 4096} {
			for _, at := range []int64{0, 32, 4096, 1 << 20} {
				content := cachetest.Bytes(uint64(size), size)
				out := cachetest.Store(t, s, cachetest.Action(size), content)
				blob, err := s.Open(t.Context(), out.ID)
				require.NoError(t, err)
				dst, err := os.Create(filepath.Join(t.TempDir(), "artifact"))
				require.NoError(t, err)
				around := bytes.Repeat([]byte{0xee}, int(at)+size+100)
				_, err = dst.Write(around)
				require.NoError(t, err)

				method, err := cache.CopyExtent(dst, at, blob)
				require.NoError(t, err)
				require.Contains(t, []string{cache.MethodReflink, cache.MethodCopyRange, cache.MethodCopy}, method)
				if name == "memory" {
					require.Equal(t, cache.MethodCopy, method)
				}
				copy(around[at:], content)
				have, err := os.ReadFile(dst.Name())
				require.NoError(t, err)
				require.True(t, bytes.Equal(around, have), "%s: %d bytes at %d by %s", name, size, at, method)
				require.NoError(t, blob.Close())
				require.NoError(t, dst.Close())
				require.NoError(t, os.Remove(dst.Name()))
			}
		}
	}
}

func TestCopyExtentFailures(t *testing.T) {
	l := open(t, t.TempDir())
	out := cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, 10000))
	dst, err := os.Create(filepath.Join(t.TempDir(), "artifact"))
	require.NoError(t, err)
	defer dst.Close()

	blob, err := l.Open(t.Context(), out.ID)
	require.NoError(t, err)
	defer blob.Close()
	path := extentPath(t, l, out.ID)
	require.NoError(t, os.Truncate(path, 5000))
	_, err = cache.CopyExtent(dst, 0, blob)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "copying 10000 bytes from "+path+" to "+dst.Name())

	readable, err := os.Open(dst.Name())
	require.NoError(t, err)
	defer readable.Close()
	_, err = cache.CopyExtent(readable, 0, blob)
	require.ErrorContains(t, err, dst.Name())
}

// TestPlainCopy covers the way that Linux seldom takes.
func TestPlainCopy(t *testing.T) {
	dir := t.TempDir()
	content := cachetest.Bytes(1, 3<<20)
	src, err := os.Create(filepath.Join(dir, "src"))
	require.NoError(t, err)
	defer src.Close()
	_, err = src.Write(content)
	require.NoError(t, err)
	dst, err := os.Create(filepath.Join(dir, "dst"))
	require.NoError(t, err)
	defer dst.Close()
	require.NoError(t, cache.PlainCopy(dst, 7, src, 100, 2<<20+11))
	have, err := os.ReadFile(dst.Name())
	require.NoError(t, err)
	require.True(t, bytes.Equal(content[100:][:2<<20+11], have[7:]))
	require.ErrorIs(t, cache.PlainCopy(dst, 0, src, 100, 3<<20), io.ErrUnexpectedEOF)
}
