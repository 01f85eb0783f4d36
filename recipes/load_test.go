package recipes

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
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
