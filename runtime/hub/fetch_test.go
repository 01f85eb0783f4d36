package hub_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
)

// The cache looks as the hub's own tools make it.
func TestFetchLayout(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{
		"config.json": hubtest.Text("{}"),
		"sub/w.gguf":  hubtest.Weights([]byte("weights")),
		"empty":       hubtest.Text(""),
	}))
	o := h.Options(t)
	s := open(t, o)
	for _, name := range s.Names() {
		fetch(t, s, name)
	}
	commit, sha := s.Commit, sum([]byte("weights"))
	require.Equal(t, map[string]string{
		"models--a--b/refs/main": commit,
		"models--a--b/blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b":       "{}",
		"models--a--b/blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391":       "",
		"models--a--b/blobs/" + sha:                                         "weights",
		"models--a--b/snapshots/" + commit + "/config.json":                 "-> ../../blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b",
		"models--a--b/snapshots/" + commit + "/empty":                       "-> ../../blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
		"models--a--b/snapshots/" + commit + "/sub/w.gguf":                  "-> ../../../blobs/" + sha,
		".locks/models--a--b/9e26dfeeb6e641a33dae4961196235bdb965b21b.lock": "",
		".locks/models--a--b/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391.lock": "",
		".locks/models--a--b/" + sha + ".lock":                              "",
	}, tree(t, o.CacheDir))

	// What is there is not asked for again.
	h.Forget()
	for _, name := range s.Names() {
		fetch(t, s, name)
		_, err := s.ReadAt(context.Background(), name, nil, 0)
		require.NoError(t, err)
	}
	require.Empty(t, h.Requests())

	// A later commit shares contents.
	now := h.Branch("a/b", "main", hubtest.Repo{"new.gguf": hubtest.Weights([]byte("weights"))})
	s = open(t, o)
	h.Forget()
	p := make([]byte, 7)
	_, err := s.ReadAt(context.Background(), "new.gguf", p, 0)
	require.NoError(t, err)
	require.Equal(t, "weights", string(p))
	require.False(t, s.Present("new.gguf"))
	require.Equal(t, "weights", string(fetch(t, s, "new.gguf")))
	require.Empty(t, h.Requests())
	require.Equal(t, now, tree(t, o.CacheDir)["models--a--b/refs/main"])
}

func TestPinWritesNoRef(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x")}))
	o := h.Options(t)
	s, err := hub.New(o).Snapshot(context.Background(), hub.Ref{Repo: "a/b"}, h.Commit("a/b", "main"))
	require.NoError(t, err)
	fetch(t, s, "x")
	require.NoDirExists(t, filepath.Join(o.CacheDir, "models--a--b", "refs"))
}

func TestTokenStaysAtTheHub(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x"), weights: hubtest.Weights([]byte("w"))}))
	h.Gated("a/b", secret)
	o := h.Options(t)
	o.Token = secret
	var log logged
	o.Logger = log.logger()
	s := open(t, o)
	fetch(t, s, "x")
	fetch(t, s, weights)
	hosts := map[string]int{}
	for _, r := range h.Requests() {
		hosts[r.Host]++
		require.Equal(t, r.Host == "hub", r.Authorized, r.Path)
	}
	require.Equal(t, map[string]int{"hub": 4, "storage": 1}, hosts)
	require.NotContains(t, log.String(), secret)
	require.NotContains(t, log.String(), signature)
}

// progress checks what a callback is given.
type progress struct {
	t     *testing.T
	calls []int64
	total int64
}

func (p *progress) add(done, total int64) {
	if len(p.calls) > 0 && done < p.calls[len(p.calls)-1] {
		p.t.Errorf("progress fell from %d to %d", p.calls[len(p.calls)-1], done)
	}
	if p.total != 0 && total != p.total {
		p.t.Errorf("the total changed from %d to %d", p.total, total)
	}
	p.calls, p.total = append(p.calls, done), total
}

func (p *progress) last() int64 { return p.calls[len(p.calls)-1] }

