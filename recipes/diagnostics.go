package recipes

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/internal/diag"
)

// sink collects the diagnostics of one Load. It is the one place where ranges
// and messages of the HCL library become the program's own.
type sink struct {
	list    diag.Diagnostics
	seen    map[diag.Diagnostic]bool // a loop may fail in one way many times
	errors  int                      // how many of the list are errors
	escapes map[string]*jsonStrings  // of files in JSON syntax
	secrets []string                 // texts that no message may show
}

func newSink() *sink {
	return &sink{seen: map[diag.Diagnostic]bool{}, escapes: map[string]*jsonStrings{}}
}

// place converts a range.
func (s *sink) place(r hcl.Range) diag.Range {
	if r.Filename == "" && r.Start.Line == 0 {
		return diag.Range{}
	}
	if js := s.escapes[r.Filename]; js != nil {
		r = js.adjust(r)
	}
	return diag.Range{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column, EndLine: r.End.Line, EndColumn: r.End.Column}
}

// report adds a diagnostic, once.
func (s *sink) report(d diag.Diagnostic) {
	if s.seen[d] {
		return
	}
	s.seen[d] = true
	s.list = append(s.list, d)
	if d.Severity == diag.Error {
		s.errors++
	}
}

func (s *sink) errorf(r hcl.Range, summary, detail string, args ...any) {
	s.report(diag.Errorf(s.place(r), summary, detail, args...))
}

func (s *sink) warnf(r hcl.Range, summary, detail string, args ...any) {
	s.report(diag.Warnf(s.place(r), summary, detail, args...))
}

// hcl takes over diagnostics of the HCL library.
func (s *sink) hcl(ds hcl.Diagnostics) {
	for _, d := range ds {
		var r hcl.Range
		if d.Subject != nil {
			r = *d.Subject
		}
		severity := diag.Error
		if d.Severity == hcl.DiagWarning {
			severity = diag.Warning
		}
		detail := d.Detail
		if showsSensitive(d) {
			detail = "The expression uses a sensitive value, so the message is not shown. Try it with another value."
		}
		s.report(diag.Diagnostic{Severity: severity, Summary: d.Summary, Detail: detail, Range: s.place(r)})
	}
}

// showsSensitive reports whether a message may quote a sensitive value: what
// functions say about their arguments is theirs to word.
func showsSensitive(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil {
		return false
	}
	for _, t := range d.Expression.Variables() {
		if v, ds := t.TraverseAbs(d.EvalContext); !ds.HasErrors() && v.ContainsMarked() {
			return true
		}
	}
	return false
}

// hide keeps the texts inside a sensitive value out of all messages.
func (s *sink) hide(v cty.Value) {
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.IsKnown() && !v.IsNull() && v.Type() == cty.String && v.AsString() != "" {
			s.secrets = append(s.secrets, v.AsString())
		}
		return true, nil
	})
}

// minSecret is the shortest text that is searched for in messages; shorter ones
// are words of the messages themselves.
const minSecret = 4

// redact replaces sensitive texts.
func (s *sink) redact(text string) string {
	for _, secret := range s.secrets {
		if utf8.RuneCountInString(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "(sensitive value)")
		}
	}
	return text
}

// maxDiagnostics is how many diagnostics a person could want to read.
const maxDiagnostics = 200

// sorted gives the diagnostics by file and line, each once, without secrets.
func (s *sink) sorted() diag.Diagnostics {
	sort.Slice(s.secrets, func(i, j int) bool { return len(s.secrets[i]) > len(s.secrets[j]) })
	out := make(diag.Diagnostics, 0, len(s.list))
	seen := map[diag.Diagnostic]bool{}
	for _, d := range s.list {
		d.Summary, d.Detail = s.redact(d.Summary), s.redact(d.Detail)
		if !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		switch {
		case a.File != b.File:
			return a.File < b.File
		case a.Line != b.Line:
			return a.Line < b.Line
		case a.Column != b.Column:
			return a.Column < b.Column
		case a.Severity != b.Severity:
			return a.Severity < b.Severity
		case a.Summary != b.Summary:
			return a.Summary < b.Summary
		}
		return a.Detail < b.Detail
	})
	if len(out) > maxDiagnostics {
		rest := out[maxDiagnostics:]
		severity := diag.Warning
		if rest.HasErrors() {
			severity = diag.Error
		}
		out = append(out[:maxDiagnostics:maxDiagnostics], diag.Diagnostic{Severity: severity, Summary: "Too many problems",
			Detail: fmt.Sprintf("%d more problems are not shown.", len(rest))})
	}
	return out
}

// flooded reports whether there are more errors than anyone reads: looking for
// more, and for what was meant, is not worth the time.
func (s *sink) flooded() bool { return s.errors > 5*maxDiagnostics }

// failed reports whether an error was found so far.
func (s *sink) failed() bool { return s.errors > 0 }
