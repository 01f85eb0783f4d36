// Command fillcache gives a cache an entry for every action of a recipe without
// quantizing anything: plans, keys, hashes of the sources, commits and lookups
// are real. The tensors' blobs are stand-ins of 32 bytes, and the artifact is the
// file that such small tensors make. It is for measuring what a build of a large model costs that has
// nothing to do. Never use such a cache for anything else: it holds lies.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/stages"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: fillcache RECIPE CACHE")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "fillcache:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, recipe, folder string) error {
	marker := filepath.Join(folder, "NOT-A-REAL-CACHE")
	if _, err := os.Stat(folder); err == nil {
		if _, err := os.Stat(marker); err != nil {
			return fmt.Errorf("%s is there already and may hold real results: name a new folder", folder)
		}
	}
	store, err := cache.Open(folder, cache.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(marker, []byte("Filled by fillcache: its blobs are stand-ins.\n"), 0o644); err != nil {
		return err
	}
	catalog := stages.Catalog()
	r, problems := recipes.Load(ctx, recipes.Options{Path: recipe, Catalog: catalog})
	if err := problems.Err(); err != nil {
		return err
	}
	x := engine.Executor{Known: engine.Known{Store: store, Records: store}, Catalog: standIns(catalog)}
	start := time.Now()
	result, err := x.Build(ctx, func(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
		return engine.Lower(ctx, catalog, r.Program, &stages.Services{}, known, r.Program.Dir, nil)
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"actions": len(result.Plan.Actions), "executed": result.Executed, "seconds": time.Since(start).Seconds(),
		"hashed_bytes": result.HashedBytes, "hash_seconds": result.HashTime.Seconds(), "store_seconds": result.StoreTime.Seconds(),
	})
}

// standIns is the catalog with a quantize stage that quantizes nothing, and an
// artifact of what that leaves.
func standIns(c *engine.Catalog) *engine.Catalog {
	var list []*engine.Stage
	for _, s := range c.Stages() {
		stage := *s
		switch s.ID() {
		case "stage quantize":
			stage.Run = standIn
		case "artifact gguf":
			stage.Run = func(ctx context.Context, env *engine.Env) error { return small(ctx, env, s.Run) }
		}
		list = append(list, &stage)
	}
	return engine.NewCatalog(list...)
}

// standIn writes a hash of what the action is made of, and facts as the stage
// leaves them.
func standIn(_ context.Context, env *engine.Env) error {
	h := blake3.New()
	for _, p := range env.Params {
		fmt.Fprintf(h, "%s=%s\n", p.Name, p.Value)
	}
	weights := int64(0)
	for _, in := range env.Inputs {
		h.Write(in.ID[:])
		weights += in.Size / 2
	}
	if err := env.Write("blocks", h.Sum(nil)); err != nil {
		return err
	}
	return env.SetMeta(map[string]any{"weights": weights, "sq": 0.5, "ref": 1.5, "max_abs": 0.25, "worst_rows": []map[string]any{
		{"row": 17, "rel_rmse": 0.1}, {"row": 170, "rel_rmse": 0.09}, {"row": 717, "rel_rmse": 0.08},
	}})
}

// small packs tensors that are as large as their stand-ins: 8 numbers of 4 bytes
// for each blob.
func small(ctx context.Context, env *engine.Env, pack func(context.Context, *engine.Env) error) error {
	var params struct {
		Tensors []struct {
			Name   string  `json:"name"`
			Dims   []int64 `json:"dims"`
			Type   string  `json:"type"`
			Slices int64   `json:"slices"`
		} `json:"tensors"`
	}
	if err := env.Params.Decode(&params); err != nil {
		return err
	}
	for i := range params.Tensors {
		t := &params.Tensors[i]
		t.Dims, t.Type = []int64{8 * t.Slices}, "f32"
	}
	with, err := env.Params.With("tensors", params.Tensors)
	if err != nil {
		return err
	}
	env.Params = with
	return pack(ctx, env)
}
