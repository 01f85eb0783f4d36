package recipes

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/internal/diag"
)

var update = flag.Bool("update", false, "rewrite golden files")

// write puts files into a new folder.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// loadFiles loads the recipe of a folder that holds the files.
func loadFiles(t testing.TB, files map[string]string, change ...func(*Options)) (*Recipe, diag.Diagnostics) {
	t.Helper()
	o := Options{Path: write(t, files), Catalog: testCatalog()}
	for _, c := range change {
		c(&o)
	}
	return Load(context.Background(), o)
}

// loadText loads one recipe.
func loadText(t testing.TB, text string, change ...func(*Options)) (*Recipe, diag.Diagnostics) {
	t.Helper()
	return loadFiles(t, map[string]string{"recipe.hcl": text}, change...)
}

// mustLoad loads a recipe that has no errors.
func mustLoad(t testing.TB, text string, change ...func(*Options)) *Recipe {
	t.Helper()
	r, ds := loadText(t, text, change...)
	require.NoError(t, ds.Err(), "%s", render(r, ds))
	return r
}

func render(r *Recipe, ds diag.Diagnostics) string {
	var b bytes.Buffer
	for _, d := range ds {
		diag.Render(&b, d, r.Files[d.File], false, 100)
		b.WriteString("\n")
	}
	return b.String()
}

// TestLineEnds checks that a file means the same however git checked it out.
func TestLineEnds(t *testing.T) {
	text := "locals {\n  a = <<EOT\none\n two\nEOT\n}\noutput \"a\" { value = local.a }\noutput \"b\" { value = local.c }\n"
	unix, ds := loadText(t, text)
	require.Len(t, ds, 1)
	dos, dosDs := loadText(t, "\ufeff"+strings.ReplaceAll(text, "\n", "\r\n"))
	require.Equal(t, `"one\n two\n"`, string(dos.Program.Outputs["a"]))
	require.Equal(t, unix.Program.Outputs, dos.Program.Outputs)
	require.Equal(t, ds[0].Line, dosDs[0].Line)
	require.Equal(t, ds[0].Column, dosDs[0].Column)
}

// TestOutputLinks checks that links of the output folder do not lead artifacts
// and reports out of it.
func TestOutputLinks(t *testing.T) {
	out, elsewhere := t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(out, "inner"), 0o755))
	if err := os.Symlink(elsewhere, filepath.Join(out, "away")); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	require.NoError(t, os.Symlink("inner", filepath.Join(out, "within")))
	recipe := func(path string) string {
		return "model \"m\" { source = \"m\" }\npolicy \"p\" { mix = \"Q4_K_M\" }\nstage \"quantize\" \"q\" {\n model = model.m\n policy = policy.p\n}\n" +
			"artifact \"gguf\" \"a\" {\n from = stage.quantize.q\n path = \"" + path + "\"\n}\n"
	}
	to := func(o *Options) { o.OutputDir = out }
	_, ds := loadText(t, recipe("away/x/a.gguf"), to)
	require.ErrorContains(t, ds.Err(), "away is a symbolic link to "+elsewhere)
	require.ErrorContains(t, ds.Err(), "pj build --output DIR")
	_, ds = loadText(t, recipe("within/a.gguf"), to)
	require.NoError(t, ds.Err())
}
