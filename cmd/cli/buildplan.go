package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/stages"
)

// isPlanFile tells a plan from a recipe in HCL's JSON syntax by what it holds:
// a plan has a version and actions, which no recipe has.
func isPlanFile(path string) bool {
	if strings.HasSuffix(path, ".hcl") || strings.HasSuffix(path, ".hcl.json") {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	d := json.NewDecoder(io.LimitReader(f, 1<<20))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	// Plans begin with their version.
	key, err := d.Token()
	if err != nil || key != "version" {
		return false
	}
	version, err := d.Token()
	_, isNumber := version.(float64)
	return err == nil && isNumber
}

// buildPlan builds a plan that was written to a file.
func (a *app) buildPlan(ctx context.Context, args []string, output string, keepGoing bool) error {
	if len(args) > 1 {
		return badInput(fmt.Errorf("%s is a plan, and is built whole: name the addresses when it is made (%s plan -o %s %s)", args[0], a.name, args[0], strings.Join(args[1:], " ")))
	}
	if len(a.flags.vars) > 0 {
		return badInput(fmt.Errorf("%s is a plan, in which the variables are settled: give them to %s plan", args[0], a.name))
	}
	plan, err := engine.ReadPlan(args[0])
	if err != nil {
		return badInput(err)
	}
	if output != "" {
		if plan.OutputDir, err = filepath.Abs(output); err != nil {
			return badInput(err)
		}
	}
	if err := a.diagnose(forBuild(plan), nil); err != nil {
		return err
	}
	known, store, release, err := a.leaseCache(ctx)
	if err != nil {
		return err
	}
	defer release()
	b := &build{app: a, known: known, cache: store, keepGoing: keepGoing, executor: engine.Executor{Catalog: stages.Catalog(), Fetch: a.newServices()}}
	waves := 0
	b.lower = func(context.Context, *engine.Known) (*engine.Plan, error) {
		if waves++; waves > 1 {
			return nil, &exitError{exitFailed, fmt.Errorf("the plan ends where it waits for %s, which is measured now: plan again (%s plan -o %s), or build the recipe", strings.Join(plan.Pending, ", "), a.name, args[0])}
		}
		return plan, nil
	}
	return b.run(ctx, plan)
}

// forBuild are a plan's diagnostics for a build: what the plan only warned of
// is an error here.
func forBuild(plan *engine.Plan) (out diag.Diagnostics) {
	refused := map[string]bool{}
	for _, d := range plan.Refusals {
		refused[d.Error()] = true
	}
	for _, d := range plan.Diagnostics {
		if !refused[d.Error()] {
			out = append(out, d)
		}
	}
	return append(out, plan.Refusals...)
}

// errMissed says which validations missed their thresholds.
func errMissed(r *engine.Result) error {
	if r.Passed() {
		return nil
	}
	var missed []string
	for _, v := range r.Verdicts {
		if !v.Passed {
			missed = append(missed, v.Address)
		}
	}
	return &exitError{exitThreshold, errors.New(strings.Join(missed, ", ") + ": a threshold was missed; the artifacts are written")}
}
