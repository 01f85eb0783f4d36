package cli

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStoryWorkers builds with other numbers of workers and less memory: the
// bytes are the same.
func TestStoryWorkers(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("recipe.hcl", storyRecipe("m", "Q4_K_M", ""))
	first := ""
	for i, c := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"-j", "1"}},
		{nil, []string{"-j", "8"}},
		{[]string{"GOMAXPROCS=1"}, nil},
		{[]string{"GOMAXPROCS=7"}, []string{"-j", "3", "--memory", "1KiB"}},
		{nil, []string{"--memory", "64MiB"}},
	} {
		require.NoError(t, os.RemoveAll(s.cache()))
		require.NoError(t, os.RemoveAll(s.path("a.gguf")))
		r := s.with(c.env...).pj(0, append([]string{"build", "--json"}, c.args...)...)
		require.Equal(t, 72, r.json().Summary.Executed)
		sum := s.sha256("a.gguf")
		if i == 0 {
			first = sum
		}
		require.Equal(t, first, sum, "%v %v", c.env, c.args)
		if strings.Contains(strings.Join(c.args, " "), "64MiB") {
			// What the plan said it would take at most.
			require.NoError(t, os.RemoveAll(s.cache()))
			plan := s.pj(0, "plan", "--json", "--memory", "64MiB").json()
			require.LessOrEqual(t, plan.Summary.PeakMemoryBytes, int64(64+48)<<20)
			require.Positive(t, r.json().Summary.PeakMemoryBytes)
			require.LessOrEqual(t, r.json().Summary.PeakMemoryBytes, plan.Summary.PeakMemoryBytes)
		}
	}
}

// TestStoryInterrupt stops a build as Ctrl-C does; the next one goes on.
func TestStoryInterrupt(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: a process cannot be interrupted on this system")
	}
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("recipe.hcl", storyRecipe("m", "Q4_K_M", "  tensor {\n    when   = true\n    type   = \"q4_k\"\n    effort = \"best\"\n  }\n"))
	// Once with one action run: it ends soon, says so and leaves nothing behind.
	stopped := false
	for try := 0; try < 20 && !stopped; try++ {
		require.NoError(t, os.RemoveAll(s.cache()))
		c := s.command("build", "-v", "-j", "1")
		var out bytes.Buffer
		errs := &signalling{after: "done ", signal: func() { c.Process.Signal(os.Interrupt) }}
		c.Stdout, c.Stderr = &out, errs
		require.NoError(t, c.Start())
		timer := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		r := s.ended(c, err, &out, &errs.b)
		if r.code == 0 {
			require.NoError(t, os.Remove(s.path("a.gguf")))
			continue // it was done before
		}
		stopped = true
		r.exits(130).says("Interrupted; what was finished is kept, run it again to go on.")
		require.NoFileExists(t, s.path("a.gguf"))
	}
	require.True(t, stopped)
	require.Empty(t, temporary(s.files(".cache/tmp")))
	s.pj(0, "cache", "verify")
	r := s.pj(0, "build", "--json")
	require.Less(t, r.json().Summary.Executed, 72, "what was finished is kept")
	require.Positive(t, r.json().Summary.Executed)
	sum := s.sha256("a.gguf")

	calm := s.with("PJ_CACHE_DIR=" + s.path("calm"))
	require.NoError(t, os.Remove(s.path("a.gguf")))
	calm.pj(0, "build")
	require.Equal(t, sum, s.sha256("a.gguf"))
}

// signalling keeps what is written and signals once a text is in it.
type signalling struct {
	b      bytes.Buffer
	after  string
	signal func()
	done   bool
}

func (s *signalling) Write(p []byte) (int, error) {
	s.b.Write(p)
	if !s.done && bytes.Contains(s.b.Bytes(), []byte(s.after)) {
		s.done = true
		s.signal()
	}
	return len(p), nil
}

// TestStoryKeepGoing has a model of which one tensor cannot be quantized.
func TestStoryKeepGoing(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("recipe.hcl", storyRecipe("m", "Q8_0", "")+`
model "sound" {
  source = "sound"
}

stage "quantize" "sound" {
  model  = model.sound
  policy = policy.p
}

artifact "gguf" "sound" {
  from = stage.quantize.sound
  path = "sound.gguf"
}
`)
	s.model("nano-gptoss", "sound")
	s.setBF16("m", "model.layers.0.self_attn.k_proj.weight", 3*256+7, 0x7fc0)

	// Without it, the build ends at the first failure.
	r := s.pj(1, "build", "--json", "-j", "1")
	before := r.json()
	where := "weight [3, 7] is NaN"
	require.Contains(t, r.stderr, where)
	require.NotEmpty(t, before.Diagnostics)
	require.NoFileExists(t, s.path("a.gguf"))
	require.NoFileExists(t, s.path("sound.gguf"))

	// With it everything else is made, and the other file.
	r = s.pj(1, "build", "--json", "--keep-going", "-j", "1")
	r.says(where, `stage.quantize.q["blk.0.attn_k.weight"]`, "model.layers.0.self_attn.k_proj.weight")
	require.NoFileExists(t, s.path("a.gguf"))
	require.FileExists(t, s.path("sound.gguf"))
	require.Equal(t, r.json().Summary.Actions-2, before.Summary.Executed+r.json().Summary.Executed)
	sound := s.sha256("sound.gguf")

	// Once more: only what failed is tried again.
	r = s.pj(1, "build", "--json", "--keep-going")
	require.Equal(t, 0, r.json().Summary.Executed, "%s", r)
	s.pj(1, "build", "--keep-going").says(where)

	// Mended, the rest follows.
	s.setBF16("m", "model.layers.0.self_attn.k_proj.weight", 3*256+7, 0x3f80)
	r = s.pj(0, "build", "--json")
	require.Equal(t, []string{"artifact.gguf.a", `model.m["content"]`, `stage.quantize.q["blk.0.attn_k.weight"]`}, r.json().executed(), "%s", r)
	require.Equal(t, sound, s.sha256("sound.gguf"))
}
