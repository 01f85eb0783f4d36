package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

var background = context.Background()

// TestKill kills a process that commits without pause, many times over. What it
// said it had committed must be there, and everything that is there be sound.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	rounds := 24
	committed := map[int]bool{}
	next := 0
	for range rounds {
		c := start(t, "commits", dir, strconv.Itoa(next))
		n, err := strconv.Atoi(c.line(t))
		require.NoError(t, err)
		committed[n] = true
		time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
		c.cmd.Process.Kill()
		for s := range c.lines {
			n, err := strconv.Atoi(s)
			require.NoError(t, err, s)
			committed[n] = true
			next = max(next, n)
		}
		c.kill()
		next += 2 // the one that was under way may or may not be there
	}
	t.Logf("%d commits in %d rounds", len(committed), rounds)

	l := open(t, dir)
	requireClean(t, l)
	for n := range committed {
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(n)})
		require.NoError(t, err)
		require.NotNil(t, entries[0], "commit %d is lost", n)
		for i, out := range entries[0].Outputs {
			content, err := cachetest.Read(t.Context(), l, out.ID)
			require.NoError(t, err)
			require.True(t, bytes.Equal(crashContent(n, i), content))
		}
	}

	// gc clears away what the dead left, and nothing else.
	report, err := l.GC(t.Context(), cache.GCOptions{Now: time.Now().Add(2 * time.Hour)})
	require.NoError(t, err)
	require.LessOrEqual(t, len(report.Removed), 3*rounds) // files in place that were never entered
	for _, f := range report.Removed {
		require.Equal(t, "orphan", f.Reason)
	}
	require.Empty(t, names(t, dir, "tmp", "live"))
	report2, err := l.Verify(t.Context(), cache.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report2.Clean())
	require.Empty(t, report2.Orphans)
	for n := range committed {
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(n)})
		require.NoError(t, err)
		require.NotNil(t, entries[0])
	}
}

func requireClean(t *testing.T, l *cache.Local) {
	t.Helper()
	report, err := l.Verify(t.Context(), cache.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.Clean(), "%+v", report)
	require.NotZero(t, report.Blobs)
}

func names(t testing.TB, elem ...string) []string {
	entries, err := os.ReadDir(filepath.Join(elem...))
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestSameIDs has processes commit the same actions at the same time, half of
// them with results that differ. One wins, whole.
func TestSameIDs(t *testing.T) {
	dir := t.TempDir()
	var children []*child
	for i := range 3 {
		children = append(children, start(t, "same-ids", dir, fmt.Sprint("process ", i)))
	}
	for _, c := range children {
		require.Equal(t, "done", c.line(t))
	}
	l := open(t, dir)
	requireClean(t, l)
	for n := range sameIDs {
		entries, err := l.Lookup(t.Context(), []cache.ActionID{cachetest.Action(n)})
		require.NoError(t, err)
		require.NotNil(t, entries[0])
		content, err := cachetest.Read(t.Context(), l, entries[0].Outputs[0].ID)
		require.NoError(t, err)
		if n%2 == 0 {
			require.Equal(t, fmt.Sprint("same ", n), string(content))
		} else {
			require.Regexp(t, fmt.Sprintf("^process [0-2] %d$", n), string(content))
		}
	}
}

// TestClaimOfTheDead shows that a claim ends with its process.
func TestClaimOfTheDead(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	c := start(t, "claim", dir, "work")
	require.Equal(t, "ready", c.line(t))
	_, ok, err := l.Claim(t.Context(), "work", false)
	require.NoError(t, err)
	require.False(t, ok)
	time.AfterFunc(10*time.Millisecond, c.kill)
	release, ok, err := l.Claim(t.Context(), "work", true)
	require.NoError(t, err)
	require.True(t, ok)
	release()
	require.Empty(t, names(t, dir, "tmp", "claims"))
}
