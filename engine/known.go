package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/llama-pajamas/pj/cache"
)

// Known is what a cache and this machine's records tell of a plan before
// anything runs.
type Known struct {
	Store   cache.Store
	Records cache.Records
}

// Buckets of the records.
const (
	filesBucket     = "files"     // file path -> content ids of its ranges
	lastBucket      = "last"      // scope -> address and ActionID of what was planned last
	artifactsBucket = "artifacts" // path -> what was written there
)

// resolution is the state of every action of a plan, kept up to date while it
// is executed.
type resolution struct {
	plan    *Plan
	sources []cache.OutputID // content of Plan.Sources, zero where unknown
	stale   []bool           // the source's file was known, but has changed
	states  []State
	// outputs of finished or cached actions, by action.
	entries []*cache.Entry
	last    map[string]cache.ActionID
}

// Resolve finds the state of every action: its key where all content is known,
// whether the cache has it, and why not. hashLimit is how many bytes of unknown
// sources may be read to know them (< 0: all).
func (k *Known) Resolve(ctx context.Context, plan *Plan, hashLimit int64) ([]State, error) {
	r, err := k.resolve(ctx, plan, hashLimit)
	if err != nil {
		return nil, err
	}
	return r.states, nil
}

func (k *Known) resolve(ctx context.Context, plan *Plan, hashLimit int64) (*resolution, error) {
	r := &resolution{plan: plan, states: make([]State, len(plan.Actions)), entries: make([]*cache.Entry, len(plan.Actions))}
	if err := k.sourceIDs(ctx, r); err != nil {
		return nil, err
	}
	if err := k.hashUnknown(ctx, r, hashLimit); err != nil {
		return nil, err
	}
	if err := k.lookupAll(ctx, r); err != nil {
		return nil, err
	}
	return r, k.explainMisses(ctx, r)
}

// state resolves one action of a plan that is still being made.
func (k *Known) state(ctx context.Context, plan *Plan, action int) (State, error) {
	part := *plan
	part.Actions = plan.Actions[:action+1]
	r, err := k.resolve(ctx, &part, 0)
	if err != nil {
		return State{}, err
	}
	return r.states[action], nil
}

// hashUnknown reads sources whose content is not known, if all of them
// together are no more than limit bytes.
func (k *Known) hashUnknown(ctx context.Context, r *resolution, limit int64) error {
	var todo []int
	var total int64
	for i, id := range r.sources {
		if id.IsZero() {
			if _, err := os.Stat(r.plan.Files[r.plan.Sources[i].File].Path); err != nil {
				return nil // not fetched yet
			}
			todo = append(todo, i)
			total += r.plan.Sources[i].Size
		}
	}
	if len(todo) == 0 || limit >= 0 && total > limit {
		return nil
	}
	return k.hash(ctx, r, todo, nil)
}

// hash reads sources and keeps their ids, also for later runs.
func (k *Known) hash(ctx context.Context, r *resolution, todo []int, progress func(int64)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range todo {
		g.Go(func() error {
			id, err := hashSource(ctx, r.plan, i, progress)
			if err != nil {
				return err
			}
			r.sources[i] = id
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return k.remember(ctx, r)
}

// lookupAll keys what can be keyed, level by level, since an action's key needs
// the outputs of those before it.
func (k *Known) lookupAll(ctx context.Context, r *resolution) error {
	todo := make([]int, len(r.plan.Actions))
	for i := range todo {
		todo[i] = i
	}
	for len(todo) > 0 {
		var level, rest []int
		for _, i := range todo {
			if inputs, ok := r.inputs(i); ok {
				_ = inputs
				level = append(level, i)
			} else {
				rest = append(rest, i)
			}
		}
		if len(level) == 0 {
			break
		}
		ids := make([]cache.ActionID, len(level))
		parallel(len(level), func(from, to int) {
			for n := from; n < to; n++ {
				ids[n] = r.key(level[n])
			}
		})
		entries, err := k.Store.Lookup(ctx, ids)
		if err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		for n, i := range level {
			r.states[i] = State{Status: New, ID: ids[n]}
			if entries[n] != nil {
				r.states[i].Status, r.states[i].Entry = Cached, entries[n]
				r.entries[i] = entries[n]
			}
		}
		todo = rest
	}
	for _, i := range todo {
		r.states[i] = State{Status: New}
	}
	return nil
}

// parallel runs f over [0, n) in one piece per processor.
func parallel(n int, f func(from, to int)) {
	workers := runtime.GOMAXPROCS(0)
	if n < 256 || workers == 1 {
		f(0, n)
		return
	}
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			f(n*w/workers, n*(w+1)/workers)
			return nil
		})
	}
	g.Wait()
}

// inputs are the content ids of an action's inputs; ok is false while one is
// unknown.
func (r *resolution) inputs(i int) (ids []cache.OutputID, ok bool) {
	a := r.plan.Actions[i]
	ids = make([]cache.OutputID, len(a.Inputs))
	for n, in := range a.Inputs {
		if in.Source >= 0 {
			ids[n] = r.sources[in.Source]
		} else if e := r.entries[in.Action]; e != nil {
			ids[n] = outputID(e, in.Output)
		}
		if ids[n].IsZero() {
			return nil, false
		}
	}
	return ids, true
}

// outputID finds an output of an entry by name.
func outputID(e *cache.Entry, name string) cache.OutputID {
	for _, o := range e.Outputs {
		if o.Name == name {
			return o.ID
		}
	}
	return cache.OutputID{}
}

