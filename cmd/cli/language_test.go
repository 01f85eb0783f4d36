package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/stages"
)

// TestLanguagePage loads the examples of docs/language.md as pj does: those in
// HCL are one recipe, and the files beside it that their first line names;
// those in JSON stand alone.
func TestLanguagePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/language.md")
	require.NoError(t, err)
	load := func(files map[string]string, main string) *recipes.Recipe {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		r, ds := recipes.Load(context.Background(), recipes.Options{Path: filepath.Join(dir, main), Catalog: stages.Catalog()})
		for _, d := range ds {
			// No stage of the page reads texts.
			require.True(t, d.Severity == diag.Warning && strings.Contains(d.Detail, "refers to dataset."), "%v", d)
		}
		return r
	}
	fence := regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```")
	name := regexp.MustCompile(`^# (\S+\.hcl)\n`)
	files := map[string]string{}
	count := 0
	for _, m := range fence.FindAllStringSubmatch(string(page), -1) {
		count++
		if m[1] == "json" {
			require.NotEmpty(t, load(map[string]string{"recipe.hcl.json": m[2]}, "recipe.hcl.json").Program.Blocks)
			continue
		}
		file := "recipe.hcl"
		if f := name.FindStringSubmatch(m[2]); f != nil {
			file = f[1]
		}
		files[file] += m[2] + "\n"
	}
	require.Greater(t, count, 10)
	require.Equal(t, count, strings.Count(string(page), "```")/2, "every example says hcl or json")
	r := load(files, "recipe.hcl")
	used := map[string]bool{}
	for _, b := range r.Program.Blocks {
		used[b.Address] = b.Used
	}
	require.True(t, used["module.ultra.artifact.gguf.ultra"])
	require.Contains(t, r.Program.Policies, `policy.target["small"]`)
	require.JSONEq(t, `{"small":null,"large":null}`, string(r.Program.Outputs["bits"]))
}
