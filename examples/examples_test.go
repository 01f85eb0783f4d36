// Package examples tests the examples: each is formatted and valid, builds with
// the pins that are in git, and has nothing to do the second time.
package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/llama-pajamas/pj/cmd/cli"
)

// programVariable makes this test program pj, for ci.sh.
const programVariable = "PJ_EXAMPLES_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		os.Exit(cli.Main("pj", os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// built is what pj build --json says, as far as the tests look at it.
type built struct {
	Summary   struct{ Actions, Cached, Executed int }
	Tensors   []struct{ Artifact, Name, Role, Type string }
	Artifacts []struct{ Address, Path, SHA256 string }
}

// pj runs the program, which has to succeed.
func pj(t *testing.T, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Main("pj", args, strings.NewReader(""), &stdout, &stderr)
	require.Zero(t, code, "pj %s\n%s%s", strings.Join(args, " "), stdout.String(), stderr.String())
	return stdout.Bytes()
}

func build(t *testing.T, args ...string) (b built) {
	t.Helper()
	require.NoError(t, json.Unmarshal(pj(t, append([]string{"build", "--json"}, args...)...), &b))
	return b
}

// prepare copies the examples, and gives them an empty cache and the repository
// that is at a made-up address.
func prepare(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil || runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no example was built, that needs git and a shell")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	examples := filepath.Join(dir, "examples")
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "report":
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(examples, path), 0o755)
		case filepath.Ext(path) == ".gguf" || path == filepath.FromSlash("from-gguf/pj.lock.hcl"): // built by hand
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(examples, path), b, info.Mode())
	}))
	t.Chdir(examples)
	repository := filepath.Join(dir, "recipes.git")
	out, err := exec.CommandContext(t.Context(), "shared-module/publish.sh", repository).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, value := range map[string]string{
		"PJ_CACHE_DIR":       filepath.Join(dir, "cache"),
		"GIT_CONFIG_COUNT":   "1",
		"GIT_CONFIG_KEY_0":   "url.file://" + repository + ".insteadOf",
		"GIT_CONFIG_VALUE_0": "https://git.example.org/recipes.git",
	} {
		t.Setenv(name, value)
	}
}

// projects are the folders with recipes to build, the deepest first: they make
// what others begin with.
func projects(t *testing.T) []string {
	var list []string
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == "module" {
			return filepath.SkipDir
		}
		if d != nil && d.Name() == "recipe.hcl" {
			list = append(list, filepath.Dir(path))
		}
		return err
	}))
	slices.SortStableFunc(list, func(a, b string) int {
		return strings.Count(b, string(filepath.Separator)) - strings.Count(a, string(filepath.Separator))
	})
	return list
}

func TestExamples(t *testing.T) {
	prepare(t)
	pj(t, "fmt", "--check", "--recursive", ".")
	list := projects(t)
	require.GreaterOrEqual(t, len(list), 6)
	for _, project := range list {
		t.Run(filepath.ToSlash(project), func(t *testing.T) {
			args := []string{project}
			if _, err := os.Stat(filepath.Join(project, "pj.lock.hcl")); err == nil {
				args = append(args, "--frozen")
			} else {
				require.ErrorIs(t, err, fs.ErrNotExist)
				require.Equal(t, "from-gguf", project, "every other example has its lock file in git")
			}
			first := build(t, args...)
			require.NotZero(t, first.Summary.Executed)
			pj(t, "validate", project)

			second := build(t, append(args, "--require-cached")...)
			require.Zero(t, second.Summary.Executed)
			require.Equal(t, second.Summary.Actions, second.Summary.Cached)
			require.Equal(t, first.Artifacts, second.Artifacts)
			require.Equal(t, first.Tensors, second.Tensors)
			for _, a := range first.Artifacts {
				require.FileExists(t, filepath.Join(project, a.Path))
			}
		})
	}
}

// TestRules holds the first recipe that people see against what it says.
func TestRules(t *testing.T) {
	prepare(t)
	got := map[string]string{}
	for _, tensor := range build(t, "nano-qwen3moe").Tensors {
		got[tensor.Name] = tensor.Type
	}
	for name, want := range map[string]string{
		"token_embd.weight":         "q8_0",
		"blk.1.ffn_gate_inp.weight": "q8_0",
		"blk.1.attn_q.weight":       "q6_k",
		"blk.0.ffn_up_exps.weight":  "q5_k",
		"blk.1.ffn_up_exps.weight":  "q4_k",
		"output_norm.weight":        "f32",
	} {
		require.Equal(t, want, got[name], name)
	}
	require.FileExists(t, "nano-qwen3moe/report/report.html")
	require.FileExists(t, "nano-qwen3moe/report/report.json")

	got = map[string]string{}
	for _, tensor := range build(t, "nano-gptoss").Tensors {
		if tensor.Artifact == `artifact.gguf.all["published"]` {
			got[tensor.Role] = tensor.Type
		}
	}
	require.Equal(t, "mxfp4", got["expert"])
	require.Equal(t, "bf16", got["attention_q"])
}

// TestWorkflow: what the workflow runs is there.
func TestWorkflow(t *testing.T) {
	b, err := os.ReadFile("ci/workflow.yml")
	require.NoError(t, err)
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &workflow))
	var runs []string
	for _, step := range workflow.Jobs["build"].Steps {
		if command, ok := strings.CutPrefix(step.Run, "pj "); ok {
			pj(t, append(strings.Fields(command), "--cache-dir", t.TempDir())...)
		}
		runs = append(runs, step.Run)
	}
	require.Subset(t, runs, []string{"examples/ci/ci.sh check", "examples/ci/ci.sh build"})
}

func TestCI(t *testing.T) {
	prepare(t)
	program, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("PJ", program)
	t.Setenv(programVariable, "1")
	run := func(want int, mode string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "ci/ci.sh", mode).CombinedOutput()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, want, code, "ci.sh %s: %s", mode, out)
	}
	run(0, "check")
	run(4, "verify") // nothing is built yet
	run(0, "build")
	run(0, "verify")

	recipe, err := os.ReadFile("ci/recipe.hcl")
	require.NoError(t, err)
	write := func(old, new string) {
		t.Helper()
		require.Contains(t, string(recipe), old)
		require.NoError(t, os.WriteFile("ci/recipe.hcl", bytes.Replace(recipe, []byte(old), []byte(new), 1), 0o644))
	}
	write("max_bits_per_weight = 6", "max_bits_per_weight = 4")
	run(3, "verify") // another threshold is judged anew, without running anything
	write("Q4_K_M", "Q4_K_S")
	run(4, "verify")
	write("Q4_K_M", "Q4_K_N")
	run(2, "check")
	write("  source = ", "  source    = ")
	run(1, "check")
	write("../models/nano-qwen3moe", "../models/nano-gptoss")
	run(4, "build") // the lock file pins another model
}
