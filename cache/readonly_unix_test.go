//go:build unix

package cache_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

func init() { roles["read-only"] = roleReadOnly }

// TestReadOnly uses a cache that the process may not write. The child gives up
// being root first, if it is.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	l := open(t, dir)
	cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, 5000))
	require.NoError(t, l.PutRecords(t.Context(), "b", map[string][]byte{"k": []byte("v")}))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	chmodFolders := func(mode os.FileMode) {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			require.NoError(t, err)
			if d.IsDir() {
				return os.Chmod(path, mode)
			}
			return os.Chmod(path, 0o444)
		})
	}
	chmodFolders(0o555)
	defer chmodFolders(0o755)
	c := start(t, "read-only", dir, "")
	require.Equal(t, "entry true, content true, record v", c.line(t))
	cure := ": make it writable, or use another folder with --cache-dir or PJ_CACHE_DIR: "
	for _, op := range []string{"begin", "lease", "claim", "quarantine", "records", "gc"} {
		require.Contains(t, c.line(t), op+": cache "+dir+" is read-only, so nothing can be stored in it"+cure)
	}
	require.Equal(t, "verify: clean true, error <nil>", c.line(t))
	require.Equal(t, "info: 1 action, error <nil>", c.line(t))
	require.Equal(t, "dry run: 1 kept, error <nil>", c.line(t))
}

func roleReadOnly(dir, _ string) error {
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := syscall.Setgid(nobody); err != nil {
			return err
		}
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	entries, err := l.Lookup(background, []cache.ActionID{cachetest.Action(1)})
	if err != nil {
		return err
	}
	content, err := cachetest.Read(background, l, entries[0].Outputs[0].ID)
	if err != nil {
		return err
	}
	values, err := l.Records(background, "b", []string{"k"})
	if err != nil {
		return err
	}
	fmt.Printf("entry %v, content %v, record %s\n", entries[0] != nil, string(content) == string(cachetest.Bytes(1, 5000)), values[0])

	_, err = l.Begin(background)
	fmt.Println("begin:", err)
	_, err = l.Lease(background)
	fmt.Println("lease:", err)
	_, _, err = l.Claim(background, "work", true)
	fmt.Println("claim:", err)
	fmt.Println("quarantine:", l.Quarantine(background, entries[0].Outputs[0].ID))
	fmt.Println("records:", l.PutRecords(background, "b", map[string][]byte{"k": nil}))
	_, err = l.GC(background, cache.GCOptions{OlderThan: 1})
	fmt.Println("gc:", err)
	report, err := l.Verify(background, cache.VerifyOptions{})
	fmt.Printf("verify: clean %v, error %v\n", report.Clean(), err)
	info, err := l.Info(background)
	fmt.Printf("info: %d action, error %v\n", info.Actions, err)
	plan, err := l.GC(background, cache.GCOptions{DryRun: true})
	fmt.Printf("dry run: %d kept, error %v\n", plan.Kept, err)
	return nil
}
