package source

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes/lock"
)

var ctx = context.Background()

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/recipe.hcl": "x", "a/prompts/p.txt": "y", "main/recipe.hcl": "z"})
	f := &Fetcher{}
	got, m, err := f.Fetch(ctx, "module.a", "../a", filepath.Join(dir, "main"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a"), got)
	require.Equal(t, engine.Module{Address: "module.a", Source: "../a", Digest: m.Digest}, m)
	require.Equal(t, lock.Module{Address: "module.a", Source: "../a", Digest: m.Digest}, Pin(m))

	// A pin does not hold a folder back.
	f.Lock = &lock.File{Modules: []lock.Module{{Address: "module.a", Source: "../a", Digest: "blake3:" + strings.Repeat("0", 64)}}}
	_, again, err := f.Fetch(ctx, "module.a", "../a", filepath.Join(dir, "main"))
	require.NoError(t, err)
	require.Equal(t, m, again)

	file, one, err := f.Fetch(ctx, "module.b", "./a/recipe.hcl", dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a", "recipe.hcl"), file)
	require.NotEqual(t, m.Digest, one.Digest)

	_, _, err = f.Fetch(ctx, "module.c", "./missing", dir)
	require.ErrorContains(t, err, "module.c: "+filepath.Join(dir, "missing")+" cannot be read")
	_, _, err = f.Fetch(ctx, "module.d", "nonsense", dir)
	require.ErrorContains(t, err, `module.d: "nonsense" is no source`)
}

func TestDigest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/recipe.hcl": "x", "a/b/c": "y", "a.b": "z"})
	first := digestOf(t, dir)
	require.Regexp(t, "^blake3:[0-9a-f]{64}$", first)
	entry := func(name, text string) string {
		return string(rune(len(name))) + strings.Repeat("\x00", 7) + name + "f" + string(rune(len(text))) + strings.Repeat("\x00", 7) + text
	}
	sum := blake3.Sum256([]byte(entry("a.b", "z") + entry("a/b/c", "y") + entry("a/recipe.hcl", "x")))
	require.Equal(t, "blake3:"+hex.EncodeToString(sum[:]), first)
	require.Equal(t, "blake3:904a25563cb5054cd686c7a56b5c126f92e3a7449eb0af25594ea8752a52c2e1", first, "the digest is in lock files: it never changes")

	write(t, dir, map[string]string{"pj.lock.hcl": "l", "a/.git/x": "g", ".git": "worktree"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "a.b"), 0o755))
	require.Equal(t, first, digestOf(t, dir), "git's folder, lock files and modes do not count")

	write(t, dir, map[string]string{"a/b/c": "Y"})
	require.NotEqual(t, first, digestOf(t, dir))
	write(t, dir, map[string]string{"a/b/c": "y"})
	require.Equal(t, first, digestOf(t, dir))
	require.NoError(t, os.Rename(filepath.Join(dir, "a.b"), filepath.Join(dir, "a.c")))
	require.NotEqual(t, first, digestOf(t, dir))

	// The borders between names and contents count.
	one, two := t.TempDir(), t.TempDir()
	write(t, one, map[string]string{"a": "bc"})
	write(t, two, map[string]string{"ab": "c"})
	require.NotEqual(t, digestOf(t, one), digestOf(t, two))

	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink("a", filepath.Join(two, "link")))
		linked := digestOf(t, two)
		require.NoError(t, os.Remove(filepath.Join(two, "link")))
		write(t, two, map[string]string{"link": "a"})
		require.NotEqual(t, linked, digestOf(t, two), "a link is no file that holds its target")
		over := filepath.Join(t.TempDir(), "l")
		require.NoError(t, os.Symlink(two, over))
		require.Equal(t, digestOf(t, two), digestOf(t, over))
	}

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := digest(canceled, dir)
	require.ErrorIs(t, err, context.Canceled)
}

func TestDigestOfTooMuch(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "model.gguf"))
	require.NoError(t, err)
	require.NoError(t, f.Truncate(maxBytes+1))
	require.NoError(t, f.Close())
	_, err = digest(ctx, dir)
	require.ErrorContains(t, err, "keep models and outputs elsewhere")
}

