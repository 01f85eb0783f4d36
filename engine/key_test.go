package engine

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// keyPlan is an action that reads two tensors and another action's output.
func (w *world) keyPlan() *Plan {
	p := w.empty()
	file := p.addFile(w.t, w.write("a.bin", cachetest.Bytes(7, 300)))
	a, b := p.addSource("a", file, 0, 100), p.addSource("b", file, 100, 100)
	p.add("first", "stage double", nil, source("in", a))
	p.add("second", "stage sum", values{"type": "q4_k", "effort": 3}, source("weights", a), source("bias", b), output("scale", 0))
	return p
}

// second is the id of keyPlan's second action.
func (w *world) second(p *Plan) cache.ActionID {
	id := w.resolve(p)[1].ID
	require.False(w.t, id.IsZero())
	return id
}

func TestKeyStays(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, w *world, p *Plan){
		"other addresses": func(t *testing.T, w *world, p *Plan) {
			p.Actions[0].Address, p.Actions[1].Address = "x", "module.m.y"
		},
		"other source names": func(t *testing.T, w *world, p *Plan) { p.Sources[0].Name = "renamed" },
		"other origins, group, work and memory": func(t *testing.T, w *world, p *Plan) {
			a := p.Actions[1]
			a.Origins, a.Group, a.Work, a.Memory = map[string]string{"type": "elsewhere"}, "g", 7, 1<<40
		},
		"another scope and output folder": func(t *testing.T, w *world, p *Plan) { p.Scope, p.OutputDir = "other", "/nowhere" },
		"parameters in another order": func(t *testing.T, w *world, p *Plan) {
			var err error
			p.Actions[1].Params, err = NewParams(struct {
				Type   string `json:"type"`
				Tag    string `json:"tag"`
				Effort int    `json:"effort"`
				None   string `json:"none,omitempty"`
			}{"q4_k", "second", 3, ""})
			require.NoError(t, err)
		},
		"a parameter set to what it was": func(t *testing.T, w *world, p *Plan) {
			changed, err := p.Actions[1].Params.With("effort", 9)
			require.NoError(t, err)
			p.Actions[1].Params, err = changed.With("effort", 3)
			require.NoError(t, err)
		},
		"the source in another file, elsewhere": func(t *testing.T, w *world, p *Plan) {
			content := append(make([]byte, 50), cachetest.Bytes(7, 300)[:100]...)
			p.Sources[0].File = p.addFile(t, w.write("b.bin", content))
			p.Sources[0].Offset = 50
		},
		"more actions before it": func(t *testing.T, w *world, p *Plan) {
			p.Sources = append([]Source{{Name: "new", Size: 10}}, p.Sources...)
			for _, a := range p.Actions {
				for i := range a.Inputs {
					if a.Inputs[i].Source >= 0 {
						a.Inputs[i].Source++
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(w.keyPlan())
			want := w.second(w.keyPlan())
			p := w.keyPlan()
			change(t, w, p)
			require.Equal(t, want, w.second(p))
			require.Equal(t, 0, w.must(p).Executed)
		})
	}
}

func TestKeyDoesNotDependOnJobs(t *testing.T) {
	var want []State
	for _, jobs := range []int{1, 4} {
		w := newWorld(t)
		x := w.executor()
		x.Jobs = jobs
		res, err := w.build(x, w.packed(9, 1000, "a.bin"))
		require.NoError(t, err)
		w.requireFile(w.packedBytes(9, 1000, "a.bin"), res.Artifacts[0].Files[0])
		for i := range res.States {
			res.States[i].Entry.Elapsed = 0
		}
		if want == nil {
			want = res.States
		}
		require.Equal(t, want, res.States)
	}
}

// Every change of what an action depends on changes its id, and no two of them
// give the same.
func TestKeyChanges(t *testing.T) {
	set := func(name string, v any) func(*Plan) {
		return func(p *Plan) {
			changed, err := p.Actions[1].Params.With(name, v)
			if err != nil {
				panic(err)
			}
			p.Actions[1].Params = changed
		}
	}
	input := func(n int, name string) func(*Plan) { return func(p *Plan) { p.Actions[1].Inputs[n].Name = name } }
	changes := map[string]func(*Plan){
		"nothing":            func(*Plan) {},
		"param":              set("type", "q5_k"),
		"param of a prefix":  set("type", "q4_"),
		"number":             set("effort", 4),
		"number as string":   set("effort", "3"),
		"added":              set("x", nil),
		"added, empty":       set("x", ""),
		"added, zero":        set("x", 0),
		"added, list":        set("x", []int{}),
		"named as an input":  set("weights", "q"),
		"removed":            func(p *Plan) { p.Actions[1].Params = p.Actions[1].Params[1:] },
		"shifted name":       func(p *Plan) { p.Actions[1].Params[0].Name += "\"" },
		"name and value":     func(p *Plan) { c := &p.Actions[1].Params[0]; c.Name, c.Value = c.Name+c.Value[:1], c.Value[1:] },
		"version":            func(p *Plan) { p.Actions[1].Version = 2 },
		"stage":              func(p *Plan) { p.Actions[1].Stage = "stage evidence" },
		"fingerprint":        func(p *Plan) { p.Actions[1].Fingerprint = "cuda 9.0" },
		"fingerprint, other": func(p *Plan) { p.Actions[1].Fingerprint = "cuda 8.0" },
		"fingerprint as a parameter": func(p *Plan) {
			p.Actions[1].Params = append(Params{{Name: "implementation", Value: "cuda 9.0"}}, p.Actions[1].Params...)
		},
		"input's name":      input(0, "weight"),
		"inputs joined":     input(1, "weights"),
		"inputs of three":   func(p *Plan) { input(1, "weights")(p); input(2, "weights")(p) },
		"inputs of the two": func(p *Plan) { input(2, "bias")(p) },
		"inputs swapped": func(p *Plan) {
			in := p.Actions[1].Inputs
			in[0], in[1] = in[1], in[0]
		},
		"contents swapped": func(p *Plan) {
			in := p.Actions[1].Inputs
			in[0].Source, in[1].Source = in[1].Source, in[0].Source
		},
		"input twice":   func(p *Plan) { p.Actions[1].Inputs = append(p.Actions[1].Inputs, p.Actions[1].Inputs[2]) },
		"input removed": func(p *Plan) { p.Actions[1].Inputs = p.Actions[1].Inputs[:2] },
		"no input":      func(p *Plan) { p.Actions[1].Inputs = nil },
		"content":       func(p *Plan) { p.Sources[1].Offset = 200 },
		"size":          func(p *Plan) { p.Sources[1].Size = 99 },
		"a source instead of an output": func(p *Plan) {
			p.Actions[1].Inputs[2] = source("scale", 0)
		},
	}
	w := newWorld(t)
	w.must(w.keyPlan())
	seen := map[cache.ActionID]string{}
	for name, change := range changes {
		p := w.keyPlan()
		change(p)
		id := w.second(p)
		require.Empty(t, seen[id], "%q has the same id", name)
		seen[id] = name
	}
}

// What is stored beside a result is what its id was hashed from.
func TestComponentsAreStored(t *testing.T) {
	w := newWorld(t)
	p := w.keyPlan()
	p.Actions[1].Fingerprint = "avx512"
	res := w.must(p)
	a, b := cachetest.Bytes(7, 300)[:100], cachetest.Bytes(7, 300)[100:200]
	require.Equal(t, []cache.Component{
		{Name: "stage", Value: "stage sum v1"},
		{Name: "implementation", Value: "avx512"},
		{Name: "param effort", Value: "3"},
		{Name: "param tag", Value: `"second"`},
		{Name: "param type", Value: `"q4_k"`},
		{Name: "input weights", Value: contentID(a).String()},
		{Name: "input bias", Value: contentID(b).String()},
		{Name: "input scale", Value: contentID(append(append([]byte{}, a...), a...)).String()},
	}, res.States[1].Entry.Key)
}

// A result that stays the same leaves what reads it alone.
func TestEarlyCutOff(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		plan := func(first byte) *Plan {
			p := w.empty()
			s := p.addSource("t", p.addFile(t, w.write("t.bin", []byte{first, 1, 2})), 0, 3)
			p.add("parity", "stage parity", nil, source("in", s))
			p.add("double", "stage double", nil, output("in", 0))
			p.add("sum", "stage sum", nil, output("in", 1))
			return p
		}
		require.Equal(t, 3, w.must(plan(2)).Executed)
		res := w.must(plan(4))
		require.Equal(t, []string{"parity"}, w.ran())
		require.Equal(t, "source t changed", w.reason("parity"))
		require.Equal(t, []Status{Rebuild, Cached, Cached}, statuses(res.States))
		require.Equal(t, 1, res.Executed)
		require.Equal(t, 3, w.must(plan(5)).Executed)
	})
}

