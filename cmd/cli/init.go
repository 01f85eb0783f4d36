package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/internal/atomicfile"
	"github.com/llama-pajamas/pj/recipes/format"
)

// initResult is the JSON object of pj init.
type initResult struct {
	Recipe       string `json:"recipe"` // the file that was written
	Source       string `json:"source"` // of the model, as the recipe names it
	Architecture string `json:"architecture"`
	Name         string `json:"name"` // of the model's block
}

// starterModel is what a recipe is about that no model was named for.
const starterModel = "hf://Qwen/Qwen3-30B-A3B"

func (a *app) initCommand() *cobra.Command {
	var output string
	var force bool
	c := &cobra.Command{
		Use:   "init [MODEL]",
		Short: "Write a starter recipe for a model",
		Long: `Writes a recipe that fits a model: a folder in the hub's layout, a GGUF file, or
hf://OWNER/NAME. Only headers are read. Mixtures of experts get rules for router,
attention and experts, models whose experts are published in MXFP4 keep them, others
get a mix. The model's path is written as the recipe will look for it.

Without a model the one in this folder is taken, else an example is written.`,
		Example: "  pj init hf://Qwen/Qwen3-30B-A3B\n  pj init ../models/gpt-oss-20b -o gpt-oss.hcl",
		Args:    takes("[MODEL]"),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "-" && !strings.HasSuffix(output, ".hcl") {
				return badInput(fmt.Errorf("-o %s: a recipe's name ends in .hcl", output))
			}
			if output == "-" && a.flags.json {
				return badInput(errors.New("-o - prints the recipe on standard output, and --json something else: use one of them"))
			}
			model := ""
			if len(args) == 1 {
				model = args[0]
			} else if found, err := exists("config.json"); err != nil {
				return err
			} else if found {
				model = "."
			}
			return a.init(c.Context(), model, output, force)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "recipe.hcl", "the `FILE` to write; - prints it")
	c.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	return c
}

func (a *app) init(ctx context.Context, model, output string, force bool) error {
	if output != "-" && !force {
		found, err := exists(output)
		if err != nil {
			return err
		}
		if found {
			return badInput(fmt.Errorf("%s is there already: name another file with -o, or replace it with --force", output))
		}
	}
	s := &starter{source: starterModel}
	if model != "" {
		w, err := a.openWeights(ctx, model)
		if err != nil {
			return openError(ctx, err)
		}
		defer w.Close()
		if s, err = a.newStarter(w, model, output); err != nil {
			return badInput(err)
		}
	}
	s.name, s.file = blockName(s.source, model), fileStem(s.source, model)
	text, problems := format.Format([]byte(s.recipe()), output)
	if err := a.diagnose(problems, nil); err != nil {
		return err
	}
	if output == "-" {
		return a.print(string(text))
	}
	if st, err := os.Stat(filepath.Dir(output)); err != nil || !st.IsDir() {
		return badInput(fmt.Errorf("-o %s: there is no folder %s", output, filepath.Dir(output)))
	}
	if err := atomicfile.WriteFile(output, text); err != nil {
		return err
	}
	if a.flags.json {
		return a.printJSON(initResult{output, s.source, s.architecture, s.name})
	}
	if a.flags.quiet {
		return nil
	}
	next := "pj plan"
	if filepath.Clean(output) != "recipe.hcl" {
		next += " " + output
	}
	return a.print(fmt.Sprintf("Wrote %s for %s. `%s` shows what it makes.\n", output, s.source, next))
}

// newStarter looks at a model.
func (a *app) newStarter(w *weights, model, output string) (*starter, error) {
	switch {
	case len(w.tensors) == 0:
		return nil, fmt.Errorf("%s has no tensors: it is a vocabulary, not a model", model)
	case w.format == "safetensors":
		return nil, fmt.Errorf("%s: one file of a model: name its folder, %s", model, filepath.Dir(model))
	}
	for _, text := range w.warnings {
		a.warn("%s", text)
	}
	if w.quantized {
		a.warn("%s is quantized already, and quantizing it again loses more than doing it once; better take the model's unquantized release", model)
	}
	s := &starter{source: model, weights: w, architecture: w.architecture}
	if strings.HasPrefix(model, "hf://") {
		return s, nil
	}
	dir := "."
	if output != "-" {
		dir = filepath.Dir(output)
	}
	var err error
	s.source, err = relativePath(dir, model)
	return s, err
}

// relativePath is where path is, seen from a folder, with slashes; absolute
// where there is no way.
func relativePath(dir, path string) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(from, to); err == nil {
		to = rel
	}
	return filepath.ToSlash(to), nil
}

// fileStem is what files made of the model begin with: the name of its folder,
// file or repository.
func fileStem(source, model string) string {
	name := source
	if model != "" && !strings.HasPrefix(model, "hf://") {
		if abs, err := filepath.Abs(model); err == nil {
			name = filepath.ToSlash(abs)
		}
	}
	name, _, _ = strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "@")
	name = strings.TrimSuffix(name, ".gguf")
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-."); name == "" {
		return "model"
	}
	return name
}

// blockName is the name of the model's block: letters, digits, underscores.
func blockName(source, model string) string {
	name := strings.NewReplacer("-", "_", ".", "_").Replace(fileStem(source, model))
	if name[0] >= '0' && name[0] <= '9' {
		name = "m_" + name
	}
	return name
}
