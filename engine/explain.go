package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/llama-pajamas/pj/cache"
)

// explainMisses says why each action that is not cached must run.
func (k *Known) explainMisses(ctx context.Context, r *resolution) error {
	misses := false
	for i := range r.states {
		misses = misses || r.states[i].Status != Cached
	}
	if !misses {
		return nil
	}
	last, err := k.lastPlan(ctx, r.plan.Scope)
	if err != nil {
		return err
	}
	r.last = last
	var todo []int
	for i := range r.plan.Actions {
		if r.states[i].Status != Cached {
			todo = append(todo, i)
		}
	}
	return k.compare(ctx, r, todo, last)
}

// explainMiss says why one action must run.
func (k *Known) explainMiss(ctx context.Context, r *resolution, i int) error {
	if r.last == nil {
		last, err := k.lastPlan(ctx, r.plan.Scope)
		if err != nil {
			return err
		}
		r.last = last
	}
	return k.compare(ctx, r, []int{i}, r.last)
}

const neverBuilt = "not built before"

// compare finds the difference between actions and what they were last.
func (k *Known) compare(ctx context.Context, r *resolution, todo []int, last map[string]cache.ActionID) error {
	var olds []cache.ActionID
	var at []int
	for _, i := range todo {
		if id, ok := last[r.plan.Actions[i].Address]; ok {
			olds, at = append(olds, id), append(at, i)
		}
	}
	if len(olds) == 0 {
		for _, i := range todo {
			r.states[i].Reason = neverBuilt
		}
		return nil
	}
	entries, err := k.Store.Lookup(ctx, olds)
	if err != nil {
		return storeError(err)
	}
	before := map[int]*cache.Entry{}
	had := map[int]cache.ActionID{}
	for n, i := range at {
		before[i], had[i] = entries[n], olds[n]
		if entries[n] != nil {
			r.noteChanged(i, entries[n].Key)
		}
	}
	for _, i := range todo {
		old, planned := had[i]
		switch {
		case !planned:
			r.states[i].Reason = neverBuilt
		case before[i] == nil && old == r.states[i].ID:
			r.states[i].Status, r.states[i].Reason = Rebuild, "its output is no longer in the cache"
		case before[i] == nil:
			r.states[i].Status, r.states[i].Reason = Rebuild, "changed; what it was made from is no longer in the cache"
		default:
			r.states[i].Status, r.states[i].Reason = Rebuild, r.difference(i, before[i].Key)
		}
	}
	return nil
}

// difference names the first component of an action's key that is not what it
// was.
func (r *resolution) difference(i int, old []cache.Component) string {
	a := r.plan.Actions[i]
	was := map[string]string{}
	inputs := old[:0:0] // in order, as a name may come twice
	for _, c := range old {
		if strings.HasPrefix(c.Name, inputPrefix) {
			inputs = append(inputs, c)
		} else {
			was[c.Name] = c.Value
		}
	}
	if s := a.Stage + " v" + strconv.Itoa(a.Version); was["stage"] != s {
		before, after := strings.TrimPrefix(was["stage"], "stage "), strings.TrimPrefix(s, "stage ")
		if strings.HasPrefix(was["stage"], a.Stage+" v") {
			after = "v" + strconv.Itoa(a.Version)
		}
		return fmt.Sprintf("stage %s -> %s", orNone(before), after)
	}
	if was["implementation"] != a.Fingerprint {
		return fmt.Sprintf("implementation %s -> %s", orNone(was["implementation"]), orNone(a.Fingerprint))
	}
	seen := map[string]bool{}
	for _, p := range a.Params {
		seen[paramPrefix+p.Name] = true
		if before, ok := was[paramPrefix+p.Name]; !ok || before != p.Value {
			return a.describe(p.Name, before, p.Value)
		}
	}
	for _, c := range old {
		if name, ok := strings.CutPrefix(c.Name, paramPrefix); ok && !seen[c.Name] {
			return a.describe(name, c.Value, "")
		}
	}
	return r.inputDifference(i, inputs)
}

// describe is "policy.a rule 3 (recipe.hcl:31): type q4_k -> q5_k"; a value that
// is not there is "".
func (a *Action) describe(param, before, after string) string {
	x, y := plain(before), plain(after)
	if x == y { // 5 and "5"
		x, y = before, after
	}
	if !glance(x) || !glance(y) {
		if path, was, is, ok := deepDifference(x, y); ok {
			param, x, y = param+" "+path+":", was, is
		}
	}
	x, y = shorten(x, y)
	s := fmt.Sprintf("%s %s -> %s", param, orNone(x), orNone(y))
	if o := a.Origins[param]; o != "" {
		return o + ": " + s
	}
	return s
}

