// Package cli is the command line: one file for each command. It is the only
// place that prints or decides on exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// Exit codes; scripts depend on them.
const (
	exitOK          = 0
	exitFailed      = 1   // the work failed
	exitBadInput    = 2   // the recipe, flags or input files are wrong
	exitThreshold   = 3   // a validation missed its threshold
	exitRefused     = 4   // --require-cached or --frozen
	exitDiffers     = 5   // verify, reproduce or cache verify found other bytes
	exitInterrupted = 130 // a signal
)

// exitError gives an error its exit code.
type exitError struct {
	code int
	err  error // nil: everything was said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// badInput marks an error as the fault of flags or files.
func badInput(err error) error { return &exitError{exitBadInput, err} }

// app is one run of the program: its streams, its common flags, and what it
// has said so far.
type app struct {
	name   string // pj or llama-pajamas
	stdin  io.Reader
	stdout io.Writer
	stderr *screen
	flags  flags

	started     bool // a command runs: what fails from here on is no mistake of the flags
	diagnostics diag.Diagnostics
	said        map[diag.Diagnostic]bool
	wroteJSON   bool
	redact      func(string) string // of the recipe that is loaded
}

// Main runs the program and gives its exit code.
func Main(name string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the work in good order, a second one at once.
	context.AfterFunc(ctx, stop)
	a := newApp(name, stdin, stdout, stderr)
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(a.stderr)
	return a.exit(ctx, guard(func() error { return root.ExecuteContext(ctx) }))
}

// panicError is a mistake of the program's, found while a command ran.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string {
	return fmt.Sprintf("this is a mistake of the program's, not yours: %v. What was finished is kept. Please report it, with what -v says of it", e.value)
}

// guard makes a panic an error, so that it ends as others do: with a message,
// an exit code, and the JSON object that was asked for.
func guard(run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	return run()
}

func newApp(name string, stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{
		name: name, stdin: stdin, stdout: stdout, stderr: newScreen(stderr),
		said: map[diag.Diagnostic]bool{}, redact: func(s string) string { return s },
	}
}

// exit says what went wrong and gives the exit code.
func (a *app) exit(ctx context.Context, err error) int {
	a.stderr.clear()
	if err == nil {
		return exitOK
	}
	var exit *exitError
	code := exitFailed
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(a.stderr, "Interrupted; what was finished is kept, run it again to go on.")
		return exitInterrupted
	case errors.As(err, &exit):
		code, err = exit.code, exit.err
	case !a.started:
		code = exitBadInput
	default:
		code = codeOf(err)
	}
	if err != nil {
		text := diag.Clip(a.redact(err.Error()))
		fmt.Fprintln(a.stderr, a.paint(bold+red, "Error:"), text)
		a.diagnostics = append(a.diagnostics, diag.Diagnostic{Severity: diag.Error, Summary: text})
		var panicked *panicError
		if a.flags.verbose && errors.As(err, &panicked) {
			fmt.Fprintf(a.stderr, "\n%s", panicked.stack)
		}
	}
	if a.flags.json && !a.wroteJSON && a.started {
		a.printJSON(struct {
			Diagnostics diag.Diagnostics `json:"diagnostics"`
		}{a.diagnostics})
	}
	return code
}

// codeOf finds the exit code of an error that says none.
func codeOf(err error) int {
	var ds diag.Diagnostics
	var d diag.Diagnostic
	var miss *engine.NotCachedError
	switch {
	case errors.As(err, &ds) || errors.As(err, &d):
		return exitBadInput
	case errors.As(err, &miss):
		return exitRefused
	}
	return exitFailed
}

// rootCommand puts the commands together.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   a.name,
		Short: "Build quantized language models from recipes",
		Long: `Llama-Pajamas builds quantized language models from recipes: files that say
what precision every part of a model gets, on what evidence, and what the result
must prove. A build runs only what changed, and gives the same bytes everywhere.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.prepare() },
	}
	a.commonFlags(root)
	root.AddGroup(
		&cobra.Group{ID: groupBuild, Title: "Build:"},
		&cobra.Group{ID: groupRecipe, Title: "Recipes:"},
		&cobra.Group{ID: groupModel, Title: "Models:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommand(helpCommand(root))
	root.SetHelpCommandGroupID(groupOther)
	for group, constructors := range a.commands() {
		for _, construct := range constructors {
			c := construct()
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(a.flagError)
	a.completions(root)
	a.finish(root)
	return root
}

// The groups of the help text.
const (
	groupBuild  = "build"
	groupRecipe = "recipe"
	groupModel  = "model"
	groupOther  = "other"
)

// commands lists every command by its group.
func (a *app) commands() map[string][]func() *cobra.Command {
	return map[string][]func() *cobra.Command{
		groupBuild:  {a.buildCommand, a.planCommand, a.explainCommand, a.lockCommand, a.verifyCommand, a.reproduceCommand, a.cacheCommand},
		groupRecipe: {a.initCommand, a.validateCommand, a.fmtCommand, a.graphCommand},
		groupModel:  {a.infoCommand, a.diffCommand, a.tensorCommand, a.tokenizeCommand, a.runCommand, a.benchCommand},
		groupOther:  {a.docsCommand, a.versionCommand, a.completionCommand},
	}
}

// finish prepares a command and those below it.
func (a *app) finish(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.started = true
			return run(c, args)
		}
	} else {
		c.Args = noSuchCommand
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range c.Commands() {
		a.finish(sub)
	}
}

// noSuchCommand refuses the arguments of a command that only groups others.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	s := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		s += fmt.Sprintf("; did you mean %s?", near[0])
	}
	return badInput(fmt.Errorf("%s Run '%s --help' for the commands there are", ended(s), c.CommandPath()))
}

// helpCommand is --help as a command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND…]",
		Short: "Say what a command does, and its flags",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest := root, args
			for len(rest) > 0 {
				next, after, err := c.Find(rest)
				if err != nil || next == c {
					return noSuchCommand(c, rest)
				}
				c, rest = next, after
			}
			return c.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if c, rest, err := root.Find(args); err == nil && len(rest) == 0 {
				for _, sub := range c.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name())
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// ended closes a sentence.
func ended(s string) string {
	if s[len(s)-1] != '?' {
		s += "."
	}
	return s
}

// prepare applies the common flags.
func (a *app) prepare() error {
	level := slog.LevelWarn
	switch {
	case a.flags.verbose && a.flags.quiet:
		return badInput(errors.New("--verbose and --quiet exclude each other"))
	case a.flags.verbose:
		level = slog.LevelDebug
	case a.flags.quiet:
		level = slog.LevelError
	}
	slog.SetDefault(slog.New(&logHandler{app: a, level: level}))
	if dir := a.flags.dir; dir != "" {
		if err := os.Chdir(dir); err != nil {
			return badInput(fmt.Errorf("-C: %w", err))
		}
	}
	return nil
}

// program is the program that runs, for reports: "pj v1.2.3".
func (a *app) program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return a.name
	}
	return a.name + " " + info.Main.Version
}
