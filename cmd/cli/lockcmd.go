package cli

import (
	"context"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes/lock"
)

func (a *app) lockCommand() *cobra.Command {
	var upgrade bool
	c := &cobra.Command{
		Use:   "lock [RECIPE]",
		Short: "Pin models and modules in pj.lock.hcl",
		Long: `Writes pj.lock.hcl beside the recipe: the revision of each model of the hub and
the hashes of its files, the commit of each module, and the content of models that
are on this machine, which are read for it. Keep the file in git: builds then use
the same sources everywhere.

With --frozen nothing is written; where something would have to, the exit code is 4.`,
		Example: `  pj lock
  pj lock --upgrade            # ask for the newest revisions and modules
  pj lock --frozen             # in CI: is everything pinned, and as it was?`,
		Args: takes("[RECIPE]"),
		RunE: func(c *cobra.Command, args []string) error { return a.runLock(c.Context(), args, upgrade) },
	}
	c.Flags().BoolVarP(&upgrade, "upgrade", "u", false, "resolve revisions and modules anew")
	return c
}

// lockJSON is what pj lock prints with --json.
type lockJSON struct {
	Path        string           `json:"path"`
	Changes     []string         `json:"changes"`
	Models      []lockedModel    `json:"models"`
	Modules     []lockedModule   `json:"modules"`
	Seconds     float64          `json:"seconds"`
	Diagnostics diag.Diagnostics `json:"diagnostics"`
}

type lockedModel struct {
	Address  string `json:"address"`
	Source   string `json:"source"`
	Revision string `json:"revision"`
	Digest   string `json:"digest"`
	Files    int    `json:"files"`
}

type lockedModule struct {
	Address string `json:"address"`
	Source  string `json:"source"`
	Commit  string `json:"commit"`
	Digest  string `json:"digest"`
}

func (a *app) runLock(ctx context.Context, args []string, upgrade bool) error {
	start := time.Now()
	j, release, err := a.newJob(ctx, args, jobOptions{upgrade: upgrade})
	if err != nil {
		return err
	}
	defer release()
	if len(j.addresses) > 0 {
		return badInput(unknownRecipe(j.addresses[0]))
	}
	plan, err := j.lowerModels(ctx)
	if err != nil {
		return err
	}
	if err := j.fetchSmall(ctx, plan); err != nil {
		return err
	}
	before := j.lock
	if err := j.checkFrozen(ctx, plan); err != nil {
		return err
	}
	if err := j.saveLock(plan, j.readDigests(ctx, plan)); err != nil {
		return err
	}
	if !a.flags.json {
		return a.lockView(j, plan, before)
	}
	out := lockJSON{Path: j.lockPath, Changes: append([]string{}, lock.Diff(before, j.lock)...), Models: []lockedModel{}, Modules: []lockedModule{}}
	for _, m := range j.lock.Models {
		out.Models = append(out.Models, lockedModel{m.Address, m.Source, m.Revision, m.Digest, len(m.Files)})
	}
	for _, m := range j.lock.Modules {
		out.Modules = append(out.Modules, lockedModule{m.Address, m.Source, m.Commit, m.Digest})
	}
	out.Seconds = seconds(time.Since(start))
	out.Diagnostics = append(diag.Diagnostics{}, a.diagnostics...)
	return a.printJSON(out)
}

// lowerModels plans what the lock file is about: the models that are used.
func (j *job) lowerModels(ctx context.Context) (*engine.Plan, error) {
	var models []string
	for _, b := range j.Program.Blocks {
		if b.Stage.Block == "model" && b.Used {
			models = append(models, b.Address)
		}
	}
	if len(models) == 0 {
		return &engine.Plan{Version: engine.PlanVersion, Recipe: j.Program.Path}, nil
	}
	sort.Strings(models)
	return j.lowerQuietly(ctx, j.known, models)
}

// fetchSmall brings the small files of a hub's models of which the hub knows no
// SHA-256: configuration and tokenizer.
func (j *job) fetchSmall(ctx context.Context, plan *engine.Plan) error {
	for _, m := range plan.Models {
		for _, i := range m.Files {
			f := plan.Files[i]
			here, err := exists(f.Path)
			if err != nil || here || f.Remote == "" || f.SHA256 != "" || f.Size > smallFile || j.flags.offline {
				continue
			}
			if err := j.services.Fetch(ctx, f, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) lockView(j *job, plan *engine.Plan, before *lock.File) error {
	for _, m := range plan.Models {
		if !allHere(plan, m) {
			a.note("%s is not on this machine yet: its revision and the hashes of its files are pinned, its digest follows with the first build.", m.Address)
		}
	}
	pins := plural(len(j.lock.Models), "model") + ", " + plural(len(j.lock.Modules), "module")
	if len(lock.Diff(before, j.lock)) == 0 {
		return a.print(j.lockPath + " is up to date: " + pins + ".\n")
	}
	return a.print(j.lockPath + " is written: " + pins + ".\n")
}