// key is the ActionID of an action whose inputs are known.
func (r *resolution) key(i int) cache.ActionID {
	ids, _ := r.inputs(i)
	return actionID(keyComponents(r.plan.Actions[i], ids))
}

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
	var olds []cache.ActionID
	var at []int
	for i, a := range r.plan.Actions {
		if r.states[i].Status == Cached {
			continue
		}
		if id, ok := last[a.Address]; ok {
			olds, at = append(olds, id), append(at, i)
		}
	}
	entries, err := k.Store.Lookup(ctx, olds)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	before := map[int]*cache.Entry{}
	had := map[int]cache.ActionID{}
	for n, i := range at {
		before[i], had[i] = entries[n], olds[n]
	}
	for i := range r.plan.Actions {
		if r.states[i].Status == Cached {
			continue
		}
		old, planned := had[i]
		switch {
		case !planned:
			r.states[i].Reason = "not built before"
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
	for _, c := range old {
		was[c.Name] = c.Value
	}
	if s := a.Stage + " v" + strconv.Itoa(a.Version); was["stage"] != s {
		return fmt.Sprintf("stage %s -> v%d", strings.TrimPrefix(was["stage"], "stage "), a.Version)
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
	return r.inputDifference(i, was)
}

// describe is "policy.a rule 3 (recipe.hcl:31): type q4_k -> q5_k".
func (a *Action) describe(param, before, after string) string {
	s := fmt.Sprintf("%s %s -> %s", param, plain(before), plain(after))
	if o := a.Origins[param]; o != "" {
		return o + ": " + s
	}
	return s
}

// plain shows a JSON value as a person would write it, shortened.
func plain(v string) string {
	var s string
	if json.Unmarshal([]byte(v), &s) == nil {
		v = s
	}
	if len(v) > 60 {
		v = v[:57] + "…"
	}
	return orNone(v)
}

func orNone(v string) string {
	if v == "" {
		return "(none)"
	}
	return v
}

func (r *resolution) inputDifference(i int, was map[string]string) string {
	a := r.plan.Actions[i]
	for n := 0; n < len(a.Inputs); {
		m := n + 1
		for m < len(a.Inputs) && a.Inputs[m].Name == a.Inputs[n].Name {
			m++
		}
		ids := make([]cache.OutputID, 0, m-n)
		for j := n; j < m; j++ {
			in := a.Inputs[j]
			var id cache.OutputID
			if in.Source >= 0 {
				id = r.sources[in.Source]
				if id.IsZero() {
					s := r.plan.Sources[in.Source]
					if r.stale[in.Source] {
						return fmt.Sprintf("source %s: %s changed on disk and is not hashed yet", s.Name, r.plan.Files[s.File].Path)
					}
					return fmt.Sprintf("source %s is not hashed yet", s.Name)
				}
			} else if e := r.entries[in.Action]; e != nil {
				id = outputID(e, in.Output)
			} else {
				return fmt.Sprintf("input %s is made anew", r.plan.Actions[in.Action].Address)
			}
			ids = append(ids, id)
		}
		if was[inputPrefix+a.Inputs[n].Name] != joinIDs(ids) {
			if in := a.Inputs[n]; in.Source >= 0 {
				return fmt.Sprintf("source %s changed", r.plan.Sources[in.Source].Name)
			}
			return fmt.Sprintf("input %s changed", r.plan.Actions[a.Inputs[n].Action].Address)
		}
		n = m
	}
	return "its inputs changed"
}

// lastPlan is what was planned last in this scope: address -> ActionID.
func (k *Known) lastPlan(ctx context.Context, scope string) (map[string]cache.ActionID, error) {
	if k.Records == nil {
		return nil, nil
	}
	vals, err := k.Records.Records(ctx, lastBucket, []string{scope})
	if err != nil {
		return nil, fmt.Errorf("cache records: %w", err)
	}
	out := map[string]cache.ActionID{}
	for b := vals[0]; len(b) > 0; {
		n, w := binary.Uvarint(b)
		if w <= 0 || uint64(len(b)-w) < n+32 {
			return out, nil // a damaged record costs explanations only
		}
		var id cache.ActionID
		copy(id[:], b[w+int(n):])
		out[string(b[w:w+int(n)])] = id
		b = b[w+int(n)+32:]
	}
	return out, nil
}

// saveLast records what this plan's addresses came to, so that the next miss
// can be explained. It writes only when something changed. Addresses that the
// plan does not have (a build of some addresses only) keep their old entry.
func (k *Known) saveLast(ctx context.Context, r *resolution) error {
	if k.Records == nil {
		return nil
	}
	h := blake3.New()
	pairs := map[string]cache.ActionID{}
	for i, a := range r.plan.Actions {
		if id := r.states[i].ID; !id.IsZero() && r.entries[i] != nil {
			h.WriteString(a.Address)
			h.Write(id[:])
			pairs[a.Address] = id
		}
	}
	digest := h.Sum(nil)
	vals, err := k.Records.Records(ctx, lastBucket, []string{r.plan.Scope + " digest"})
	if err != nil {
		return fmt.Errorf("cache records: %w", err)
	}
	if string(vals[0]) == string(digest) {
		return nil
	}
	old, err := k.lastPlan(ctx, r.plan.Scope)
	if err != nil {
		return err
	}
	for a, id := range old {
		if _, ok := pairs[a]; !ok {
			pairs[a] = id
		}
	}
	addresses := make([]string, 0, len(pairs))
	for a := range pairs {
		addresses = append(addresses, a)
	}
	sort.Strings(addresses)
	var buf []byte
	for _, a := range addresses {
		id := pairs[a]
		buf = binary.AppendUvarint(buf, uint64(len(a)))
		buf = append(buf, a...)
		buf = append(buf, id[:]...)
	}
	return k.Records.PutRecords(ctx, lastBucket, map[string][]byte{r.plan.Scope: buf, r.plan.Scope + " digest": digest})
}
