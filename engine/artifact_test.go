package engine

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

func TestArtifact(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.packed(5, 1001, "sub/folder/a.bin")
		res := w.must(p)
		require.Len(t, res.Artifacts, 1)
		a := res.Artifacts[0]
		require.Equal(t, "artifact.pack.a", a.Address)
		require.True(t, a.Written)
		require.Equal(t, filepath.Join(w.dir, "out", "sub", "folder", "a.bin"), a.Files[0].Path)
		want := w.packedBytes(5, 1001, "sub/folder/a.bin")
		w.requireFile(want, a.Files[0])
		require.EqualValues(t, len(want), a.Bytes)
		total := 0
		for method, n := range a.Methods {
			require.Contains(t, []string{cache.MethodReflink, cache.MethodCopyRange, cache.MethodCopy}, method)
			total += n
		}
		require.Equal(t, 6, total)
		if _, memory := w.store.(*cache.Memory); memory {
			require.Equal(t, map[string]int{cache.MethodCopy: 6}, a.Methods)
		}
	})
}

// An artifact that is as it was left is not written again; any other is.
func TestArtifactUpToDate(t *testing.T) {
	w := newLocalWorld(t)
	p := w.packed(3, 200, "a.bin")
	first := w.must(p).Artifacts[0]
	path, want := first.Files[0].Path, w.packedBytes(3, 200, "a.bin")
	build := func(written bool) {
		t.Helper()
		res := w.must(p)
		require.Equal(t, 0, res.Executed)
		a := res.Artifacts[0]
		require.Equal(t, written, a.Written)
		require.Equal(t, written, a.Methods != nil)
		require.Equal(t, first.Files, a.Files)
		require.Equal(t, first.Bytes, a.Bytes)
		w.requireFile(want, a.Files[0])
	}
	build(false)
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Minute)))
	build(true)
	build(false)
	content := bytes.Clone(want)
	content[7]++
	require.NoError(t, os.WriteFile(path, content, 0o644))
	build(true)
	require.NoError(t, os.Truncate(path, 3))
	build(true)
	require.NoError(t, os.Remove(path))
	build(true)
	require.NoError(t, os.Rename(path, path+"2"))
	require.NoError(t, os.WriteFile(path, want, 0o644))
	build(true)
	require.NoError(t, w.known.Records.PutRecords(t.Context(), artifactsBucket, map[string][]byte{path: []byte("{")}))
	build(true)
	require.NoError(t, w.known.Records.PutRecords(t.Context(), artifactsBucket, map[string][]byte{path: nil}))
	build(true)
	build(false)

	// The same files somewhere else are others.
	p.OutputDir = filepath.Join(w.dir, "out2")
	require.True(t, w.must(p).Artifacts[0].Written)
	// Another manifest at the same place is written over the old one.
	p.Actions[4].Params, _ = p.Actions[4].Params.With("header", "another header")
	a := w.must(p).Artifacts[0]
	require.True(t, a.Written)
	require.NotEqual(t, first.Files[0].SHA256, a.Files[0].SHA256)
	// Without records every build writes.
	w.known.Records = nil
	require.True(t, w.must(p).Artifacts[0].Written)
	require.True(t, w.must(p).Artifacts[0].Written)
}

// manifestPlan is a plan whose one action writes these blobs and the manifest
// that is made of their ids.
func (w *world) manifestPlan(path string, blobs [][]byte, make func(ids []cache.OutputID) *Manifest) *Plan {
	p := w.empty()
	p.Artifacts = []ArtifactPlan{{Address: "artifact.m", Path: path, Action: p.add("m", "stage sum", nil)}}
	w.hook = func(_ context.Context, env *Env, tag string) error {
		var ids []cache.OutputID
		for _, b := range blobs {
			out, err := env.Create(string(rune('a'+len(ids))), 0)
			if err != nil {
				return err
			}
			if _, err := out.Write(b); err != nil {
				return err
			}
			id, _, err := out.Close()
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		raw, err := make(ids).Encode()
		if err != nil {
			return err
		}
		return env.Write(ManifestOutput, raw)
	}
	return p
}

func TestZerosBetweenPieces(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		blobs := [][]byte{cachetest.Bytes(1, 10), cachetest.Bytes(2, 5000), {}}
		p := w.manifestPlan("a.bin", blobs, func(ids []cache.OutputID) *Manifest {
			return &Manifest{Files: []ManifestFile{{Size: 50000, Pieces: []Piece{
				{ID: ids[0], Offset: 3, Size: 10}, {ID: ids[2], Offset: 13}, {ID: ids[1], Offset: 20000, Size: 5000}, {ID: ids[0], Offset: 25000, Size: 10},
			}}}}
		})
		// What was there before shines through nowhere.
		old := filepath.Join(p.OutputDir, "a.bin")
		require.NoError(t, os.MkdirAll(p.OutputDir, 0o755))
		require.NoError(t, os.WriteFile(old, bytes.Repeat([]byte{0xff}, 60000), 0o644))
		want := make([]byte, 50000)
		copy(want[3:], blobs[0])
		copy(want[20000:], blobs[1])
		copy(want[25000:], blobs[0])
		w.requireFile(want, w.must(p).Artifacts[0].Files[0])
	})
}

