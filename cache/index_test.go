package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// logBuffer collects what a cache logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func openLogged(t testing.TB, dir string) (*cache.Local, *logBuffer) {
	log := &logBuffer{}
	l, err := cache.Open(dir, cache.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}.WithoutSync())
	require.NoError(t, err)
	return l, log
}

func TestIndexLocked(t *testing.T) {
	for _, role := range []string{"hold-bolt", "hold-index"} {
		t.Run(role, func(t *testing.T) {
			dir := t.TempDir()
			cachetest.Store(t, open(t, dir), cachetest.Action(1), []byte("x"))
			c := start(t, role, dir, "")
			require.Equal(t, "ready", c.line(t))

			l, err := cache.Open(dir, cache.Options{LockTimeout: 100 * time.Millisecond}.WithoutSync())
			require.NoError(t, err)
			begin := time.Now()
			_, err = l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
			require.Less(t, time.Since(begin), 5*time.Second)
			var locked *cache.LockedError
			require.ErrorAs(t, err, &locked)
			require.Equal(t, []int{c.cmd.Process.Pid}, locked.PIDs)
			require.ErrorContains(t, err, filepath.Join(dir, "index.db")+" is held by process "+strconv.Itoa(c.cmd.Process.Pid))
			require.ErrorContains(t, err, "(waited ")
			require.ErrorContains(t, err, "wait for it to end, or stop it if it hangs (kill "+strconv.Itoa(c.cmd.Process.Pid)+")")
			l.NoHolders() // then the note in tmp has to do
			_, err = l.Lookup(t.Context(), nil)
			require.ErrorAs(t, err, &locked)
			if role == "hold-index" {
				require.Equal(t, []int{c.cmd.Process.Pid}, locked.PIDs)
			} else {
				require.Empty(t, locked.PIDs)
				require.ErrorContains(t, err, "is held by another process")
				require.ErrorContains(t, err, "wait for it to end and try again")
			}
			require.ErrorAs(t, l.PutRecords(t.Context(), "b", map[string][]byte{"k": {1}}), &locked)

			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err = open(t, dir).Lookup(ctx, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)

			// A patient one gets its turn, even though the holder dies.
			time.AfterFunc(20*time.Millisecond, c.kill)
			entries, err := open(t, dir).Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
			require.NoError(t, err)
			require.NotNil(t, entries[0])
			cachetest.Store(t, l, cachetest.Action(2), []byte("y"))
		})
	}
}

// damages are ways in which an index.db can be broken.
var damages = []struct {
	name string
	// silent: the damage may hide in pages that are not read
	silent bool
	do     func(t *testing.T, path string, content []byte) []byte
}{
	{"garbage", false, func(_ *testing.T, _ string, c []byte) []byte { return cachetest.Bytes(1, len(c)) }},
	{"short text", false, func(*testing.T, string, []byte) []byte { return []byte("not an index") }},
	{"one page", false, func(_ *testing.T, _ string, c []byte) []byte { return c[:4096] }},
	{"metas only", false, func(_ *testing.T, _ string, c []byte) []byte { return c[:2*4096] }},
	{"cut in half", false, func(_ *testing.T, _ string, c []byte) []byte { return c[:len(c)/2] }},
	{"cut inside a page", false, func(_ *testing.T, _ string, c []byte) []byte { return c[:4096*3+100] }},
	{"zeroed metas", false, func(_ *testing.T, _ string, c []byte) []byte { clear(c[:2*4096]); return c }},
	{"zeroed pages", false, func(_ *testing.T, _ string, c []byte) []byte { clear(c[2*4096:]); return c }},
	{"garbage pages", false, func(_ *testing.T, _ string, c []byte) []byte {
		copy(c[2*4096:], cachetest.Bytes(2, len(c)))
		return c
	}},
	{"swapped pages", true, func(_ *testing.T, _ string, c []byte) []byte {
		for at := 2 * 4096; at+8192 <= len(c); at += 8192 {
			page := bytes.Clone(c[at : at+4096])
			copy(c[at:], c[at+4096:at+8192])
			copy(c[at+4096:], page)
		}
		return c
	}},
	{"no schema", false, func(t *testing.T, path string, c []byte) []byte {
		return edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("meta")) })
	}},
	{"unknown schema", false, func(t *testing.T, path string, c []byte) []byte {
		return edit(t, path, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("zero"))
		})
	}},
	{"a bucket is missing", false, func(t *testing.T, path string, c []byte) []byte {
		return edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("blobs")) })
	}},
}

