package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/recipes"
)

// flags are those that all commands share.
type flags struct {
	dir           string
	json          bool
	jobs          int
	memory        size
	cacheDir      string
	offline       bool
	frozen        bool
	requireCached bool
	noColor       bool
	verbose       bool
	quiet         bool
	vars          []recipes.Var // in the order of the command line
}

func (a *app) commonFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVarP(&a.flags.dir, "chdir", "C", "", "work in `DIR`")
	f.Var(varFlag{&a.flags.vars}, "var", "set a variable of the recipe")
	f.Var(varFileFlag{&a.flags.vars}, "var-file", "set variables from an HCL, JSON or YAML `FILE`")
	f.BoolVar(&a.flags.json, "json", false, "print one JSON object on standard output")
	f.VarP((*workers)(&a.flags.jobs), "jobs", "j", "run `N` workers (default: one for each processor)")
	f.Var(&a.flags.memory, "memory", "budget of what runs at once, as `SIZE` (\"2GiB\")")
	f.StringVar(&a.flags.cacheDir, "cache-dir", "", "the cache's `DIR` (default: PJ_CACHE_DIR, else the user's cache folder + /pj)")
	f.BoolVar(&a.flags.offline, "offline", false, "use no network")
	f.BoolVar(&a.flags.frozen, "frozen", false, "refuse to change pj.lock.hcl (exit 4)")
	f.BoolVar(&a.flags.requireCached, "require-cached", false, "refuse to run anything (exit 4)")
	f.BoolVar(&a.flags.noColor, "no-color", false, "no colours (also NO_COLOR)")
	f.BoolVarP(&a.flags.verbose, "verbose", "v", false, "say more")
	f.BoolVarP(&a.flags.quiet, "quiet", "q", false, "say errors and results only")
}

// flagError words a flag's error, with the nearest flag there is.
func (a *app) flagError(c *cobra.Command, err error) error {
	s := err.Error()
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		s = "unknown flag --" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			s = fmt.Sprintf("unknown flag -%s", unknown.GetSpecifiedName())
		} else if near := nearestFlag(c, unknown.GetSpecifiedName()); near != "" {
			s += fmt.Sprintf("; did you mean --%s?", near)
		}
	}
	return badInput(fmt.Errorf("%s Run '%s --help' for the flags there are", ended(s), c.CommandPath()))
}

func nearestFlag(c *cobra.Command, name string) string {
	best, least := "", 3
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if d := levenshtein.Distance(name, f.Name, nil); d < least {
			best, least = f.Name, d
		}
	})
	return best
}

// varFlag is --var name=value.
type varFlag struct{ to *[]recipes.Var }

func (varFlag) String() string { return "" }
func (varFlag) Type() string   { return "NAME=VALUE" }

func (v varFlag) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || strings.TrimSpace(name) == "" {
		return fmt.Errorf("want name=value")
	}
	*v.to = append(*v.to, recipes.Var{Name: strings.TrimSpace(name), Value: value})
	return nil
}

// varFileFlag is --var-file.
type varFileFlag struct{ to *[]recipes.Var }

func (varFileFlag) String() string { return "" }
func (varFileFlag) Type() string   { return "FILE" }

func (v varFileFlag) Set(s string) error {
	if s == "" {
		return fmt.Errorf("want a file's name")
	}
	*v.to = append(*v.to, recipes.Var{File: s})
	return nil
}

// workers is a flag that takes a number of workers.
type workers int

func (w *workers) String() string {
	if w == nil || *w == 0 {
		return ""
	}
	return strconv.Itoa(int(*w))
}

func (*workers) Type() string { return "N" }

func (w *workers) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return errors.New("want a whole number, of which 0 means one worker for each processor")
	}
	*w = workers(n)
	return nil
}

// size is a flag that takes "2GiB".
type size int64

func (s *size) String() string {
	if s == nil || *s == 0 {
		return ""
	}
	return bytesize.FormatBinary(int64(*s))
}

func (*size) Type() string { return "SIZE" }

func (s *size) Set(text string) error {
	n, err := bytesize.Parse(text)
	if err != nil {
		return err
	}
	*s = size(n)
	return nil
}

// environ is the process's environment; commands look at it through this one
// function, so that what they depend on is easy to find.
func environ() []string { return os.Environ() }
