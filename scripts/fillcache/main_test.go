package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/stages"
)

// TestFill fills a cache and builds from it without running anything.
func TestFill(t *testing.T) {
	model, err := filepath.Abs("../../examples/models/nano-qwen3moe")
	require.NoError(t, err)
	dir := t.TempDir()
	recipe := filepath.Join(dir, "recipe.hcl")
	require.NoError(t, os.WriteFile(recipe, []byte(`
model "m" { source = "`+filepath.ToSlash(model)+`" }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "q" {
  model  = model.m
  policy = policy.p
}
artifact "gguf" "g" {
  from = stage.quantize.q
  path = "g.gguf"
}
`), 0o644))
	folder := filepath.Join(dir, "cache")
	require.NoError(t, run(t.Context(), recipe, folder))

	catalog := stages.Catalog()
	r, problems := recipes.Load(t.Context(), recipes.Options{Path: recipe, Catalog: catalog})
	require.NoError(t, problems.Err())
	store, err := cache.Open(folder, cache.Options{})
	require.NoError(t, err)
	x := engine.Executor{Known: engine.Known{Store: store, Records: store}, Catalog: catalog, RequireCached: true}
	result, err := x.Build(t.Context(), func(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
		return engine.Lower(ctx, catalog, r.Program, &stages.Services{}, known, r.Program.Dir, nil)
	})
	require.NoError(t, err)
	require.Zero(t, result.Executed)
	require.FileExists(t, filepath.Join(dir, "g.gguf"))
}