func TestGit(t *testing.T) {
	r := newRemote(t)
	one := r.commit(map[string]string{"qwen3/ultra/recipe.hcl": "one", "qwen3/ultra/p.txt": "p", "readme": "r"})
	r.git("tag", "v1.0")
	r.git("tag", "-a", "v1.1", "-m", "annotated")
	two := r.commit(map[string]string{"qwen3/ultra/recipe.hcl": "two"})
	r.git("branch", "feature/x")
	r.git("branch", "v1.0") // the tag wins
	cache := t.TempDir()

	for ref, want := range map[string]struct{ commit, text string }{
		"": {two, "two"}, "?ref=v1.0": {one, "one"}, "?ref=v1.1": {one, "one"}, "?ref=main": {two, "two"}, "?ref=feature/x": {two, "two"},
		"?ref=" + one: {one, "one"}, "?ref=" + two[:10]: {two, "two"},
	} {
		source := r.source("//qwen3/ultra" + ref)
		f := &Fetcher{CacheDir: cache}
		dir, m, err := f.Fetch(ctx, "module.u", source, "")
		require.NoError(t, err, source)
		require.Equal(t, want.text, read(t, filepath.Join(dir, "recipe.hcl")), source)
		require.Equal(t, "p", read(t, filepath.Join(dir, "p.txt")))
		require.Equal(t, "module.u", m.Address)
		require.Equal(t, source, m.Source)
		require.Equal(t, want.commit, m.Commit)
		require.Equal(t, digestOf(t, dir), m.Digest)
	}
	// The digest is that of the folder, wherever it lies.
	_, m, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.u", r.source("//qwen3/ultra"), "")
	require.NoError(t, err)
	require.Equal(t, digestOf(t, filepath.Join(r.work, "qwen3", "ultra")), m.Digest)
	_, top, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.u", r.source(""), "")
	require.NoError(t, err)
	require.Equal(t, digestOf(t, r.work), top.Digest)
	// A file of the repository.
	file, _, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.u", r.source("//qwen3/ultra/recipe.hcl"), "")
	require.NoError(t, err)
	require.Equal(t, "two", read(t, file))
}

func TestPinned(t *testing.T) {
	r := newRemote(t)
	one := r.commit(map[string]string{"m/recipe.hcl": "one"})
	r.git("tag", "v1")
	source := r.source("//m?ref=v1")
	cache := t.TempDir()
	first := &Fetcher{CacheDir: cache}
	dir, m, err := first.Fetch(ctx, "module.m", source, "")
	require.NoError(t, err)
	pins := &lock.File{}
	pins.SetModule(Pin(m))

	// The tag moves; the pin holds, and the repository is not asked: it is gone.
	two := r.commit(map[string]string{"m/recipe.hcl": "two"})
	r.git("tag", "--force", "v1")
	gone := r.work + ".away"
	require.NoError(t, os.Rename(r.work, gone))
	for _, offline := range []bool{false, true} {
		again, n, err := (&Fetcher{CacheDir: cache, Lock: pins, Offline: offline}).Fetch(ctx, "module.m", source, "")
		require.NoError(t, err)
		require.Equal(t, m, n)
		require.Equal(t, dir, again)
	}
	// Nor is git needed.
	t.Run("without git", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, n, err := (&Fetcher{CacheDir: cache, Lock: pins}).Fetch(ctx, "module.m", source, "")
		require.NoError(t, err)
		require.Equal(t, m, n)
		_, _, err = (&Fetcher{CacheDir: t.TempDir(), Lock: pins}).Fetch(ctx, "module.m", source, "")
		require.ErrorIs(t, err, errNoGit)
	})
	require.NoError(t, os.Rename(gone, r.work))

	// Without the pin, with that of another address or of another source, it moves.
	for _, c := range []struct {
		f       *Fetcher
		address string
	}{{&Fetcher{CacheDir: cache}, "module.m"}, {&Fetcher{CacheDir: cache, Lock: pins}, "module.other"}} {
		_, n, err := c.f.Fetch(ctx, c.address, source, "")
		require.NoError(t, err)
		require.Equal(t, two, n.Commit)
	}
	_, n, err := (&Fetcher{CacheDir: cache, Lock: pins}).Fetch(ctx, "module.m", r.source("//m"), "")
	require.NoError(t, err)
	require.Equal(t, two, n.Commit)

	// A new machine fetches the pinned commit, though no tag leads to it.
	fresh, n, err := (&Fetcher{CacheDir: t.TempDir(), Lock: pins}).Fetch(ctx, "module.m", source, "")
	require.NoError(t, err)
	require.Equal(t, one, n.Commit)
	require.Equal(t, "one", read(t, filepath.Join(fresh, "recipe.hcl")))

	// The commit is not there at all.
	bad := &lock.File{}
	bad.SetModule(lock.Module{Address: "module.m", Source: source, Commit: strings.Repeat("1", 40), Digest: m.Digest})
	_, _, err = (&Fetcher{CacheDir: cache, Lock: bad}).Fetch(ctx, "module.m", source, "")
	require.ErrorContains(t, err, "has no commit 111111111111; its history may have been rewritten, in which case pj lock --upgrade")

	// The source is a commit, and the lock has another.
	bad.SetModule(lock.Module{Address: "module.m", Source: r.source("//m?ref=" + one), Commit: two, Digest: m.Digest})
	_, _, err = (&Fetcher{CacheDir: cache, Lock: bad}).Fetch(ctx, "module.m", r.source("//m?ref="+one), "")
	require.ErrorContains(t, err, "but the source itself says "+one[:12])
}

