package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/recipes/lock"
	"github.com/llama-pajamas/pj/recipes/source"
	"github.com/llama-pajamas/pj/stages"
)

// loaded is a recipe that was read without errors.
type loaded struct {
	*recipes.Recipe
	catalog   *engine.Catalog
	addresses []string   // what of it is wanted; none: all
	lock      *lock.File // as it was read
	lockPath  string
}

// loadRecipe reads the recipe and the addresses that the arguments name
// ([RECIPE] [ADDRESS…]) and says what is wrong with it.
func (a *app) loadRecipe(ctx context.Context, args []string) (*recipes.Recipe, []string, error) {
	l, err := a.load(ctx, args, jobOptions{})
	if err != nil {
		return nil, nil, err
	}
	return l.Recipe, l.addresses, nil
}

// load is loadRecipe, with the lock file.
func (a *app) load(ctx context.Context, args []string, o jobOptions) (*loaded, error) {
	path, addresses := splitArgs(args)
	l := &loaded{catalog: stages.Catalog(), addresses: addresses, lockPath: lockBeside(path)}
	pins, ds := lock.Read(l.lockPath)
	if err := a.diagnose(ds, nil); err != nil {
		return nil, err
	}
	l.lock = pins
	cacheDir, err := a.cacheFolder()
	if err != nil {
		return nil, err
	}
	fetcher := &source.Fetcher{CacheDir: cacheDir, Offline: a.flags.offline, Lock: pins, Logger: slog.Default()}
	if o.upgrade {
		fetcher.Lock = nil
	}
	l.Recipe, ds = recipes.Load(ctx, recipes.Options{
		Path: path, Catalog: l.catalog, Vars: a.flags.vars, Env: environ(), Modules: fetcher, OutputDir: o.output,
	})
	a.redact = l.Redact
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return l, a.diagnose(ds, l.Files)
}

// splitArgs tells a recipe from addresses: the first argument is a recipe where
// there is such a file, or where it is named like one.
func splitArgs(args []string) (recipe string, addresses []string) {
	if len(args) == 0 {
		return ".", nil
	}
	if isRecipePath(args[0]) {
		return args[0], args[1:]
	}
	return ".", args
}

func isRecipePath(arg string) bool {
	if _, err := os.Stat(arg); err == nil {
		return true
	}
	return strings.HasSuffix(arg, ".hcl") || strings.HasSuffix(arg, ".json") || strings.ContainsRune(arg, filepath.Separator) && !strings.Contains(arg, "[")
}

// lockBeside is the lock file of a recipe.
func lockBeside(recipe string) string {
	if st, err := os.Stat(recipe); err != nil || !st.IsDir() {
		recipe = filepath.Dir(recipe)
	}
	return filepath.Join(recipe, lock.Name)
}

// exists reports whether there is a file.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// unknownRecipe is the error of an argument that should be a recipe.
func unknownRecipe(arg string) error {
	return fmt.Errorf("there is no recipe %s: name a file, or a folder that holds recipe.hcl", arg)
}
