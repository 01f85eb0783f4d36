package recipes

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	functions "github.com/llama-pajamas/pj/recipes/function"
)

const languagePage = "../docs/language.md"

// TestLanguagePage loads the examples of the page: those in HCL are one recipe,
// and the files beside it that their first line names; those in JSON stand
// alone.
func TestLanguagePage(t *testing.T) {
	page, err := os.ReadFile(languagePage)
	require.NoError(t, err)
	fence := regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```")
	name := regexp.MustCompile(`^# (\S+\.hcl)\n`)
	files := map[string]string{}
	count := 0
	for _, m := range fence.FindAllStringSubmatch(string(page), -1) {
		count++
		if m[1] == "json" {
			r, ds := loadFiles(t, map[string]string{"recipe.hcl.json": m[2]})
			require.Empty(t, ds, "%s", render(r, ds))
			require.NotEmpty(t, r.Program.Blocks)
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
	dir := write(t, files)
	r, ds := Load(context.Background(), Options{Path: filepath.Join(dir, "recipe.hcl"), Catalog: testCatalog()})
	require.Empty(t, ds, "%s", render(r, ds))
	require.Contains(t, usedOf(r.Program), "module.ultra.artifact.gguf.ultra")
	require.Contains(t, r.Program.Policies, `policy.target["small"]`)
	require.JSONEq(t, `{"small":null,"large":null}`, string(r.Program.Outputs["perplexity"]))
}

// TestLanguagePageNamesEverything checks that the page names every attribute of
// the language's own blocks and everything that rules see.
func TestLanguagePageNamesEverything(t *testing.T) {
	page, err := os.ReadFile(languagePage)
	require.NoError(t, err)
	var names []string
	names = append(names, policyShape.names()...)
	names = append(names, tensorRuleShape.names()...)
	names = append(names, kvRuleShape.names()...)
	names = append(names, budgetShape.names()...)
	names = append(names, tensorNames.names...)
	names = append(names, kvNames.names...)
	names = append(names, roles...)
	names = append(names, efforts...)
	names = append(names, keys(topShape(testCatalog()).blocks)...)
	names = append(names, "default", "description", "sensitive", "nullable", "validation", "condition", "error_message", "source")
	for _, p := range expertParts {
		names = append(names, "expert."+p)
	}
	for _, n := range names {
		require.Regexp(t, "`"+regexp.QuoteMeta(n)+"`|`"+regexp.QuoteMeta(n)+"\\b", string(page), n)
	}
}

const (
	tableStart = "<!-- functions: generated, see recipes/docs_test.go -->\n"
	tableEnd   = "<!-- end of functions -->"
)

// TestFunctionTable keeps the page's table of functions; -update writes it.
func TestFunctionTable(t *testing.T) {
	cell := func(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s) }
	code := func(s string) string {
		mark := "`"
		if strings.Contains(s, "`") {
			mark = "``"
		}
		return mark + cell(s) + mark
	}
	var table strings.Builder
	table.WriteString("\n| function | | example | gives |\n|---|---|---|---|\n")
	for _, d := range functions.Docs() {
		table.WriteString("| " + code(d.Signature) + " | " + cell(d.Summary) + " | " + code(d.Example) + " | " + code(d.Result) + " |\n")
	}
	table.WriteString("\n")
	page, err := os.ReadFile(languagePage)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(page), tableStart)
	require.True(t, ok)
	got, after, ok := strings.Cut(rest, tableEnd)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(languagePage, []byte(before+tableStart+table.String()+tableEnd+after), 0o644))
		return
	}
	require.Equal(t, table.String(), got, "run the test with -update")
}
