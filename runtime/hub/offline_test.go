package hub_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
)

// warm is a cache that has some of a repository's files.
func warm(t *testing.T) (*hubtest.Hub, hub.Options, string) {
	t.Helper()
	h := hubtest.New(t, oneRepo(hubtest.Repo{
		"config.json": hubtest.Text("{}"), weights: hubtest.Weights([]byte("weights")), "sub/x": hubtest.Text("x"), "never": hubtest.Text("fetched"),
	}))
	o := h.Options(t)
	s := open(t, o)
	for _, name := range s.Names() {
		if name != "never" {
			fetch(t, s, name)
		}
	}
	h.Forget()
	return h, o, s.Commit
}

func checkLocal(t *testing.T, s *hub.Snapshot, commit string) {
	t.Helper()
	require.True(t, s.Local)
	require.Equal(t, commit, s.Commit)
	require.Equal(t, []hub.File{
		{Name: "config.json", Size: 2, BlobSHA1: "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
		{Name: weights, Size: 7, SHA256: sum([]byte("weights"))},
		{Name: "sub/x", Size: 1, BlobSHA1: hubtest.Text("x").BlobSHA1()},
	}, s.Files)
	require.Equal(t, "weights", string(fetch(t, s, weights)))
	p := make([]byte, 3)
	_, err := s.ReadAt(context.Background(), weights, p, 2)
	require.NoError(t, err)
	require.Equal(t, "igh", string(p))
	_, err = s.Fetch(context.Background(), "never", nil)
	require.ErrorIs(t, err, hub.ErrOffline)
	require.ErrorContains(t, err, s.Ref.String()+": never:")
	_, err = s.ReadAt(context.Background(), "never", p, 2)
	require.ErrorIs(t, err, hub.ErrOffline)
}

func TestOffline(t *testing.T) {
	h, o, commit := warm(t)
	o.Offline = true
	// What others leave there does no harm.
	snapshot := filepath.Join(o.CacheDir, "models--a--b", "snapshots", commit)
	require.NoError(t, os.Symlink("nowhere", filepath.Join(snapshot, "dangling")))
	require.NoError(t, os.Symlink("sub", filepath.Join(snapshot, "linked")))
	c := hub.New(o)
	for _, x := range []struct{ revision, pin string }{{"main", ""}, {"", commit}, {commit, ""}} {
		s, err := c.Snapshot(context.Background(), hub.Ref{Repo: "a/b", Revision: x.revision}, x.pin)
		require.NoError(t, err)
		checkLocal(t, s, commit)
	}
	for _, x := range []struct{ repo, revision, pin, text string }{
		{"a/none", "", "", `hf://a/none: offline, and the cache does not know the revision "main"`},
		{"a/b", "v1", "", `hf://a/b@v1: offline, and the cache does not know the revision "v1"`},
		{"a/b", "", commit1, "hf://a/b: offline, and the cache has nothing of the commit " + commit1},
		{"a/b", commit1, "", "has nothing of the commit " + commit1},
	} {
		_, err := c.Snapshot(context.Background(), hub.Ref{Repo: x.repo, Revision: x.revision}, x.pin)
		require.ErrorIs(t, err, hub.ErrOffline)
		require.ErrorContains(t, err, x.text)
		require.ErrorContains(t, err, o.CacheDir)
	}
	require.Empty(t, h.Requests())

	require.NoError(t, os.WriteFile(filepath.Join(o.CacheDir, "models--a--b", "refs", "main"), []byte("../../x"), 0o666))
	_, err := c.Snapshot(context.Background(), hub.Ref{Repo: "a/b"}, "")
	require.ErrorContains(t, err, "holds no commit: remove it")
}

// Files that went between the list and the read.
func TestOfflineGone(t *testing.T) {
	_, o, _ := warm(t)
	o.Offline = true
	s := open(t, o)
	require.NoError(t, os.Remove(s.Path(weights)))
	require.NoError(t, os.Remove(s.BlobPath(weights)))
	_, err := s.Fetch(context.Background(), weights, nil)
	require.ErrorIs(t, err, hub.ErrOffline)
	_, err = s.ReadAt(context.Background(), weights, make([]byte, 1), 0)
	require.ErrorIs(t, err, hub.ErrOffline)
}

func TestNetworkDown(t *testing.T) {
	h, o, commit := warm(t)
	var log logged
	o.Logger = log.logger()
	for name, c := range map[string]struct {
		do  func()
		max int
	}{
		"down": {func() { h.Down(true) }, 6}, // the HTTP client itself tries cut connections again
		"503":  {func() { h.Down(false); h.Fail(503, 3) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			h.Forget()
			c.do()
			s, err := hub.New(o).Snapshot(context.Background(), hub.Ref{Repo: "a/b"}, "")
			require.NoError(t, err)
			checkLocal(t, s, commit)
			require.LessOrEqual(t, len(h.Requests()), c.max)
			require.Contains(t, log.String(), "the hub cannot be reached; reading its cache")
		})
	}

	// An answer counts, also a bad one.
	h.Down(false)
	for _, status := range []int{401, 403, 404} {
		h.Fail(status, 1)
		_, err := hub.New(o).Snapshot(context.Background(), hub.Ref{Repo: "a/b"}, "")
		require.Error(t, err)
	}
	h.Down(true)
	_, err := hub.New(o).Snapshot(context.Background(), hub.Ref{Repo: "a/b"}, strings.Repeat("9", 40))
	require.ErrorIs(t, err, hub.ErrUnreachable)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = hub.New(o).Snapshot(ctx, hub.Ref{Repo: "a/b"}, "")
	require.ErrorIs(t, err, context.Canceled)
}
