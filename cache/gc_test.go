package cache_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// aged makes a cache with n actions of 10 KB, the i-th last used i days ago.
func aged(t *testing.T, dir string, n int) *cache.Local {
	l := open(t, dir)
	for i := range n {
		out := cachetest.Store(t, l, cachetest.Action(i), cachetest.Bytes(uint64(i), 10_000))
		setUsed(t, l, out.ID, time.Now().AddDate(0, 0, -i))
	}
	return l
}

func setUsed(t *testing.T, l *cache.Local, id cache.OutputID, at time.Time) string {
	path := extentPath(t, l, id)
	require.NoError(t, os.Chtimes(path, at, at))
	return path
}

// present says which of the first n actions the cache still has.
func present(t *testing.T, l *cache.Local, n int) (have []int) {
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	for i := range n {
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(i)})
		require.NoError(t, err)
		if entries[0] != nil {
			have = append(have, i)
		}
	}
	require.Equal(t, len(have), info.Actions, "the index lists what is there")
	require.Equal(t, len(have), info.Blobs)
	require.Equal(t, len(have), info.Files)
	return have
}

func TestGC(t *testing.T) {
	tests := []struct {
		name string
		opts cache.GCOptions
		want []int
	}{
		{"nothing asked", cache.GCOptions{}, []int{0, 1, 2, 3, 4, 5}},
		{"size", cache.GCOptions{MaxSize: 35_000}, []int{0, 1, 2}},
		{"size reached", cache.GCOptions{MaxSize: 60_000}, []int{0, 1, 2, 3, 4, 5}},
		{"age", cache.GCOptions{OlderThan: 60 * time.Hour}, []int{0, 1, 2}},
		{"both", cache.GCOptions{OlderThan: 100 * time.Hour, MaxSize: 20_000}, []int{0, 1}},
		{"everything", cache.GCOptions{OlderThan: time.Nanosecond}, nil},
		{"later", cache.GCOptions{OlderThan: 84 * time.Hour, Now: time.Now().AddDate(0, 0, 2)}, []int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := aged(t, t.TempDir(), 6)
			dry := tt.opts
			dry.DryRun = true
			plan, err := l.GC(t.Context(), dry)
			require.NoError(t, err)
			info, err := l.Info(t.Context())
			require.NoError(t, err)
			require.Equal(t, 6, info.Files, "a dry run removes nothing")

			report, err := l.GC(t.Context(), tt.opts)
			require.NoError(t, err)
			require.Equal(t, plan, report)
			gone := 6 - len(tt.want)
			require.Len(t, report.Removed, gone)
			require.EqualValues(t, 10_000*gone, report.Bytes)
			require.Equal(t, gone, report.Blobs)
			require.Equal(t, gone, report.Actions)
			require.Equal(t, len(tt.want), report.Kept)
			require.EqualValues(t, 10_000*len(tt.want), report.KeptBytes)
			for _, f := range report.Removed {
				require.NoFileExists(t, f.Path)
			}
			require.Equal(t, tt.want, present(t, l, 6))
			require.Empty(t, names(t, l.Dir(), "tmp", "trash"))
			verify, err := l.Verify(t.Context(), cache.VerifyOptions{})
			require.NoError(t, err)
			require.True(t, verify.Clean())
		})
	}
}

func TestLookupMarksUsed(t *testing.T) {
	l := aged(t, t.TempDir(), 4)
	_, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(3)})
	require.NoError(t, err)
	entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(2)})
	require.NoError(t, err)
	b, err := l.Begin(t.Context()) // an entry of a blob that is there uses it
	require.NoError(t, err)
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: cachetest.Action(9), Entry: *entries[0]}}))
	b.Discard()
	report, err := l.GC(t.Context(), cache.GCOptions{MaxSize: 30_000})
	require.NoError(t, err)
	require.Len(t, report.Removed, 1)
	require.Equal(t, "size", report.Removed[0].Reason)
	entries, err = l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(0), cachetest.Action(1), cachetest.Action(2), cachetest.Action(3)})
	require.NoError(t, err)
	require.Nil(t, entries[1])
	for _, i := range []int{0, 2, 3} {
		require.NotNil(t, entries[i])
	}
}

// TestMarkUsedGrain shows that a file used within the hour is not touched again.
func TestMarkUsedGrain(t *testing.T) {
	l := open(t, t.TempDir())
	out := cachetest.Store(t, l, cachetest.Action(1), []byte("x"))
	for age, touched := range map[time.Duration]bool{30 * time.Minute: false, 2 * time.Hour: true} {
		at := time.Now().Add(-age).Truncate(time.Second)
		path := setUsed(t, l, out.ID, at)
		_, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, touched, info.ModTime().After(at))
	}
}

