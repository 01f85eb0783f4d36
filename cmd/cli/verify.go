package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [RECIPE] [ADDRESS…]",
		Short: "Rebuild beside the cache and compare the bytes (exit 5 where they differ)",
		Long: `Runs the actions of a recipe again, though the cache has their results, and
compares what comes out with what it has; then compares the artifacts' files with
what they should hold. Nothing is kept. The exit code is 5 where something differs:
a stage is not deterministic, the machine or its disk has a fault, or a file was
changed.`,
		Example: `  pj verify
  pj verify recipe.hcl artifact.gguf.small
  pj verify 'stage.quantize.small["blk.0.attn_q.weight"]'`,
		RunE: func(c *cobra.Command, args []string) error { return a.runVerify(c.Context(), args) },
	}
}

// verifyJSON is what pj verify prints with --json.
type verifyJSON struct {
	Recipe      string              `json:"recipe"`
	Equal       bool                `json:"equal"`
	Actions     int                 `json:"actions"`
	Files       int                 `json:"files"`
	Differences []engine.Difference `json:"differences"`
	Seconds     float64             `json:"seconds"`
	Diagnostics diag.Diagnostics    `json:"diagnostics"`
}

func (a *app) runVerify(ctx context.Context, args []string) error {
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
	x := engine.Executor{Known: *j.known, Catalog: j.catalog, Fetch: j.services, Jobs: a.flags.jobs, Memory: int64(a.flags.memory)}
	progress := a.newProgress()
	x.Observe = progress.observe
	collectAsUsual()
	v, err := x.Verify(ctx, plan, j.actionsNamed())
	progress.stop()
	if err != nil {
		return a.verifyError(err)
	}
	if err := a.verified(j.Program.Path, v, time.Since(start)); err != nil {
		return err
	}
	if len(v.Differences) > 0 {
		return &exitError{exitDiffers, fmt.Errorf("%s: the bytes are not those of the build", plural(len(v.Differences), "difference"))}
	}
	return nil
}

// actionsNamed are the addresses, where one of them names actions: those alone
// are looked at, and not what they are made from.
func (j *job) actionsNamed() []string {
	for _, address := range j.addresses {
		if !j.isBlock(address) && j.isBlock(j.blockOf(address)) {
			return j.addresses
		}
	}
	return nil
}

func (a *app) verifyError(err error) error {
	var missing *engine.NotBuiltError
	if errors.As(err, &missing) {
		return fmt.Errorf("%w (%s build)", err, a.name)
	}
	return inputError(err)
}

func (a *app) verified(recipe string, v *engine.Verified, took time.Duration) error {
	if a.flags.json {
		return a.printJSON(verifyJSON{recipe, len(v.Differences) == 0, v.Actions, v.Files, v.Differences, seconds(took), append(diag.Diagnostics{}, a.diagnostics...)})
	}
	var b strings.Builder
	for _, d := range v.Differences {
		fmt.Fprintf(&b, "%s %s\n", a.ink(red, "!"), d)
	}
	outcome := "all bytes are equal"
	if n := len(v.Differences); n > 0 {
		outcome = plural(n, "difference")
	}
	fmt.Fprintf(&b, "%s run again and %s compared in %s: %s.\n", plural(v.Actions, "action"), plural(v.Files, "file"), short(took), outcome)
	return a.print(b.String())
}
