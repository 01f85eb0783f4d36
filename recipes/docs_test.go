package recipes

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	functions "github.com/llama-pajamas/pj/recipes/function"
)

const languagePage = "../docs/language.md"

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