func TestDigestMismatch(t *testing.T) {
	r := newRemote(t)
	r.commit(map[string]string{"recipe.hcl": "one"})
	source := r.source("?ref=main")
	cache := t.TempDir()
	dir, m, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", source, "")
	require.NoError(t, err)
	pins := &lock.File{}
	pins.SetModule(Pin(m))

	// The copy was changed: it is made anew.
	path := filepath.Join(dir, "recipe.hcl")
	require.NoError(t, os.Chmod(path, 0o644))
	require.NoError(t, os.WriteFile(path, []byte("changed"), 0o644))
	_, n, err := (&Fetcher{CacheDir: cache, Lock: pins, Offline: true}).Fetch(ctx, "module.m", source, "")
	require.NoError(t, err)
	require.Equal(t, m, n)
	require.Equal(t, "one", read(t, path))

	// The lock has another digest.
	wrong := "blake3:" + strings.Repeat("0", 64)
	pins.SetModule(lock.Module{Address: "module.m", Source: source, Commit: m.Commit, Digest: wrong})
	_, _, err = (&Fetcher{CacheDir: cache, Lock: pins}).Fetch(ctx, "module.m", source, "")
	require.ErrorContains(t, err, "digest "+wrong+" is now "+m.Digest)
	require.ErrorContains(t, err, "pj lock --upgrade")
}

func TestOffline(t *testing.T) {
	r := newRemote(t)
	commit := r.commit(map[string]string{"recipe.hcl": "one"})
	cache := t.TempDir()
	f := &Fetcher{CacheDir: cache, Offline: true}
	_, _, err := f.Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.ErrorContains(t, err, "is not pinned in pj.lock.hcl, and pj may not ask the repository")
	_, _, err = f.Fetch(ctx, "module.m", r.source("?ref="+commit), "")
	require.ErrorContains(t, err, "commit "+commit[:12]+" of file://")
	require.ErrorContains(t, err, "is not on this machine")

	// With the clone but without the tree.
	dir, _, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	_, _, err = f.Fetch(ctx, "module.m", r.source("?ref="+commit), "")
	require.NoError(t, err)

	_, _, err = (&Fetcher{}).Fetch(ctx, "module.m", r.source(""), "")
	require.ErrorContains(t, err, "no cache folder is set")
}

