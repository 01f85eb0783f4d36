// Package pj holds the tests of the house's order: who may import whom, and
// what no file of the product has in it.
package pj

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/llama-pajamas/pj/"

// layer is a part of the house: a folder of the root, and all below it.
type layer struct {
	folder  string
	imports []string // folders of this module that it may use, besides its own
	why     string
	// others are the modules of others that it may use; nil: any.
	others []string
}

var (
	testTools = []string{"github.com/stretchr/testify", "golang.org/x/tools/txtar", "github.com/rogpeppe/go-internal"}
	system    = []string{"golang.org/x/sys"}
)

// house says who may import whom. Imports run one way: cmd -> {recipes, stages}
// -> engine -> cache -> internal, and stages -> runtime -> kernels -> internal.
var house = []layer{
	{folder: "internal", others: system,
		why: "helpers are leaves, so that any part may use them without bringing others in"},
	{folder: "cache", imports: []string{"internal"}, others: []string{"golang.org/x", "github.com/zeebo/blake3", "go.etcd.io/bbolt"},
		why: "the cache keeps bytes by their hash, whatever they mean"},
	{folder: "engine", imports: []string{"cache", "internal"}, others: []string{"golang.org/x", "github.com/zeebo/blake3"},
		why: "the engine runs actions; it knows nothing of HCL, models or kernels, and those reach it as stages"},
	{folder: "kernels", imports: []string{"internal"}, others: system,
		why: "kernels are numbers in, numbers out, and can be taken out of the house"},
	{folder: "runtime", imports: []string{"kernels", "internal"},
		why: "what knows models works without builds: pj run needs neither engine nor cache nor recipes"},
	{folder: "recipes", imports: []string{"engine", "internal"},
		why: "the language checks blocks against the schemas that stages register with the engine; only cmd sees both"},
	{folder: "stages", imports: []string{"engine", "cache", "runtime", "kernels", "internal"},
		why: "stages are given evaluated parameters, however they were written; only cmd sees both"},
	{folder: "docs", others: []string{},
		why: "the pages are data, which the command line shows"},
	{folder: "cmd", imports: []string{"docs", "recipes", "stages", "engine", "cache", "runtime", "kernels", "internal"},
		why: "cmd wires everything, except what judges the product from outside"},
	{folder: "interop", imports: []string{"runtime", "kernels", "internal"},
		why: "interop lets stock programs judge files; it has to stay apart from what builds them"},
	{folder: "bench", imports: []string{"interop", "runtime", "kernels", "internal"},
		why: "benchmarks measure the product beside others, and nobody uses them"},
	{folder: "examples", imports: []string{"cmd", "internal"},
		why: "examples are used as users use them"},
	{folder: "scripts", imports: []string{"recipes", "stages", "engine", "cache", "runtime", "kernels", "internal"},
		why: "tools of the project may use all of it, and nobody uses them"},
}

// layerOf finds the layer of a folder, nil for the root.
func layerOf(folder string) *layer {
	top, _, _ := strings.Cut(folder, "/")
	for i := range house {
		if house[i].folder == top {
			return &house[i]
		}
	}
	return nil
}

// complaint says what is wrong with an import, "" if nothing is.
func complaint(file, imported string) string {
	folder := path.Dir(file)
	l := layerOf(folder)
	own, isOwn := strings.CutPrefix(imported, module)
	isTest := strings.HasSuffix(file, "_test.go") || isTestHelper(folder)
	switch {
	case imported == "C":
		return "pj is built without cgo: it has to cross-compile to every system from any"
	case folder == ".":
		if isOwn {
			return "the root has tests only, and they look at files"
		}
	case folder == "runtime":
		return "no Go file lies directly in runtime/: the name belongs to the standard library"
	case l == nil:
		return "this folder is no part of the house: add it to the list in deps_test.go, with its reason"
	case isOwn:
		top, _, _ := strings.Cut(own, "/")
		if top != l.folder && !slices.Contains(l.imports, top) {
			return fmt.Sprintf("%s must not import %s: %s", l.folder, top, l.why)
		}
		if isTestHelper(own) && !isTest {
			return own + " is for tests"
		}
	case imported == "testing" || under(imported, testTools):
		if !isTest {
			return "this is for tests"
		}
	case l.others != nil && !standard(imported) && !under(imported, l.others):
		return fmt.Sprintf("%s must not use %s: %s", l.folder, imported, l.why)
	}
	return ""
}

// isTestHelper: packages like httptest, named after what they help to test.
func isTestHelper(folder string) bool {
	base := path.Base(folder)
	return base != "test" && strings.HasSuffix(base, "test")
}

func under(p string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") })
}

// standard: the paths of the standard library have no dot in their first part.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

func TestImports(t *testing.T) {
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		if f.Name.Name == "main" && layerOf(path.Dir(file)) != layerOf("cmd") {
			continue // a generator, which is no part of a build
		}
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			require.NoError(t, err)
			if c := complaint(file, p); c != "" {
				t.Errorf("%s imports %s: %s", file, p, c)
			}
		}
	}
}

