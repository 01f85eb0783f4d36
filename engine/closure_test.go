package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/internal/diag"
)

// fakePolicy is a policy of which only address, evidence and form count here.
type fakePolicy struct {
	Policy
	evidence  *Ref
	canonical string
}

func (p *fakePolicy) Evidence() *Ref             { return p.evidence }
func (p *fakePolicy) Canonical() json.RawMessage { return json.RawMessage(p.canonical) }

// lowerWith lowers a program of these blocks and calls fn at the last.
func lowerWith(t *testing.T, blocks []*Block, policies map[string]Policy, fn func(p *Planner)) {
	stage := &Stage{Block: "any", Version: 1}
	last := &Stage{Block: "last", Version: 1, Lower: func(_ context.Context, p *Planner, _ *Block) error {
		fn(p)
		return nil
	}}
	blocks = append(slices.Clone(blocks), &Block{Stage: last, Address: "last", Used: true})
	for _, b := range blocks[:len(blocks)-1] {
		b.Stage = stage
	}
	_, err := Lower(t.Context(), NewCatalog(stage, last), &Program{Path: "recipe.hcl", Blocks: blocks, Policies: policies}, nil, nil, "out", nil)
	require.NoError(t, err)
}

func closure(t *testing.T, address string, blocks []*Block, policies map[string]Policy, replace func(string, string, map[string]any) error) (out string) {
	lowerWith(t, blocks, policies, func(p *Planner) {
		raw, err := p.Closure(address, replace)
		require.NoError(t, err)
		out = string(raw)
	})
	return out
}

func TestClosure(t *testing.T) {
	blocks := []*Block{
		{Address: "model.unused", Canonical: json.RawMessage(`{"source":"elsewhere"}`)},
		{Address: "module.m.model.q", Canonical: json.RawMessage(`{"source":"hf://a/b"}`)},
		{Address: "stage.calibrate.c", Canonical: json.RawMessage(`{"model":"${module.m.model.q}"}`), Refs: []string{"module.m.model.q"}},
		{Address: `stage.quantize.q["a b"]`, Canonical: json.RawMessage(`{"model":"${module.m.model.q}","policy":"${policy.p}","list":["${model.other}","${module.m.model.q}"],"text":"$${module.m.model.q}"}`),
			Refs: []string{"module.m.model.q", "policy.p"}},
		{Address: "artifact.gguf.g", Canonical: json.RawMessage(`{"from":"${stage.quantize.q[\"a b\"]}","map":{"${not.a.key}":1.0}}`), Refs: []string{`stage.quantize.q["a b"]`}},
	}
	policies := map[string]Policy{
		"policy.p": &fakePolicy{evidence: &Ref{Address: "stage.calibrate.c"}, canonical: `{"evidence":"${stage.calibrate.c}"}`},
		"policy.x": &fakePolicy{canonical: `{}`},
	}
	var replaced []string
	replace := func(address, flat string, body map[string]any) error {
		replaced = append(replaced, address+" "+flat)
		if address == "module.m.model.q" {
			body["source"] = "blake3:00"
		}
		return nil
	}
	want := `{
		"artifact": {"gguf": {"g": {"from": "${stage.quantize.q_a_b}", "map": {"${not.a.key}": 1.0}}}},
		"model": {"m_q": {"source": "blake3:00"}},
		"policy": {"p": {"evidence": "${stage.calibrate.c}"}},
		"stage": {
			"calibrate": {"c": {"model": "${model.m_q}"}},
			"quantize": {"q_a_b": {"model": "${model.m_q}", "policy": "${policy.p}", "list": ["${model.other}", "${model.m_q}"], "text": "$${module.m.model.q}"}}
		}
	}`
	got := closure(t, "artifact.gguf.g", blocks, policies, replace)
	require.JSONEq(t, want, got)
	require.Equal(t, []string{"artifact.gguf.g artifact.gguf.g", "module.m.model.q model.m_q", "policy.p policy.p", "stage.calibrate.c stage.calibrate.c", `stage.quantize.q["a b"] stage.quantize.q_a_b`}, replaced)
	// It is the same whatever the order of the blocks, and whatever else there is.
	for range 5 {
		slices.Reverse(blocks)
		require.Equal(t, got, closure(t, "artifact.gguf.g", blocks, policies, replace))
	}
	blocks = slices.DeleteFunc(blocks, func(b *Block) bool { return b.Address == "model.unused" })
	require.Equal(t, got, closure(t, "artifact.gguf.g", blocks, policies, replace))
	require.JSONEq(t, `{"policy":{"x":{}}}`, closure(t, "policy.x", blocks, policies, nil))
	require.JSONEq(t, `{}`, closure(t, "model.none", blocks, policies, nil))

	lowerWith(t, blocks, policies, func(p *Planner) {
		_, err := p.Closure("artifact.gguf.g", func(string, string, map[string]any) error { return errBroken })
		require.ErrorIs(t, err, errBroken)
		blocks[0].Canonical = json.RawMessage(`[`)
		_, err = p.Closure(blocks[0].Address, nil)
		require.ErrorContains(t, err, "canonical form of "+blocks[0].Address)
	})
}

