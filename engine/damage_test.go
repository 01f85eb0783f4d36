package engine

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
)

// flipBlobs changes every byte of every file of blobs, or one byte of each.
func (w *world) flipBlobs(every bool) (files int) {
	root := filepath.Join(w.dir, "cache", "blobs")
	require.NoError(w.t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if every {
			for i := range b {
				b[i] ^= 0x55
			}
		} else {
			b[len(b)/2] ^= 1
		}
		return os.WriteFile(path, b, 0o644)
	}))
	return files
}

func (w *world) quarantined() int {
	entries, err := os.ReadDir(filepath.Join(w.dir, "cache", "tmp", "quarantine"))
	require.NoError(w.t, err)
	return len(entries)
}

// What went bad in the cache is noticed, kept aside and made again, and the
// artifact is right.
func TestCorruptBlobs(t *testing.T) {
	for name, every := range map[string]bool{"a byte of each file": false, "every blob": true} {
		t.Run(name, func(t *testing.T) {
			w := newLocalWorld(t)
			p := w.packed(8, 5000, "a.bin")
			for _, a := range p.Actions[:4] {
				a.Group = "group"
			}
			w.must(p)
			require.GreaterOrEqual(t, w.flipBlobs(every), 7)
			require.NoError(t, os.RemoveAll(p.OutputDir))

			x := w.executor()
			x.RequireCached = true
			_, err := w.build(x, p)
			var notCached *NotCachedError
			require.ErrorAs(t, err, &notCached)
			require.Len(t, notCached.Misses, 1)
			require.Contains(t, notCached.Misses[0].Reason, "is corrupt")
			require.Equal(t, "pack", notCached.Misses[0].Address)
			require.NoFileExists(t, filepath.Join(p.OutputDir, "a.bin"))

			res := w.must(p)
			w.requireFile(w.packedBytes(8, 5000, "a.bin"), res.Artifacts[0].Files[0])
			remade := w.of(EventRemade)
			require.Equal(t, res.Executed, len(w.ran()))
			if every {
				for _, a := range []string{"double0", "double3", "double7"} {
					require.Contains(t, remade, a)
				}
				require.Equal(t, 9, w.quarantined(), "8 parts and the manifest")
			}
			for _, i := range []int{5, 6} {
				require.Equal(t, Rebuild, res.States[i].Status)
				require.Contains(t, res.States[i].Reason, "is corrupt")
				require.Contains(t, res.Ran, i)
			}
			// Now all is well, also for those who may not run anything.
			require.NoError(t, os.RemoveAll(p.OutputDir))
			res, err = w.build(x, p)
			require.NoError(t, err)
			w.requireFile(w.packedBytes(8, 5000, "a.bin"), res.Artifacts[0].Files[0])
		})
	}
}

// An action that reads bad blobs gets each of them made again, also where that
// needs another one to be made again first.
func TestCorruptInputs(t *testing.T) {
	w := newLocalWorld(t)
	p := w.tensors(6, 300)
	p.add("again", "stage double", nil, output("in", 0))
	w.must(p)
	w.flipBlobs(true)
	// New readers of what is bad.
	p.add("sum2", "stage sum", values{"x": 1}, p.Actions[6].Inputs...)
	p.add("deep", "stage double", values{"x": 1}, output("in", 7))
	x := w.executor()
	x.Jobs = 4
	res, err := w.build(x, p)
	require.NoError(t, err)
	require.Equal(t, res.States[6].Entry.Outputs, res.States[8].Entry.Outputs, "the same sum")
	require.Contains(t, w.of(EventRemade), "again")
	require.Contains(t, w.of(EventRemade), "double5")
	require.Equal(t, 2+6+1, res.Executed)
	for _, i := range []int{0, 1, 2, 3, 4, 5, 7} {
		require.Equal(t, Rebuild, res.States[i].Status)
		require.Contains(t, res.States[i].Reason, "is corrupt")
	}
}

