package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// disk mounts a small disk in the story's folder. Only root may.
func (s *story) disk(dir, size string) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(s.path(dir), 0o755))
	if err := syscall.Mount("tmpfs", s.path(dir), "tmpfs", 0, "size="+size); err != nil {
		s.t.Skipf("SKIPPED: what happens on a full or read-only disk was not tested, as no disk can be mounted here: %v", err)
	}
	s.t.Cleanup(func() { syscall.Unmount(s.path(dir), syscall.MNT_DETACH) })
}

// remount changes a disk of the story.
func (s *story) remount(dir, options string, flags uintptr) {
	s.t.Helper()
	require.NoError(s.t, syscall.Mount("tmpfs", s.path(dir), "tmpfs", syscall.MS_REMOUNT|flags, options))
}

func diskStory(t *testing.T) *story {
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("recipe.hcl", storyRecipe("m", "Q8_0", ""))
	return s
}

// TestStoryFullCache builds with a cache on a disk that is too small.
func TestStoryFullCache(t *testing.T) {
	t.Parallel()
	s := diskStory(t)
	s.disk("small", "2m")
	small := s.with("PJ_CACHE_DIR=" + s.path("small", "cache"))
	r := small.pj(1, "build")
	r.says("Not enough disk", "cache "+s.path("small", "cache")+": no space left on device", "what was committed is safe; free some with `pj cache gc --max-size SIZE`")
	require.NoFileExists(t, s.path("a.gguf"))
	require.Empty(t, s.glob(".pj-*"))
	r = small.pj(1, "build", "--json")
	require.NotEmpty(t, r.json().Diagnostics)
	small.pj(0, "cache", "verify")
	small.pj(0, "cache", "gc")

	// With more room it goes on.
	s.remount("small", "size=64m", 0)
	r = small.pj(0, "build", "--json")
	require.LessOrEqual(t, r.json().Summary.Executed, 72)
	sum := s.sha256("a.gguf")
	require.NoError(t, os.Remove(s.path("a.gguf")))
	s.pj(0, "build")
	require.Equal(t, s.sha256("a.gguf"), sum)
}

// TestStoryFullOutput writes an artifact to a disk that is too small.
func TestStoryFullOutput(t *testing.T) {
	t.Parallel()
	s := diskStory(t)
	s.disk("small", "1m")
	s.write("small/old.txt", "something else")
	r := s.pj(1, "build", "--output", "small")
	r.says("Not enough disk", filepath.Join("small", "a.gguf"), "no space left on device")
	require.Equal(t, []string{"old.txt"}, s.files("small"))
	s.remount("small", "size=64m", 0)
	require.Equal(t, 0, s.pj(0, "build", "--json", "--output", "small").json().Summary.Executed)
	sum := s.sha256("small/a.gguf")

	// A file that is there stays as it is where the new one does not fit.
	s.remount("small", "size=5500k", 0)
	s.write("recipe.hcl", storyRecipe("m", "Q6_K", ""))
	s.pj(1, "build", "--output", "small").says("no space left on device")
	require.Equal(t, sum, s.sha256("small/a.gguf"))
	require.Equal(t, []string{"a.gguf", "old.txt"}, s.files("small"))

	// Nor can it be written where nothing can.
	s.remount("small", "", syscall.MS_RDONLY)
	s.pj(1, "build", "--output", "small").says(filepath.Join("small"), "read-only file system")
	s.pj(1, "build", "--output", "small/deep").says("small/deep", "read-only file system")
	require.Equal(t, sum, s.sha256("small/a.gguf"))
}

// TestStoryReadOnlyCache reads what a cache has that cannot be written, and says
// so where something is missing.
func TestStoryReadOnlyCache(t *testing.T) {
	t.Parallel()
	s := diskStory(t)
	s.disk(".cache", "64m")
	s.pj(0, "build")
	sum := s.sha256("a.gguf")
	require.NoError(t, os.Remove(s.path("a.gguf")))
	s.remount(".cache", "", syscall.MS_RDONLY)
	require.Equal(t, 0, s.pj(0, "build", "--json").json().Summary.Executed)
	require.Equal(t, sum, s.sha256("a.gguf"))
	s.pj(0, "build", "--require-cached", "--frozen")
	s.pj(0, "plan")
	s.pj(0, "cache", "info")
	s.pj(0, "cache", "verify")
	s.pj(1, "cache", "gc").says(s.cache())

	s.write("recipe.hcl", storyRecipe("m", "Q5_0", ""))
	r := s.pj(1, "build")
	r.says(s.cache(), "is read-only, so nothing can be stored in it")
	require.Equal(t, sum, s.sha256("a.gguf"), "the old file stays")
	s.pj(4, "build", "--require-cached")

	// An empty one that cannot be written.
	s.with("PJ_CACHE_DIR="+s.path(".cache", "none")).pj(1, "build").says(s.path(".cache", "none"))
	// A cache's place that is a file.
	s.write("file", "text")
	s.with("PJ_CACHE_DIR="+s.path("file")).pj(1, "build").says(s.path("file"))
}