// plain shows a JSON value as a person would write it.
func plain(v string) string {
	var s string
	if json.Unmarshal([]byte(v), &s) == nil && s != "" {
		return s
	}
	return v
}

// mostShown is how many characters can be read at a glance.
const mostShown = 60

func glance(s string) bool { return utf8.RuneCountInString(s) <= mostShown }

// shorten cuts two values that differ to what can be read at a glance, so that
// they still differ.
func shorten(x, y string) (string, string) {
	const lead = 20
	a, b := []rune(x), []rune(y)
	if glance(x) && glance(y) {
		return x, y
	}
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	from := max(0, same-lead)
	cut := func(v []rune) string {
		if len(v) == 0 {
			return ""
		}
		s := string(v[from:min(len(v), from+mostShown)])
		if from > 0 {
			s = "…" + s
		}
		if from+mostShown < len(v) {
			s += "…"
		}
		return s
	}
	return cut(a), cut(b)
}

func orNone(v string) string {
	if v == "" {
		return "(none)"
	}
	return v
}

// inputDifference names the first input whose content is not what it was, or
// is not known yet.
func (r *resolution) inputDifference(i int, was []cache.Component) string {
	a := r.plan.Actions[i]
	at := 0
	for n := 0; n < len(a.Inputs); at++ {
		m := n + 1
		for m < len(a.Inputs) && a.Inputs[m].Name == a.Inputs[n].Name {
			m++
		}
		for j := n; j < m; j++ {
			if r.content(&a.Inputs[j]).IsZero() {
				return r.unknownInput(&a.Inputs[j])
			}
		}
		name := inputPrefix + a.Inputs[n].Name
		if at >= len(was) || was[at].Name != name {
			return fmt.Sprintf("its inputs are others: %s is new there", a.Inputs[n].Name)
		}
		if was[at].Value != string(r.appendInput(nil, a.Inputs[n:m], &keyScratch{})) {
			return r.changedInput(a.Inputs[n:m])
		}
		n = m
	}
	if at < len(was) {
		return fmt.Sprintf("its inputs are others: %s is no longer there", strings.TrimPrefix(was[at].Name, inputPrefix))
	}
	return "its inputs changed"
}

// unknownInput says why the content of an input is not known.
func (r *resolution) unknownInput(in *Input) string {
	if in.Source < 0 {
		return fmt.Sprintf("input %s is made anew", r.plan.Actions[in.Action].Address)
	}
	s := &r.plan.Sources[in.Source]
	if r.files[s.File].stale {
		return fmt.Sprintf("source %s: %s changed on disk and is not hashed yet", s.Name, r.plan.Files[s.File].Path)
	}
	return fmt.Sprintf("source %s is not hashed yet", s.Name)
}

// noteChanged keeps which sources of an action are not what they were, where its
// key has a component for each of them alone.
func (r *resolution) noteChanged(i int, was []cache.Component) {
	at := slices.IndexFunc(was, func(c cache.Component) bool { return strings.HasPrefix(c.Name, inputPrefix) })
	if at < 0 {
		return
	}
	inputs := r.plan.Actions[i].Inputs
	for n := 0; n < len(inputs) && at < len(was); at++ {
		m := n + 1
		for m < len(inputs) && inputs[m].Name == inputs[n].Name {
			m++
		}
		if was[at].Name != inputPrefix+inputs[n].Name {
			return
		}
		in := &inputs[n]
		if m == n+1 && in.Source >= 0 && !r.sources[in.Source].IsZero() && was[at].Value != string(r.appendInput(nil, inputs[n:m], &keyScratch{})) {
			if r.changed == nil {
				r.changed = map[int]bool{}
			}
			r.changed[in.Source] = true
		}
		n = m
	}
}

// changedInput names the input that changed. Of several in one component of the
// key those are named of which another action tells the same.
func (r *resolution) changedInput(inputs []Input) string {
	what := "input"
	if inputs[0].Source >= 0 {
		what = "source"
	}
	changed := inputs
	if len(inputs) > 1 {
		changed = nil
		for _, in := range inputs {
			if in.Source >= 0 && r.changed[in.Source] || in.Source < 0 && r.states[in.Action].Status == Rebuild {
				changed = append(changed, in)
			}
		}
	}
	switch {
	case len(changed) == 0:
		return fmt.Sprintf("one of %d %ss changed (%s, …)", len(inputs), what, r.inputName(&inputs[0]))
	case len(changed) == 1:
		return fmt.Sprintf("%s %s changed", what, r.inputName(&changed[0]))
	}
	return fmt.Sprintf("%s %s and %d more changed", what, r.inputName(&changed[0]), len(changed)-1)
}

func (r *resolution) inputName(in *Input) string {
	if in.Source >= 0 {
		return r.plan.Sources[in.Source].Name
	}
	return r.plan.Actions[in.Action].Address
}
