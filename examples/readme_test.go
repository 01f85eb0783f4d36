package examples

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the commands of README.md print into it")

// console are the blocks of terminal sessions.
var console = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestReadme runs the sessions of README.md that are of the first example.
// Times, memory, hashes and the last digits of errors are not compared.
func TestReadme(t *testing.T) {
	path, err := filepath.Abs("../README.md")
	require.NoError(t, err)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	readme := string(raw)
	prepare(t)
	recipe, err := os.ReadFile("nano-qwen3moe/recipe.hcl")
	require.NoError(t, err)
	require.Contains(t, readme, "```hcl\n"+string(recipe)+"```\n", "the recipe is the example's")

	sessions := 0
	got := console.ReplaceAllStringFunc(readme, func(block string) string {
		body := console.FindStringSubmatch(block)[1]
		if !strings.Contains(body, "$ pj ") {
			return block
		}
		if sessions++; sessions == 2 { // the change that the text tells of
			at := strings.Index(string(recipe), "layer == 0")
			changed := string(recipe[:at]) + strings.Replace(string(recipe[at:]), `"q5_k"`, `"q6_k"`, 1)
			require.NotEqual(t, string(recipe), changed)
			require.NoError(t, os.WriteFile("recipe.hcl", []byte(changed), 0o644))
		}
		return "```console\n" + session(t, body) + "```"
	})
	require.Equal(t, 2, sessions)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	require.Equal(t, masked(readme), masked(got), "make docs writes what the commands print")
}

// session runs the commands of a block and gives them with what they print.
func session(t *testing.T, body string) string {
	var out strings.Builder
	for _, line := range strings.Split(body, "\n") {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		out.WriteString(line + "\n")
		args := words(command)
		switch args[0] {
		case "cd":
			t.Chdir(strings.TrimPrefix(args[1], "examples/"))
		case "pj":
			// As a program of its own: it says how much memory it took.
			program, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), program, args[1:]...)
			cmd.Env = append(os.Environ(), programVariable+"=1")
			printed, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", command, printed)
			out.WriteString(strings.TrimRight(string(printed), "\n") + "\n")
		default:
			t.Fatalf("README.md has the command %q, which this test does not know", command)
		}
	}
	return out.String()
}

// words splits a command; single quotes hold words together.
func words(command string) []string {
	var list []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

// varies is what differs between two runs, or two machines.
var varies = regexp.MustCompile(`[0-9a-f]{16,}|in [0-9.]+ m?s\b|memory [0-9.]+ [kMG]B|of memory`)

// digits are those of a number that a better encoder changes and a reader does
// not mind.
var digits = regexp.MustCompile(`(\b0\.\d{4})\d+`)

func masked(text string) string {
	return digits.ReplaceAllString(varies.ReplaceAllString(text, "…"), "$1…")
}
