package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/llama-pajamas/pj/engine"
)

// mostExplained is how many actions are explained without --verbose.
const mostExplained = 1

func (a *app) explainView(e *explained, files map[string][]byte) string {
	var b strings.Builder
	if art := e.Artifact; art != nil {
		fmt.Fprintf(&b, "%s -> %s\n", a.ink(bold, art.Address), art.Path)
		if art.Bytes > 0 {
			fmt.Fprintf(&b, "  %s, %.2f bits per weight\n", bytesOf(art.Bytes), art.BitsPerWeight)
		} else {
			fmt.Fprintf(&b, "  %s to %s; %s decides\n", bytesOf(art.BytesMin), bytesOf(art.BytesMax), strings.Join(e.plan.Pending, ", "))
		}
		for _, n := range art.Notes {
			fmt.Fprintf(&b, "  note: %s\n", n)
		}
		b.WriteString("\n" + tensorTable(e.Tensors) + "\n")
	} else if len(e.Tensors) > mostTensors && !a.flags.verbose {
		b.WriteString(tensorTable(e.Tensors) + "\n")
	} else {
		for _, t := range e.Tensors {
			a.explainTensor(&b, t, files)
		}
	}
	for n, act := range e.Actions {
		if n == mostExplained && !a.flags.verbose && e.Artifact == nil {
			a.others(&b, e.Actions[n:])
			break
		}
		a.explainAction(&b, act)
	}
	return b.String()
}

// mostTensors is how many tensors are explained one by one.
const mostTensors = 4

// others sums up the actions that are not explained.
func (a *app) others(b *strings.Builder, rest []explainedAction) {
	count := map[engine.Status]int{}
	for _, r := range rest {
		count[r.Status]++
	}
	fmt.Fprintf(b, "and %s like it: %d new, %d to rebuild, %d cached (-v explains each)\n",
		plural(len(rest), "action"), count[engine.New], count[engine.Rebuild], count[engine.Cached])
}

func (a *app) explainTensor(b *strings.Builder, t *engine.TensorPlan, files map[string][]byte) {
	fmt.Fprintf(b, "%s of %s\n", a.ink(bold, t.Name), t.Artifact)
	size := bytesOf(t.Bytes)
	if t.Type == nil {
		size = bytesOf(t.BytesMin) + " to " + bytesOf(t.BytesMax)
	}
	fmt.Fprintf(b, "  %s, %s, from %s, %s\n", typeName(t), size, t.SourceType, bytesOf(t.SourceBytes))
	where := ""
	if t.Layer >= 0 {
		where = fmt.Sprintf(" of layer %d", t.Layer)
	}
	fmt.Fprintf(b, "  role %s%s, shape %s\n", t.Role, where, shape(t.Shape))
	fmt.Fprintf(b, "  by %s\n", t.Rule)
	if file, line := place(t.Rule); line > 0 {
		b.WriteString(blockLines(files[file], line))
	}
	if t.Asked != "" && t.Type != nil && t.Asked != *t.Type {
		if experts, ok := severalAsked(t.Asked); ok {
			fmt.Fprintf(b, "  %s %s\n", experts, *t.Type)
		} else {
			fmt.Fprintf(b, "  %s is %s here\n", t.Asked, *t.Type)
		}
	}
	if t.Fallback != nil {
		fmt.Fprintf(b, "  %s %s\n", a.ink(yellow, "fallback:"), *t.Fallback)
	}
	b.WriteString("\n")
}

// mostLines is how much of a rule is shown.
const mostLines = 12

// blockLines is the block that begins at a line of a recipe.
func blockLines(source []byte, line int) string {
	lines := strings.Split(string(source), "\n")
	if line > len(lines) {
		return ""
	}
	var b strings.Builder
	depth := 0
	for n := line; n <= len(lines) && n < line+mostLines; n++ {
		text := strings.TrimRight(lines[n-1], "\r")
		fmt.Fprintf(&b, "  %5d | %s\n", n, text)
		depth += strings.Count(text, "{") - strings.Count(text, "}")
		if depth <= 0 {
			break
		}
	}
	return b.String()
}

func (a *app) explainAction(b *strings.Builder, act explainedAction) {
	symbol, tone := symbolOf(act.Status)
	fmt.Fprintf(b, "%s %s\n", a.ink(tone, symbol), a.ink(bold, act.Address))
	line := string(act.Status)
	if act.Reason != "" {
		line += ": " + act.Reason
	}
	fmt.Fprintf(b, "  %s\n", line)
	if act.ID != nil {
		fmt.Fprintf(b, "  id %s\n", act.ID)
	}
	b.WriteString("  key\n")
	tab := table{header: make([]string, 3), indent: "    "}
	for _, k := range act.Key {
		change := ""
		value, last := a.brief(k.Value), a.brief(k.Last)
		switch {
		case k.Value == nil && k.Last == nil:
			value = "(not known yet)"
		case k.Value == nil:
			change, value = a.ink(yellow, "was "+last), "(not known yet)"
			if !strings.HasPrefix(k.Name, "input ") {
				value = "(gone)"
			}
		case k.Last != nil && *k.Last != *k.Value:
			value, last = a.differing(*k.Value, *k.Last)
			change = a.ink(yellow, "was "+last)
		}
		origin := ""
		if o := act.origins[strings.TrimPrefix(k.Name, "param ")]; o != "" {
			origin = a.ink(dim, "by "+o)
		}
		tab.add(k.Name, value, strings.TrimSpace(change+"  "+origin))
	}
	b.WriteString(tab.String())
	b.WriteString("  inputs\n")
	tab = table{header: make([]string, 4), indent: "    "}
	for n, in := range act.Inputs {
		if n == mostInputs && !a.flags.verbose {
			tab.add(fmt.Sprintf("… and %d more (-v lists them)", len(act.Inputs)-n), "", "", "")
			break
		}
		content := "(not known yet)"
		if in.Content != nil {
			content = prefix(in.Content.String(), 16)
		}
		what, where := in.Action, in.Output
		if in.Source != "" {
			what, where = in.Source, fmt.Sprintf("%s at %d, %s", filepath.Base(in.File), in.Offset, bytesOf(in.Size))
		}
		tab.add(in.Name, content, what, where)
	}
	b.WriteString(tab.String())
	b.WriteString("\n")
}

// mostInputs is how many inputs are listed without --verbose.
const mostInputs = 12

// mostValue is how much of a key's value is shown without --verbose.
const mostValue = 64

// brief shows a value of a key as a person would write it.
func (a *app) brief(v *string) string {
	if v == nil {
		return ""
	}
	s := plain(*v)
	if !a.flags.verbose {
		s = clip(s, mostValue)
	}
	return s
}

// differing shows two values from where they differ.
func (a *app) differing(x, y string) (string, string) {
	x, y = plain(x), plain(y)
	if a.flags.verbose || utf8.RuneCountInString(x) <= mostValue && utf8.RuneCountInString(y) <= mostValue {
		return x, y
	}
	p, q := []rune(x), []rune(y)
	same := 0
	for same < min(len(p), len(q)) && p[same] == q[same] {
		same++
	}
	from := max(0, same-mostValue/4)
	show := func(r []rune) string {
		s := clip(string(r[min(from, len(r)):]), mostValue)
		if from > 0 {
			s = "…" + s
		}
		return s
	}
	return show(p), show(q)
}

// plain takes the quotes off a JSON string.
func plain(v string) string {
	var s string
	if json.Unmarshal([]byte(v), &s) == nil && s != "" {
		return s
	}
	return v
}
