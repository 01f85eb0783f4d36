package engine

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
)

// The reason of a miss names what changed, as a person would say it.
func TestReasons(t *testing.T) {
	set := func(name string, v any) func(*world, *Plan) {
		return func(w *world, p *Plan) {
			changed, err := p.Actions[1].Params.With(name, v)
			require.NoError(w.t, err)
			p.Actions[1].Params = changed
		}
	}
	deep := func(typ string, split int) string {
		rule := values{"when": "${role == \"expert\"}"}
		if typ != "" {
			rule["type"] = typ
		}
		raw, err := json.Marshal(values{"policy": values{"p": values{"mix": "Q4_K_M", "tensor": []any{values{"type": "q8_0"}, rule}}}, "split": split})
		require.NoError(t, err)
		return string(raw)
	}
	long := func(last string) string { return strings.Repeat("é", 70) + last }
	tests := []struct {
		name           string
		before, change func(*world, *Plan)
		want           string
	}{
		{name: "param with an origin", change: func(w *world, p *Plan) {
			set("type", "q5_k")(w, p)
			p.Actions[1].Origins = map[string]string{"type": "policy.a rule 3 (recipe.hcl:31)", "effort": "elsewhere"}
		}, want: "policy.a rule 3 (recipe.hcl:31): type q4_k -> q5_k"},
		{name: "number", change: set("effort", 4), want: "effort 3 -> 4"},
		{name: "number to string", change: set("effort", "3"), want: `effort 3 -> "3"`},
		{name: "list", change: set("effort", []int{1, 2}), want: "effort 3 -> [1,2]"},
		{name: "object", change: set("effort", values{"b": 1, "a": "x"}), want: `effort 3 -> {"a":"x","b":1}`},
		{name: "added", change: set("layout", "tiered"), want: "layout (none) -> tiered"},
		{name: "added, empty", change: set("layout", ""), want: `layout (none) -> ""`},
		{name: "added, null", change: set("layout", nil), want: "layout (none) -> null"},
		{name: "removed", change: func(w *world, p *Plan) { p.Actions[1].Params = p.Actions[1].Params[1:] }, want: "effort 3 -> (none)"},
		{name: "long", before: set("type", long("a")), change: set("type", long("b")),
			want: "type …" + strings.Repeat("é", 20) + "a -> …" + strings.Repeat("é", 20) + "b"},
		{name: "long, of JSON", before: set("type", deep("q4_k", 1)), change: set("type", deep("q5_k", 2)), want: "type policy.p.tensor[1].type: q4_k -> q5_k"},
		{name: "long, of JSON, less", before: set("type", deep("q4_k", 1)), change: set("type", deep("", 1)), want: "type policy.p.tensor[1].type: q4_k -> (none)"},
		{name: "long, of JSON, a number", before: set("type", deep("q4_k", 1)), change: set("type", deep("q4_k", 2)), want: "type split: 1 -> 2"},
		{name: "long, added", change: set("words", long("")), want: "words (none) -> " + strings.Repeat("é", 60) + "…"},
		{name: "version", before: func(w *world, p *Plan) { p.Actions[1].Version = 2 },
			change: func(w *world, p *Plan) { p.Actions[1].Version = 3 }, want: "stage sum v2 -> v3"},
		{name: "version of an artifact", before: func(w *world, p *Plan) { p.Actions[1].Stage = "artifact gguf" },
			change: func(w *world, p *Plan) { p.Actions[1].Stage, p.Actions[1].Version = "artifact gguf", 12 }, want: "stage artifact gguf v1 -> v12"},
		{name: "stage", change: func(w *world, p *Plan) { p.Actions[1].Stage = "stage sums" }, want: "stage sum v1 -> sums v1"},
		{name: "fingerprint", before: func(w *world, p *Plan) { p.Actions[1].Fingerprint = "avx2" },
			change: func(w *world, p *Plan) { p.Actions[1].Fingerprint = "cuda 9.0" }, want: "implementation avx2 -> cuda 9.0"},
		{name: "fingerprint gone", before: func(w *world, p *Plan) { p.Actions[1].Fingerprint = "avx2" },
			change: func(w *world, p *Plan) {}, want: "implementation avx2 -> (none)"},
		{name: "source", change: func(w *world, p *Plan) { p.Sources[1].Offset = 150 }, want: "source b changed"},
		{name: "one of several sources", before: func(w *world, p *Plan) { p.Actions[1].Inputs[1].Name = "weights" },
			change: func(w *world, p *Plan) { p.Actions[1].Inputs[1].Name = "weights"; p.Sources[1].Offset = 150 },
			want:   "one of 2 sources changed (a, …)"},
		{name: "the second of two of one name", before: func(w *world, p *Plan) { p.Actions[1].Inputs[2].Name = "weights" },
			change: func(w *world, p *Plan) {
				p.Actions[1].Inputs[2] = source("weights", p.addSource("c", 0, 7, 100))
			}, want: "source c changed"},
		{name: "input added", change: func(w *world, p *Plan) { p.Actions[1].Inputs = append(p.Actions[1].Inputs, source("extra", 0)) },
			want: "its inputs are others: extra is new there"},
		{name: "input removed", change: func(w *world, p *Plan) { p.Actions[1].Inputs = p.Actions[1].Inputs[:2] },
			want: "its inputs are others: scale is no longer there"},
		{name: "several changes: the first", change: func(w *world, p *Plan) {
			set("type", "q2_k")(w, p)
			set("effort", 1)(w, p)
			p.Sources[1].Offset = 150
		}, want: "effort 3 -> 1"},
		{name: "other address", change: func(w *world, p *Plan) { set("effort", 5)(w, p); p.Actions[1].Address = "new" }, want: neverBuilt},
		{name: "other scope", change: func(w *world, p *Plan) { set("effort", 5)(w, p); p.Scope = "new" }, want: neverBuilt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.keyPlan()
			if tt.before != nil {
				tt.before(w, p)
			}
			w.commitAll(p)
			p = w.keyPlan()
			tt.change(w, p)
			state := w.resolve(p)[1]
			require.Equal(t, tt.want, state.Reason)
			want := Rebuild
			if tt.want == neverBuilt {
				want = New
			}
			require.Equal(t, want, state.Status)
			require.False(t, state.ID.IsZero())
		})
	}
}

