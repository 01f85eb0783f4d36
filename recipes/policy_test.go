package recipes

import (
	"fmt"
	"math"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
)

// policyRecipe wraps the body of a policy into a recipe that uses it.
func policyRecipe(body string) string {
	return `
variable "top" { default = 0.2 }
locals {
  attention = ["attention_q", "attention_k", "attention_v"]
  bound     = 1000
}
model "q" { source = "x" }
stage "calibrate" "c" {
  model = model.q
  text  = {}
}
policy "p" {
  evidence = stage.calibrate.c
` + body + `
}
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
`
}

func loadPolicy(t testing.TB, body string) *Policy {
	t.Helper()
	return mustLoad(t, policyRecipe(body)).Program.Policies["policy.p"].(*Policy)
}

func rulesOf(whens ...string) string {
	var b strings.Builder
	types := []string{"q8_0", "q6_k", "q5_k", "q4_k", "q3_k"}
	for i, w := range whens {
		fmt.Fprintf(&b, "  tensor {\n    when = %s\n    type = %q\n  }\n", w, types[i%len(types)])
	}
	return b.String()
}

func number(x float64) *float64 { return &x }

func TestMatch(t *testing.T) {
	known := &engine.ExpertAttrs{Index: 7, Known: true, Share: 0.3, RouteShare: 0.0375, Rank: 0.1, Importance: 2}
	rare := &engine.ExpertAttrs{Index: 8, Known: true, Share: 0.001, RouteShare: 0.000125, Rank: 0.9, Importance: 0.5}
	unknown := &engine.ExpertAttrs{Index: 7}
	router := &engine.TensorAttrs{Name: "blk.3.ffn_gate_inp.weight", Role: "router", Layer: 3, Layers: 48, Shape: []int64{2048, 128}, Elements: 262144}
	embedding := &engine.TensorAttrs{Name: "token_embd.weight", Role: "embedding", Layer: -1, Layers: 48}
	expert := func(x *engine.ExpertAttrs) *engine.TensorAttrs {
		return &engine.TensorAttrs{Name: "blk.3.ffn_up_exps.weight", Role: "expert", Layer: 3, Layers: 48, Projection: "up", Attention: "sliding", Expert: x}
	}
	// What is wanted: the number of the rule, 0 for none; or the candidates of a
	// pending decision, as "1,2,0".
	cases := []struct {
		name  string
		rules []string
		t     *engine.TensorAttrs
		want  string
	}{
		{"a role", []string{`role == "router"`}, router, "1"},
		{"another role", []string{`role == "router"`}, embedding, "0"},
		{"the first of several", []string{`role == "norm"`, `layer == 3`, `true == true`}, router, "2"},
		{"a layer from the end", []string{`layer >= layers - 2`}, router, "0"},
		{"no layer is -1", []string{`layer < 4`}, embedding, "1"},
		{"projection and attention", []string{`projection == "up" && attention == "sliding"`}, expert(known), "1"},
		{"a function", []string{`contains(local.attention, role)`}, &engine.TensorAttrs{Role: "attention_k"}, "1"},
		{"shape", []string{`length(shape) == 2 && shape[1] == 128`}, router, "1"},
		{"elements", []string{`elements > 200000`}, router, "1"},
		{"name", []string{`can(regex("^blk\\.3\\.", name))`}, router, "1"},
		{"a variable", []string{`expert.rank < var.top`}, expert(known), "1"},
		{"index", []string{`expert.index == 7`}, expert(unknown), "1"},
		{"all of an expert", []string{`expert.share > 0.2 && expert.route_share < 0.1 && expert.rank < 0.2 && expert.importance == 2`}, expert(known), "1"},
		{"a rare expert", []string{`role == "expert" && expert.share > 0.1`, `role == "expert"`}, expert(rare), "2"},

		{"no expert, after a role", []string{`role == "expert" && expert.share > 0.1`}, router, "0"},
		{"no expert, alone", []string{`expert.share > 0.1`}, router, "0"},
		{"no expert, the contrary", []string{`!(expert.share > 0.1)`}, router, "0"},
		{"no expert, one of two", []string{`role == "router" || expert.share > 0.1`}, router, "1"},
		{"no expert, neither of two", []string{`role == "norm" || expert.share > 0.1`}, router, "0"},
		{"no expert, condition", []string{`expert.share > 0.1 ? true : true`}, router, "0"},
		{"no expert, function", []string{`max(expert.share, 3) > 1`}, router, "0"},
		{"no expert at all", []string{`expert == null`}, router, "1"},
		{"an expert after all", []string{`expert == null`}, expert(unknown), "0"},

		{"waits", []string{`expert.share > 0.1`}, expert(unknown), "1,0"},
		{"waits, and something else holds", []string{`expert.share > 0.1`, `role == "expert"`, `layer == 3`}, expert(unknown), "1,2"},
		{"waits for the second", []string{`role == "router"`, `expert.rank < 0.5`, `layer == 3`}, expert(unknown), "2,3"},
		{"does not wait after another", []string{`role == "expert"`, `expert.share > 0.1`}, expert(unknown), "1"},
		{"does not wait where it is false anyway", []string{`layer == 4 && expert.share > 0.1`, `role == "expert"`}, expert(unknown), "2"},
		{"does not wait where it is true anyway", []string{`expert.share > 0.1 || layer == 3`}, expert(unknown), "1"},
		{"waits in a condition", []string{`expert.share > 0.1 ? role == "expert" : false`}, expert(unknown), "1,0"},
		{"a condition with one answer", []string{`expert.share > 0.1 ? true : role == "expert"`}, expert(unknown), "1"},
		{"importance of a layer", []string{`layer_importance > 1`}, &engine.TensorAttrs{LayerImportance: number(2)}, "1"},
		{"importance of a layer, not yet", []string{`layer_importance > 1`}, &engine.TensorAttrs{}, "1,0"},
		{"sensitivity", []string{`sensitivity > 1`}, &engine.TensorAttrs{Sensitivity: number(0.5)}, "0"},
		{"sensitivity, not yet", []string{`sensitivity > 1 && role == "norm"`}, &engine.TensorAttrs{Role: "ffn"}, "0"},
	}
	for _, c := range cases {
		p := loadPolicy(t, rulesOf(c.rules...))
		for range 2 { // the second time from the memo
			d, err := p.Match(c.t)
			require.NoError(t, err, c.name)
			require.Equal(t, c.want, decision(d), c.name)
		}
	}
}

