package source

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// remote is a repository that tests fetch from, with a tree to work in.
type remote struct {
	t    *testing.T
	work string
}

// isolate keeps the machine's git configuration out of a test.
func isolate(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("the tests of module sources need git")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	isolate(t)
	r := &remote{t, filepath.Join(t.TempDir(), "r.git")}
	require.NoError(t, os.MkdirAll(r.work, 0o755))
	r.git("init", "--quiet", "--initial-branch=main")
	return r
}

// git runs git in the work tree and gives its output.
func (r *remote) git(args ...string) string { return r.gitIn("", args...) }

func (r *remote) gitIn(stdin string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.work
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_AUTHOR_DATE=2000-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2000-01-01T00:00:00Z")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(r.t, err, "git %v: %s", args, stderr.String())
	return strings.TrimSpace(string(out))
}

// commit writes files, commits everything and gives the commit.
func (r *remote) commit(files map[string]string) string {
	r.t.Helper()
	write(r.t, r.work, files)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "-m", "x")
	return r.git("rev-parse", "HEAD")
}

// commitTree makes a commit of rows as git mktree reads them, as an attacker
// would.
func (r *remote) commitTree(rows string) string {
	r.t.Helper()
	tree := r.gitIn(rows, "mktree")
	commit := r.git("commit-tree", tree, "-m", "x")
	r.git("update-ref", "refs/heads/evil", commit)
	return commit
}

// source is the remote's address with a suffix.
func (r *remote) source(suffix string) string {
	return "git::file://" + filepath.ToSlash(r.work) + suffix
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func digestOf(t *testing.T, dir string) string {
	t.Helper()
	d, err := digest(context.Background(), dir)
	require.NoError(t, err)
	return d
}
