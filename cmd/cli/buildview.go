package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// buildView is what a build says before it begins.
func (b *build) buildView(p *planned) string {
	v := &planView{planned: p, ink: b.ink, verbose: b.flags.verbose}
	if !b.flags.quiet {
		v.actions()
		v.needs()
	}
	v.total()
	return v.b.String()
}

// conclude says what a build did, whether it came to its end (err) or not.
func (b *build) conclude(ctx context.Context, before *planned, r *engine.Result, err error) error {
	p := before
	if len(r.States) > 0 {
		p = &planned{Plan: r.Plan, states: r.States, contents: r.Contents, jobs: before.jobs, budget: before.budget, isBlock: before.isBlock}
	}
	outputs := map[string]json.RawMessage{}
	if b.recipe != nil && err == nil {
		values, ds := b.recipe.Outputs(r.Measured)
		b.diagnose(ds, b.recipe.Files)
		outputs = values
	}
	if err == nil {
		err = errMissed(r)
	}
	if !b.flags.json {
		if perr := b.print(b.resultView(p, r, outputs, err)); perr != nil {
			return perr
		}
		return err
	}
	out := p.json()
	out.addResult(r)
	out.Outputs = outputs
	out.Diagnostics = append(out.Diagnostics, b.diagnostics...)
	if text := errorText(err); text != "" {
		out.Diagnostics = append(out.Diagnostics, diag.Diagnostic{Severity: diag.Error, Summary: text})
	}
	if perr := b.printJSON(out); perr != nil {
		return perr
	}
	return err
}

// errorText is what an error has left to say.
func errorText(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return err.Error()
}

// resultView words what a build did.
func (b *build) resultView(p *planned, r *engine.Result, outputs map[string]json.RawMessage, err error) string {
	var s strings.Builder
	formats := map[string]*engine.ArtifactPlan{}
	for i := range p.Artifacts {
		formats[p.Artifacts[i].Address] = &p.Artifacts[i]
	}
	tab := table{header: []string{"ARTIFACT", "PATH", ">BYTES", ">BITS", "SHA-256", ""}}
	for _, a := range r.Artifacts {
		state := "up to date"
		if a.Written {
			state = "written"
		}
		width := "-"
		if f := formats[a.Address]; f != nil {
			width = fmt.Sprintf("%.2f", bits(a.Bytes, f.Elements))
		}
		for i, f := range a.Files {
			name := a.Address
			if i > 0 {
				name, width, state = "", "", ""
			}
			tab.add(name, nearPath(f.Path), bytesOf(f.Bytes), width, prefix(f.SHA256, 16), state)
		}
	}
	s.WriteString(tab.String())
	for _, v := range r.Verdicts {
		b.verdict(&s, v)
	}
	for _, path := range r.Reports {
		fmt.Fprintf(&s, "report %s\n", nearPath(path))
	}
	names := make([]string, 0, len(outputs))
	for name := range outputs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&s, "output %s = %s\n", name, outputs[name])
	}
	switch {
	case err == nil || !r.Passed():
		fmt.Fprintf(&s, "%s\n", b.ink(bold, doneLine(p, r)))
	case r.Executed > 0:
		n := p.count()
		fmt.Fprintf(&s, "Stopped: %d run, %d cached, %d left, after %s.\n", r.Executed, n.cached, max(n.actions-n.cached-r.Executed, 0), short(r.Elapsed))
	}
	return s.String()
}

func (b *build) verdict(s *strings.Builder, v engine.Verdict) {
	word := b.ink(green, "passed")
	if !v.Passed {
		word = b.ink(bold+red, "FAILED")
	}
	fmt.Fprintf(s, "%s %s\n", v.Address, word)
	for _, c := range v.Checks {
		if c.Passed && b.flags.quiet {
			continue
		}
		line := fmt.Sprintf("%s = %s", c.Metric, c.ValueText())
		if c.Limit != nil {
			line += " (" + c.LimitText() + ")"
		}
		if !c.Passed {
			line = b.ink(red, line)
		}
		if c.Note != "" {
			line += "  " + c.Note
		}
		fmt.Fprintf(s, "  %s\n", line)
	}
}

func doneLine(p *planned, r *engine.Result) string {
	took := short(r.Elapsed)
	written := 0
	for _, a := range r.Artifacts {
		if a.Written {
			written++
		}
	}
	switch {
	case len(p.Actions) == 0 && len(p.Conclusions) == 0:
		return noWork
	case r.Executed == 0 && written == 0:
		return fmt.Sprintf("Nothing to do: %s in the cache, %s up to date.", plural(len(p.Actions), "action"), plural(len(r.Artifacts), "artifact"))
	case r.Executed == 0:
		return fmt.Sprintf("Done: nothing had to run; %s written in %s.", plural(written, "artifact"), took)
	}
	return fmt.Sprintf("Done: %d run, %d cached, in %s; peak memory %s.", r.Executed, p.count().cached, took, bytesOf(peakMemory()))
}

// nearPath is a path as seen from here, where that is shorter.
func nearPath(path string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(here, path)
	if err != nil || len(rel) > len(path) {
		return path
	}
	return rel
}

func prefix(s string, n int) string { return s[:min(n, len(s))] }