func decision(d engine.Decision) string {
	if !d.Pending {
		return ruleNumber(d.Rule)
	}
	var parts []string
	for _, r := range d.Candidates {
		parts = append(parts, ruleNumber(r))
	}
	return strings.Join(parts, ",")
}

func ruleNumber(r *engine.Rule) string {
	if r == nil {
		return "0"
	}
	return fmt.Sprint(r.Index)
}

func TestRules(t *testing.T) {
	r := mustLoad(t, `
model "q" { source = "x" }
policy "base" {
  tensor {
    when = role == "router"
    type = "INT8"
  }
}
policy "p" {
  for_each = { a = "fast" }
  inherit  = policy.base
  tensor {
    min    = "q4_k"
    max    = "Q8_0"
    effort = each.value
  }
}
stage "quantize" "z" {
  model  = model.q
  policy = policy.p["a"]
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}`)
	p := r.Program.Policies[`policy.p["a"]`]
	rules := p.Rules()
	require.Len(t, rules, 2)
	file := r.Program.Path
	require.Equal(t, `policy.p["a"] rule 1 (`+file+`:12)`, rules[0].Label)
	require.Equal(t, "fast", rules[0].Effort)
	require.Equal(t, "Q8_0", rules[0].Max, "as it is written")
	require.Equal(t, "policy.base rule 1 ("+file+":4)", rules[1].Label, "where it comes from")
	require.Equal(t, 2, rules[1].Index)
	require.Equal(t, 12, rules[0].Range.Line)
	require.Equal(t, 9, p.Range().Line)
	require.Equal(t, `policy.p["a"]`, p.Address())
	require.Nil(t, p.Evidence())
}

func TestMatchErrors(t *testing.T) {
	p := loadPolicy(t, rulesOf(`tonumber(split(".", name)[1]) == 3`))
	d, err := p.Match(&engine.TensorAttrs{Name: "blk.3.x"})
	require.NoError(t, err)
	require.Equal(t, "1", decision(d))
	_, err = p.Match(&engine.TensorAttrs{Name: "output"})
	require.ErrorContains(t, err, "policy.p rule 1")
	require.ErrorContains(t, err, "recipe.hcl:15", "where it is written")

	p = loadPolicy(t, rulesOf(`sensitivity > 1`))
	_, err = p.Match(&engine.TensorAttrs{Name: "x", Sensitivity: number(math.NaN())})
	require.ErrorContains(t, err, "no number")
}

