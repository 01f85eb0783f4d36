package cli

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/llama-pajamas/pj/engine"
)

// planView words a plan for people.
type planView struct {
	*planned
	ink     func(code, s string) string
	verbose bool
	b       strings.Builder
}

// view is the whole plan; brief leaves out what is about the artifacts'
// tensors.
func (a *app) view(p *planned) string {
	v := &planView{planned: p, ink: a.ink, verbose: a.flags.verbose}
	if a.flags.quiet {
		v.total()
		return v.b.String()
	}
	v.printf("Plan of %s:\n\n", p.Recipe)
	v.actions()
	for _, artifact := range p.Artifacts {
		v.artifact(artifact)
	}
	v.needs()
	v.total()
	return v.b.String()
}

func (v *planView) printf(format string, args ...any) { fmt.Fprintf(&v.b, format, args...) }

// actionGroup is actions of one block that have one thing to say.
type actionGroup struct {
	block   string
	status  engine.Status
	reason  string // of the first one
	general string // of all
	actions []int
}

// mostGroups is how many reasons of one block are listed.
const mostGroups = 8

// actions lists what would be done, per block.
func (v *planView) actions() {
	groups := v.group()
	shown := map[string]int{}
	hidden := map[string]int{}
	for n, g := range groups {
		if shown[g.block]++; shown[g.block] > mostGroups && !v.verbose {
			hidden[g.block] += len(g.actions)
		} else {
			v.line(g)
		}
		last := n+1 == len(groups) || groups[n+1].block != g.block
		if last && hidden[g.block] > 0 {
			v.printf("    … and %s for other reasons (-v lists them)\n", plural(hidden[g.block], "action"))
		}
	}
	for _, p := range v.Pending {
		v.printf("  %s %s  %s\n", v.ink(yellow, "?"), p, v.ink(dim, "(what depends on it is planned once it has run)"))
	}
	if len(groups)+len(v.Pending) > 0 {
		v.printf("\n")
	}
}

func (v *planView) line(g *actionGroup) {
	symbol, tone := symbolOf(g.status)
	name := v.Actions[g.actions[0]].Address
	reason := g.reason
	if len(g.actions) > 1 {
		name = fmt.Sprintf("%s  %s", g.block, plural(len(g.actions), "action"))
		reason = g.general
	}
	v.printf("  %s %s", v.ink(tone, symbol), name)
	if g.status == engine.Rebuild || g.status == engine.New && reason != firstTime {
		v.printf("  %s", v.ink(dim, "("+reason+")"))
	}
	v.printf("\n")
}

// firstTime is the reason of most new actions; the symbol says it too.
const firstTime = "not built before"

func symbolOf(s engine.Status) (symbol, tone string) {
	switch s {
	case engine.Cached:
		return "=", dim
	case engine.Rebuild:
		return "~", yellow
	case engine.Pending:
		return "?", yellow
	}
	return "+", green
}

// group puts actions together that are of one block and have one status and
// kind of reason, in the plan's order.
func (v *planView) group() []*actionGroup {
	type key struct {
		block, reason string
		status        engine.Status
	}
	var order []*actionGroup
	groups := map[key]*actionGroup{}
	at := map[string]int{}
	for i, a := range v.Actions {
		s := v.states[i]
		g := &actionGroup{block: blockOf(a.Address, v.isBlock), status: s.Status, reason: s.Reason, general: generally(s.Reason)}
		k := key{g.block, g.general, s.Status}
		if v.verbose {
			k.reason = a.Address
		}
		if groups[k] == nil {
			groups[k] = g
			order = append(order, g)
			if _, ok := at[g.block]; !ok {
				at[g.block] = len(at)
			}
		}
		groups[k].actions = append(groups[k].actions, i)
	}
	sort.SliceStable(order, func(i, k int) bool { return at[order[i].block] < at[order[k].block] })
	return order
}