func TestParams(t *testing.T) {
	p, err := NewParams(map[string]any{"b": 1.5, "a": map[string]any{"z": 1, "y": "<"}, "n": nil, "big": int64(1) << 62})
	require.NoError(t, err)
	require.Equal(t, Params{{Name: "a", Value: "{\"y\":\"\\u003c\",\"z\":1}"}, {Name: "b", Value: "1.5"}, {Name: "big", Value: "4611686018427387904"}, {Name: "n", Value: "null"}}, p)
	var into struct {
		B   float64 `json:"b"`
		Big int64   `json:"big"`
	}
	require.NoError(t, p.Decode(&into))
	require.Equal(t, 1.5, into.B)
	require.EqualValues(t, 1<<62, into.Big)

	more, err := p.With("b", "x")
	require.NoError(t, err)
	require.Equal(t, "1.5", p[1].Value, "With leaves the original alone")
	require.Equal(t, `"x"`, more[1].Value)
	_, err = p.With("f", func() {})
	require.ErrorContains(t, err, "parameter f")
	_, err = NewParams(3)
	require.ErrorContains(t, err, "action parameters")
	_, err = NewParams(func() {})
	require.ErrorContains(t, err, "action parameters")

	// Text in another spelling is the same value.
	var q Params
	require.NoError(t, q.UnmarshalJSON([]byte(` { "n" :null, "b":1.5,"big":4611686018427387904, "a": {"z":1 ,"y":"<"} }`)))
	require.Equal(t, p, q)
}

func contentID(b []byte) cache.OutputID {
	s := cache.NewMemory()
	batch, err := s.Begin(context.Background())
	if err != nil {
		panic(err)
	}
	w, err := batch.Create(0)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, "%s", b)
	id, _, err := w.Close()
	if err != nil {
		panic(err)
	}
	return id
}