// randomCondition makes an expression over all that a rule sees.
func randomCondition(r *rand.Rand, depth int) string {
	pick := func(s ...string) string { return s[r.Intn(len(s))] }
	if depth > 0 && r.Intn(3) > 0 {
		a, b := randomCondition(r, depth-1), randomCondition(r, depth-1)
		switch r.Intn(5) {
		case 0:
			return "(" + a + " && " + b + ")"
		case 1:
			return "(" + a + " || " + b + ")"
		case 2:
			return "!(" + a + ")"
		case 3:
			return "(" + a + " ? " + b + " : " + randomCondition(r, depth-1) + ")"
		default:
			return a
		}
	}
	switch r.Intn(11) {
	case 0:
		return "role == " + pick(`"expert"`, `"router"`, `"norm"`)
	case 1:
		return "layer " + pick("<", ">=", "==") + " " + pick("0", "1", "2")
	case 2:
		return "attention != " + pick(`"full"`, `""`)
	case 3:
		return "projection == " + pick(`"up"`, `"down"`, `""`)
	case 4:
		return "expert.share > " + pick("0.1", "0.2", "var.top")
	case 5:
		return "expert.rank < " + pick("0.1", "0.5")
	case 6:
		return "expert.index == " + pick("0", "1")
	case 7:
		return "contains(" + pick(`["expert"]`, "local.attention") + ", role)"
	case 8:
		return "layer_importance > " + pick("0.5", "1")
	case 9:
		return "sensitivity * 2 > " + pick("0.5", "1")
	}
	return pick(`name == "a"`, "elements > 10", "layers - layer > 2", "length(shape) == 1", "expert.importance + expert.route_share > 0.5", "expert == null")
}

func randomTensor(r *rand.Rand) *engine.TensorAttrs {
	t := &engine.TensorAttrs{
		Name: []string{"a", "b"}[r.Intn(2)], Role: []string{"expert", "router", "norm", "attention_q"}[r.Intn(4)], Layer: r.Intn(4) - 1, Layers: 3,
		Attention: attentions[r.Intn(3)], Projection: projections[r.Intn(4)], Shape: make([]int64, 1+r.Intn(2)), Elements: int64(r.Intn(20)),
	}
	if r.Intn(2) == 0 {
		t.LayerImportance = number(float64(r.Intn(3)) / 2)
	}
	if r.Intn(2) == 0 {
		t.Sensitivity = number(float64(r.Intn(3)) / 2)
	}
	if t.Role == "expert" {
		t.Expert = &engine.ExpertAttrs{Index: r.Intn(2), Known: r.Intn(2) == 0}
		if t.Expert.Known {
			t.Expert.Share, t.Expert.Rank = float64(r.Intn(4))/8, float64(r.Intn(4))/4
			t.Expert.RouteShare, t.Expert.Importance = float64(r.Intn(2)), float64(r.Intn(2))
		}
	}
	return t
}

// TestMemo checks that the memo never changes an answer, whatever a rule looks
// at, and that conditions print to something that means the same.
func TestMemo(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	base := loadPolicy(t, rulesOf(`expert.rank < var.top && contains(local.attention, role)`)).rules[0].when.base
	for range 300 {
		text := randomCondition(rng, 3)
		parse := func(s string) *condition {
			e, ds := hclsyntax.ParseExpression([]byte(s), "x", hcl.InitialPos)
			require.False(t, ds.HasErrors(), "%s: %v", s, ds)
			return newCondition(e, base)
		}
		c := parse(text)
		printed := printExpression(c.expr, base)
		again := parse(printed)
		require.Equal(t, printed, printExpression(again.expr, base), "%s", text)
		require.NotContains(t, printed, "var.")
		for range 60 {
			x := randomTensor(rng)
			want, err := c.evaluate(x)
			require.NoError(t, err, text)
			for range 2 {
				got, err := c.holds(x)
				require.NoError(t, err, text)
				require.Equal(t, want, got, "%s on %+v", text, x)
			}
			got, err := again.evaluate(x)
			require.NoError(t, err, printed)
			require.Equal(t, want, got, "%s became %s", text, printed)
		}
	}
}