func TestFetchResumesCuts(t *testing.T) {
	data := noise(5 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	s := open(t, h.Options(t))
	h.Forget()
	h.CutAfter(1<<20, -1)
	p := &progress{t: t}
	_, err := s.Fetch(context.Background(), weights, p.add)
	require.NoError(t, err)
	require.EqualValues(t, len(data), p.last())
	require.Equal(t, data, fetch(t, s, weights))
	require.EqualValues(t, len(data), h.Bytes(), "no byte was asked for twice")
	require.Equal(t, "bytes=1048576-5242879", h.Requests()[3].Range)
	require.NoFileExists(t, s.BlobPath(weights)+".incomplete")
}

func TestFetchGivesUpAndGoesOn(t *testing.T) {
	data := noise(1 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	o := h.Options(t)
	s := open(t, o)
	h.CutAfter(100<<10, 3)
	h.FailWith(hubtest.Failure{Status: 503, Times: 100, Host: "storage"})
	_, err := s.Fetch(context.Background(), weights, nil)
	require.ErrorIs(t, err, hub.ErrUnreachable)
	require.ErrorContains(t, err, "hf://a/b: "+weights+": ")
	require.ErrorContains(t, err, "given up after 6 tries")
	require.ErrorContains(t, err, "go on where it stopped")
	require.NotContains(t, err.Error(), signature)

	h = hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	o.Endpoint = h.URL
	s = open(t, o)
	require.NoError(t, os.WriteFile(s.BlobPath(weights)+".incomplete", data[:300<<10], 0o666))
	h.Forget()
	require.Equal(t, data, fetch(t, s, weights))
	require.EqualValues(t, len(data)-300<<10, h.Bytes())
}

func TestFetchTakesUpWhatIsThere(t *testing.T) {
	data := noise(600 << 10)
	for name, c := range map[string]struct {
		left  []byte
		bytes int // asked for
	}{
		"a part":    {data[:1000], len(data) - 1000},
		"all":       {data, 0},
		"too much":  {append(bytes.Clone(data), 'x'), len(data)},
		"not it":    {make([]byte, 1000), len(data) - 1000 + len(data)},
		"all wrong": {make([]byte, len(data)), len(data)},
	} {
		t.Run(name, func(t *testing.T) {
			h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
			s := open(t, h.Options(t))
			require.NoError(t, os.MkdirAll(filepath.Dir(s.BlobPath(weights)), 0o777))
			require.NoError(t, os.WriteFile(s.BlobPath(weights)+".incomplete", c.left, 0o666))
			h.Forget()
			p := &progress{t: t}
			_, err := s.Fetch(context.Background(), weights, p.add)
			require.NoError(t, err)
			require.EqualValues(t, len(data), p.last())
			require.Equal(t, data, fetch(t, s, weights))
			require.EqualValues(t, c.bytes, h.Bytes())
			require.NoFileExists(t, s.BlobPath(weights)+".incomplete")
		})
	}
}

func TestFetchCancelled(t *testing.T) {
	data := noise(2 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	s := open(t, h.Options(t))
	h.Forget()
	h.StallAfter(1<<20, 1)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.Fetch(ctx, weights, func(done, _ int64) {
		if done == 1<<20 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "hf://a/b: "+weights)
	require.False(t, s.Present(weights))
	left, err := os.ReadFile(s.BlobPath(weights) + ".incomplete")
	require.NoError(t, err)
	require.Equal(t, data[:1<<20], left)

	_, err = s.Fetch(ctx, weights, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, data, fetch(t, s, weights))
	require.EqualValues(t, len(data), h.Bytes())
}

func TestWrongByte(t *testing.T) {
	data := noise(1 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data), "x": hubtest.Text("abc")}))
	s := open(t, h.Options(t))
	for _, name := range []string{weights, "x"} {
		h.WrongByte(name, 2, 1)
		p := &progress{t: t}
		_, err := s.Fetch(context.Background(), name, p.add)
		require.NoError(t, err)
	}
	require.Equal(t, data, fetch(t, s, weights))
	require.Equal(t, "abc", string(fetch(t, s, "x")))

	s = open(t, h.Options(t))
	h.WrongByte(weights, 2, -1)
	h.WrongByte("x", 2, -1)
	h.Forget()
	_, err := s.Fetch(context.Background(), weights, nil)
	require.ErrorIs(t, err, hub.ErrCorrupt)
	wrong := bytes.Clone(data)
	wrong[2] ^= 0xff
	require.ErrorContains(t, err, "hf://a/b: "+weights+": the download has the SHA-256 "+sum(wrong)+", and the hub lists "+sum(data))
	require.EqualValues(t, 2*len(data), h.Bytes())
	_, err = s.Fetch(context.Background(), "x", nil)
	require.ErrorContains(t, err, "has the git hash")
	for _, name := range s.Names() {
		require.False(t, s.Present(name))
		require.NoFileExists(t, s.BlobPath(name))
		require.NoFileExists(t, s.BlobPath(name)+".incomplete")
	}
}

func TestFetchWithoutRanges(t *testing.T) {
	data := noise(2 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	h.NoRange(true)
	h.CutAfter(1<<20, 1)
	s := open(t, h.Options(t))
	require.Equal(t, data, fetch(t, s, weights))
}

func TestFetchErrors(t *testing.T) {
	data := noise(1000)
	for name, c := range map[string]struct {
		do   func(h *hubtest.Hub)
		is   error
		text string
	}{
		"gated": {func(h *hubtest.Hub) { h.Gated("a/b", "other") }, hub.ErrDenied, "gated (401)"},
		"404":   {func(h *hubtest.Hub) { h.FailWith(hubtest.Failure{Status: 404, Times: 1, Path: "/resolve/"}) }, hub.ErrNotFound, "no such file, revision or repository (404)"},
		"gone": {func(h *hubtest.Hub) {
			h.FailWith(hubtest.Failure{Status: 404, Times: 1, Path: "/resolve/", Header: http.Header{"X-Error-Code": {"EntryNotFound"}}})
		}, hub.ErrNotFound, "no such file at this revision"},
		"shorter": {func(h *hubtest.Hub) { h.List(weights, 2000) }, hub.ErrCorrupt, "sends 1000 bytes where the hub lists 2000"},
		"longer":  {func(h *hubtest.Hub) { h.List(weights, 500) }, hub.ErrCorrupt, "sends 1000 bytes where the hub lists 500"},
		"page":    {func(h *hubtest.Hub) { h.Answer("/resolve/", "text/html", "<html>") }, nil, "web page"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
			c.do(h)
			s := open(t, h.Options(t))
			_, err := s.Fetch(context.Background(), weights, nil)
			require.ErrorContains(t, err, "hf://a/b: "+weights+": ")
			require.ErrorContains(t, err, c.text)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			require.False(t, s.Present(weights))
		})
	}
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x")}))
	_, err := open(t, h.Options(t)).Fetch(context.Background(), "none", nil)
	require.ErrorIs(t, err, hub.ErrNotFound)
	require.ErrorContains(t, err, "hf://a/b: none: the commit "+h.Commit("a/b", "main")+" has no such file")
}

func TestFetchWaitsAsAsked(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights([]byte("w"))}))
	c := hub.New(h.Options(t))
	var waits []time.Duration
	c.SetSleep(func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil })
	s := openWith(t, c)
	h.FailWith(hubtest.Failure{Status: 429, Times: 1, Path: "/resolve/", Header: http.Header{"Retry-After": {"300"}}})
	fetch(t, s, weights)
	require.Equal(t, []time.Duration{5 * time.Minute}, waits)
}

