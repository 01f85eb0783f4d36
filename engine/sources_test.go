package engine

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache/cachetest"
	"github.com/llama-pajamas/pj/internal/filestat"
)

func TestSourcesAreHashedOnce(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.tensors(5, 1000)
		require.EqualValues(t, 5000, w.must(p).HashedBytes)
		res := w.must(p)
		require.EqualValues(t, 0, res.HashedBytes)
		require.Equal(t, 0, res.Executed)
		// Ranges that are new are hashed, and those known before stay known.
		p.addSource("head", 0, 0, 10)
		p.add("more", "stage double", nil, source("in", 5))
		require.EqualValues(t, 10, w.must(p).HashedBytes)
		p.Sources[5].Offset = 1
		require.EqualValues(t, 10, w.must(p).HashedBytes)
		p.Sources[5].Offset = 0
		require.EqualValues(t, 0, w.must(p).HashedBytes)
	})
}

// Actions that read one source at the same time hash it once.
func TestSourceOfManyActions(t *testing.T) {
	w := newWorld(t)
	p := w.empty()
	p.addSource("t", p.addFile(t, w.write("t.bin", cachetest.Bytes(1, 8<<20))), 0, 8<<20)
	for i := range 8 {
		p.add(string(rune('a'+i)), "stage parity", nil, source("in", 0))
	}
	x := w.executor()
	x.Jobs = 8
	res, err := w.build(x, p)
	require.NoError(t, err)
	require.EqualValues(t, 8<<20, res.HashedBytes)
	require.Equal(t, 8, res.Executed)
}

func TestTouchedFile(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.tensors(3, 100)
		w.must(p)
		path := p.Files[0].Path
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
		res := w.must(p)
		require.EqualValues(t, 300, res.HashedBytes)
		require.Equal(t, 0, res.Executed)
		require.Equal(t, []Status{Cached, Cached, Cached, Cached}, statuses(res.States))
		require.EqualValues(t, 0, w.must(p).HashedBytes)
	})
}

func TestChangedRange(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.tensors(4, 100)
		w.must(p)
		content := cachetest.Bytes(1, 400)
		content[250]++
		w.write("model.bin", content)
		res := w.must(p)
		require.EqualValues(t, 400, res.HashedBytes, "a file is known as a whole or not at all")
		require.Equal(t, []string{"double2", "sum"}, w.ran())
		require.Equal(t, "source t2 changed", w.reason("double2"))
		require.Equal(t, "input double2 changed", w.reason("sum"))
		require.Equal(t, []Status{Cached, Cached, Rebuild, Cached, Rebuild}, statuses(res.States))
		require.Equal(t, 2, res.Executed)
	})
}

// A file with a time in the future is remembered like any other.
func TestFileOfTheFuture(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 100)
	require.NoError(t, os.Chtimes(p.Files[0].Path, time.Time{}, time.Now().Add(24*time.Hour)))
	w.must(p)
	require.EqualValues(t, 0, w.must(p).HashedBytes)
}

// A file that is written while the build looks is not remembered: another write
// within the clock's tick would not show.
func TestUnsettledFile(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 100)
	path := p.Files[0].Path
	var state fileState
	// The file's time is so close ahead that it is still of now after the wait;
	// on a busy machine the wait may be longer.
	require.Eventually(t, func() bool {
		soon := time.Now().Add(filestat.Settle + 10*time.Millisecond)
		require.NoError(t, os.Chtimes(path, soon, soon))
		var err error
		state, err = lookAt(path)
		require.NoError(t, err)
		return !state.settled
	}, 10*time.Second, time.Millisecond)

	r := newResolution(p)
	r.files[0] = state
	require.NoError(t, w.known.hash(t.Context(), r, []int{0, 1}, nil))
	require.False(t, r.sources[0].IsZero())
	records, err := w.known.Records.Records(t.Context(), filesBucket, []string{path})
	require.NoError(t, err)
	require.Nil(t, records[0])

	r.files[0].settled = true
	require.NoError(t, w.known.remember(t.Context(), r))
	records, err = w.known.Records.Records(t.Context(), filesBucket, []string{path})
	require.NoError(t, err)
	require.Len(t, records[0], fileHead+2*fileRange)
}