func TestFlatNames(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
		want map[string]string
	}{
		{"plain", []string{"model.q", "stage.quantize.a"}, map[string]string{"model.q": "model.q", "stage.quantize.a": "stage.quantize.a"}},
		{"modules", []string{"module.a.module.b.stage.quantize.x", "module.a.policy.x"},
			map[string]string{"module.a.module.b.stage.quantize.x": "stage.quantize.a_b_x", "module.a.policy.x": "policy.a_x"}},
		{"keys", []string{`artifact.gguf.x["a.b"]`, `artifact.gguf.x["é [1]"]`, `module.m.policy.p["k"]`},
			map[string]string{`artifact.gguf.x["a.b"]`: "artifact.gguf.x_a_b", `artifact.gguf.x["é [1]"]`: "artifact.gguf.x____1", `module.m.policy.p["k"]`: "policy.m_p_k"}},
		{"collisions", []string{"model.m_q", "model.m_q_2", "module.m.model.q", `model.m["q"]`},
			map[string]string{"model.m_q": "model.m_q", "model.m_q_2": "model.m_q_2", "module.m.model.q": "model.m_q_3", `model.m["q"]`: "model.m_q_4"}},
		{"keys that differ in signs", []string{`policy.p["a b"]`, `policy.p["a-b"]`, `policy.p["a.b"]`, `policy.p["a_b"]`},
			map[string]string{`policy.p["a b"]`: "policy.p_a_b", `policy.p["a-b"]`: "policy.p_a-b", `policy.p["a.b"]`: "policy.p_a_b_2", `policy.p["a_b"]`: "policy.p_a_b_3"}},
		{"one name of two kinds", []string{"artifact.gguf.a", "artifact.mlx.a", "stage.quantize.a"},
			map[string]string{"artifact.gguf.a": "artifact.gguf.a", "artifact.mlx.a": "artifact.mlx.a", "stage.quantize.a": "stage.quantize.a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, flatNames(tt.in))
		})
	}
}

func TestAddressCovers(t *testing.T) {
	for _, tt := range []struct {
		whole, item string
		want        bool
	}{
		{"stage.quantize.a", "stage.quantize.a", true},
		{"stage.quantize.a", `stage.quantize.a["x"]`, true},
		{"module.m", "module.m.artifact.gguf.a", true},
		{"stage.quantize.a", "stage.quantize.ab", false},
		{`stage.quantize.a["x"]`, "stage.quantize.a", false},
		{"", ".x", true},
	} {
		require.Equal(t, tt.want, AddressCovers(tt.whole, tt.item), "%s, %s", tt.whole, tt.item)
	}
}