// TestOpenIsExact checks that an open outcome means that the evidence can
// decide either way, and a closed one that it can't.
func TestOpenIsExact(t *testing.T) {
	rng := rand.New(rand.NewSource(11))
	base := loadPolicy(t, rulesOf(`expert.rank < var.top && contains(local.attention, role)`)).rules[0].when.base
	for range 400 {
		text := randomCondition(rng, 2)
		e, ds := hclsyntax.ParseExpression([]byte(text), "x", hcl.InitialPos)
		require.False(t, ds.HasErrors())
		c := newCondition(e, base)
		x := randomTensor(rng)
		o, err := c.evaluate(x)
		require.NoError(t, err)
		for range 20 {
			y := *x
			if y.LayerImportance == nil {
				y.LayerImportance = number(rng.Float64() * 2)
			}
			if y.Sensitivity == nil {
				y.Sensitivity = number(rng.Float64() * 2)
			}
			if y.Expert != nil && !y.Expert.Known {
				y.Expert = &engine.ExpertAttrs{Index: y.Expert.Index, Known: true, Share: rng.Float64() / 3, Rank: rng.Float64(), RouteShare: rng.Float64(), Importance: rng.Float64()}
			}
			settled, err := c.evaluate(&y)
			require.NoError(t, err)
			require.Contains(t, []outcome{isTrue, isFalse, isMoot}, settled, "%s on %+v", text, y)
			require.NotZero(t, o&settled, "%s: %v became %v", text, o, settled)
		}
	}
}

func TestOutcomes(t *testing.T) {
	for a := outcome(1); a < 8; a++ {
		for b := outcome(1); b < 8; b++ {
			var and, or outcome
			for _, x := range []outcome{isTrue, isFalse, isMoot} {
				for _, y := range []outcome{isTrue, isFalse, isMoot} {
					if a&x == 0 || b&y == 0 {
						continue
					}
					switch {
					case x == isFalse || y == isFalse:
						and |= isFalse
					case x == isMoot || y == isMoot:
						and |= isMoot
					default:
						and |= isTrue
					}
					switch {
					case x == isTrue || y == isTrue:
						or |= isTrue
					case x == isMoot || y == isMoot:
						or |= isMoot
					default:
						or |= isFalse
					}
				}
			}
			require.Equal(t, and, a.and(b), "%b and %b", a, b)
			require.Equal(t, or, a.or(b), "%b or %b", a, b)
		}
	}
}

// largePolicy has rules that look at what many tensors share.
func largePolicy(t testing.TB) (*Policy, []*engine.TensorAttrs) {
	p := loadPolicy(t, rulesOf(`role == "router"`, `contains(local.attention, role)`, `role == "expert" && projection == "down" && layer < 4`,
		`role == "norm" || attention == "sliding"`, `role == "expert" && layer >= layers / 2`))
	var ts []*engine.TensorAttrs
	for layer := range 48 {
		for e := range 128 {
			for _, projection := range []string{"gate", "up", "down"} {
				ts = append(ts, &engine.TensorAttrs{Name: fmt.Sprintf("blk.%d.expert.%d.%s.weight", layer, e, projection), Role: "expert", Layer: layer, Layers: 48,
					Attention: "full", Projection: projection, Expert: &engine.ExpertAttrs{Index: e, Known: true, Share: 0.01 * float64(e)}})
			}
		}
	}
	return p, ts
}

func TestMatchIsFastAndConcurrent(t *testing.T) {
	p, ts := largePolicy(t)
	require.Len(t, ts, 18432)
	var wg sync.WaitGroup
	counts := make([]int, 4)
	for w := range counts {
		wg.Go(func() {
			for _, x := range ts {
				d, err := p.Match(x)
				if err == nil && d.Rule != nil {
					counts[w]++
				}
			}
		})
	}
	wg.Wait()
	for _, n := range counts {
		require.Equal(t, 4*128+24*384, n)
	}
	if raceEnabled {
		return
	}
	fresh, _ := largePolicy(t)
	best := time.Hour
	for i := range 5 {
		q := p
		if i == 0 {
			q = fresh
		}
		start := time.Now()
		for _, x := range ts {
			if _, err := q.Match(x); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < best {
			best = d
		}
		t.Logf("run %d: %v", i, time.Since(start))
	}
	require.Less(t, best, 100*time.Millisecond, "far more than the 20 ms of a free machine")
}

func BenchmarkMatch(b *testing.B) {
	p, ts := largePolicy(b)
	for b.Loop() {
		for _, x := range ts {
			if _, err := p.Match(x); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkMatchCold(b *testing.B) {
	_, ts := largePolicy(b)
	for b.Loop() {
		b.StopTimer()
		p, _ := largePolicy(b)
		b.StartTimer()
		for _, x := range ts {
			if _, err := p.Match(x); err != nil {
				b.Fatal(err)
			}
		}
	}
}
