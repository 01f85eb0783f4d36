package cli

import (
	"fmt"
	"os"

	"github.com/llama-pajamas/pj/internal/diag"
)

// diagnose says what is wrong with the input, each problem once, with the lines
// of files that they are about, and keeps it for the JSON object. Its error is
// not nil where one of them is an error.
func (a *app) diagnose(ds diag.Diagnostics, files map[string][]byte) error {
	for _, d := range ds {
		d.Summary, d.Detail = a.redact(d.Summary), a.redact(d.Detail)
		if a.said[d] {
			continue
		}
		a.said[d] = true
		a.diagnostics = append(a.diagnostics, d)
		if a.flags.quiet && d.Severity != diag.Error {
			continue
		}
		source, ok := files[d.File]
		if !ok && d.Line > 0 {
			source, _ = os.ReadFile(d.File)
		}
		diag.Render(a.stderr, d, source, a.colorful(a.stderr.under), width(a.stderr.under))
		fmt.Fprintln(a.stderr)
	}
	if ds.HasErrors() {
		return &exitError{exitBadInput, nil}
	}
	return nil
}