// commitAll records results for a plan whatever its stages are.
func (w *world) commitAll(p *Plan) {
	x := w.executor()
	stages := []*Stage{}
	for _, a := range p.Actions {
		block, name, _ := strings.Cut(a.Stage, " ")
		if s, ok := x.Catalog.Stage(block, name); !ok || s.Version != a.Version {
			stages = append(stages, w.stage(block, name, a.Version, runSum))
		} else {
			stages = append(stages, s)
		}
	}
	x.Catalog = NewCatalog(stages...)
	_, err := w.build(x, p)
	require.NoError(w.t, err)
}

func TestReasonOfInputMadeAnew(t *testing.T) {
	w := newWorld(t)
	w.must(w.keyPlan())
	p := w.keyPlan()
	p.Sources[0].Offset = 10
	p.Actions[1].Inputs = p.Actions[1].Inputs[1:]
	w.must(p)

	p.Sources[0].Offset = 20
	states := w.resolve(p)
	require.Equal(t, []Status{Rebuild, Rebuild}, statuses(states))
	require.Equal(t, "input first is made anew", states[1].Reason)
	require.True(t, states[1].ID.IsZero(), "its key is not known yet")
	// Once it is known, the reason is as exact as it can be.
	w.must(p)
	require.Equal(t, "input first changed", w.reason("second"))
}

func TestReasonOfUnknownSources(t *testing.T) {
	w := newWorld(t)
	p := w.keyPlan()
	reasons := func() (out []string) {
		r, err := w.known.Resolve(t.Context(), p, 0, nil)
		require.NoError(t, err)
		for _, s := range r.States {
			out = append(out, s.Reason)
		}
		return out
	}
	require.Equal(t, []string{neverBuilt, neverBuilt}, reasons())
	w.must(p)
	require.Equal(t, []string{"", ""}, reasons())
	path := w.write("a.bin", make([]byte, 300))
	require.Equal(t, "source a: "+path+" changed on disk and is not hashed yet", reasons()[0])
	require.NoError(t, os.Rename(path, path+"2"))
	p.Files[0].Path = path + "2"
	require.Equal(t, "source a is not hashed yet", reasons()[0])
}