func TestParallelFetchesAreOne(t *testing.T) {
	data := noise(3 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data), "copy.gguf": hubtest.Weights(data)}))
	o := h.Options(t)
	// Two clients of one cache stand for two processes.
	snapshots := []*hub.Snapshot{open(t, o), open(t, o)}
	h.Forget()
	h.CutAfter(1<<20, 1)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := &progress{t: t}
			name := []string{weights, "copy.gguf"}[i/2%2]
			s := snapshots[i%2]
			path, err := s.Fetch(context.Background(), name, p.add)
			if err != nil || path != s.Path(name) || !s.Present(name) || p.last() != int64(len(data)) {
				t.Errorf("%d: %s, %v, %d", i, path, err, p.last())
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, len(data), h.Bytes())
	require.Equal(t, data, fetch(t, snapshots[0], "copy.gguf"))
}

// One of two callers giving up does not stop the other.
func TestOneCallerGivesUp(t *testing.T) {
	data := noise(2 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	o := h.Options(t)
	o.Stall = 300 * time.Millisecond
	s := open(t, o)
	h.Forget()
	h.StallAfter(1<<20, 1)
	first, cancel := context.WithCancel(context.Background())
	both := make(chan struct{}, 2)
	half := func(done, _ int64) {
		if done == 1<<20 {
			both <- struct{}{}
		}
	}
	errs := make(chan error, 2)
	go func() {
		_, err := s.Fetch(first, weights, half)
		errs <- err
	}()
	require.NoError(t, h.Wait(context.Background(), 1))
	second := make(chan error, 1)
	go func() {
		_, err := s.Fetch(context.Background(), weights, nil)
		second <- err
	}()
	<-both
	time.Sleep(10 * time.Millisecond) // for the second to join
	cancel()
	require.ErrorIs(t, <-errs, context.Canceled)
	require.NoError(t, <-second)
	require.Equal(t, data, fetch(t, s, weights))
	require.EqualValues(t, len(data), h.Bytes())
}

// Another program holds the lock, downloads the file and lets go.
func TestFetchRespectsLock(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights([]byte("weights"))}))
	s := open(t, h.Options(t))
	h.Forget()
	require.NoError(t, os.MkdirAll(filepath.Dir(s.LockPath(weights)), 0o777))
	lock, err := os.Create(s.LockPath(weights))
	require.NoError(t, err)
	ok, err := hub.TryLock(lock)
	require.NoError(t, err)
	require.True(t, ok)

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	_, err = s.Fetch(ctx, weights, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	done := make(chan error, 1)
	go func() {
		_, err := s.Fetch(context.Background(), weights, nil)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(s.BlobPath(weights)), 0o777))
	require.NoError(t, os.WriteFile(s.BlobPath(weights), []byte("weights"), 0o666))
	// Some programs remove the file before they let go.
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Remove(s.LockPath(weights)))
	}
	require.NoError(t, lock.Close())
	require.NoError(t, <-done)
	require.Equal(t, "weights", string(fetch(t, s, weights)))
	require.Empty(t, h.Requests())
}

