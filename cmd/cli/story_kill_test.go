package cli

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// twoArtifacts is a recipe of two files, one of them with each expert alone.
const twoArtifacts = `model "m" {
  source = "m"
}

policy "p" {
  mix = "Q8_0"
}

stage "quantize" "q" {
  model  = model.m
  policy = policy.p
}

artifact "gguf" "stacked" {
  from = stage.quantize.q
  path = "stacked.gguf"
}

artifact "gguf" "tiered" {
  from    = stage.quantize.q
  path    = "out/tiered.gguf"
  experts = "tiered"
}
`

// TestStoryKill kills builds at random moments, each going on where the one
// before it stopped, and expects the bytes of a build that was left alone.
// PJ_KILLS is how many are killed, PJ_SEED chooses the moments.
func TestStoryKill(t *testing.T) {
	t.Parallel()
	kills := fromEnv(t, "PJ_KILLS", 24)
	if testing.Short() {
		kills = min(kills, 6)
	}
	seed := fromEnv(t, "PJ_SEED", 1)
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	calm := newStory(t)
	calm.model("nano-qwen3moe", "m")
	calm.write("recipe.hcl", twoArtifacts)
	start := time.Now()
	all := calm.pj(0, "build", "--json").json().Summary.Executed
	whole := time.Since(start)
	require.Greater(t, all, 70)

	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("recipe.hcl", twoArtifacts)
	killed, finished := 0, 0
	for killed < kills {
		args := []string{"build", "-v", "-j", strconv.Itoa(1 + random.IntN(4))}
		var how string
		var died bool
		switch random.IntN(3) {
		case 0:
			delay := time.Duration(random.Int64N(int64(whole) / 2))
			how = delay.String()
			died = s.killAfter(delay, args...)
		case 1:
			lines := 1 + random.IntN(2*all)
			how = strconv.Itoa(lines) + " lines"
			died = s.killAfterLines(lines, args...)
		case 2:
			how = "an artifact was begun"
			died = s.killInside(args...)
		}
		if died {
			killed++
			if killed%8 == 0 {
				// The cache is never worse than it should be, nor only in the end.
				s.pj(0, "cache", "verify")
			}
			continue
		}
		// It was done before: look at what is there, and begin anew.
		t.Logf("seed %d: done before %s; %d killed", seed, how, killed)
		finished++
		s.equals(calm)
		require.NoError(t, os.RemoveAll(s.cache()))
		require.NoError(t, os.RemoveAll(s.path("out")))
		require.NoError(t, os.Remove(s.path("stacked.gguf")))
	}
	last := s.pj(0, "build", "--json").json()
	t.Logf("seed %d: %d killed, %d came to their end, the last one ran %d of %d actions", seed, killed, finished, last.Summary.Executed, all)
	s.equals(calm)
	require.Equal(t, 0, s.pj(0, "build", "--json").json().Summary.Executed)
	s.pj(0, "cache", "verify").prints("everything is sound")

	// What they left is nobody's, and gone: in the cache with gc, beside the
	// artifacts with the next one that is written there.
	s.pj(0, "cache", "gc")
	require.Empty(t, temporary(s.files(".cache/tmp")), "gc leaves files of killed builds")
	require.NoError(t, os.Remove(s.path("stacked.gguf")))
	require.NoError(t, os.Remove(s.path("out", "tiered.gguf")))
	s.pj(0, "build")
	require.Empty(t, s.unfinished(), "files of killed builds stay beside the artifacts")
	s.equals(calm)
}

// temporary leaves out the locks of claims, which are files that stay.
func temporary(names []string) (out []string) {
	for _, n := range names {
		if !strings.HasPrefix(n, "claims/") {
			out = append(out, n)
		}
	}
	return out
}

func fromEnv(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	require.NoError(t, err, name)
	return n
}

// equals compares both artifacts of two stories.
func (s *story) equals(o *story) {
	s.t.Helper()
	for _, name := range []string{"stacked.gguf", "out/tiered.gguf"} {
		require.True(s.t, bytes.Equal(o.read(name), s.read(name)), "%s is not what a build makes that was left alone", name)
	}
}

// killAfter runs pj and kills it; false if it came to its end before.
func (s *story) killAfter(delay time.Duration, args ...string) (died bool) {
	s.t.Helper()
	c := s.command(args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	require.NoError(s.t, c.Start())
	timer := time.AfterFunc(delay, func() { c.Process.Kill() })
	defer timer.Stop()
	return s.died(s.ended(c, c.Wait(), &out, &errs))
}

// killAfterLines kills pj once it has said so many lines.
func (s *story) killAfterLines(lines int, args ...string) (died bool) {
	s.t.Helper()
	c := s.command(args...)
	said, err := c.StderrPipe()
	require.NoError(s.t, err)
	var out, errs bytes.Buffer
	c.Stdout = &out
	require.NoError(s.t, c.Start())
	n := 0
	scan := bufio.NewScanner(io.TeeReader(said, &errs))
	for scan.Scan() {
		if n++; n == lines {
			c.Process.Kill()
		}
	}
	return s.died(s.ended(c, c.Wait(), &out, &errs))
}

// killInside kills pj once it has begun to write an artifact.
func (s *story) killInside(args ...string) (died bool) {
	s.t.Helper()
	before := len(s.unfinished())
	c := s.command(args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	require.NoError(s.t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			return s.died(s.ended(c, err, &out, &errs))
		default:
		}
		if len(s.unfinished()) != before {
			c.Process.Kill()
			return s.died(s.ended(c, <-ended, &out, &errs))
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// unfinished lists what lies beside the artifacts until they are whole.
func (s *story) unfinished() (names []string) {
	s.t.Helper()
	for _, dir := range []string{".", "out"} {
		found, err := filepath.Glob(s.path(dir, ".pj-*"))
		require.NoError(s.t, err)
		names = append(names, found...)
	}
	return names
}

// died tells a killed process from one that came to its end.
func (s *story) died(r *ran) bool {
	s.t.Helper()
	if r.code == 0 {
		return false
	}
	require.Negative(s.t, r.code, "it should have been killed: %s", r)
	return true
}