func TestGCKeepsWhatBuildsUse(t *testing.T) {
	dir := t.TempDir()
	l := aged(t, dir, 4)
	c := start(t, "lease", dir, "")
	require.Equal(t, "ready", c.line(t))
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	require.Len(t, info.Running, 1)
	require.Equal(t, c.cmd.Process.Pid, info.Running[0].PID)

	_, err = l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(3)}) // the build's
	require.NoError(t, err)
	report, err := l.GC(t.Context(), cache.GCOptions{OlderThan: time.Nanosecond})
	require.NoError(t, err)
	require.Len(t, report.Removed, 2) // 1 and 2; 0 is of this hour
	require.Equal(t, 2, report.InUse)
	require.Equal(t, []int{0, 3}, present(t, l, 4))

	c.kill() // nobody works any more, whatever the file says
	require.Len(t, names(t, dir, "tmp", "live"), 1)
	report, err = l.GC(t.Context(), cache.GCOptions{OlderThan: time.Nanosecond})
	require.NoError(t, err)
	require.Len(t, report.Removed, 2)
	require.Equal(t, 1, report.TempFiles)
	require.Empty(t, names(t, dir, "tmp", "live"))
	require.Empty(t, present(t, l, 4))
}

func TestLeaseRelease(t *testing.T) {
	l := aged(t, t.TempDir(), 2)
	release, err := l.Lease(t.Context())
	require.NoError(t, err)
	release()
	release()
	report, err := l.GC(t.Context(), cache.GCOptions{OlderThan: time.Nanosecond})
	require.NoError(t, err)
	require.Len(t, report.Removed, 2)
	require.Zero(t, report.InUse)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Lease(cancelled)
	require.ErrorIs(t, err, context.Canceled)
	_, err = l.GC(cancelled, cache.GCOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestScratch(t *testing.T) {
	l := open(t, t.TempDir())
	dir, release, err := l.Scratch(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o644))
	_, err = l.GC(t.Context(), cache.GCOptions{OlderThan: time.Nanosecond, Now: time.Now().AddDate(0, 0, 9)})
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "x"))
	release()
	require.NoDirExists(t, dir)
	require.Empty(t, names(t, l.Dir(), "tmp", "live"))
}

func TestGCOrphans(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	kept := cachetest.Store(t, l, cachetest.Action(1), []byte("named"))
	b, err := l.Begin(t.Context())
	require.NoError(t, err)
	unnamed := cachetest.Put(t, b, "data", []byte("no action names it"))
	require.NoError(t, b.Commit(t.Context(), nil))
	b.Discard()
	old := time.Now().Add(-2 * time.Hour)
	unlisted := filepath.Join(dir, "blobs", "packs", kept.ID.String())
	young := filepath.Join(dir, "blobs", "packs", unnamed.ID.String())
	stranger := filepath.Join(dir, "blobs", "packs", "notes.txt")
	for path, at := range map[string]time.Time{unlisted: old, young: time.Now(), stranger: old} {
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o644))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	setUsed(t, l, kept.ID, old)
	unnamedPath := setUsed(t, l, unnamed.ID, old)

	verify, err := l.Verify(t.Context(), cache.VerifyOptions{})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{unlisted, young}, verify.Orphans)
	require.True(t, verify.Clean(), "orphans harm nobody")
	setUsed(t, l, kept.ID, old)
	setUsed(t, l, unnamed.ID, old)

	report, err := l.GC(t.Context(), cache.GCOptions{})
	require.NoError(t, err)
	require.Len(t, report.Removed, 2)
	require.NoFileExists(t, unlisted)
	require.NoFileExists(t, unnamedPath)
	require.FileExists(t, young)
	require.FileExists(t, stranger)
	require.FileExists(t, extentPath(t, l, kept.ID))
	_, err = l.Open(t.Context(), unnamed.ID)
	require.ErrorIs(t, err, cache.ErrNotFound)
}

func TestGCTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	c := start(t, "batch", dir, "")
	require.Equal(t, "ready", c.line(t))
	holder := start(t, "claim", dir, "work")
	require.Equal(t, "ready", holder.line(t))
	old := time.Now().AddDate(0, 0, -40)
	for name, at := range map[string]time.Time{
		"tmp/quarantine/new": time.Now(), "tmp/quarantine/old": old, "index.db.corrupt-1": old, "index.db.corrupt-2": time.Now(),
		"tmp/not-ours": old, "tmp/trash/left": time.Now(),
		"tmp/live/batch-1.new": old, "tmp/live/batch-2.new": time.Now(),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.WriteFile(path, []byte("12345"), 0o644))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	report, err := l.GC(t.Context(), cache.GCOptions{})
	require.NoError(t, err)
	require.Equal(t, 5, report.TempFiles)
	require.EqualValues(t, 25, report.TempBytes)
	require.Equal(t, []string{"new"}, names(t, dir, "tmp", "quarantine"))
	require.Len(t, names(t, dir, "tmp", "live"), 2) // the batch's lock and folder
	require.Len(t, names(t, dir, "tmp", "claims"), 1)
	require.FileExists(t, filepath.Join(dir, "tmp", "not-ours"))
	require.FileExists(t, filepath.Join(dir, "index.db.corrupt-2"))
	require.NoFileExists(t, filepath.Join(dir, "index.db.corrupt-1"))

	c.kill()
	holder.kill()
	dry, err := l.GC(t.Context(), cache.GCOptions{DryRun: true})
	require.NoError(t, err)
	report, err = l.GC(t.Context(), cache.GCOptions{})
	require.NoError(t, err)
	require.Equal(t, dry, report)
	require.Equal(t, 4, report.TempFiles) // pack, blob, lock, claim
	require.Greater(t, report.TempBytes, int64(5<<20))
	require.Empty(t, names(t, dir, "tmp", "live"))
	require.Empty(t, names(t, dir, "tmp", "claims"))
}

// TestGCBesideBuilds runs gc without pause, keeping almost nothing, beside
// builds that commit, look up and read: nothing they use may vanish.
func TestGCBesideBuilds(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var builds, collector sync.WaitGroup
	collector.Go(func() {
		l := open(t, dir)
		for ctx.Err() == nil {
			_, err := l.GC(t.Context(), cache.GCOptions{MaxSize: 1, OlderThan: time.Nanosecond})
			require.NoError(t, err)
		}
	})
	for w := range 2 {
		builds.Go(func() {
			l := open(t, dir)
			for round := range 3 {
				release, err := l.Lease(t.Context())
				require.NoError(t, err)
				var ids []cache.ActionID
				for n := range 8 {
					id := cachetest.Action(w*10 + n%5 + round) // some again, some of the other build
					entries, err := l.Lookup(t.Context(), []cache.ActionID{id})
					require.NoError(t, err)
					if entries[0] == nil {
						cachetest.Store(t, l, id, fmt.Appendf(nil, "content of %d", w*10+n%5+round))
					}
					ids = append(ids, id)
					entries, err = l.Lookup(t.Context(), ids)
					require.NoError(t, err)
					for _, e := range entries {
						require.NotNil(t, e)
						_, err := cachetest.Read(t.Context(), l, e.Outputs[0].ID)
						require.NoError(t, err)
					}
				}
				release()
			}
		})
	}
	builds.Wait()
	stop()
	collector.Wait()
}

func TestInfo(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.Actions)
	require.Equal(t, dir, info.Dir)

	cachetest.Store(t, l, cachetest.Action(1), cachetest.Bytes(1, 5<<20))
	out := cachetest.Store(t, l, cachetest.Action(2), cachetest.Bytes(2, 100))
	cachetest.Store(t, l, cachetest.Action(3), cachetest.Bytes(3, 50))
	require.NoError(t, l.PutRecords(t.Context(), "files", map[string][]byte{"a": {1}, "b": {2}}))
	at := time.Now().Add(-5 * time.Hour).Truncate(time.Second)
	setUsed(t, l, out.ID, at)
	info, err = l.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, info.Actions)
	require.Equal(t, 3, info.Blobs)
	require.EqualValues(t, 5<<20+150, info.BlobBytes)
	require.Equal(t, 3, info.Files)
	require.Equal(t, 2, info.Packs)
	require.EqualValues(t, 5<<20+150, info.FileBytes)
	require.Equal(t, map[string]int{"files": 2}, info.Records)
	require.True(t, at.Equal(*info.OldestUse))
	require.Positive(t, info.FreeBytes)
	require.Positive(t, info.IndexBytes)
}

// A sweep never takes a live file away, at whatever moment it comes.
func TestLeaseWhileSweeping(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	swept := make(chan error)
	go func() {
		for ctx.Err() == nil {
			if _, err := l.GC(t.Context(), cache.GCOptions{}); err != nil {
				swept <- err
				return
			}
		}
		swept <- nil
	}()
	for range 300 {
		release, err := l.Lease(t.Context())
		require.NoError(t, err)
		require.Len(t, names(t, dir, "tmp", "live"), 1)
		release()
	}
	stop()
	require.NoError(t, <-swept)
	require.Empty(t, names(t, dir, "tmp", "live"))
}