func TestFileThatIsNotAsPlanned(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 100)
	path := p.Files[0].Path
	check := func(want ...string) {
		t.Helper()
		res, err := w.build(w.executor(), p)
		for _, s := range want {
			require.ErrorContains(t, err, s)
		}
		require.Empty(t, w.ran())
		require.Same(t, p, res.Plan)
		_, err = w.known.Resolve(t.Context(), p, 0, nil)
		require.Error(t, err)
	}
	require.NoError(t, os.WriteFile(path, make([]byte, 150), 0o644))
	check(path, "has 150 bytes, and had 200 when the plan was made: plan again")
	require.NoError(t, os.Remove(path))
	check("source file: ", path, "no such file")
	require.NoError(t, os.Mkdir(path, 0o755))
	check(path + " is not a regular file")
}

// A file that changes under a build fails the actions that read it, and leaves
// nothing of them behind.
func TestFileChangesDuringBuild(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(t *testing.T, path string)
		want   string
	}{
		"other bytes": {func(t *testing.T, path string) {
			b := cachetest.Bytes(1, 400)
			b[150]++
			require.NoError(t, os.WriteFile(path, b, 0o644))
		}, "model.bin changed while it was read: build again when it is complete"},
		"truncated": {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 150)) }, "ends 50 bytes too soon: it was cut off while it was read"},
		"vanished":  {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "no such file"},
		"replaced": {func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path+".new", cachetest.Bytes(2, 400), 0o644))
			require.NoError(t, os.Rename(path+".new", path))
		}, "model.bin changed while it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			onStores(t, func(t *testing.T, w *world) {
				p := w.tensors(4, 100)
				w.hook = func(ctx context.Context, env *Env, tag string) error {
					if tag == "double1" {
						tt.change(t, p.Files[0].Path)
					}
					return nil
				}
				x := w.executor()
				x.Jobs = 1
				// Known before: nothing is held in memory.
				_, err := w.known.Resolve(t.Context(), p, -1, nil)
				require.NoError(t, err)
				res, err := w.build(x, p)
				var failed *ActionError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, "double1", failed.Address)
				require.ErrorContains(t, err, tt.want)
				require.ErrorContains(t, err, "model.bin")
				require.Equal(t, 1, res.Executed)
				require.NotNil(t, res.States[0].Entry)
				require.Nil(t, res.States[1].Entry)

				w.hook = nil
				w.write("model.bin", cachetest.Bytes(1, 400))
				require.Equal(t, 4, w.must(p).Executed, "only the first was kept")
			})
		})
	}
}

// What was hashed before the file changed is no part of a record that fits the
// file as it is now.
func TestHashOfChangingFileIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 100)
	w.hook = func(ctx context.Context, env *Env, tag string) error {
		w.write("model.bin", cachetest.Bytes(9, 200))
		return nil
	}
	_, err := w.build(w.executor(), p)
	require.ErrorContains(t, err, "changed while it was read")
	w.hook = nil
	res := w.must(p)
	require.EqualValues(t, 200, res.HashedBytes)
	require.Equal(t, 3, res.Executed)
}

