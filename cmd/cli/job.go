package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/stages"
)

// hashWhilePlanning is how much of sources that were never read is read to say
// what is cached; of more it is said that it is not known yet.
const hashWhilePlanning = 256 << 20

// job is a recipe with all that it takes to plan and build it.
type job struct {
	*app
	*loaded
	known    *engine.Known
	cache    *cache.Local
	services *stages.Services
	output   string // the folder of the artifacts, absolute
}

// jobOptions say how a recipe is to be planned.
type jobOptions struct {
	output  string // "": the recipe's folder
	upgrade bool   // pins of the lock file do not count
}

// newJob loads a recipe and opens the cache; release is called in the end.
func (a *app) newJob(ctx context.Context, args []string, o jobOptions) (j *job, release func(), err error) {
	collectRarely()
	l, err := a.load(ctx, args, o)
	if err != nil {
		return nil, nil, err
	}
	j = &job{app: a, loaded: l, output: l.Program.Dir}
	if o.output != "" {
		if j.output, err = filepath.Abs(o.output); err != nil {
			return nil, nil, badInput(err)
		}
	}
	if j.known, j.cache, release, err = a.leaseCache(ctx); err != nil {
		return nil, nil, err
	}
	j.services = a.newServices()
	if !o.upgrade {
		j.services.Pin = j.pin
	}
	return j, release, nil
}

func (a *app) newServices() *stages.Services {
	o := hub.OptionsFromEnv(os.Getenv)
	o.Offline = o.Offline || a.flags.offline
	o.Logger = slog.Default()
	o.UserAgent = "pj"
	return &stages.Services{Hub: hub.New(o)}
}

// pin is the revision that the lock file holds for a model.
func (j *job) pin(address, source string) string {
	if m, ok := j.lock.FindModel(address); ok && m.Source == source {
		return m.Revision
	}
	return ""
}

// lower makes the plan of what is wanted, and says what is wrong with it.
func (j *job) lower(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
	plan, err := j.lowerQuietly(ctx, known, j.addresses)
	if err != nil {
		return nil, err
	}
	return plan, j.diagnose(plan.Diagnostics, j.Files)
}

// lowerToBuild is lower, for a build: it refuses what a plan only warns of.
func (j *job) lowerToBuild(ctx context.Context, known *engine.Known) (*engine.Plan, error) {
	plan, err := j.lowerQuietly(ctx, known, j.addresses)
	if err != nil {
		return nil, err
	}
	return plan, j.diagnose(forBuild(plan), j.Files)
}

// lowerQuietly leaves the plan's own warnings to the caller.
func (j *job) lowerQuietly(ctx context.Context, known *engine.Known, addresses []string) (*engine.Plan, error) {
	if err := j.checkAddresses(addresses); err != nil {
		return nil, err
	}
	blocks, part := j.blocksOf(addresses)
	plan, err := engine.Lower(ctx, j.catalog, j.Program, j.services, known, j.output, blocks)
	if err != nil {
		return nil, j.planError(ctx, err, j.Files)
	}
	if part == nil {
		return plan, nil
	}
	only := plan.Only(part)
	for _, address := range addresses {
		named := func(a *engine.Action) bool { return engine.AddressCovers(address, a.Address) }
		if !j.isBlock(address) && len(plan.Pending) == 0 && !slices.ContainsFunc(only.Actions, named) && j.isBlock(j.blockOf(address)) {
			return nil, badInput(unknownAddress(plan, address))
		}
	}
	return only, nil
}

// planError gives an error of planning its place and exit code.
func (a *app) planError(ctx context.Context, err error, files map[string][]byte) error {
	var ds diag.Diagnostics
	var corrupt *cache.CorruptError
	var passing *engine.PassingError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &corrupt):
		return err // the engine mends it
	case errors.As(err, &passing) && errors.As(err, &ds):
		_ = a.diagnose(ds, files)
		return &exitError{exitFailed, nil}
	case errors.As(err, &ds):
		return a.diagnose(ds, files)
	}
	return badInput(err)
}

// planned is a plan with what is known of it.
type planned struct {
	*engine.Plan
	resolved *engine.Resolution // nil once it was built
	states   []engine.State
	contents []cache.OutputID // of its sources, zero where unknown
	jobs     int              // workers of the build, 0: one a processor
	budget   int64            // of its memory, 0: none
	isBlock  func(string) bool
}

func (a *app) resolve(ctx context.Context, known *engine.Known, plan *engine.Plan, isBlock func(string) bool) (*planned, error) {
	r, err := known.Resolve(ctx, plan, hashWhilePlanning, func(n int64, file string) {
		if n > 32<<20 {
			a.note("Reading %s of %s to learn what changed.", bytesOf(n), filepath.Base(file))
		}
	})
	if err != nil {
		return nil, inputError(err)
	}
	return &planned{
		Plan: plan, resolved: r, states: r.States, contents: r.Contents, isBlock: isBlock,
		jobs: a.flags.jobs, budget: int64(a.flags.memory),
	}, nil
}

// inputError is an error about files that the recipe names.
func inputError(err error) error {
	var path *os.PathError
	var stale *engine.StaleError
	if errors.As(err, &path) || errors.As(err, &stale) {
		return badInput(err)
	}
	return err
}

// checkDisk warns where the disk is too small for what is to be written.
func (a *app) checkDisk(output string, files int64, cacheDir string, blobs int64) {
	for _, w := range []struct {
		folder string
		need   int64
	}{{output, files}, {cacheDir, blobs}} {
		if free, ok := diskFree(w.folder); ok && w.need > free {
			a.diagnose(diag.Diagnostics{diag.Warnf(diag.Range{}, "Not enough disk", "%s has %s left, and the build writes up to %s there.", w.folder, bytesOf(free), bytesOf(w.need))}, nil)
		}
	}
}

func (j *job) block(address string) *engine.Block {
	for _, b := range j.Program.Blocks {
		if b.Address == address {
			return b
		}
	}
	return nil
}