func TestDiskFull(t *testing.T) {
	data := noise(1 << 20)
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	o := h.Options(t)
	c := hub.New(o)
	c.SetWriteAt(func(f *os.File, p []byte, off int64) (int, error) {
		if off+int64(len(p)) > 500<<10 {
			n, _ := f.WriteAt(p[:10], off) // a part of it
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		}
		return f.WriteAt(p, off)
	})
	s := openWith(t, c)
	h.Forget()
	_, err := s.Fetch(context.Background(), weights, nil)
	require.ErrorIs(t, err, hub.ErrDiskFull)
	require.ErrorContains(t, err, "hf://a/b: "+weights+": the disk of "+o.CacheDir+" is full")
	require.ErrorContains(t, err, "HF_HUB_CACHE")
	require.Len(t, h.Requests(), 2, "no retry")
	require.Equal(t, data, fetch(t, open(t, o), weights))
}

func TestWithoutSymlinks(t *testing.T) {
	no := func(string, string) error { return errors.New("not on this disk") }
	data := []byte("weights")
	for _, links := range []bool{true, false} {
		h := hubtest.New(t, oneRepo(hubtest.Repo{
			"a.gguf": hubtest.Weights(data), "sub/b.gguf": hubtest.Weights(data), "x": hubtest.Text("x"),
		}))
		o := h.Options(t)
		c := hub.New(o)
		c.SetSymlink(no)
		if !links {
			c.SetLink(no)
		}
		s := openWith(t, c)
		h.Forget()
		for _, name := range s.Names() {
			fetch(t, s, name)
			fetch(t, s, name)
		}
		require.EqualValues(t, len(data)+1, h.Bytes(), "the same content is fetched once")
		got := tree(t, filepath.Join(o.CacheDir, "models--a--b"))
		for _, name := range s.Names() {
			require.NotContains(t, got["snapshots/"+s.Commit+"/"+name], "->")
		}
		require.Equal(t, links, len(got["blobs/"+sum(data)]) > 0, "moved, where there are no links at all")

		// A blob that another program made is copied, not moved.
		blob := filepath.Join(o.CacheDir, "models--a--b", "blobs", hubtest.Weights([]byte("other")).ID())
		require.NoError(t, os.WriteFile(blob, []byte("other"), 0o666))
		h.Branch("a/b", "main", hubtest.Repo{"o.gguf": hubtest.Weights([]byte("other"))})
		require.Equal(t, "other", string(fetch(t, openWith(t, c), "o.gguf")))
		require.FileExists(t, blob)
		for name := range tree(t, o.CacheDir) {
			require.False(t, strings.HasSuffix(name, ".incomplete"), name)
		}

		// Offline it reads as any other.
		o.Offline = true
		require.Equal(t, "other", string(fetch(t, open(t, o), "o.gguf")))
	}
}