func TestReasonOfLostOutputs(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.keyPlan()
		first := w.must(p).States[0]
		require.NoError(t, w.store.Quarantine(t.Context(), first.Entry.Outputs[0].ID))
		states := w.resolve(p)
		require.Equal(t, State{Status: Rebuild, ID: first.ID, Reason: "its output is no longer in the cache"}, states[0])
		require.Equal(t, "input first is made anew", states[1].Reason)
		// It comes out the same, so that what reads it stays.
		w.must(p)
		require.Equal(t, []string{"first"}, w.ran())

		require.NoError(t, w.store.Quarantine(t.Context(), first.Entry.Outputs[0].ID))
		p.Sources[0].Offset = 3
		require.Equal(t, "changed; what it was made from is no longer in the cache", w.resolve(p)[0].Reason)
	})
}

// Explanations need the records; without them, or with damaged ones, a build
// only says less.
func TestReasonsWithoutRecords(t *testing.T) {
	w := newWorld(t)
	w.must(w.keyPlan())
	p := w.keyPlan()
	p.Sources[0].Offset = 10
	known := Known{Store: w.store}
	r, err := known.Resolve(t.Context(), p, -1, nil)
	require.NoError(t, err)
	require.Equal(t, State{Status: New, Reason: neverBuilt, ID: r.States[0].ID}, r.States[0])

	for _, damaged := range []string{"\xff", "\x05abc", "\x01a", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + strings.Repeat("x", 100)} {
		require.NoError(t, w.known.Records.PutRecords(t.Context(), lastBucket, map[string][]byte{"scope": []byte(damaged)}))
		require.Equal(t, neverBuilt, w.resolve(p)[0].Reason)
	}
}

// A build of a part of the recipe keeps what is known of the rest.
func TestLastKeepsOtherAddresses(t *testing.T) {
	w := newWorld(t)
	w.must(w.keyPlan())
	part := w.keyPlan()
	part.Actions = part.Actions[:1]
	part.Sources[0].Offset = 5
	w.must(part)
	p := w.keyPlan()
	changed, err := p.Actions[1].Params.With("type", "q6_k")
	require.NoError(t, err)
	p.Actions[1].Params = changed
	require.Equal(t, "type q4_k -> q6_k", w.resolve(p)[1].Reason)

	last, err := w.known.lastPlan(t.Context(), "scope")
	require.NoError(t, err)
	require.Len(t, last, 2)
	require.Equal(t, w.resolve(part)[0].ID, last["first"])
}

// unwritable is a cache that can be read only.
type unwritable struct{ *cache.Memory }

func (unwritable) Begin(context.Context) (cache.Batch, error) {
	return nil, &cache.ReadOnlyError{Dir: "cache", Err: os.ErrPermission}
}

func (unwritable) PutRecords(context.Context, string, map[string][]byte) error {
	return &cache.ReadOnlyError{Dir: "cache", Err: os.ErrPermission}
}

// A read-only cache serves what it has.
func TestReadOnlyCache(t *testing.T) {
	w := newWorld(t)
	plan := w.packed(3, 100, "a.bin")
	w.must(plan)
	require.NoError(t, os.Rename(filepath.Join(w.dir, "model.bin"), filepath.Join(w.dir, "moved.bin")))
	plan.Files[0].Path = filepath.Join(w.dir, "moved.bin") // nothing is remembered of it
	require.NoError(t, os.RemoveAll(plan.OutputDir))
	store := unwritable{w.store.(*cache.Memory)}
	x := w.executor()
	x.Known = Known{Store: store, Records: store}
	x.RequireCached = true
	res, err := w.build(x, plan)
	require.NoError(t, err)
	require.Equal(t, 0, res.Executed)
	require.Len(t, res.Artifacts, 1)
	// What has to run says why it can't.
	x.RequireCached = false
	plan.Sources[0].Size--
	_, err = w.build(x, plan)
	var readOnly *cache.ReadOnlyError
	require.ErrorAs(t, err, &readOnly)
}
