package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	program := func(name string) func() {
		return func() { os.Exit(Main(name, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
	}
	testscript.Main(m, map[string]func(){"pj": program("pj"), "llama-pajamas": program("llama-pajamas")})
}

// TestScript runs testdata/script: each script in an empty folder of its own,
// with a cache of its own. $MODELS is the folder of the example models, $GGUF
// that of small GGUF files.
func TestScript(t *testing.T) {
	models, err := filepath.Abs("../../examples/models")
	require.NoError(t, err)
	ggufs, err := filepath.Abs("../../runtime/gguf/testdata")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                storyCommands(map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits}),
		Setup: func(e *testscript.Env) error {
			e.Values[marksKey{}] = map[string]os.FileInfo{}
			e.Setenv("MODELS", models)
			e.Setenv("GGUF", ggufs)
			e.Setenv("PJ_CACHE_DIR", filepath.Join(e.WorkDir, ".cache"))
			e.Setenv("HF_HUB_OFFLINE", "1")
			e.Setenv("HOME", filepath.Join(e.WorkDir, ".home"))
			return nil
		},
	})
}

// exits runs a program and checks its exit code: exits 2 pj validate.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if want := args[0]; fmt.Sprint(got) != want {
		ts.Fatalf("%s exits %d, want %s", strings.Join(args[1:], " "), got, want)
	}
}
