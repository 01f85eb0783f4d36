package format

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiff(t *testing.T) {
	require.Empty(t, Diff([]byte("a\n"), []byte("a\n"), "x"))
	for name, c := range map[string]struct{ a, b, want string }{
		"added":    {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"removed":  {"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		"changed":  {"a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		"end":      {"a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		"two":      {"a\n1\n2\n3\n4\n5\n6\n7\nb\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n", "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n"},
		"one":      {"a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n", "@@ -1,8 +1,8 @@\n-a\n+x\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+y\n"},
		"shortest": {"a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n", "@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n"},
	} {
		require.Equal(t, "--- a/x\n+++ b/x\n"+c.want, Diff([]byte(c.a), []byte(c.b), "x"), name)
	}
}

// apply makes b of a by a diff's hunks.
func apply(t *testing.T, a, diff string) string {
	lines := splitLines([]byte(a))
	var out []string
	next := 0
	rows := splitLines([]byte(diff))
	for i := 2; i < len(rows); i++ {
		row := rows[i]
		switch row[0] {
		case '@':
			var from, n int
			if _, err := fmt.Sscanf(row, "@@ -%d,%d ", &from, &n); err != nil {
				n = 1
				_, err = fmt.Sscanf(row, "@@ -%d ", &from)
				require.NoError(t, err, row)
			}
			if n > 0 {
				from--
			}
			require.GreaterOrEqual(t, from, next)
			out = append(out, lines[next:from]...)
			next = from
		case ' ', '-':
			text := row[1:]
			if i+1 < len(rows) && rows[i+1][0] == '\\' {
				text = strings.TrimSuffix(text, "\n")
			}
			require.Equal(t, lines[next], text)
			if row[0] == ' ' {
				out = append(out, text)
			}
			next++
		case '+':
			text := row[1:]
			if i+1 < len(rows) && rows[i+1][0] == '\\' {
				text = strings.TrimSuffix(text, "\n")
			}
			out = append(out, text)
		case '\\':
		default:
			t.Fatalf("row %q", row)
		}
	}
	return strings.Join(append(out, lines[next:]...), "")
}

func TestDiffApplies(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		text := func() string {
			var sb strings.Builder
			for range rnd.IntN(40) {
				fmt.Fprintf(&sb, "%c\n", 'a'+rune(rnd.IntN(4)))
			}
			if rnd.IntN(3) == 0 {
				sb.WriteString("end")
			}
			return sb.String()
		}
		a, b := text(), text()
		if a == b {
			continue
		}
		require.Equal(t, b, apply(t, a, Diff([]byte(a), []byte(b), "x")))
	}
}

func TestDiffOfVeryDifferentTexts(t *testing.T) {
	var a, b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&a, "a%d\n", i)
		fmt.Fprintf(&b, "b%d\n", i)
	}
	d := Diff([]byte(a.String()), []byte(b.String()), "x")
	require.Equal(t, b.String(), apply(t, a.String(), d))
}

// TestDiffForGit: git understands the result.
func TestDiffForGit(t *testing.T) {
	git, err := exec.LookPath("git")
	require.NoError(t, err, "the tests need git")
	a, err := os.ReadFile("testdata/recipe.in.hcl")
	require.NoError(t, err)
	b, err := os.ReadFile("testdata/recipe.want.hcl")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "r.hcl"), a, 0o644))
	cmd := exec.Command(git, "apply", "-")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stdin = strings.NewReader(Diff(a, b, "r.hcl"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	got, err := os.ReadFile(filepath.Join(dir, "r.hcl"))
	require.NoError(t, err)
	require.Equal(t, string(b), string(got))
}
