package cli

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/atomicfile"
)

func (a *app) planCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "plan [RECIPE] [ADDRESS…]",
		Short: "Say what a build would do and why; run nothing",
		Long: `Says what a build would run and why, what each artifact will hold and how large
it will be, and what memory and disk the build needs. It reads headers only, and
source tensors where they are small enough to know what is cached.

  +  is new
  ~  is built again, and why
  =  is in the cache
  ?  waits for evidence that a stage has yet to measure`,
		Example: `  pj plan
  pj plan recipe.hcl artifact.gguf.small
  pj plan --var precision=q5_k -o plan.json && pj build plan.json`,
		RunE: func(c *cobra.Command, args []string) error { return a.runPlan(c.Context(), args, file) },
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write the plan to `FILE` (- for standard output), for pj build FILE")
	return c
}

func (a *app) runPlan(ctx context.Context, args []string, file string) error {
	start := time.Now()
	j, release, err := a.newJob(ctx, args, jobOptions{})
	if err != nil {
		return err
	}
	defer release()
	plan, err := j.lower(ctx, j.known)
	if err != nil {
		return err
	}
	if err := j.checkFrozen(ctx, plan); err != nil {
		return err
	}
	p, err := a.resolve(ctx, j.known, plan, j.isBlock)
	if err != nil {
		return err
	}
	n := p.need()
	a.checkDisk(p.OutputDir, n.files, j.cache.Dir(), n.cache)
	switch file {
	case "":
	case "-":
		return a.printPlan(plan)
	default:
		if err := writePlan(file, plan); err != nil {
			return err
		}
	}
	if a.flags.json {
		out := p.json()
		out.Summary.Seconds = seconds(time.Since(start))
		out.Outputs = j.Program.Outputs
		out.Diagnostics = append(out.Diagnostics, a.diagnostics...)
		err = a.printJSON(out)
	} else {
		err = a.print(a.view(p))
	}
	if err != nil {
		return err
	}
	if file != "" {
		a.note("The plan is in %s: %s build %s makes it true.", file, a.name, file)
	}
	if a.flags.requireCached {
		return refuseMisses(p)
	}
	return nil
}

// printPlan writes what -o would to standard output, and nothing else.
func (a *app) printPlan(plan *engine.Plan) error {
	a.stderr.clear()
	a.wroteJSON = true
	return plan.Encode(a.stdout)
}

func writePlan(file string, plan *engine.Plan) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(file, func(w *os.File) error { return plan.Encode(w) })
}

// refuseMisses is the error of --require-cached where something had to run.
func refuseMisses(p *planned) error {
	miss := &engine.NotCachedError{Total: len(p.Actions)}
	for i, s := range p.states {
		if s.Status != engine.Cached {
			miss.Misses = append(miss.Misses, engine.Miss{Address: p.Actions[i].Address, Reason: s.Reason})
		}
	}
	if len(miss.Misses) == 0 {
		return nil
	}
	return miss
}
