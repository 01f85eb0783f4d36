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
	"syscall"

	"github.com/spf13/cobra"

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

// app is one run of the program: its streams and its common flags.
type app struct {
	name           string // pj or llama-pajamas
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          flags
}

// flags are those that several commands share.
type flags struct {
	dir           string // -C
	json          bool
	jobs          int
	memory        string
	cacheDir      string
	offline       bool
	frozen        bool
	requireCached bool
	noColor       bool
	verbose       bool
	quiet         bool
	vars          []string // "name=value" and "@file", in the order given
}

// Main runs the program and gives its exit code.
func Main(name string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{name: name, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	code := a.report(ctx, err)
	return code
}

// report says what went wrong and gives the exit code.
func (a *app) report(ctx context.Context, err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.stderr, "interrupted; what was finished is kept, run it again to go on")
		return exitInterrupted
	case errors.As(err, &exit):
		if exit.err != nil {
			a.printError(exit.err)
		}
		return exit.code
	}
	a.printError(err)
	return a.codeOf(err)
}

// codeOf finds the exit code of an error that says none.
func (a *app) codeOf(err error) int {
	var ds diag.Diagnostics
	var d diag.Diagnostic
	if errors.As(err, &ds) || errors.As(err, &d) {
		return exitBadInput
	}
	return exitFailed
}

func (a *app) printError(err error) { fmt.Fprintf(a.stderr, "Error: %v\n", err) }

// rootCommand puts the commands together.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           a.name,
		Short:         "Build quantized language models from recipes",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			level := slog.LevelWarn
			switch {
			case a.flags.verbose:
				level = slog.LevelDebug
			case a.flags.quiet:
				level = slog.LevelError
			}
			slog.SetDefault(slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level})))
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput(err) })
	return root
}
