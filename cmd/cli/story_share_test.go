package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// together runs commands at the same time and waits for all.
func (s *story) together(commands ...*exec.Cmd) (all []*ran) {
	s.t.Helper()
	out, errs := make([]bytes.Buffer, len(commands)), make([]bytes.Buffer, len(commands))
	for i, c := range commands {
		c.Stdout, c.Stderr = &out[i], &errs[i]
		require.NoError(s.t, c.Start())
	}
	for i, c := range commands {
		all = append(all, s.ended(c, c.Wait(), &out[i], &errs[i]))
	}
	return all
}

// shared wants each of the builds' actions to have run in one of them, save so
// many that ran in two.
func (s *story) shared(what string, twice int, builds ...*ran) {
	s.t.Helper()
	executed, runs, overlap := 0, map[string]int{}, []string{}
	for _, b := range builds {
		out := b.exits(0).json()
		executed += out.Summary.Executed
		for _, a := range out.Actions {
			n := runs[a.ID]
			if a.Seconds != nil {
				n++
			}
			if runs[a.ID] = n; n > 1 && a.Seconds != nil {
				overlap = append(overlap, a.Address)
			}
		}
	}
	require.Equal(s.t, len(runs)+len(overlap), executed, what)
	require.LessOrEqual(s.t, len(overlap), twice, "%s: these ran twice: %q", what, overlap)
}

// norms is how many small tensors nano-qwen3moe has that every recipe leaves as
// they are.
const norms = 9

// TestStoryTwoBuilds runs several builds at once on one cache. No action of
// the same work runs twice.
func TestStoryTwoBuilds(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	for i, mix := range []string{"Q8_0", "Q8_0", "Q5_0"} {
		s.write(fmt.Sprintf("%d/recipe.hcl", i), storyRecipe("../m", mix, ""))
	}
	builds := func(folders ...int) (commands []*exec.Cmd) {
		for _, f := range folders {
			commands = append(commands, s.command("build", "--json", fmt.Sprint(f)))
		}
		return commands
	}
	alone := [3]string{}
	for i := range alone {
		s.pj(0, "build", fmt.Sprint(i))
		alone[i] = s.sha256(fmt.Sprintf("%d/a.gguf", i))
	}
	require.Equal(t, alone[0], alone[1])
	require.NotEqual(t, alone[0], alone[2])

	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		for _, c := range []struct {
			folders []int
			twice   int
		}{
			{[]int{0, 1}, 0}, // the same recipe, twice
			{[]int{0, 0}, 0}, // and into the same file
			// Recipes of one model: the small tensors of a layer are one piece of
			// work, which differs as they do, though its norms are the same.
			{[]int{0, 2}, norms},
			{[]int{2, 1, 0}, norms},
		} {
			folders := c.folders
			require.NoError(t, os.RemoveAll(s.cache()))
			for i := range alone {
				require.NoError(t, os.RemoveAll(s.path(fmt.Sprint(i), "a.gguf")))
				require.NoError(t, os.RemoveAll(s.path(fmt.Sprint(i), "pj.lock.hcl")))
			}
			what := fmt.Sprintf("round %d of %v", round, folders)
			done := s.together(builds(folders...)...)
			s.shared(what, c.twice, done...)
			for _, i := range folders {
				require.Equal(t, alone[i], s.sha256(fmt.Sprintf("%d/a.gguf", i)), what)
			}
			require.Empty(t, s.glob("*/.pj-*"), what)
		}
		s.pj(0, "cache", "verify")

		// gc and verify at the same time harm no build, whatever gc finds in use.
		busy := append(builds(0, 2), s.command("cache", "gc", "--max-size", "1MB"), s.command("cache", "verify"))
		for _, i := range []int{0, 2} {
			require.NoError(t, os.Remove(s.path(fmt.Sprint(i), "a.gguf")))
		}
		for _, r := range s.together(busy...) {
			r.exits(0)
		}
		for _, i := range []int{0, 2} {
			require.Equal(t, alone[i], s.sha256(fmt.Sprintf("%d/a.gguf", i)))
		}
	}
}

// TestStoryOneOfTwoIsKilled kills one of two builds of the same thing: the other
// does its work, too.
func TestStoryOneOfTwoIsKilled(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("0/recipe.hcl", storyRecipe("../m", "Q4_K_M", ""))
	s.write("1/recipe.hcl", storyRecipe("../m", "Q4_K_M", ""))
	s.pj(0, "build", "1")
	sum := s.sha256("1/a.gguf")
	rounds := 6
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		require.NoError(t, os.RemoveAll(s.cache()))
		require.NoError(t, os.RemoveAll(s.path("0", "a.gguf")))
		require.NoError(t, os.RemoveAll(s.path("1", "a.gguf")))
		other := s.command("build", "1", "--json")
		var out, errs bytes.Buffer
		other.Stdout, other.Stderr = &out, &errs
		require.NoError(t, other.Start())
		s.killAfterLines(1+5*round, "build", "0", "-v")
		r := s.ended(other, other.Wait(), &out, &errs)
		require.LessOrEqual(t, r.exits(0).json().Summary.Executed, 72)
		require.Equal(t, sum, s.sha256("1/a.gguf"))
		s.pj(0, "build", "0")
		require.Equal(t, sum, s.sha256("0/a.gguf"))
		s.pj(0, "cache", "verify")
	}
}