func TestDamagedFileRecords(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(3, 100)
	w.must(p)
	path := p.Files[0].Path
	records, err := w.known.Records.Records(t.Context(), filesBucket, []string{path})
	require.NoError(t, err)
	good := records[0]
	for n := range len(good) {
		require.NoError(t, w.known.Records.PutRecords(t.Context(), filesBucket, map[string][]byte{path: good[:n]}))
		r := newResolution(p)
		require.NoError(t, w.known.recall(t.Context(), r))
		for i, id := range r.sources {
			known := (n-fileHead)%fileRange == 0 && n >= fileHead && i < (n-fileHead)/fileRange
			require.Equal(t, known, !id.IsZero(), "%d bytes, source %d", n, i)
		}
	}
	// Ranges of sizes that nobody asks for are no matter.
	odd := append([]byte{}, good[:fileHead]...)
	for _, v := range [][2]uint64{{0, 1 << 63}, {0, 50}, {0, 100}, {50, 100}, {100, 99}, {100, 100}, {1 << 63, 1}} {
		odd = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(odd, v[0]), v[1])
		odd = append(odd, make([]byte, 31)...)
		odd = append(odd, byte(v[1]))
	}
	require.NoError(t, w.known.Records.PutRecords(t.Context(), filesBucket, map[string][]byte{path: odd}))
	r := newResolution(p)
	require.NoError(t, w.known.recall(t.Context(), r))
	require.EqualValues(t, 100, r.sources[0][31])
	require.EqualValues(t, 100, r.sources[1][31])
	require.True(t, r.sources[2].IsZero())
}

// Sources are hashed before anything runs only where that is little.
func TestHashLimit(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 100)
	known := func(limit int64) bool {
		w := newWorldOn(t, w.dir, newWorld(t).store)
		r, err := w.known.Resolve(t.Context(), p, limit, nil)
		require.NoError(t, err)
		require.Equal(t, r.States[0].ID.IsZero(), r.States[1].ID.IsZero())
		return !r.States[0].ID.IsZero()
	}
	require.False(t, known(0))
	require.False(t, known(199))
	require.True(t, known(200))
	require.True(t, known(-1))
}

type fetcher struct {
	fetch func(f File) error
	calls atomic.Int64
}

func (f *fetcher) Fetch(_ context.Context, file File, progress func(int64)) error {
	f.calls.Add(1)
	progress(1)
	return f.fetch(file)
}

func TestFetch(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(4, 100)
	file := &p.Files[0]
	file.Remote, file.Path = "hf://a/b/model.bin", filepath.Join(w.dir, "fetched.bin")
	content := cachetest.Bytes(1, 400)

	_, err := w.build(w.executor(), p)
	require.ErrorContains(t, err, "fetched.bin is not there")
	r, err := w.known.Resolve(t.Context(), p, -1, nil)
	require.NoError(t, err)
	require.Equal(t, New, r.States[0].Status)
	_, err = w.known.ModelDigest(t.Context(), p, ModelPlan{Address: "model.a", Sources: []int{0, 1, 2, 3}}, nil)
	require.ErrorContains(t, err, "fetched.bin is not fetched yet")

	f := &fetcher{fetch: func(f File) error { return os.WriteFile(f.Path, content[:399], 0o644) }}
	x := w.executor()
	x.Fetch, x.Jobs = f, 4
	_, err = w.build(x, p)
	require.ErrorContains(t, err, "has 399 bytes after it was fetched, not 400")
	require.NoError(t, os.Remove(file.Path))

	f.calls.Store(0)
	f.fetch = func(f File) error { return os.WriteFile(f.Path, content, 0o644) }
	res, err := w.build(x, p)
	require.NoError(t, err)
	require.EqualValues(t, 1, f.calls.Load(), "one file is fetched once")
	require.Equal(t, 5, res.Executed)
	res, err = w.build(x, p)
	require.NoError(t, err)
	require.EqualValues(t, 1, f.calls.Load())
	require.EqualValues(t, 0, res.HashedBytes, "also a file that was fetched a moment ago is remembered")

	digest, err := w.known.ModelDigest(t.Context(), p, ModelPlan{Address: "model.a", Sources: []int{0, 1}}, nil)
	require.NoError(t, err)
	require.NotEqual(t, digest, ContentDigest(nil))
}