// TestStoryOutputInTheWay has something else where the artifact should be.
func TestStoryOutputInTheWay(t *testing.T) {
	t.Parallel()
	s := diskStory(t)
	require.NoError(t, os.Mkdir(s.path("a.gguf"), 0o755))
	s.pj(1, "build").says("artifact.gguf.a", s.path("a.gguf"), "a folder has this name")
	require.NoError(t, os.Remove(s.path("a.gguf")))
	s.write("file", "text")
	s.pj(1, "build", "--output", "file").says(s.path("file"))
	require.Equal(t, "text", string(s.read("file")))
	require.Equal(t, 0, s.pj(0, "build", "--json").json().Summary.Executed)
}

// TestStoryVanishedSource takes the model away while it is built.
func TestStoryVanishedSource(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(s *story, file string) error
		says string
	}{
		"gone":      {func(s *story, file string) error { return os.Rename(file, s.path("kept")) }, "no such file"},
		"cut short": {func(s *story, file string) error { return os.Truncate(file, 9000000) }, "m/model.safetensors"},
		"written":   {func(s *story, file string) error { return flip(file, "model.norm.weight") }, "changed while it was read: build again when it is complete"},
	} {
		s := diskStory(t)
		failed := false
		for try := 0; try < 20 && !failed; try++ {
			require.NoError(t, os.RemoveAll(s.cache()))
			require.NoError(t, os.RemoveAll(s.path("m")))
			require.NoError(t, os.RemoveAll(s.path("a.gguf")))
			require.NoError(t, os.RemoveAll(s.path("pj.lock.hcl")))
			s.model("nano-qwen3moe", "m")
			time.Sleep(50 * time.Millisecond) // so that a build knows the file by its time
			c1 := s.command("build", "-v", "-j", "1")
			var out bytes.Buffer
			errs := &signalling{after: "done ", signal: func() { require.NoError(t, c.harm(s, s.path("m", "model.safetensors"))) }}
			c1.Stdout, c1.Stderr = &out, errs
			require.NoError(t, c1.Start())
			r := s.ended(c1, c1.Wait(), &out, &errs.b)
			if r.code == 0 {
				continue // it had read everything before
			}
			failed = true
			r.exits(1).says("m/model.safetensors", c.says)
			require.NoFileExists(t, s.path("a.gguf"), name)
			require.NoFileExists(t, s.path("pj.lock.hcl"), name)
		}
		require.True(t, failed, name)

		// With the model as it was the build comes to the right bytes.
		require.NoError(t, os.RemoveAll(s.path("m")))
		s.model("nano-qwen3moe", "m")
		s.pj(0, "build")
		sum := s.sha256("a.gguf")
		require.NoError(t, os.RemoveAll(s.cache()))
		s.pj(0, "build")
		require.Equal(t, sum, s.sha256("a.gguf"), name)
	}
}

// TestStoryReadOnlyRecipe has a recipe in a folder that cannot be written: that
// is said before anything runs, unless the lock file is there already.
func TestStoryReadOnlyRecipe(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.disk("ro", "64m")
	s.model("nano-qwen3moe", "ro/m")
	s.write("ro/recipe.hcl", storyRecipe("m", "Q8_0", ""))
	s.remount("ro", "", syscall.MS_RDONLY)
	r := s.pj(1, "build", "ro", "--output", "out")
	r.says("ro/pj.lock.hcl cannot be written", "read-only file system")
	require.Empty(t, r.stdout, "nothing ran")
	require.Empty(t, s.files("out"))
	s.pj(0, "plan", "ro")
	s.pj(4, "build", "ro", "--output", "out", "--frozen").says("pj lock")

	s.remount("ro", "", 0)
	s.pj(0, "lock", "ro")
	s.remount("ro", "", syscall.MS_RDONLY)
	s.pj(0, "build", "ro", "--output", "out")
	require.Equal(t, []string{"a.gguf"}, s.files("out"))
}
