package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/internal/atomicfile"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes/format"
)

// fmtOptions are the flags of pj fmt.
type fmtOptions struct{ check, diff, recursive bool }

// fmtResult is the JSON object of pj fmt.
type fmtResult struct {
	Changed     []string         `json:"changed"`
	Diff        string           `json:"diff,omitempty"`
	Diagnostics diag.Diagnostics `json:"diagnostics"`
}

func (a *app) fmtCommand() *cobra.Command {
	var o fmtOptions
	c := &cobra.Command{
		Use:   "fmt [PATH…]",
		Short: "Bring recipes into the one canonical layout",
		Long: `Formats recipes: the files that are named, and those of the folders that are named
(*.hcl, *.hcl.json, *.pjvars; default: this folder). Only white space changes. Files
are replaced whole, and only where something changes; their names are printed. "-"
formats standard input to standard output.

Exit code 1 where --check found files to format (nothing is written then), 2 where a
file has syntax errors: it is left alone, and the others are formatted.`,
		Example: "  pj fmt\n  pj fmt --check --diff recipe.hcl\n  pj fmt - < recipe.hcl",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.fmt(args, o)
		},
	}
	c.Flags().BoolVar(&o.check, "check", false, "write nothing; exit 1 where a file is not formatted")
	c.Flags().BoolVar(&o.diff, "diff", false, "show what changes")
	c.Flags().BoolVarP(&o.recursive, "recursive", "r", false, "the folders inside folders too")
	return c
}

func (a *app) fmt(args []string, o fmtOptions) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	if slices.Contains(args, "-") {
		if len(args) > 1 {
			return badInput(errors.New(`"-" stands alone: it formats standard input to standard output`))
		}
		return a.fmtStdin(o)
	}
	paths, err := recipeFiles(args, o.recursive)
	if err != nil {
		return badInput(err)
	}
	result := fmtResult{Changed: []string{}}
	var failed error
	for _, path := range paths {
		before, after, err := a.formatFile(path)
		if err != nil {
			var exit *exitError
			if !errors.As(err, &exit) {
				return err
			}
			failed = err
			continue
		}
		if bytes.Equal(before, after) {
			continue
		}
		result.Changed = append(result.Changed, path)
		if o.diff {
			result.Diff += format.Diff(before, after, filepath.ToSlash(path))
		}
		if o.check {
			continue
		}
		if err := replaceFile(path, after); err != nil {
			return err
		}
	}
	if err := a.sayFormatted(result); err != nil {
		return err
	}
	if failed == nil && o.check && len(result.Changed) > 0 {
		return &exitError{exitFailed, nil}
	}
	return failed
}

// sayFormatted prints the names of the files that changed, and how.
func (a *app) sayFormatted(r fmtResult) error {
	if a.flags.json {
		r.Diagnostics = append(diag.Diagnostics{}, a.diagnostics...)
		return a.printJSON(r)
	}
	text := ""
	for _, path := range r.Changed {
		text += path + "\n"
	}
	return a.print(text + a.colorDiff(r.Diff))
}

// fmtStdin formats standard input.
func (a *app) fmtStdin(o fmtOptions) error {
	before, err := io.ReadAll(io.LimitReader(a.stdin, maxRecipe+1))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	name := "<stdin>"
	if bytes.HasPrefix(bytes.TrimSpace(before), []byte("{")) {
		name = "<stdin>.json" // no recipe in HCL begins like this
	}
	after, ds := format.Format(before, name)
	if err := a.diagnose(ds, map[string][]byte{name: before}); err != nil {
		return err
	}
	changed := !bytes.Equal(before, after)
	text := string(after)
	switch {
	case a.flags.json:
		r := fmtResult{Changed: []string{}}
		if changed {
			r.Changed, r.Diff = []string{name}, format.Diff(before, after, name)
		}
		err = a.sayFormatted(r)
	case o.diff:
		err = a.print(a.colorDiff(format.Diff(before, after, name)))
	case !o.check:
		_, err = io.WriteString(a.stdout, text)
	}
	if err == nil && o.check && changed {
		return &exitError{exitFailed, nil}
	}
	return err
}

// maxRecipe is how much of a file is read; larger ones are no recipes, which
// format.Format says.
const maxRecipe = 4 << 20

// formatFile reads a recipe and formats it.
func (a *app) formatFile(path string) (before, after []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, badInput(err)
	}
	defer f.Close()
	if before, err = io.ReadAll(io.LimitReader(f, maxRecipe+1)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	after, ds := format.Format(before, path)
	return before, after, a.diagnose(ds, map[string][]byte{path: before})
}

// replaceFile writes a file where it really lies, so that symbolic links stay.
func replaceFile(path string, data []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return atomicfile.WriteFile(path, data)
}

// recipeFiles lists the files that the arguments name, sorted within a folder.
func recipeFiles(args []string, recursive bool) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	add := func(path string) {
		if !seen[path] {
			seen[path] = true
			out = append(out, path)
		}
	}
	for _, arg := range args {
		st, err := os.Stat(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is no such file or folder: correct the path", arg)
		}
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			if !isFormatted(arg) && filepath.Ext(arg) != ".json" {
				return nil, fmt.Errorf("%s: not the name of a recipe: those end in .hcl, .hcl.json or .pjvars", arg)
			}
			add(filepath.Clean(arg))
			continue
		}
		root := filepath.Clean(arg) + string(filepath.Separator) // also where it is a symbolic link
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != root && (!recursive || strings.HasPrefix(d.Name(), ".")):
				return filepath.SkipDir
			case !d.IsDir() && isFormatted(d.Name()):
				add(path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// isFormatted reports whether a folder's file of this name is formatted.
func isFormatted(name string) bool {
	return strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json") || strings.HasSuffix(name, ".pjvars")
}

// colorDiff colours a diff where colours may go to standard output.
func (a *app) colorDiff(diff string) string {
	if diff == "" || !a.colorful(a.stdout) {
		return diff
	}
	lines := strings.SplitAfter(diff, "\n")
	for i, line := range lines {
		text := strings.TrimSuffix(line, "\n")
		end := line[len(text):]
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
			lines[i] = a.ink(bold, text) + end
		case strings.HasPrefix(line, "@@"):
			lines[i] = a.ink(dim, text) + end
		case strings.HasPrefix(line, "+"):
			lines[i] = a.ink(green, text) + end
		case strings.HasPrefix(line, "-"):
			lines[i] = a.ink(red, text) + end
		}
	}
	return strings.Join(lines, "")
}
