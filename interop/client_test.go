package interop

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fake starts this test program in the driver's place, see TestFakeDriver.
func fake(t *testing.T) (*Client, error) {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^TestFakeDriver$")
	cmd.Env = append(os.Environ(), "PJ_FAKE_DRIVER=1")
	return startDriver(cmd)
}

// TestFakeDriver is no test but the other end of the pipes: a model of three
// tokens whose likeliest next token is always the one it has just read.
func TestFakeDriver(t *testing.T) {
	if os.Getenv("PJ_FAKE_DRIVER") == "" {
		return
	}
	answer := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	answer(`{"llama": "1.2.3", "ggml": "4.5"}`)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var r struct {
			Op, Path, Out, Text string
			IDs                 []int32
			Last                int
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			answer(`{"error": %q}`, err)
			continue
		}
		switch {
		case r.Op == "load" && r.Path == "bad.gguf":
			answer(`{"refused": "too bad"}`)
		case r.Op == "load":
			answer(`{"vocab": 3, "layers": 2, "warnings": ["beware"]}`)
		case r.Op == "logits" && len(r.IDs) == 1:
			answer(`{"rows": 2, "vocab": 3}`) // with the file of the request before
		case r.Op == "logits":
			if r.Last == 0 {
				r.Last = len(r.IDs)
			}
			var b []byte
			for _, id := range r.IDs[len(r.IDs)-r.Last:] {
				row := make([]float32, 3)
				row[id] = 1
				b = append(b, float32s(row...)...)
			}
			if err := os.WriteFile(r.Out, b, 0o644); err != nil {
				panic(err)
			}
			answer(`{"rows": %d, "vocab": 3}`, r.Last)
		case r.Op == "tokenize" && r.Text == "crash":
			fmt.Fprintln(os.Stderr, "assertion failed")
			os.Exit(7)
		case r.Op == "tokenize":
			answer(`{"ids": [1, 2]}`)
		case r.Op == "detokenize":
			answer(`{"base64": "8J+Zgg=="}`)
		case r.Op == "greedy":
			answer(`{"error": "ValueError: no"}`)
		}
	}
	os.Exit(0)
}

func TestClient(t *testing.T) {
	c, err := fake(t)
	require.NoError(t, err)
	require.Equal(t, "1.2.3 4.5", c.Llama+" "+c.GGML)

	var refused *RefusedError
	require.ErrorAs(t, c.Load("bad.gguf", 8), &refused)
	require.Equal(t, RefusedError{"bad.gguf", "too bad"}, *refused)
	require.NoError(t, c.Load("good.gguf", 8))
	require.Equal(t, Model{3, 2, []string{"beware"}}, c.Model)

	rows, err := c.Logits([]int32{0, 1, 2}, 2)
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0, 1, 0}, {0, 0, 1}}, rows)
	rows, err = c.Logits([]int32{0, 1, 2}, 0)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	_, err = c.Logits([]int32{0}, 0)
	require.ErrorContains(t, err, "36 bytes of logits, want 2 rows of 3")

	ids, err := c.Tokenize("ab")
	require.NoError(t, err)
	require.Equal(t, []int32{1, 2}, ids)
	text, err := c.Detokenize(ids)
	require.NoError(t, err)
	require.Equal(t, "🙂", text)
	_, err = c.Greedy(ids, 3)
	require.EqualError(t, err, "interop: ValueError: no")

	// Two windows of three; each prediction is right or wrong by the same share.
	ppl, err := c.Perplexity([]int32{1, 1, 1, 0, 0, 0, 2}, 3)
	require.NoError(t, err)
	require.InDelta(t, (2.718281828+2)/2.718281828, ppl, 1e-6)
	_, err = c.Perplexity([]int32{1, 1}, 3)
	require.ErrorContains(t, err, "2 tokens are less than a window of 3")

	_, err = c.Tokenize("crash")
	require.ErrorContains(t, err, "exit status 7")
	require.ErrorContains(t, err, "assertion failed")
	_, err = c.Tokenize("again")
	require.ErrorContains(t, err, "has ended")
	scratch := c.scratch
	require.NoError(t, c.Close())
	require.NoDirExists(t, scratch)
}

func TestFindFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(FolderVariable, dir)
	_, err := Find(t.Context())
	require.ErrorContains(t, err, "no libllama.so below "+dir)
	t.Setenv(FolderVariable, filepath.Join(dir, "missing"))
	_, err = Find(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)

	bins := filepath.Join(dir, "package/bins")
	require.NoError(t, os.MkdirAll(bins, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(bins, "libllama.v0.5.0.so"), nil, 0o644))
	t.Setenv(FolderVariable, dir)
	found, err := Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, bins, found)
}

func TestUnpack(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range []string{"package/LICENSE", "package/bins/linux-x64/libllama.v0.5.0.so", "package/bins/../../../libevil.so", "package/index.js"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(name))}))
		_, err := w.Write([]byte(name))
		require.NoError(t, err)
	}
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "package/liblink.so", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}))
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())

	dir := filepath.Join(t.TempDir(), "files")
	require.NoError(t, unpack(b.Bytes(), dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"LICENSE", "libevil.so", "libllama.v0.5.0.so"}, names, "flat, and below the folder")
	require.Error(t, unpack(b.Bytes()[:40], filepath.Join(t.TempDir(), "short")))
	require.Error(t, unpack([]byte("no archive"), filepath.Join(t.TempDir(), "none")))
}
