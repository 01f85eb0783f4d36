package hub_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
)

const (
	secret    = "hf_s3cr3tS3cr3t"
	signature = "signed-f00dcafe" // of the fake hub's storage
	weights   = "model-00001-of-00002.safetensors"
)

// noise is data that a wrong offset shows in.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func open(t testing.TB, o hub.Options) *hub.Snapshot {
	t.Helper()
	return openWith(t, hub.New(o))
}

func openWith(t testing.TB, c *hub.Client) *hub.Snapshot {
	t.Helper()
	s, err := c.Snapshot(context.Background(), hub.Ref{Repo: "a/b", Revision: "main"}, "")
	require.NoError(t, err)
	return s
}

func fetch(t testing.TB, s *hub.Snapshot, name string) []byte {
	t.Helper()
	path, err := s.Fetch(context.Background(), name, nil)
	require.NoError(t, err)
	require.Equal(t, s.Path(name), path)
	require.True(t, s.Present(name))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// logged collects what a client logs.
type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// tree is a folder's content: files' text, links as "-> target".
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			got[rel] = "-> " + filepath.ToSlash(to)
			return err
		}
		b, err := os.ReadFile(path)
		got[rel] = string(b)
		return err
	})
	require.NoError(t, err)
	return got
}

func oneRepo(files hubtest.Repo) map[string]hubtest.Repo {
	return map[string]hubtest.Repo{"a/b": files}
}

func paths(requests []hubtest.Request) []string {
	var list []string
	for _, r := range requests {
		list = append(list, r.Host+" "+r.Method+" "+r.Path)
	}
	return list
}
