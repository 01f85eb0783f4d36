package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// commandsPage is the page on the commands.
const commandsPage = "../../docs/cli.md"

// rootForTest is the tree of commands.
func rootForTest() *cobra.Command {
	a := &app{name: "pj", stderr: newScreen(&bytes.Buffer{})}
	root := a.rootCommand()
	root.InitDefaultHelpCmd()
	return root
}

// TestCommandsPageNamesEverything checks that each command has a section which
// names all of its flags, and that the common flags are there.
func TestCommandsPageNamesEverything(t *testing.T) {
	page, err := os.ReadFile(commandsPage)
	require.NoError(t, err)
	sections := map[string]string{}
	for part := range strings.SplitSeq(string(page), "\n### ") {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	root := rootForTest()
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		require.Contains(t, string(page), "`--"+f.Name, "docs/cli.md does not name the common flag --%s", f.Name)
	})
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				checkSection(t, sections, sub)
				check(sub)
			}
		}
	}
	check(root)
}

// checkSection checks what the page says of one command.
func checkSection(t *testing.T, sections map[string]string, c *cobra.Command) {
	t.Helper()
	text, ok := sectionFor(sections, c)
	if !ok {
		t.Errorf("docs/cli.md has no section on %s: add one with an example", c.CommandPath())
		return
	}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden && !strings.Contains(text, "--"+f.Name) {
			t.Errorf("docs/cli.md does not name --%s in the section on %s", f.Name, c.CommandPath())
		}
	})
	if !c.HasSubCommands() && !strings.Contains(text, "\n"+c.CommandPath()) && !strings.Contains(text, "\n$ "+c.CommandPath()) {
		t.Errorf("docs/cli.md has no example of %s", c.CommandPath())
	}
}

// sectionFor is the section of a command: its own, that of the command above
// it, or those of the commands below it.
func sectionFor(sections map[string]string, c *cobra.Command) (string, bool) {
	if text, ok := sections[c.CommandPath()]; ok {
		return text, true
	}
	if c.HasParent() && c.Parent().HasParent() {
		if text, ok := sections[c.Parent().CommandPath()]; ok && strings.Contains(text, c.CommandPath()) {
			return text, true
		}
		return "", false
	}
	all := ""
	for _, sub := range c.Commands() {
		text, ok := sections[sub.CommandPath()]
		if !ok {
			return "", false
		}
		all += text
	}
	return all, c.HasSubCommands()
}

var fences = regexp.MustCompile("(?s)```(console|sh)\n(.*?)```\n")

// TestCommandsPageExamples runs the examples with a prompt and compares what
// they print (-update writes it); those without one are only parsed.
func TestCommandsPageExamples(t *testing.T) {
	page, err := os.ReadFile(commandsPage)
	require.NoError(t, err)
	path, err := filepath.Abs(commandsPage)
	require.NoError(t, err)
	model, err := filepath.Abs("../../examples/models/nano-qwen3moe")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "models"), 0o755))
	if err := os.Symlink(model, filepath.Join(dir, "models", "nano-qwen3moe")); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	t.Chdir(dir)
	t.Setenv("PJ_CACHE_DIR", filepath.Join(dir, "cache"))
	got := fences.ReplaceAllStringFunc(string(page), func(block string) string {
		m := fences.FindStringSubmatch(block)
		var out strings.Builder
		for line := range strings.Lines(m[2]) {
			command, prompt := strings.CutPrefix(line, "$ ")
			if m[1] == "console" && !prompt {
				continue // what was printed before
			}
			args := words(command)
			require.Equal(t, "pj", args[0], line)
			out.WriteString(line)
			if !prompt {
				parseExample(t, args[1:])
				continue
			}
			var printed bytes.Buffer
			code := Main("pj", args[1:], strings.NewReader(""), &printed, &printed)
			require.Equal(t, exitOK, code, "%s%s", line, printed.String())
			out.Write(printed.Bytes())
		}
		return "```" + m[1] + "\n" + out.String() + "```\n"
	})
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	require.Equal(t, steady(string(page)), steady(got), "run the test with -update")
}

// steady leaves out what differs between runs and machines.
func steady(text string) string {
	text = regexp.MustCompile(`in [0-9.]+ m?s; peak memory [0-9.]+ .?B`).ReplaceAllString(text, "in … s; peak memory … MB")
	return regexp.MustCompile(`\b[0-9a-f]{16}\b`).ReplaceAllString(text, "…")
}

// parseExample checks a command line without running it.
func parseExample(t *testing.T, args []string) {
	t.Helper()
	c, rest, err := rootForTest().Find(args)
	require.NoError(t, err, args)
	require.NoError(t, c.ParseFlags(rest), args)
	if c.Name() != "help" {
		require.NoError(t, c.ValidateArgs(c.Flags().Args()), args)
	}
}

// words splits a command line; single quotes hold words together, "#" begins a
// comment.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(strings.TrimSpace(line), "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		before, _, comment := strings.Cut(part, " #")
		out = append(out, strings.Fields(before)...)
		if comment {
			break
		}
	}
	return out
}
