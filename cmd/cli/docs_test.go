package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/recipes/format"
	"github.com/llama-pajamas/pj/stages"
)

// TestReferencePage keeps docs/reference.md; -update writes it.
func TestReferencePage(t *testing.T) {
	const path = "../../docs/reference.md"
	want := markdownReference(stages.Catalog())
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, want, string(got), "run the test with -update")
}

// TestTopics shows every topic that is listed or completed.
func TestTopics(t *testing.T) {
	c := stages.Catalog()
	for _, first := range completeTopics(c, nil) {
		second := completeTopics(c, []string{first})
		for _, s := range second {
			p, err := findPage(c, []string{first, s})
			require.NoError(t, err, "%s %s", first, s)
			require.NotEmpty(t, p.text)
		}
		if first == "function" || first == "type" {
			require.NotEmpty(t, second)
			continue
		}
		p, err := findPage(c, []string{first})
		require.NoError(t, err, first)
		require.NotEmpty(t, strings.TrimSpace(p.text), first)
		require.NotNil(t, p.data)
	}
	for _, g := range guidePages() {
		require.True(t, strings.HasPrefix(guideSection(g[1]), g[1]), "the guide has no section %s", g[1])
	}
}

// TestBlockDocs checks that every attribute says what it is for, and that
// examples are well formed.
func TestBlockDocs(t *testing.T) {
	c := stages.Catalog()
	var check func(where string, fields []fieldDoc)
	check = func(where string, fields []fieldDoc) {
		for _, f := range fields {
			require.NotEmpty(t, f.Doc, "%s %s has no doc tag", where, f.Name)
			check(where+" "+f.Name, f.Attributes)
			check(where+" "+f.Name, f.Blocks)
		}
	}
	for _, s := range c.Stages() {
		d := documentBlock(c, s)
		require.NotEmpty(t, d.Doc, s.ID())
		check(s.ID(), d.Attributes)
		check(s.ID(), d.Blocks)
		again, ds := format.Format([]byte(d.Example), "x.hcl")
		require.Empty(t, ds)
		require.Equal(t, d.Example, string(again))
	}
}

// TestTypePages checks names that are a type in one place and a width in another.
func TestTypePages(t *testing.T) {
	c := stages.Catalog()
	for name, want := range map[string]string{
		"int3":  "As a type of weights the name is a width, and means q3_k.",
		"INT2":  "As a type of weights the name is a width, and means q2_k.",
		"INT4":  "weights   q4_k; mxfp4 where the source is, iq4_nl where 256 does not divide a row\nKV cache  q4_0\n",
		"fp8":   "weights   q8_0\nKV cache  e4m3\n",
		"FP16":  "weights   f16\nKV cache  f16\n",
		"bf16":  "GGUF type        30",
		"q4_k":  "GGUF type        12",
		"types": "INT3   q3_k     int3",
	} {
		p, err := findPage(c, []string{name})
		require.NoError(t, err, name)
		require.Contains(t, p.text, want, name)
	}
	_, err := findPage(c, []string{"type", "INT9"})
	require.ErrorContains(t, err, `there is no type "INT9"`)
}
