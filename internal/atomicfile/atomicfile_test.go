package atomicfile

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestWriteNewAndReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	require.NoError(t, WriteFile(path, []byte("one")))
	require.Equal(t, "one", read(t, path))
	require.NoError(t, Write(path, func(w *os.File) error {
		require.Equal(t, dir, filepath.Dir(w.Name()))
		require.True(t, strings.HasPrefix(filepath.Base(w.Name()), "."))
		require.Equal(t, "one", read(t, path), "the old file stays until the new one is whole")
		_, err := w.WriteString("two")
		return err
	}))
	require.Equal(t, "two", read(t, path))
	require.Equal(t, []string{"a.txt"}, names(t, dir))
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	require.NoError(t, WriteFile(path, []byte("one")))
	boom := errors.New("boom")
	err := Write(path, func(w *os.File) error {
		_, err := w.WriteString("half")
		require.NoError(t, err)
		return boom
	})
	require.ErrorIs(t, err, boom)
	require.ErrorContains(t, err, path)
	require.Equal(t, "one", read(t, path))
	require.Equal(t, []string{"a.txt"}, names(t, dir))

	require.Panics(t, func() {
		_ = Write(path, func(*os.File) error { panic("boom") })
	})
	require.Equal(t, []string{"a.txt"}, names(t, dir))

	// A failing sync: the file was closed by the callback.
	require.Error(t, Write(path, func(w *os.File) error { return w.Close() }))
	require.Equal(t, "one", read(t, path))
	require.Equal(t, []string{"a.txt"}, names(t, dir))
}

func TestBadPlaces(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, WriteFile(filepath.Join(dir, "no", "a"), nil), os.ErrNotExist)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o777))
	require.ErrorContains(t, WriteFile(filepath.Join(dir, "sub"), nil), "a folder has this name")
	require.Equal(t, []string{"sub"}, names(t, dir))
}

// TestSpecial checks that a device, a pipe or a socket stays what it is.
func TestSpecial(t *testing.T) {
	dir, err := os.MkdirTemp("", "a") // a socket's path is short
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	defer l.Close()
	require.ErrorContains(t, WriteFile(socket, nil), "it is a device or a pipe, which cannot be replaced by a file")
	link := filepath.Join(dir, "link") // as /dev/stdout is one
	require.NoError(t, os.Symlink(socket, link))
	require.ErrorContains(t, WriteFile(link, nil), "it is a device or a pipe")
	info, err := os.Stat(link)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket, info.Mode().Type())
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".pj-0123456789abcdef.tmp"), nil, 0o666))
	long := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, ".pj-0123456789abcdef.tmp"), long, long))
	require.NoError(t, Probe(dir))
	require.Empty(t, names(t, dir))
	require.ErrorIs(t, Probe(filepath.Join(dir, "no")), os.ErrNotExist)
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, WriteFile("a", []byte("x")))
	require.Equal(t, []string{"a"}, names(t, "."))
}

func TestModesAndLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has neither
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o666))
	want, err := os.Stat(plain)
	require.NoError(t, err)
	require.NoError(t, WriteFile(path, nil))
	got, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, want.Mode(), got.Mode(), "a new file has the mode that the umask gives")

	require.NoError(t, os.Chmod(path, 0o640))
	require.NoError(t, WriteFile(path, []byte("x")))
	got, err = os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), got.Mode().Perm())

	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(plain, link))
	require.NoError(t, WriteFile(link, []byte("new")))
	require.Equal(t, "new", read(t, link))
	require.Equal(t, "", read(t, plain))
}

func TestConcurrentWritersLeaveOneWholeFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := WriteFile(path, []byte(strings.Repeat(string(rune('a'+i)), 10000))); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	got := read(t, path)
	require.Equal(t, strings.Repeat(got[:1], 10000), got)
	require.Equal(t, []string{"a"}, names(t, dir))
}
