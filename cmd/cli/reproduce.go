package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/recipes/lock"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/stages"
)

func (a *app) reproduceCommand() *cobra.Command {
	var given []string
	var rebuild bool
	c := &cobra.Command{
		Use:   "reproduce FILE",
		Short: "Build a GGUF file again from what it says of itself, and compare the bytes",
		Long: `Reads the recipe and the pins of its sources out of a GGUF file (of a split one name
any shard), finds the sources, builds the file again in a folder of its own and says
whether the bytes are equal; where they are not, the exit code is 5.

Sources are known by their content. Models of the hub are found by the revision that
the file names, others where this machine built from them before, or where --source
says.`,
		Example: `  pj reproduce model.gguf
  pj reproduce model.gguf --source models/nano
  pj reproduce model.gguf --source model.base=models/nano --source dataset.wiki=wiki.txt --rebuild`,
		Args: takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.runReproduce(c.Context(), args[0], given, rebuild)
		},
	}
	c.Flags().StringArrayVar(&given, "source", nil, "where a source lies, as `ADDRESS=PATH`, or PATH if there is only one")
	c.Flags().BoolVar(&rebuild, "rebuild", false, "use no result of the cache: run everything again")
	return c
}

// reproduceJSON is what pj reproduce prints with --json.
type reproduceJSON struct {
	Path        string            `json:"path"`
	Equal       bool              `json:"equal"`
	Difference  *string           `json:"difference"`
	Sources     map[string]string `json:"sources"`
	Bytes       int64             `json:"bytes"`
	Executed    int               `json:"executed"`
	Seconds     float64           `json:"seconds"`
	Diagnostics diag.Diagnostics  `json:"diagnostics"`
}

func (a *app) runReproduce(ctx context.Context, path string, given []string, rebuild bool) error {
	start := time.Now()
	file, err := gguf.Open(ctx, path)
	if err != nil {
		return openError(ctx, err)
	}
	made, err := readProvenance(file)
	if err != nil {
		return badInput(fmt.Errorf("%s: %w", path, err))
	}
	for _, text := range made.otherStages(stages.Catalog()) {
		a.warn("%s", text)
	}
	known, store, release, err := a.leaseCache(ctx)
	if err != nil {
		return err
	}
	defer release()
	// Beside the cache the file can share its blocks.
	folder, remove, err := store.Scratch(ctx)
	if err != nil {
		if folder, err = os.MkdirTemp("", "pj-reproduce-"); err != nil {
			return err
		}
		remove = func() { os.RemoveAll(folder) }
	}
	defer remove()
	if err := made.findSources(ctx, store, given, folder); err != nil {
		return badInput(fmt.Errorf("%s: %w", path, err))
	}
	if rebuild {
		fresh, err := cache.Open(filepath.Join(folder, "cache"), cache.Options{})
		if err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		known, store = &engine.Known{Store: fresh, Records: fresh}, fresh
	}
	r, err := a.buildAgain(ctx, made, folder, known, store)
	if err != nil {
		return err
	}
	difference, err := compareFiles(ctx, file, r.Artifacts[0].Files)
	if err != nil {
		return err
	}
	return a.reproduced(reproduceJSON{
		Path: path, Equal: difference == "", Sources: made.where, Bytes: r.Artifacts[0].Bytes, Executed: r.Executed, Seconds: seconds(time.Since(start)),
	}, difference)
}

func (a *app) reproduced(out reproduceJSON, difference string) error {
	if a.flags.json {
		if difference != "" {
			out.Difference = &difference
		}
		out.Diagnostics = append(diag.Diagnostics{}, a.diagnostics...)
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else if difference == "" {
		line := fmt.Sprintf("%s is reproduced: all %s bytes are equal.", out.Path, thousands(out.Bytes))
		if err := a.print(a.ink(green, line) + "\n"); err != nil {
			return err
		}
	}
	if difference != "" {
		return &exitError{exitDiffers, fmt.Errorf("%s is not reproduced: %s", out.Path, difference)}
	}
	return nil
}

// buildAgain builds the file's recipe in a folder.
func (a *app) buildAgain(ctx context.Context, made *origin, folder string, known *engine.Known, store *cache.Local) (*engine.Result, error) {
	path := filepath.Join(folder, "recipe.hcl.json")
	raw, err := made.recipeJSON()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, err
	}
	output := filepath.Join(folder, "output")
	l := &loaded{catalog: stages.Catalog(), lock: made.pins()}
	var ds diag.Diagnostics
	l.Recipe, ds = recipes.Load(ctx, recipes.Options{Path: path, Catalog: l.catalog, OutputDir: output})
	if err := a.diagnose(ds, l.Files); err != nil {
		return nil, err
	}
	j := &job{app: a, loaded: l, known: known, cache: store, services: a.newServices(), output: output}
	j.services.Pin = j.pin
	plan, err := j.lowerToBuild(ctx, known)
	if err != nil {
		return nil, err
	}
	if len(plan.Artifacts) != 1 {
		return nil, badInput(fmt.Errorf("the recipe in the file makes %s, not one", plural(len(plan.Artifacts), "artifact")))
	}
	if err := j.checkDigests(ctx, plan, made); err != nil {
		return nil, err
	}
	b := &build{app: a, known: known, cache: store, executor: engine.Executor{Catalog: l.catalog, Fetch: j.services}, lower: j.lowerToBuild}
	r, err := b.execute(ctx)
	if err == nil && len(r.Artifacts) != 1 {
		err = errors.New("the build made no artifact")
	}
	return r, err
}

// checkDigests makes sure that models which were found are those that the file
// was made from.
func (j *job) checkDigests(ctx context.Context, plan *engine.Plan, made *origin) error {
	for _, m := range plan.Models {
		want := made.locks[m.Address].Digest
		if want == "" || !allHere(plan, m) {
			continue
		}
		digest, err := j.digest(ctx, plan, m)
		if err != nil {
			return err
		}
		if digest != want {
			return badInput(fmt.Errorf("%s is not what the file was made from: its content is %s, and %s was %s", made.where[m.Address], shortDigest(digest), m.Address, shortDigest(want)))
		}
	}
	return nil
}

// pins are the lock's entries as the file holds them.
func (p *origin) pins() *lock.File {
	f := &lock.File{Version: lock.Version}
	for address, l := range p.locks {
		if l.Revision != "" {
			f.SetModel(lock.Model{Address: address, Source: l.Source, Revision: l.Revision, Digest: l.Digest})
		}
	}
	return f
}

// addresses lists what the file was made from.
func (p *origin) addresses() []string {
	var out []string
	for address := range p.locks {
		out = append(out, address)
	}
	sort.Strings(out)
	return out
}

func shortDigest(d string) string { return prefix(strings.TrimPrefix(d, "blake3:"), 16) }
