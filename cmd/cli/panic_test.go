package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPanic checks that a mistake of the program's ends like any other failure.
func TestPanic(t *testing.T) {
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, err bytes.Buffer
		a := newApp("pj", strings.NewReader(""), &out, &err)
		a.started = true
		for _, arg := range args {
			a.flags.json = a.flags.json || arg == "--json"
			a.flags.verbose = a.flags.verbose || arg == "-v"
		}
		var none []int
		code = a.exit(context.Background(), guard(func() error { _ = none[len(args)]; return nil }))
		return code, out.String(), err.String()
	}
	code, stdout, stderr := run()
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "Error: this is a mistake of the program's, not yours: runtime error: index out of range [0] with length 0. What was finished is kept.")
	require.NotContains(t, stderr, "panic_test.go")

	code, stdout, stderr = run("--json", "-v")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "panic_test.go", "where it happened")
	var said struct {
		Diagnostics []struct{ Severity, Summary string }
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &said))
	require.Len(t, said.Diagnostics, 1)
	require.Equal(t, "error", said.Diagnostics[0].Severity)
	require.Contains(t, said.Diagnostics[0].Summary, "index out of range")
}