// The rules themselves: a list that allows everything would pass too.
func TestImportRules(t *testing.T) {
	for _, tt := range []struct {
		file, imported, want string
	}{
		{"recipes/a.go", module + "stages", "recipes must not import stages"},
		{"stages/a.go", module + "recipes", "stages must not import recipes"},
		{"stages/a_test.go", module + "recipes/lock", "stages must not import recipes"},
		{"runtime/model/a.go", module + "engine", "runtime must not import engine"},
		{"runtime/model/a.go", module + "cache", "runtime must not import cache"},
		{"engine/a.go", module + "kernels/quant", "engine must not import kernels"},
		{"engine/a.go", "github.com/hashicorp/hcl/v2", "engine must not use github.com/hashicorp/hcl/v2"},
		{"engine/a.go", module + "cache/cachetest", "is for tests"},
		{"engine/a.go", "github.com/stretchr/testify/require", "this is for tests"},
		{"cache/a.go", module + "engine", "cache must not import engine"},
		{"kernels/quant/a.go", module + "runtime/gguf", "kernels must not import runtime"},
		{"internal/a/a.go", module + "cache", "internal must not import cache"},
		{"internal/a/a.go", "github.com/zeebo/blake3", "internal must not use"},
		{"cmd/cli/a.go", module + "interop", "cmd must not import interop"},
		{"cmd/cli/a.go", module + "scripts/x", "cmd must not import scripts"},
		{"interop/a.go", module + "engine", "interop must not import engine"},
		{"runtime/a.go", "fmt", "no Go file lies directly in runtime/"},
		{"runtime/a_test.go", "fmt", "no Go file lies directly in runtime/"},
		{"kernels/cuda/a.go", "C", "without cgo"},
		{"docs/a.go", module + "engine", "docs must not import engine"},
		{"docs/a.go", "github.com/zeebo/blake3", "docs must not use"},
		{"helpers/a.go", "fmt", "no part of the house"},
		{"a_test.go", module + "engine", "the root has tests only"},

		{"cmd/cli/a.go", module + "recipes", ""},
		{"cmd/cli/a.go", module + "stages", ""},
		{"stages/a.go", module + "runtime/gguf", ""},
		{"runtime/model/a.go", module + "runtime/gguf", ""},
		{"engine/a_test.go", module + "cache/cachetest", ""},
		{"engine/a_test.go", "github.com/stretchr/testify/require", ""},
		{"cache/cachetest/a.go", "testing", ""},
		{"internal/a/a.go", "golang.org/x/sys/unix", ""},
		{"internal/a/a.go", module + "internal/b", ""},
	} {
		got := complaint(tt.file, tt.imported)
		if tt.want == "" {
			require.Empty(t, got, "%s, %s", tt.file, tt.imported)
		} else {
			require.Contains(t, got, tt.want, "%s, %s", tt.file, tt.imported)
		}
	}
}

// Only cmd prints or exits; what others have to say goes up as values and
// errors, or to a log.
func TestOnlyCmdPrintsOrExits(t *testing.T) {
	loud := map[string][]string{
		"os":  {"Exit", "Stdout", "Stderr"},
		"fmt": {"Print", "Printf", "Println"},
		"log": {"Fatal", "Fatalf", "Fatalln", "Print", "Printf", "Println"},
	}
	for _, file := range goFiles(t) {
		if l := layerOf(path.Dir(file)); l == nil || slices.Contains([]string{"cmd", "scripts", "interop"}, l.folder) || strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		if f.Name.Name == "main" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(loud[x.Name], sel.Sel.Name) {
				t.Errorf("%s: %s.%s: only cmd prints or exits", set.Position(sel.Pos()), x.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// maxLines is where a file does too many things.
const maxLines = 800

func TestFileLength(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if n := bytes.Count(content, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: divide it by what its parts do", file, n, maxLines)
		}
	}
}

// textFiles are the endings of what people write here.
var textFiles = []string{".go", ".hcl", ".md", ".mod", ".py", ".s", ".cu", ".h", ".sh", ".txtar", ".yml", ".yaml", ".json", ".txt", ".tmpl", ".golden"}

// What no text of the product has in it; put together here, so that this file
// has none of it.
var forbidden = map[string]string{
	"/wo" + "rk/": "a path of a build machine",
	"/ro" + "ot/": "a path of a build machine",
	"TO" + "DO":   "what is left to do belongs in an issue",
	"FIX" + "ME":  "what is broken is fixed, or belongs in an issue",
}

func TestForbiddenWords(t *testing.T) {
	for _, file := range files(t) {
		if !slices.Contains(textFiles, path.Ext(file)) && path.Base(file) != "Makefile" {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for word, why := range forbidden {
			if at := bytes.Index(content, []byte(word)); at >= 0 {
				t.Errorf("%s:%d: %q: %s", file, 1+bytes.Count(content[:at], []byte("\n")), word, why)
			}
		}
	}
}

func goFiles(t *testing.T) (out []string) {
	for _, file := range files(t) {
		if path.Ext(file) == ".go" && !strings.Contains(file, "/testdata/") {
			out = append(out, file)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// files lists the files of the product: those that git tracks, or all of them
// where there is no git.
func files(t *testing.T) (out []string) {
	if list, err := exec.Command("git", "ls-files", "-z").Output(); err == nil && len(list) > 0 {
		for _, file := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) { // being removed
				out = append(out, file)
			}
		}
		return out
	}
	require.NoError(t, filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Type().IsRegular():
			out = append(out, filepath.ToSlash(p))
		}
		return nil
	}))
	return out
}
