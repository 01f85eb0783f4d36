// Package diag holds the one form in which every layer reports a problem with
// its input: what is wrong, what to do about it, and where it is.
package diag

import (
	"fmt"
	"strings"
)

// Severity says whether a diagnostic stops the work.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Range is a place in a source file. Lines and columns count from 1; columns
// count characters, as editors do. The zero Range means "no place".
type Range struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
}

// String is "file:line", "file", or "" where there is no place.
func (r Range) String() string {
	if r.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d", r.File, r.Line)
}

// Diagnostic is one problem. Summary is a few words; Detail says what is
// allowed and what to do. The JSON form is a contract with scripts.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"`
	Range
}

// Diagnostics is a list of problems, and an error when it holds one. Return it
// through Err, never directly as an error: a nil list in an error interface is
// not nil.
type Diagnostics []Diagnostic

// Errorf makes an error diagnostic whose detail is formatted.
func Errorf(r Range, summary, detail string, args ...any) Diagnostic {
	return Diagnostic{Severity: Error, Summary: summary, Detail: Clip(fmt.Sprintf(detail, args...)), Range: r}
}

// Warnf makes a warning diagnostic whose detail is formatted.
func Warnf(r Range, summary, detail string, args ...any) Diagnostic {
	return Diagnostic{Severity: Warning, Summary: summary, Detail: Clip(fmt.Sprintf(detail, args...)), Range: r}
}

// lineStart and lineEnd are how much stays of a line that is too long.
const lineStart, lineEnd = 1500, 500

// Clip leaves out the middle of lines that nobody would read: the name of a
// tensor in a damaged file can have megabytes.
func Clip(s string) string {
	if len(s) <= lineStart+lineEnd {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if r := []rune(line); len(r) > lineStart+lineEnd {
			lines[i] = fmt.Sprintf("%s [… %d characters …] %s", string(r[:lineStart]), len(r)-lineStart-lineEnd, string(r[len(r)-lineEnd:]))
		}
	}
	return strings.Join(lines, "\n")
}

// HasErrors reports whether any of the diagnostics is an error.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Err returns the list as an error if it holds an error, else nil.
func (ds Diagnostics) Err() error {
	if ds.HasErrors() {
		return ds
	}
	return nil
}

// Error joins the errors of the list, one a line.
func (ds Diagnostics) Error() string {
	var lines []string
	for _, d := range ds {
		if d.Severity == Error {
			lines = append(lines, d.Error())
		}
	}
	return strings.Join(lines, "\n")
}

// Error is "place: summary: detail".
func (d Diagnostic) Error() string {
	var parts []string
	for _, s := range []string{d.Range.String(), d.Summary, d.Detail} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}
