package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes"
)

// validateResult is the JSON object of pj validate.
type validateResult struct {
	Valid       bool             `json:"valid"`
	Diagnostics diag.Diagnostics `json:"diagnostics"`
}

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [RECIPE]",
		Short: "Check a recipe without network and without its models",
		Long: `Checks a recipe: its syntax, names, types, references, variables and modules. All
mistakes are reported at once. Neither the network nor a model is asked; modules
from git count as they were fetched and locked before.

Exit code 0 where the recipe is valid, 2 where it is not.`,
		Example: "  pj validate\n  pj validate recipes/qwen3.hcl --var precision=INT8",
		Args:    takes("[RECIPE]"),
		RunE: func(c *cobra.Command, args []string) error {
			a.flags.offline = true
			r, err := a.loadOne(c.Context(), args)
			var exit *exitError
			if err != nil && (!errors.As(err, &exit) || exit.code != exitBadInput) {
				return err
			}
			if a.flags.json {
				said := append(diag.Diagnostics{}, a.diagnostics...)
				if exit != nil && exit.err != nil {
					said = append(said, diag.Diagnostic{Severity: diag.Error, Summary: exit.err.Error()})
				}
				if e := a.printJSON(validateResult{err == nil, said}); e != nil {
					return e
				}
				return err
			}
			if err != nil || a.flags.quiet {
				return err
			}
			return a.print(fmt.Sprintf("%s is valid: %s.\n", r.Program.Path, countBlocks(r.Program)))
		},
	}
}

// countBlocks says how many blocks of each kind a recipe has.
func countBlocks(p *engine.Program) string {
	count := map[string]int{"policy": len(p.Policies)}
	for _, b := range p.Blocks {
		count[b.Stage.Block]++
	}
	var parts []string
	for _, kind := range []string{"model", "dataset", "policy", "stage", "artifact", "validate", "report"} {
		if n := count[kind]; n > 0 {
			word := kind
			if kind == "validate" {
				word = "validation"
			}
			parts = append(parts, plural(n, word))
		}
	}
	if len(parts) == 0 {
		return "it makes nothing"
	}
	return strings.Join(parts, ", ")
}

// loadOne reads the recipe of a command that takes no addresses.
func (a *app) loadOne(ctx context.Context, args []string) (*recipes.Recipe, error) {
	if len(args) == 1 && !isRecipePath(args[0]) {
		return nil, badInput(fmt.Errorf("%s: there is no such file or folder: name a recipe, or the folder that has it", args[0]))
	}
	r, _, err := a.loadRecipe(ctx, args)
	return r, err
}
