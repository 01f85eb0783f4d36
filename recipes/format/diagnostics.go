package format

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/llama-pajamas/pj/internal/diag"
)

// Diagnostics gives HCL's diagnostics in the form that pj reports.
func Diagnostics(problems hcl.Diagnostics) diag.Diagnostics {
	var out diag.Diagnostics
	for _, p := range problems {
		d := diag.Diagnostic{Severity: diag.Error, Summary: p.Summary, Detail: p.Detail}
		if p.Severity == hcl.DiagWarning {
			d.Severity = diag.Warning
		}
		if p.Subject != nil {
			d.Range = Range(*p.Subject)
		}
		out = append(out, d)
	}
	return out
}

// Range gives HCL's range in the form that pj reports.
func Range(r hcl.Range) diag.Range {
	return diag.Range{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column, EndLine: r.End.Line, EndColumn: r.End.Column}
}
