package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes"
)

func (a *app) buildCommand() *cobra.Command {
	var output string
	var keepGoing bool
	c := &cobra.Command{
		Use:   "build [RECIPE|PLAN] [ADDRESS…]",
		Short: "Build the artifacts, validations and reports of a recipe",
		Long: `Builds everything that a recipe (./recipe.hcl, or the only *.hcl of the folder)
makes, or only the addresses named and what they need, or a plan that pj plan -o
wrote. Only what changed runs; what a stopped build finished is kept.`,
		Example: `  pj build
  pj build recipe.hcl artifact.gguf.small --output out
  pj build --frozen --require-cached          # in CI: nothing may change or run
  pj build -j 4 --memory 8GiB --keep-going`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && isPlanFile(args[0]) {
				return a.buildPlan(c.Context(), args, output, keepGoing)
			}
			return a.buildRecipe(c.Context(), args, output, keepGoing)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "put the artifacts and reports into `DIR` (default: the recipe's folder)")
	c.Flags().BoolVarP(&keepGoing, "keep-going", "k", false, "go on with what does not depend on a failed action")
	return c
}

func (a *app) buildRecipe(ctx context.Context, args []string, output string, keepGoing bool) error {
	j, release, err := a.newJob(ctx, args, jobOptions{output: output})
	if err != nil {
		return err
	}
	defer release()
	first, err := j.lowerToBuild(ctx, j.known)
	if err != nil {
		return err
	}
	if err := j.checkFrozen(ctx, first); err != nil {
		return err
	}
	if j.moving(first) {
		// A build that is stopped shall go on with the same revisions.
		if err := j.saveLock(first, nil); err != nil {
			return err
		}
	} else if err := j.probeLock(first); err != nil {
		return err
	}
	b := &build{app: a, known: j.known, cache: j.cache, keepGoing: keepGoing, recipe: j.Recipe, isBlock: j.isBlock, executor: engine.Executor{Catalog: j.catalog, Fetch: j.services}}
	b.lower = func(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
		if plan := first; plan != nil {
			first = nil
			return plan, nil
		}
		return j.lowerToBuild(ctx, known)
	}
	b.done = func(r *engine.Result) error {
		rememberSources(ctx, j.cache, r)
		return j.saveLock(r.Plan, knownDigests(r.Contents))
	}
	return b.run(ctx, first)
}

// build is a build at work, of a recipe or a plan.
type build struct {
	*app
	known     *engine.Known
	cache     *cache.Local
	executor  engine.Executor
	keepGoing bool
	recipe    *recipes.Recipe   // nil where a plan file is built
	isBlock   func(string) bool // nil, too
	lower     func(ctx context.Context, known *engine.Known) (*engine.Plan, error)
	done      func(r *engine.Result) error // once everything is built
}

// run says what is to be done, does it, and says what came out.
func (b *build) run(ctx context.Context, first *engine.Plan) error {
	p, err := b.resolve(ctx, b.known, first, b.isBlock)
	if err != nil {
		return err
	}
	need := p.need()
	b.checkDisk(p.OutputDir, need.files, b.cache.Dir(), need.cache)
	if n := p.count(); n.cached < n.actions || len(p.Pending) > 0 {
		collectAsUsual()
		if !b.flags.json {
			if err := b.print(b.buildView(p)); err != nil {
				return err
			}
		}
	}
	b.executor.Resolved = p.resolved
	r, err := b.execute(ctx)
	if r == nil {
		r = &engine.Result{Plan: p.Plan}
	}
	if err == nil && b.done != nil {
		err = b.done(r)
	}
	return b.conclude(ctx, p, r, err)
}

// execute runs the engine.
func (b *build) execute(ctx context.Context) (*engine.Result, error) {
	x := &b.executor
	x.Known = *b.known
	x.Jobs, x.Memory = b.flags.jobs, int64(b.flags.memory)
	x.KeepGoing, x.RequireCached = b.keepGoing, b.flags.requireCached
	x.Program = b.program()
	scratch, release, err := b.cache.Scratch(ctx)
	if err == nil {
		defer release()
		x.Scratch = scratch
	}
	x.LogDir = filepath.Join(b.cache.Dir(), "logs")
	if err := os.MkdirAll(x.LogDir, 0o755); err != nil {
		x.LogDir = ""
	}
	progress := b.newProgress()
	defer progress.stop()
	x.Observe = progress.observe
	return x.Build(ctx, b.lower)
}
