package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// damaged is a built story, of which the cache can be brought back as it was.
type damaged struct {
	*story
	sha   string
	blobs []string // the files below blobs/
}

func newDamaged(t *testing.T) *damaged {
	t.Helper()
	d := &damaged{story: newStory(t)}
	d.model("nano-qwen3moe", "m")
	d.write("recipe.hcl", storyRecipe("m", "Q8_0", ""))
	d.pj(0, "build")
	d.sha = d.sha256("a.gguf")
	require.NoError(t, os.CopyFS(d.path("kept"), os.DirFS(d.cache())))
	d.blobs = d.files(".cache/blobs")
	require.Greater(t, len(d.blobs), 5)
	return d
}

// restore makes the cache as it was, and takes the artifact away.
func (d *damaged) restore() {
	d.t.Helper()
	require.NoError(d.t, os.RemoveAll(d.cache()))
	require.NoError(d.t, os.CopyFS(d.cache(), os.DirFS(d.path("kept"))))
	require.NoError(d.t, os.Remove(d.path("a.gguf")))
}

// heals builds: what is bad is made again, and the file is as it was.
func (d *damaged) heals(what string) *ran {
	d.t.Helper()
	r := d.pj(0, "build", "--json")
	require.Equal(d.t, d.sha, d.sha256("a.gguf"), "%s: %s", what, r)
	return r
}

func (d *damaged) blob(name string) string { return filepath.Join(d.cache(), "blobs", name) }

// quarantined are the blobs that were put aside.
func (d *damaged) quarantined() []string { return d.files(".cache/tmp/quarantine") }

// TestStoryDamage harms each file of the cache's blobs in turn.
func TestStoryDamage(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	size := func(name string) int64 {
		info, err := os.Stat(d.blob(name))
		require.NoError(t, err)
		return info.Size()
	}
	blobs := d.blobs
	if testing.Short() {
		blobs = blobs[:2]
	}
	remade := 0
	for i, name := range blobs {
		// A byte at the beginning of a file is one of its first blob, one at its
		// end of its last.
		d.restore()
		at := int64(0)
		if i%2 == 1 {
			at = size(name) - 1
		}
		flipByte(t, d.blob(name), at)
		r := d.heals("a wrong byte in " + name)
		if executed := r.json().Summary.Executed; executed > 0 {
			remade++
			require.Equal(t, 1, executed, "%s", r)
			r.says("is made again")
			require.Len(t, d.quarantined(), 1)
			d.pj(0, "cache", "verify")
		} else {
			// The file does not need it; only verify looks at what nobody reads.
			d.pj(5, "cache", "verify")
			d.heals(name + " was put aside")
		}
		require.Equal(t, 0, d.pj(0, "build", "--json").json().Summary.Executed)

		// cache verify finds it first.
		d.restore()
		flipByte(t, d.blob(name), at)
		d.pj(5, "cache", "verify").prints("corrupt: ", name).says("1 of ", "the next build makes them again")
		require.Len(t, d.quarantined(), 1)
		d.pj(0, "cache", "verify").prints("everything is sound")
		r = d.heals("what verify put aside of " + name)
		require.Greater(t, r.json().Summary.Executed, 0, "%s", r)
		require.Empty(t, r.stderr, "there is nothing to say of what is not there")

		// The file is gone.
		d.restore()
		require.NoError(t, os.Remove(d.blob(name)))
		r = d.heals(name + " is gone")
		require.Greater(t, r.json().Summary.Executed, 0, "%s", r)
		d.pj(0, "cache", "verify")

		// Or cut short.
		d.restore()
		require.NoError(t, os.Truncate(d.blob(name), size(name)/2))
		d.heals(name + " is cut short")
	}
	require.Greater(t, remade, 0)

	// All of them at once.
	d.restore()
	for _, name := range d.blobs {
		flipByte(t, d.blob(name), size(name)/2)
		flipByte(t, d.blob(name), 0)
	}
	d.heals("a wrong byte in every file")
	d.restore()
	for _, name := range d.blobs {
		flipByte(t, d.blob(name), 0)
	}
	d.pj(5, "cache", "verify")
	d.heals("what verify put aside")
	d.restore()
	require.NoError(t, os.RemoveAll(filepath.Join(d.cache(), "blobs")))
	d.pj(5, "cache", "verify").prints("missing: ")
	r := d.heals("no blob is there")
	require.Equal(t, r.json().Summary.Actions, r.json().Summary.Executed)

	// --require-cached mends nothing, and says what is wrong.
	d.restore()
	require.NoError(t, os.RemoveAll(filepath.Join(d.cache(), "blobs")))
	d.pj(4, "build", "--require-cached").says("are not in the cache", "its output is no longer in the cache")
	require.NoFileExists(t, d.path("a.gguf"))
	d.write("a.gguf", "")
}

// TestStoryIndex harms the cache's index.
func TestStoryIndex(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	index := filepath.Join(d.cache(), "index.db")
	for name, harm := range map[string]func() error{
		"gone":      func() error { return os.Remove(index) },
		"empty":     func() error { return os.Truncate(index, 0) },
		"cut short": func() error { return os.Truncate(index, 5000) },
		"a text":    func() error { return os.WriteFile(index, []byte("this is no index at all\n"), 0o644) },
		"zeros":     func() error { return os.WriteFile(index, make([]byte, 1<<16), 0o644) },
	} {
		d.restore()
		require.NoError(t, harm(), name)
		r := d.heals("index.db is " + name)
		require.Equal(t, r.json().Summary.Actions, r.json().Summary.Executed, "%s: %s", name, r)
		if name != "gone" && name != "empty" {
			r.says("index.db")
		}
		require.Equal(t, 0, d.pj(0, "build", "--json").json().Summary.Executed, name)
		d.pj(0, "cache", "verify")
	}
	// A flipped byte anywhere in it costs what it says at most.
	entries, err := os.ReadFile(filepath.Join(d.path("kept"), "index.db"))
	require.NoError(t, err)
	step := len(entries)/12 | 1
	for at := 0; at < len(entries); at += step {
		d.restore()
		flipByte(t, index, int64(at))
		d.heals("a wrong byte in index.db")
		require.Equal(t, 0, d.pj(0, "build", "--json").json().Summary.Executed, "byte %d", at)
	}
}

func flipByte(t *testing.T, path string, at int64) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	// Blobs may be read-only.
	require.NoError(t, os.Chmod(path, info.Mode()|fs.FileMode(0o200)))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	require.NoError(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, at)
	require.NoError(t, err)
}