// edit changes the database and returns what the file then holds.
func edit(t *testing.T, path string, fn func(tx *bbolt.Tx) error) []byte {
	db, err := bbolt.Open(path, 0o644, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(fn))
	require.NoError(t, db.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// someActions makes an index of a few dozen pages.
func someActions(t testing.TB, l *cache.Local, n int) (ids []cache.ActionID) {
	b, err := l.Begin(t.Context())
	require.NoError(t, err)
	defer b.Discard()
	var commits []cache.Commit
	for i := range n {
		ids = append(ids, cachetest.Action(i))
		commits = append(commits, cache.Commit{ID: ids[i], Entry: cache.Entry{
			Outputs: []cache.Output{cachetest.Put(t, b, "data", fmt.Appendf(nil, "blob %d", i))},
			Key:     []cache.Component{{Name: "stage", Value: string(bytes.Repeat([]byte{'x'}, 200))}},
		}})
	}
	require.NoError(t, b.Commit(t.Context(), commits))
	return ids
}

func TestDamagedIndex(t *testing.T) {
	for _, d := range damages {
		for _, first := range []string{"read", "write"} {
			t.Run(d.name+", found by a "+first, func(t *testing.T) {
				dir := t.TempDir()
				ids := someActions(t, open(t, dir), 300)
				path := filepath.Join(dir, "index.db")
				content, err := os.ReadFile(path)
				require.NoError(t, err)
				broken := d.do(t, path, content)
				require.NoError(t, os.WriteFile(path, broken, 0o644))

				l, log := openLogged(t, dir)
				if first == "read" {
					_, err = l.Lookup(t.Context(), ids)
				} else {
					err = l.PutRecords(t.Context(), "b", map[string][]byte{"k": []byte("v")})
				}
				require.NoError(t, err)
				if !d.silent || first == "read" {
					require.Contains(t, log.String(), "was moved aside and a fresh one begun")
					require.Contains(t, log.String(), path+".corrupt-1")
					kept, err := os.ReadFile(path + ".corrupt-1")
					require.NoError(t, err)
					require.True(t, bytes.Equal(broken, kept))
				}

				// Work goes on, and what is made again stays.
				entries, err := l.Lookup(t.Context(), ids)
				require.NoError(t, err)
				if !d.silent {
					require.Nil(t, entries[0])
				}
				require.Equal(t, ids, someActions(t, l, 300))
				entries, err = open(t, dir).Lookup(t.Context(), ids)
				require.NoError(t, err)
				require.NotContains(t, entries, (*cache.Entry)(nil))
			})
		}
	}
}

func TestDamagedTwice(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for n := 1; n <= 3; n++ {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "index.db"), bytes.Repeat([]byte("junk"), 5000*n), 0o644))
		cachetest.Store(t, l, cachetest.Action(1), []byte("x"))
		require.FileExists(t, filepath.Join(dir, fmt.Sprint("index.db.corrupt-", n)))
	}
}

// TestDamagedRow flips each byte of the index's last pages in turn: what comes
// back is the entry as it was, or none.
func TestDamagedRow(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	out := cachetest.Store(t, l, cachetest.Action(1), []byte("content"))
	path := filepath.Join(dir, "index.db")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.LastIndex(content, append(out.ID[:], byte(out.Size))) // in the value of the action
	require.Positive(t, at)
	for i := at - 20; i < at+40; i++ {
		broken := bytes.Clone(content)
		broken[i] ^= 4
		require.NoError(t, os.WriteFile(path, broken, 0o644))
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
		require.NoError(t, err)
		if entries[0] != nil {
			require.Equal(t, []cache.Output{out}, entries[0].Outputs)
		}
	}
}