func TestArtifactOfSeveralFiles(t *testing.T) {
	content := []byte("content")
	for name, tt := range map[string]struct {
		path  string
		names []string
		want  []string
	}{
		"shards": {"m/a.gguf", []string{"-00001-of-00002", "-00002-of-00002"}, []string{"m/a-00001-of-00002.gguf", "m/a-00002-of-00002.gguf"}},
		"folder": {"mlx", []string{"config.json", "model.safetensors"}, []string{"mlx/config.json", "mlx/model.safetensors"}},
		"empty":  {"empty.bin", []string{""}, []string{"empty.bin"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLocalWorld(t)
			p := w.manifestPlan(tt.path, [][]byte{content}, func(ids []cache.OutputID) *Manifest {
				m := &Manifest{}
				for i, n := range tt.names {
					f := ManifestFile{Name: n, Size: int64(len(content) * i)}
					for k := range i {
						f.Pieces = append(f.Pieces, Piece{ID: ids[0], Offset: int64(len(content) * k), Size: int64(len(content))})
					}
					m.Files = append(m.Files, f)
				}
				return m
			})
			res := w.must(p)
			a := res.Artifacts[0]
			var total int64
			for i, f := range a.Files {
				require.Equal(t, filepath.Join(p.OutputDir, filepath.FromSlash(tt.want[i])), f.Path)
				w.requireFile(bytes.Repeat(content, i), f)
				total += f.Bytes
			}
			require.Equal(t, total, a.Bytes)
			require.False(t, w.must(p).Artifacts[0].Written)
			require.NoError(t, os.Remove(a.Files[len(a.Files)-1].Path))
			require.True(t, w.must(p).Artifacts[0].Written)
		})
	}
}

