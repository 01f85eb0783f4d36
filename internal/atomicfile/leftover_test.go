package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLeftoversOfTheKilledGo(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, ".pj-0123456789abcdef.tmp")
	require.NoError(t, os.WriteFile(dead, []byte("half"), 0o666))
	long := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(dead, long, long))
	others := []string{".pj-0123456789abcdef.tmp2", ".pj-short.tmp", "pj-0123456789abcdef0.tmp"}
	for _, name := range others {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o666))
	}
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Mkdir(filepath.Join(dir, ".pj-aaaaaaaaaaaaaaaa.tmp"), 0o777))
		others = append(others, ".pj-aaaaaaaaaaaaaaaa.tmp")
	}
	path := filepath.Join(dir, "a")
	require.NoError(t, Write(path, func(outer *os.File) error {
		require.NoFileExists(t, dead)
		// Another one writes there meanwhile, and leaves this one's file alone.
		require.NoError(t, WriteFile(filepath.Join(dir, "b"), []byte("b")))
		require.FileExists(t, outer.Name())
		_, err := outer.WriteString("a")
		return err
	}))
	require.Equal(t, "a", read(t, path))
	require.ElementsMatch(t, append(others, "a", "b"), names(t, dir))
}

func TestManyWritersSideBySide(t *testing.T) {
	dir := t.TempDir()
	failed := make(chan error, 16)
	for i := range cap(failed) {
		go func() {
			var err error
			for range 50 {
				if err == nil {
					err = WriteFile(filepath.Join(dir, string(rune('a'+i))), []byte{byte(i)})
				}
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
	require.Len(t, names(t, dir), cap(failed))
}