// wholes are what an address lies in, itself first: the address less its last
// keys. `all["k"]["x"]` lies in `all["k"]` and `all`.
func wholes(address string) []string {
	out := []string{address}
	quoted, escaped := false, false
	for i := range len(address) {
		switch c := address[i]; {
		case escaped:
			escaped = false
		case c == '\\' && quoted:
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == '[' && !quoted:
			out = append(out, address[:i])
		}
	}
	slices.Reverse(out[1:])
	return out
}

// blockOf is the block that an action or address belongs to. Without isBlock, or
// where it knows none, that is the address less all keys.
func blockOf(address string, isBlock func(string) bool) string {
	all := wholes(address)
	for _, w := range all {
		if isBlock != nil && isBlock(w) {
			return w
		}
	}
	return all[len(all)-1]
}

var (
	oneSource = regexp.MustCompile(`^source .+?( changed| is not hashed yet|: .* changed on disk and is not hashed yet)$`)
	oneInput  = regexp.MustCompile(`^input .+?( changed| is made anew)$`)
)

// generally words a reason so that it fits several actions.
func generally(reason string) string {
	if m := oneSource.FindStringSubmatch(reason); m != nil {
		if strings.HasSuffix(m[1], "is not hashed yet") {
			return "their sources are not hashed yet"
		}
		return "their sources changed"
	}
	if m := oneInput.FindStringSubmatch(reason); m != nil {
		if m[1] == " changed" {
			return "their inputs changed"
		}
		return "their inputs are made anew"
	}
	return reason
}

// artifact says what an artifact will be.
func (v *planView) artifact(a engine.ArtifactPlan) {
	v.printf("%s -> %s\n", v.ink(bold, a.Address), a.Path)
	if a.Action < 0 || a.Bytes == 0 && a.BytesMax > 0 {
		v.printf("  %s to %s, %.2f to %.2f bits per weight; %s decides\n", bytesOf(a.BytesMin), bytesOf(a.BytesMax),
			bits(a.BytesMin, a.Elements), bits(a.BytesMax, a.Elements), strings.Join(v.Pending, ", "))
	} else {
		v.printf("  %s, %.2f bits per weight, %s weights\n", bytesOf(a.Bytes), a.BitsPerWeight, thousands(a.Elements))
	}
	var tensors []*engine.TensorPlan
	for i := range v.Tensors {
		if v.Tensors[i].Artifact == a.Address {
			tensors = append(tensors, &v.Tensors[i])
		}
	}
	v.printf("\n%s", typeTable(tensors))
	v.fallbacks(tensors)
	for _, n := range a.Notes {
		v.printf("  note: %s\n", n)
	}
	if v.verbose {
		v.printf("\n%s", tensorTable(tensors))
	}
	v.printf("\n")
}

// needs says what a build takes.
func (v *planView) needs() {
	n := v.need()
	if c := v.count(); c.cached == c.actions && len(v.Pending) == 0 {
		return
	}
	v.printf("Needs up to %s of memory, and of disk %s in the cache and %s for the artifacts", bytesOf(n.memory), bytesOf(n.cache), bytesOf(n.files))
	if n.fetch > 0 {
		v.printf("; %s are to be fetched", bytesOf(n.fetch))
	}
	v.printf(".\n")
}

const noWork = "The recipe builds nothing: it has no artifact, validation or report."

// total is the plan's last line.
func (v *planView) total() {
	c := v.count()
	switch {
	case c.actions == 0 && len(v.Conclusions) == 0:
		v.printf("%s\n", v.ink(bold, noWork))
		return
	case c.cached == c.actions && len(v.Pending) == 0:
		v.printf("%s\n", v.ink(bold, fmt.Sprintf("Plan: nothing to do, %d cached.", c.cached)))
		return
	}
	line := fmt.Sprintf("Plan: %d new, %d to rebuild, %d cached.", c.new, c.rebuild, c.cached)
	v.printf("%s\n", v.ink(bold, line))
	if n := len(v.Pending); n > 0 {
		v.printf("More is planned once %s has run.\n", strings.Join(v.Pending, ", "))
	}
}

func bits(bytes, elements int64) float64 { return float64(bytes) * 8 / float64(max(elements, 1)) }

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
