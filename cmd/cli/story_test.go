package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// story is a folder of its own in which pj runs as it does for people: as a
// process, with a cache, a home and nothing else of the machine.
type story struct {
	t   *testing.T
	dir string
	env []string // besides the usual
}

func newStory(t *testing.T) *story {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return &story{t: t, dir: dir}
}

// with is the same folder with more in the environment.
func (s *story) with(env ...string) *story {
	c := *s
	c.env = append(append([]string(nil), s.env...), env...)
	return &c
}

func (s *story) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *story) cache() string { return s.path(".cache") }

// command is pj in the story's folder.
func (s *story) command(args ...string) *exec.Cmd {
	c := exec.Command("pj", args...)
	c.Dir = s.dir
	c.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.path(".home"), "TMPDIR=" + os.TempDir(),
		"PJ_CACHE_DIR=" + s.cache(), "HF_HUB_OFFLINE=1", "GOTRACEBACK=all",
	}, s.env...)
	return c
}

// ran is how a run of pj ended.
type ran struct {
	t              *testing.T
	args           []string
	code           int
	stdout, stderr string
}

// run runs pj to its end.
func (s *story) run(args ...string) *ran {
	s.t.Helper()
	return s.wait(s.command(args...))
}

// wait runs a command of the story to its end.
func (s *story) wait(c *exec.Cmd) *ran {
	s.t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	return s.ended(c, err, &out, &errs)
}

func (s *story) ended(c *exec.Cmd, err error, out, errs *bytes.Buffer) *ran {
	s.t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(s.t, err)
	}
	r := &ran{t: s.t, args: c.Args[1:], code: c.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
	require.NotContains(s.t, r.stderr, "goroutine ", "pj %s panicked", strings.Join(r.args, " "))
	return r
}

// pj runs pj and wants it to exit with a code.
func (s *story) pj(code int, args ...string) *ran {
	s.t.Helper()
	return s.run(args...).exits(code)
}

func (r *ran) exits(code int) *ran {
	r.t.Helper()
	require.Equal(r.t, code, r.code, "the exit code of %s", r)
	return r
}

// says wants texts on standard error.
func (r *ran) says(texts ...string) *ran {
	r.t.Helper()
	for _, text := range texts {
		require.Contains(r.t, r.stderr, text, "%s", r)
	}
	return r
}

// prints wants texts on standard output.
func (r *ran) prints(texts ...string) *ran {
	r.t.Helper()
	for _, text := range texts {
		require.Contains(r.t, r.stdout, text, "%s", r)
	}
	return r
}

func (r *ran) String() string {
	return fmt.Sprintf("pj %s\n[exit %d]\n%s\n%s", strings.Join(r.args, " "), r.code, clipped(r.stdout), clipped(r.stderr))
}

func clipped(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return s[:most/2] + "\n…\n" + s[len(s)-most/2:]
}

// told is what plan and build print with --json, as scripts read it.
type told struct {
	Summary struct {
		Actions, Cached, New, Rebuild, Pending, Executed int
		PeakMemoryBytes                                  int64 `json:"peak_memory_bytes"`
	}
	Actions []struct {
		Address, Stage, Status, Reason, ID string
		Seconds                            *float64
	}
	Tensors []struct {
		Artifact, Name, Role, Rule string
		Type                       *string
		Candidates                 []string
		BytesMin                   int64 `json:"bytes_min"`
		BytesMax                   int64 `json:"bytes_max"`
	}
	Artifacts []struct {
		Address  string
		Bytes    int64
		BytesMin int64 `json:"bytes_min"`
		BytesMax int64 `json:"bytes_max"`
		SHA256   string
		Written  bool
	}
	Models      []struct{ Address, Revision string }
	Pending     []string
	Diagnostics []struct {
		Severity, Summary, Detail, File string
		Line                            int
	}
}

func (r *ran) json() *told {
	r.t.Helper()
	out := &told{}
	require.NoError(r.t, json.Unmarshal([]byte(r.stdout), out), "%s", r)
	return out
}

// executed lists the addresses of what ran.
func (t *told) executed() (addresses []string) {
	for _, a := range t.Actions {
		if a.Seconds != nil {
			addresses = append(addresses, a.Address)
		}
	}
	sort.Strings(addresses)
	return addresses
}

// write puts a file into the story's folder.
func (s *story) write(name, text string) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	require.NoError(s.t, os.WriteFile(s.path(name), []byte(text), 0o644))
}

// read is a file of the story's folder.
func (s *story) read(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	require.NoError(s.t, err)
	return b
}

func (s *story) sha256(name string) string {
	s.t.Helper()
	sum := sha256.Sum256(s.read(name))
	return hex.EncodeToString(sum[:])
}

// model copies an example model into the story's folder.
func (s *story) model(name, to string) {
	s.t.Helper()
	require.NoError(s.t, copyModel(filepath.Join("..", "..", "examples", "models", name), s.path(to)))
}

// copyModel copies the files of a model's folder.
func copyModel(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			continue // what checks the model
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files lists the files below a folder of the story.
func (s *story) files(dir string) (names []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.path(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(s.path(dir), path)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(s.t, err)
	}
	return names
}

// setBF16 changes a weight of a tensor of a model's folder.
func (s *story) setBF16(model, tensor string, index int64, bits uint16) {
	s.t.Helper()
	path := s.path(model, "model.safetensors")
	at, err := tensorOffset(path, tensor)
	require.NoError(s.t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(s.t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte{byte(bits), byte(bits >> 8)}, at+2*index)
	require.NoError(s.t, err)
}

// glob finds files of the story's folder.
func (s *story) glob(pattern string) []string {
	s.t.Helper()
	found, err := filepath.Glob(s.path(pattern))
	require.NoError(s.t, err)
	return found
}

// storyRecipe is a recipe of one artifact, a.gguf, with rules of a policy.
func storyRecipe(model, mix, rules string) string {
	return fmt.Sprintf(`model "m" {
  source = %q
}

policy "p" {
  mix = %q
%s}

stage "quantize" "q" {
  model  = model.m
  policy = policy.p
}

artifact "gguf" "a" {
  from = stage.quantize.q
  path = "a.gguf"
}
`, model, mix, rules)
}

// exampleModel is the absolute path of an example model.
func exampleModel(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", "models", name))
	require.NoError(t, err)
	return path
}
