package function

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

func call(dir, expression string) (cty.Value, error) {
	e, problems := hclsyntax.ParseExpression([]byte(expression), "x", hcl.InitialPos)
	if problems.HasErrors() {
		return cty.NilVal, problems
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return cty.NilVal, err
	}
	v, problems := e.Value(&hcl.EvalContext{Functions: Functions(dir), Variables: map[string]cty.Value{"dir": cty.StringVal(filepath.ToSlash(abs))}})
	if problems.HasErrors() {
		return cty.NilVal, problems
	}
	return v, nil
}

func TestFiles(t *testing.T) {
	for expression, want := range map[string]string{
		`file("./notes/../prompt.txt")`:                              `"Say hello.\n"`,
		`file("${dir}/prompt.txt")`:                                  `"Say hello.\n"`,
		`fileexists("prompt.txt")`:                                   "true",
		`fileexists("${dir}/notes/a.md")`:                            "true",
		`fileexists("prompt.txt/x")`:                                 "false",
		`fileset(".", "*.txt")`:                                      `["empty.txt", "prompt.txt"]`,
		`fileset("${dir}", "*.txt")`:                                 `["empty.txt", "prompt.txt"]`,
		`fileset("notes", "*")`:                                      `["a.md", "c.txt"]`,
		`fileset("notes", "**")`:                                     `["a.md", "c.txt", "deep/b.md"]`,
		`fileset("notes", "**/b.md")`:                                `["deep/b.md"]`,
		`fileset(".", "notes/**/*.{md,txt}")`:                        `["notes/a.md", "notes/c.txt", "notes/deep/b.md"]`,
		`fileset("notes", "[!a]*")`:                                  `["c.txt"]`,
		`fileset("notes", "[a-b].md")`:                               `["a.md"]`,
		`fileset("notes", "?.md")`:                                   `["a.md"]`,
		`fileset("missing", "*")`:                                    "[]",
		`templatefile("list.tmpl", { list = ["a", "b"] })`:           `"one\nA\nB\n"`,
		`templatefile("hello.tmpl", tomap({ name = 1, other = 2 }))`: `"Hello, 1!\n"`,
		`filesha256("binary.bin") == filesha256("binary.bin")`:       "true",
	} {
		v, err := call(folder, expression)
		require.NoError(t, err, expression)
		require.Equal(t, want, show(v), expression)
	}
}

func TestFileErrors(t *testing.T) {
	for expression, want := range map[string]string{
		`file("missing.txt")`:                       "missing.txt does not exist in the recipe's folder",
		`file("")`:                                  "the path is empty",
		`file("../function_test.go")`:               "leaves the recipe's folder",
		`file("notes/../../x")`:                     "leaves the recipe's folder",
		`file("/etc/passwd")`:                       "is not below the recipe's folder",
		`file("${dir}/../x")`:                       "is not below the recipe's folder",
		`file("notes")`:                             "no regular file",
		`file("binary.bin")`:                        "no UTF-8 text",
		`filesha256("..")`:                          "leaves the recipe's folder",
		`fileexists("../x")`:                        "leaves the recipe's folder",
		`fileexists("notes")`:                       "no regular file",
		`fileset("..", "*")`:                        "leaves the recipe's folder",
		`fileset("prompt.txt", "*")`:                "no folder",
		`fileset(".", "../*")`:                      "must stay below",
		`fileset(".", "/*")`:                        "must stay below",
		`fileset(".", "")`:                          "1 to 1000 characters",
		`fileset(".", "[")`:                         "[",
		`fileset(".", "[z-a]")`:                     "wrong characters",
		`fileset(".", "{a")`:                        "{ without }",
		`fileset(".", "a}")`:                        "} without {",
		`templatefile("hello.tmpl", {})`:            "hello.tmpl:1: the template uses name, which is not among the variables (there are none)",
		`templatefile("unknown.tmpl", { a = 1 })`:   "unknown.tmpl:3: the template uses other, which is not among the variables (a)",
		`templatefile("broken.tmpl", {})`:           "broken.tmpl:2: Invalid expression",
		`templatefile("nested.tmpl", { name = 1 })`: "a template cannot render another one",
		`templatefile("../x", {})`:                  "leaves the recipe's folder",
	} {
		_, err := call(folder, expression)
		require.ErrorContains(t, err, want, expression)
	}
	_, err := call(t.TempDir()+"/gone", `file("a")`)
	require.ErrorContains(t, err, "the recipe's folder cannot be opened")
}

func TestFilesOfOtherKinds(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has neither links that anyone may make, nor pipes
	}
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600))
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
	for name, text := range map[string]string{"a": "a", "sub/b": "b", ".git/config": "x"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	for name, target := range map[string]string{
		"inside": "sub/b", "out": filepath.Join(outside, "secret"), "up": "../" + filepath.Base(outside) + "/secret", "folder": outside, "gone": "nothing", "sub/back": "../a",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	for _, name := range []string{"out", "up", "folder/secret"} {
		_, err := call(dir, `file("`+name+`")`)
		require.ErrorContains(t, err, "by a symbolic link", name)
		_, err = call(dir, `fileexists("`+name+`")`)
		require.ErrorContains(t, err, "by a symbolic link", name)
	}
	for name, want := range map[string]string{"inside": "b", "sub/back": "a"} {
		v, err := call(dir, `file("`+name+`")`)
		require.NoError(t, err)
		require.Equal(t, want, v.AsString())
	}
	v, err := call(dir, `fileset(".", "**")`)
	require.NoError(t, err)
	require.Equal(t, `["a", "inside", "sub/b", "sub/back"]`, show(v))

	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, exec.Command("mkfifo", pipe).Run())
	_, err = call(dir, `file("pipe")`)
	require.ErrorContains(t, err, "no regular file")

	large, err := os.Create(filepath.Join(dir, "large"))
	require.NoError(t, err)
	require.NoError(t, large.Truncate(maxFile+1))
	require.NoError(t, large.Close())
	_, err = call(dir, `filesha256("large")`)
	require.ErrorContains(t, err, "more than 16 MiB")
}

// TestMessagesHideTheMachine: no error names the folder's place.
func TestMessagesHideTheMachine(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "t.tmpl"), []byte("${"), 0o644))
	for _, expression := range []string{`file("a")`, `file("../a")`, `fileset("t.tmpl", "*")`, `templatefile("t.tmpl", {})`, `fileexists("t.tmpl/a")`} {
		_, err := call(dir, expression)
		if err != nil {
			require.False(t, strings.Contains(err.Error(), dir), err.Error())
		}
	}
}