// Lower makes what is wanted and what that needs, and reports every failure.
func TestLower(t *testing.T) {
	var lowered []string
	stage := &Stage{Block: "any", Version: 1}
	stage.Lower = func(_ context.Context, p *Planner, b *Block) error {
		lowered = append(lowered, b.Address)
		switch b.Address {
		case "any.bad":
			return errBroken
		case "any.worse":
			return diag.Errorf(b.Range, "Worse", "A diagnostic of its own.")
		}
		p.SetResult(b, b.Address)
		p.Action(&Action{Address: b.Address})
		return nil
	}
	block := func(address string, used bool, refs ...string) *Block {
		return &Block{Stage: stage, Address: address, Used: used, Refs: refs}
	}
	prog := &Program{Path: "dir/recipe.hcl", Dir: "/abs", Blocks: []*Block{
		block("any.e", false), block("any.a", true), block(`any.b["x"]`, true, "any.a"), block("any.unused", false), block("any.c", true, "policy.p"),
	}, Policies: map[string]Policy{"policy.p": &fakePolicy{evidence: &Ref{Address: "any.e"}}}}
	lower := func(want ...string) (*Plan, error) {
		lowered = nil
		return Lower(t.Context(), NewCatalog(stage), prog, nil, nil, "out", want)
	}
	plan, err := lower()
	require.NoError(t, err)
	require.Equal(t, []string{"any.e", "any.a", `any.b["x"]`, "any.c"}, lowered)
	require.Equal(t, PlanVersion, plan.Version)
	require.Len(t, plan.Scope, 16)
	raw := encode(t, plan)
	_, err = DecodePlan(raw)
	require.NoError(t, err)

	_, err = lower("any.b")
	require.NoError(t, err)
	require.Equal(t, []string{"any.a", `any.b["x"]`}, lowered)
	_, err = lower("any.c", "any.unused")
	require.NoError(t, err)
	require.Equal(t, []string{"any.e", "any.unused", "any.c"}, lowered)
	_, err = lower("any.none")
	require.ErrorContains(t, err, "Unknown address any.none")
	require.ErrorContains(t, err, "any.a, any.b[")

	prog.Policies["policy.bad"] = &fakePolicy{evidence: &Ref{Address: "any.bad"}}
	prog.Blocks = append(prog.Blocks, block("any.bad", true), block("any.after", true, "any.bad"), block("any.late", true, "any.after"),
		block("any.judged", true, "policy.bad"), block("any.worse", true))
	_, err = lower()
	for _, address := range []string{"any.after", "any.late", "any.judged"} {
		require.NotContains(t, lowered, address, "what needs a block that failed is not looked at")
	}
	require.ErrorContains(t, err, "any.bad cannot be planned")
	require.ErrorContains(t, err, "broken on purpose")
	require.ErrorContains(t, err, "Worse")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Lower(ctx, NewCatalog(stage), prog, nil, nil, "out", nil)
	require.True(t, errors.Is(err, context.Canceled))
}

// A file or range that is asked for twice is one.
func TestPlannerJoins(t *testing.T) {
	lowerWith(t, nil, nil, func(p *Planner) {
		a, b := p.File(File{Path: "a"}), p.File(File{Path: "b"})
		require.Equal(t, a, p.File(File{Path: "a"}))
		require.NotEqual(t, a, b)
		s := p.Source(Source{Name: "x", File: a, Offset: 1, Size: 2})
		require.Equal(t, s, p.Source(Source{Name: "y", File: a, Offset: 1, Size: 2}))
		require.NotEqual(t, s, p.Source(Source{Name: "x", File: b, Offset: 1, Size: 2}))
		require.NotEqual(t, s, p.Source(Source{Name: "x", File: a, Offset: 1, Size: 3}))
		require.Equal(t, b, p.SourceFile(s+1))
		require.Equal(t, "x", p.plan.Sources[s].Name)
		require.Equal(t, 0, p.Actions())
		require.Nil(t, p.Store())
		_, err := p.Result(Ref{Address: "none"})
		require.ErrorContains(t, err, "none has not been planned")
		_, err = p.Policy(Ref{Address: "none"})
		require.ErrorContains(t, err, "none is no policy")
		_, ok := p.Block("none")
		require.False(t, ok)
		_, ok = p.Block("last")
		require.True(t, ok)
		require.NoError(t, p.Conclude(&Block{Stage: &Stage{Block: "report"}, Address: "r", Params: &struct{ A int }{3}}, "x"))
		require.JSONEq(t, `{"A":3}`, string(p.plan.Conclusions[0].Params))
		require.Error(t, p.Conclude(&Block{Stage: &Stage{Block: "report"}, Address: "r", Params: func() {}}, "x"))
	})
}

func TestCatalog(t *testing.T) {
	a, b, m := &Stage{Block: "stage", Name: "b"}, &Stage{Block: "stage", Name: "a"}, &Stage{Block: "model"}
	c := NewCatalog(a, b, m)
	require.Equal(t, []*Stage{m, b, a}, c.Stages())
	require.Equal(t, []string{"a", "b"}, c.Names("stage"))
	require.Empty(t, c.Names("model"))
	got, ok := c.Stage("model", "")
	require.True(t, ok)
	require.Same(t, m, got)
	_, ok = c.Stage("stage", "c")
	require.False(t, ok)
	require.PanicsWithValue(t, "engine: stage b registered twice", func() { NewCatalog(a, a) })
}