// A failure leaves the file that was there before, and nothing beside it.
func TestArtifactIsAtomic(t *testing.T) {
	w := newWorld(t)
	p := w.manifestPlan("a.bin", [][]byte{[]byte("1234")}, func(ids []cache.OutputID) *Manifest {
		return &Manifest{Files: []ManifestFile{{Size: 5, Pieces: []Piece{{ID: ids[0], Size: 5}}}}}
	})
	old := filepath.Join(p.OutputDir, "a.bin")
	require.NoError(t, os.MkdirAll(p.OutputDir, 0o755))
	require.NoError(t, os.WriteFile(old, []byte("as before"), 0o644))
	res, err := w.build(w.executor(), p)
	require.ErrorContains(t, err, "artifact.m: ")
	require.ErrorContains(t, err, "has 4 bytes, and the manifest says 5")
	require.Empty(t, res.Artifacts)
	content, err := os.ReadFile(old)
	require.NoError(t, err)
	require.Equal(t, "as before", string(content))
	entries, err := os.ReadDir(p.OutputDir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestArtifactFailures(t *testing.T) {
	w := newWorld(t)
	p := w.packed(2, 100, "a.bin")
	require.NoError(t, os.MkdirAll(filepath.Join(p.OutputDir, "a.bin"), 0o755))
	_, err := w.build(w.executor(), p)
	require.ErrorContains(t, err, "a folder has this name")
	p.Artifacts[0].Path = "file/b.bin"
	require.NoError(t, os.WriteFile(filepath.Join(p.OutputDir, "file"), nil, 0o644))
	_, err = w.build(w.executor(), p)
	require.ErrorContains(t, err, "not a directory")

	// A blob that the manifest names and nobody made.
	q := w.manifestPlan("c.bin", nil, func([]cache.OutputID) *Manifest {
		return &Manifest{Files: []ManifestFile{{Size: 5, Pieces: []Piece{{ID: cache.OutputID{1}, Size: 5}}}}}
	})
	_, err = w.build(w.executor(), q)
	require.ErrorIs(t, err, cache.ErrNotFound)
	// Its action runs, but not what the artifact says it leaves.
	q = w.empty()
	w.hook = func(_ context.Context, env *Env, _ string) error { return env.Write(ManifestOutput, []byte("{}")) }
	q.Artifacts = []ArtifactPlan{{Address: "artifact.q", Path: "q", Action: q.add("q", "stage sum", values{"q": 1})}}
	_, err = w.build(w.executor(), q)
	require.ErrorContains(t, err, "artifact.q: manifest: it has no files")
}

func TestAssembleEvents(t *testing.T) {
	w := newWorld(t)
	p := w.packed(2, 100, "a.bin")
	w.must(p)
	var texts []string
	for _, e := range w.events {
		if e.Kind == EventAssemble {
			texts = append(texts, e.Text)
			require.EqualValues(t, len(w.packedBytes(2, 100, "a.bin")), e.Bytes)
		}
	}
	require.Equal(t, []string{filepath.Join(p.OutputDir, "a.bin")}, texts)
}

func TestCancelWhileAssembling(t *testing.T) {
	w := newWorld(t)
	p := w.packed(2, 100, "a.bin")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x := w.executor()
	x.Observe = func(e Event) {
		if e.Kind == EventAssemble {
			cancel()
		}
	}
	_, err := x.Build(ctx, func(context.Context, *Known) (*Plan, error) { return p, nil })
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(p.OutputDir, "a.bin"))
}

func TestCheckOutputPath(t *testing.T) {
	for path, want := range map[string]string{
		"a.gguf":                                 "",
		"a/b/c.gguf":                             "",
		"a/../b":                                 "",
		"./a":                                    "",
		"..a":                                    "",
		"a..b/..c":                               "",
		"é ü/日本.gguf":                            "",
		"":                                       "is empty",
		".":                                      "leaves the output folder",
		"./":                                     "leaves the output folder",
		"..":                                     "leaves the output folder",
		"../a":                                   "leaves the output folder",
		"a/../..":                                "leaves the output folder",
		"a/../../b":                              "leaves the output folder",
		"a/..":                                   "leaves the output folder",
		"/a":                                     "is absolute",
		"//host/share/a":                         "is absolute",
		`\a`:                                     "has a character",
		`a\b`:                                    "has a character",
		`..\a`:                                   "has a character",
		"C:/a":                                   "has a character",
		"C:a":                                    "has a character",
		"a\x00b":                                 "has a character",
		"a\nb":                                   "a control character",
		"file.txt:stream":                        "has a character",
		strings.Repeat("../", 40) + "etc/passwd": "leaves the output folder",
	} {
		err := CheckOutputPath(path)
		if want == "" {
			require.NoError(t, err, path)
		} else {
			require.ErrorContains(t, err, want, path)
		}
	}
}

func TestCheckOutputLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "file"), nil, 0o644))
	link := func(to, at string) {
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	link(elsewhere, "away")
	link("real/deep", "within")
	link("nowhere", "broken")
	link(filepath.Join(elsewhere, "file"), "file.gguf")
	link(filepath.Join(dir, "away"), "real/chain")
	link("..", "real/up")
	link("../..", "real/top")
	for path, want := range map[string]string{
		"a.gguf":           "",
		"real/deep/a.gguf": "",
		"within/a.gguf":    "",
		"real/up/a.gguf":   "",
		"broken/a.gguf":    "",
		"file.gguf":        "",
		"new/folder/x":     "",
		"away/a.gguf":      "is a symbolic link to " + elsewhere,
		"away":             "is a symbolic link to " + elsewhere,
		"real/chain/x":     "is a symbolic link to " + elsewhere,
		"real/top/x":       "is a symbolic link to " + filepath.Dir(dir),
	} {
		err := CheckOutputLinks(dir, path)
		if want == "" {
			require.NoError(t, err, path)
		} else {
			require.ErrorContains(t, err, want, path)
		}
	}
	require.NoError(t, CheckOutputLinks(filepath.Join(dir, "not", "there"), "a.gguf"))
	// A folder that is itself a link is where the user wants artifacts.
	require.NoError(t, CheckOutputLinks(filepath.Join(dir, "away"), "a.gguf"))
}