// What others put into the cache is left as it is, also where it is wrong.
func TestFetchLeavesOthersFiles(t *testing.T) {
	data := []byte("weights")
	for name, c := range map[string]struct {
		make func(t *testing.T, s *hub.Snapshot)
		text string
	}{
		"short blob": {func(t *testing.T, s *hub.Snapshot) {
			require.NoError(t, os.MkdirAll(filepath.Dir(s.BlobPath(weights)), 0o777))
			require.NoError(t, os.WriteFile(s.BlobPath(weights), data[:3], 0o666))
		}, "is in the way: it has 3 bytes where the hub lists 7: remove it"},
		"short file": {func(t *testing.T, s *hub.Snapshot) {
			require.NoError(t, os.MkdirAll(filepath.Dir(s.Path(weights)), 0o777))
			require.NoError(t, os.WriteFile(s.Path(weights), data[:3], 0o666))
		}, "is in the way and does not lead to the 7 bytes"},
		"dangling link": {func(t *testing.T, s *hub.Snapshot) {
			require.NoError(t, os.MkdirAll(filepath.Dir(s.Path(weights)), 0o777))
			require.NoError(t, os.Symlink("nowhere", s.Path(weights)))
		}, "is in the way and does not lead to the 7 bytes"},
		"folder": {func(t *testing.T, s *hub.Snapshot) {
			require.NoError(t, os.MkdirAll(s.Path(weights), 0o777))
		}, "is in the way and does not lead to the 7 bytes"},
		"incomplete folder": {func(t *testing.T, s *hub.Snapshot) {
			require.NoError(t, os.MkdirAll(s.BlobPath(weights)+".incomplete", 0o777))
		}, "is in the way and is no file"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
			o := h.Options(t)
			s := open(t, o)
			c.make(t, s)
			before := tree(t, o.CacheDir)
			_, err := s.Fetch(context.Background(), weights, nil)
			require.ErrorContains(t, err, "hf://a/b: "+weights)
			require.ErrorContains(t, err, c.text)
			after := tree(t, o.CacheDir)
			for path, text := range before {
				require.Equal(t, text, after[path], path)
			}
		})
	}

	// A link whose content was removed works again.
	h := hubtest.New(t, oneRepo(hubtest.Repo{weights: hubtest.Weights(data)}))
	s := open(t, h.Options(t))
	fetch(t, s, weights)
	require.NoError(t, os.Remove(s.BlobPath(weights)))
	require.False(t, s.Present(weights))
	require.Equal(t, data, fetch(t, s, weights))
}

func TestReadOnlyCache(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		// Root may write everywhere: a file in the place of a folder has to do.
		h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x")}))
		o := h.Options(t)
		require.NoError(t, os.WriteFile(filepath.Join(o.CacheDir, "models--a--b"), nil, 0o666))
		_, err := open(t, o).Fetch(context.Background(), "x", nil)
		require.ErrorContains(t, err, "hf://a/b: x: mkdir")
		return
	}
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x"), "y": hubtest.Text("y")}))
	o := h.Options(t)
	fetch(t, open(t, o), "x")
	h.Branch("a/b", "main", hubtest.Repo{"x": hubtest.Text("x")})
	require.NoError(t, os.Chmod(o.CacheDir, 0o500))
	t.Cleanup(func() { os.Chmod(o.CacheDir, 0o700) })
	s := open(t, o)
	_, err := s.Fetch(context.Background(), "y", nil)
	require.ErrorContains(t, err, "HF_HUB_CACHE")
}