// Readers of one bad blob do not throw out what the first of them made again.
func TestManyReadersOfACorruptBlob(t *testing.T) {
	w := newLocalWorld(t)
	p := w.tensors(1, 20000)
	w.must(p)
	w.flipBlobs(true)
	for i := range 12 {
		p.add(string(rune('a'+i)), "stage double", values{"n": i}, output("in", 0))
	}
	x := w.executor()
	x.Jobs = 12
	res, err := w.build(x, p)
	require.NoError(t, err)
	require.Equal(t, []string{"double0"}, w.of(EventRemade))
	require.Equal(t, 12+1, res.Executed)
	require.Equal(t, 1, w.quarantined())
}

func TestMissingBlobs(t *testing.T) {
	w := newLocalWorld(t)
	p := w.packed(4, 300, "a.bin")
	w.must(p)
	require.NoError(t, os.RemoveAll(filepath.Join(w.dir, "cache", "blobs")))
	require.NoError(t, os.MkdirAll(filepath.Join(w.dir, "cache", "blobs", "packs"), 0o755))
	require.NoError(t, os.RemoveAll(p.OutputDir))
	x := w.executor()
	x.RequireCached = true
	_, err := w.build(x, p)
	var notCached *NotCachedError
	require.ErrorAs(t, err, &notCached)
	require.Len(t, notCached.Misses, 6)
	require.Equal(t, Miss{"double0", "its output is no longer in the cache"}, notCached.Misses[0])

	res := w.must(p)
	require.Equal(t, 6, res.Executed)
	w.requireFile(w.packedBytes(4, 300, "a.bin"), res.Artifacts[0].Files[0])
}

// vanishing is a cache whose blobs of one id are never there.
type vanishing struct {
	*cache.Memory
	id    cache.OutputID
	err   error
	opens int
}

func (v *vanishing) Open(ctx context.Context, id cache.OutputID) (cache.Blob, error) {
	if id == v.id {
		v.opens++
		return nil, v.err
	}
	return v.Memory.Open(ctx, id)
}

// A disk that loses everything ends the build; it is not tried forever.
func TestBlobThatStaysBad(t *testing.T) {
	for _, err := range []error{cache.ErrNotFound, &cache.CorruptError{}} {
		w := newWorld(t)
		p := w.packed(2, 100, "a.bin")
		res := w.must(p)
		require.NoError(t, os.RemoveAll(p.OutputDir))
		v := &vanishing{Memory: w.store.(*cache.Memory), id: res.States[1].Entry.Outputs[0].ID, err: err}
		w.known = Known{Store: v, Records: v}
		x := w.executor()
		_, have := w.build(x, p)
		require.ErrorIs(t, have, err)
		require.ErrorContains(t, have, "artifact.pack.a: ")
		require.LessOrEqual(t, v.opens, 3*attempts)

		p.add("reader", "stage double", nil, output("in", 1))
		v.opens = 0
		_, have = w.build(x, p)
		require.ErrorIs(t, have, err)
		require.ErrorContains(t, have, "reader: ")
		require.LessOrEqual(t, v.opens, 3*attempts)
	}
}

// Evidence that is read while planning and proves bad is measured again.
func TestCorruptEvidenceWhilePlanning(t *testing.T) {
	w := newLocalWorld(t)
	r := newRecipe(w)
	res, err := r.build(w.executor())
	require.NoError(t, err)
	want := res.Artifacts[0].Files[0].SHA256
	w.flipBlobs(true)
	require.NoError(t, os.RemoveAll(res.Plan.OutputDir))

	x := w.executor()
	x.RequireCached = true
	_, err = r.build(x)
	var corrupt *cache.CorruptError
	require.ErrorAs(t, err, &corrupt)

	res, err = r.build(w.executor())
	require.NoError(t, err)
	require.Contains(t, w.ran(), "stage.evidence.e")
	require.Equal(t, want, res.Artifacts[0].Files[0].SHA256)
}