func TestFetchErrors(t *testing.T) {
	r := newRemote(t)
	cache := t.TempDir()
	_, _, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source(""), "")
	require.ErrorContains(t, err, "no default branch, as when it is empty")
	_, _, err = (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=v1"), "")
	require.ErrorContains(t, err, `has no tag, branch or commit "v1"; it is empty`)

	r.commit(map[string]string{"a/recipe.hcl": "one", "b/x": "x", "recipe.hcl": "top", "a/notes.txt": "n"})
	for _, tag := range []string{"v1.0.0", "v1.2.0", "v1.2.1", "other", "thing", "x1", "x2"} {
		r.git("tag", tag)
	}
	f := &Fetcher{CacheDir: cache}
	for suffix, want := range map[string]string{
		"?ref=v1.2.2":                     `has no tag, branch or commit "v1.2.2"; the nearest names are v1.2.0, v1.2.1, v1.0.0,`,
		"?ref=deadbeef":                   `has no tag, branch or commit "deadbeef"`,
		"//c":                             `the repository has no folder "c"; it has a/, b/, recipe.hcl`,
		"//a/c":                           `the repository has no folder "a/c"; a has recipe.hcl`,
		"//b/x/y":                         `the repository has no folder "b/x/y"`,
		"?ref=" + strings.Repeat("2", 40): "has no commit 222222222222",
	} {
		_, _, err := f.Fetch(ctx, "module.m", r.source(suffix), "")
		require.ErrorContains(t, err, want, suffix)
	}
	_, _, err = f.Fetch(ctx, "module.m", "git::file:///nothing/here.git", "")
	require.ErrorContains(t, err, "module.m: file:///nothing/here.git cannot be fetched: there is no such repository")

	// A tag of something else than a commit.
	blob := r.gitIn("text", "hash-object", "-w", "--stdin")
	r.git("tag", "blob", blob)
	_, _, err = (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=blob"), "")
	require.ErrorContains(t, err, `has no tag, branch or commit "blob"`)

	// The cache is no folder.
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, _, err = (&Fetcher{CacheDir: file}).Fetch(ctx, "module.m", r.source(""), "")
	require.ErrorContains(t, err, "the cache folder cannot be written")
}

// TestRewrittenHistory: what upstream drops stays where it was fetched.
func TestRewrittenHistory(t *testing.T) {
	r := newRemote(t)
	r.commit(map[string]string{"recipe.hcl": "zero"})
	r.git("branch", "a")
	one := r.commit(map[string]string{"recipe.hcl": "one"})
	cache := t.TempDir()
	_, _, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	r.git("reset", "--quiet", "--hard", "HEAD~1")
	r.git("branch", "--delete", "--force", "a")
	two := r.commit(map[string]string{"recipe.hcl": "two"})
	r.git("branch", "a/b") // where there was a branch a
	_, m, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	require.Equal(t, two, m.Commit)
	_, _, err = (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=a"), "")
	require.ErrorContains(t, err, "nearest names are a/b")
	_, m, err = (&Fetcher{CacheDir: cache, Offline: true}).Fetch(ctx, "module.m", r.source("?ref="+one), "")
	require.NoError(t, err)
	require.Equal(t, one, m.Commit)
}

// TestKilledGit: lock files of a git that was killed do no harm.
func TestKilledGit(t *testing.T) {
	r := newRemote(t)
	r.commit(map[string]string{"recipe.hcl": "one"})
	cache := t.TempDir()
	f := &Fetcher{CacheDir: cache}
	_, _, err := f.Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	o, err := parse(r.source(""))
	require.NoError(t, err)
	dir := f.repository(o.remote).dir
	write(t, dir, map[string]string{"git/packed-refs.lock": "", "git/config.lock": "", "git/refs/heads/main.lock": "", "temp/half": "x"})
	two := r.commit(map[string]string{"recipe.hcl": "two"})
	_, m, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	require.Equal(t, two, m.Commit)
	require.NoDirExists(t, filepath.Join(dir, "temp"))
}

// TestConcurrent: separate Fetchers are to each other as separate processes are:
// the lock goes with the open file.
func TestConcurrent(t *testing.T) {
	r := newRemote(t)
	r.commit(map[string]string{"a/recipe.hcl": "a", "b/recipe.hcl": "b"})
	cache := t.TempDir()
	shared := &Fetcher{CacheDir: cache}
	var wg sync.WaitGroup
	for i := range 6 {
		f := shared
		if i%2 == 0 {
			f = &Fetcher{CacheDir: cache, Logger: slog.New(slog.DiscardHandler)}
		}
		name := string(rune('a' + i%2))
		wg.Go(func() {
			dir, _, err := f.Fetch(ctx, "module."+name, r.source("//"+name+"?ref=main"), "")
			if err != nil {
				t.Error(err)
				return
			}
			text, err := os.ReadFile(filepath.Join(dir, "recipe.hcl"))
			if err != nil || string(text) != name {
				t.Errorf("%q %v", text, err)
			}
		})
	}
	wg.Wait()
}

// TestGuardWaits: a canceled wait ends, and says so once.
func TestGuardWaits(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	held, err := hold(ctx, name, nil)
	require.NoError(t, err)
	short, cancel := context.WithCancel(ctx)
	said := 0
	_, err = hold(short, name, func() { said++; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, said)
	require.NoError(t, held.Close())
	again, err := hold(ctx, name, nil)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

// TestInsideARepository: a fetched module may name its neighbours, and nothing
// else of this machine.
func TestInsideARepository(t *testing.T) {
	r := newRemote(t)
	r.commit(map[string]string{"a/recipe.hcl": "a", "b/recipe.hcl": "b"})
	f := &Fetcher{CacheDir: t.TempDir()}
	a, _, err := f.Fetch(ctx, "module.a", r.source("//a?ref=main"), "")
	require.NoError(t, err)
	b, m, err := f.Fetch(ctx, "module.a.module.b", "../b", a)
	require.NoError(t, err)
	require.Equal(t, "b", read(t, filepath.Join(b, "recipe.hcl")))
	require.Empty(t, m.Commit)
	for _, source := range []string{"../..", "../../../../..", "../../" + strings.Repeat("0", 40)} {
		_, _, err = f.Fetch(ctx, "module.a.module.c", source, a)
		require.ErrorContains(t, err, "leads out of the repository", source)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"v1.2", "v1.3", 1}} {
		require.Equal(t, c.want, distance(c.a, c.b), fmt.Sprint(c))
	}
}