func TestNewerIndex(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	cachetest.Store(t, l, cachetest.Action(1), []byte("x"))
	path := filepath.Join(dir, "index.db")
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("7")) })
	for _, err := range []error{
		func() error { _, err := l.Lookup(t.Context(), nil); return err }(),
		l.PutRecords(t.Context(), "b", map[string][]byte{"k": {}}),
	} {
		var newer *cache.NewerIndexError
		require.ErrorAs(t, err, &newer)
		require.ErrorContains(t, err, path+" was written by a newer pj (format 7, this one knows up to 1): use that pj, or another folder")
	}
	require.NoFileExists(t, path+".corrupt-1")
}

// TestEmptyIndexFile is what a process leaves that was killed as it created the
// index.
func TestEmptyIndexFile(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.db"), nil, 0o644))
	entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(1)})
	require.NoError(t, err)
	require.Nil(t, entries[0])
	cachetest.Store(t, l, cachetest.Action(1), []byte("x"))
	require.NoFileExists(t, filepath.Join(dir, "index.db.corrupt-1"))
}

// TestManyReaders has lookups beside commits of another opener of the folder.
func TestManyReaders(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for w := range 2 {
		group.Go(func() {
			l := open(t, dir)
			for n := range 15 {
				cachetest.Store(t, l, cachetest.Action(w*100+n), fmt.Appendf(nil, "%d %d", w, n))
			}
		})
		group.Go(func() {
			l := open(t, dir)
			for range 50 {
				_, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(w * 100)})
				require.NoError(t, err)
			}
		})
	}
	group.Wait()
	requireClean(t, open(t, dir))
}

func FuzzDecodeEntry(f *testing.F) {
	id := cachetest.Action(1)
	f.Add(cache.EncodeEntry(id, &cache.Entry{}))
	f.Add(cache.EncodeEntry(id, &cache.Entry{
		Outputs: []cache.Output{{Name: "data", ID: cache.OutputID{1, 2}, Size: 1 << 40}},
		Key:     []cache.Component{{Name: "stage", Value: "quantize v1"}}, Meta: []byte("{}"), Elapsed: time.Hour}))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, ok := cache.DecodeEntry(id, value)
		if !ok { // make the checksum fit, so that what is behind it is tested too
			if len(value) < 4 {
				return
			}
			value = cache.Seal(id[:], value[:len(value)-4])
			if e, ok = cache.DecodeEntry(id, value); !ok {
				return
			}
		}
		again, ok := cache.DecodeEntry(id, cache.EncodeEntry(id, e))
		require.True(t, ok)
		require.Equal(t, e, again)
	})
}

func FuzzDecodeLocation(f *testing.F) {
	id := cache.OutputID{9}
	f.Add(cache.EncodePlace(id, true, [32]byte{1}, 4096, 300))
	f.Add(cache.EncodePlace(id, false, id, 0, 5<<20))
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) < 4 {
			return
		}
		value = cache.Seal(id[:], value[:len(value)-4])
		at, ok := cache.DecodeLocation(id, value)
		if !ok {
			return
		}
		again, ok := cache.DecodeLocation(id, cache.EncodeLocation(id, at))
		require.True(t, ok)
		require.Equal(t, at, again)
	})
}

// FuzzIndexFile looks at files of which only the two meta pages matter.
func FuzzIndexFile(f *testing.F) {
	dir := f.TempDir()
	cachetest.Store(f, open(f, dir), cachetest.Action(1), []byte("x"))
	content, err := os.ReadFile(filepath.Join(dir, "index.db"))
	require.NoError(f, err)
	f.Add(content[:2*4096])
	f.Add(content[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "index.db")
		require.NoError(t, os.WriteFile(path, b, 0o644))
		file, err := os.Open(path)
		require.NoError(t, err)
		defer file.Close()
		empty, _ := cache.CheckIndexFile(file)
		require.Equal(t, len(b) == 0, empty)
	})
}
