package stages

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// small is a toy model of one tensor of each kind.
func small() *modelResult {
	return toy(
		toyTensor{"token_embd.weight", "bf16", []int64{256, 32}},
		toyTensor{"output_norm.weight", "f32", []int64{256}},
		toyTensor{"blk.0.attn_q.weight", "bf16", []int64{256, 32}},
		toyTensor{"blk.0.attn_q.bias", "f32", []int64{32}},
		toyTensor{"blk.0.ffn_gate_inp.weight", "f32", []int64{256, 4}},
		toyTensor{"blk.0.ffn_down_exps.weight", "mxfp4", []int64{288, 32, 4}},
	)
}

// decided shows a decision as "type rule fallback asked effort".
func decided(d *decision) string {
	if d.typ == nil {
		return fmt.Sprintf("%v", d.candidates)
	}
	s := d.typ.Name + ", " + d.rule
	if d.asked != "" {
		s += ", asked " + d.asked
	}
	if d.fallback != "" {
		s += ", " + d.fallback
	}
	if d.effort != "normal" {
		s += ", effort " + d.effort
	}
	return s
}

func TestResolve(t *testing.T) {
	const kept = "f32, source"
	effort := fakeRule{engine.Rule{Effort: "best"}, role("embedding")}
	for _, test := range []struct {
		name   string
		policy *fakePolicy
		want   [6]string
	}{
		{"default", ruled(fakePolicy{def: "INT4"}), [6]string{
			"q4_k, default, asked INT4", kept, "q4_k, default, asked INT4", kept, kept, "mxfp4, default, asked INT4"}},
		{"mix", ruled(fakePolicy{mix: "Q4_K_M"}), [6]string{
			"q6_k, mix Q4_K_M", kept, "q4_k, mix Q4_K_M", kept, kept,
			"q5_0, mix Q4_K_M, rows of 288 weights are no multiple of 256: q4_k -> q5_0"}},
		{"default before mix", ruled(fakePolicy{mix: "Q4_K_M", def: "q8_0"}), [6]string{
			"q8_0, default", kept, "q8_0, default", kept, kept, "q8_0, default"}},
		{"preserve", ruled(fakePolicy{def: "q8_0", preserve: true}), [6]string{
			"q8_0, default", kept, "q8_0, default", kept, kept, "mxfp4, preserve"}},
		{"a rule for all spares what is kept", ruled(fakePolicy{}, typed("INT8", nil)), [6]string{
			"q8_0, recipe.hcl:21, asked INT8", kept, "q8_0, recipe.hcl:21, asked INT8", kept, "q8_0, recipe.hcl:21, asked INT8", "q8_0, recipe.hcl:21, asked INT8"}},
		{"floats reach what is kept", ruled(fakePolicy{def: "q8_0"}, typed("f16", role("norm"))), [6]string{
			"q8_0, default", "f16, recipe.hcl:21", "q8_0, default", kept, kept, "q8_0, default"}},
		{"the first rule", ruled(fakePolicy{def: "q8_0"}, typed("q5_k", role("embedding")), typed("q6_k", role("embedding"))), [6]string{
			"q5_k, recipe.hcl:21", kept, "q8_0, default", kept, kept, "q8_0, default"}},
		{"fallback", ruled(fakePolicy{def: "q8_0"}, typed("q4_k", role("expert"))), [6]string{
			"q8_0, default", kept, "q8_0, default", kept, kept,
			"q5_0, recipe.hcl:21, rows of 288 weights are no multiple of 256: q4_k -> q5_0"}},
		{"min", ruled(fakePolicy{def: "q4_k"}, fakeRule{engine.Rule{Min: "q6_k"}, role("embedding")}), [6]string{
			"q6_k, recipe.hcl:21", kept, "q4_k, default", kept, kept,
			"q5_0, default, rows of 288 weights are no multiple of 256: q4_k -> q5_0"}},
		{"min that is met", ruled(fakePolicy{def: "q8_0"}, fakeRule{engine.Rule{Min: "q6_k", Max: "q8_0"}, role("embedding")}), [6]string{
			"q8_0, default", kept, "q8_0, default", kept, kept, "q8_0, default"}},
		{"max", ruled(fakePolicy{def: "q8_0"}, fakeRule{engine.Rule{Max: "INT4"}, nil}), [6]string{
			"q4_k, recipe.hcl:21", kept, "q4_k, recipe.hcl:21", kept, kept, "mxfp4, recipe.hcl:21"}},
		{"effort", ruled(fakePolicy{def: "q8_0"}, effort), [6]string{
			"q8_0, default, effort best", kept, "q8_0, default", kept, kept, "q8_0, default"}},
	} {
		decisions, _, err := resolved(small(), test.policy, nil)
		require.NoError(t, err, test.name)
		for i, d := range decisions {
			require.Nil(t, d.experts, test.name)
			require.Equal(t, test.want[i], decided(d.one), "%s: tensor %d", test.name, i)
		}
	}
}

func TestResolveRefused(t *testing.T) {
	both := ruled(fakePolicy{}, typed("q8_0", role("embedding")), typed("INT2", role("expert")))
	decisions, _, err := resolved(small(), both, nil)
	require.Nil(t, decisions)
	var ds diag.Diagnostics
	require.ErrorAs(t, err, &ds)
	require.Len(t, ds, 2)
	require.Equal(t, "Tensor without a type", ds[0].Summary)
	require.Equal(t, policyRange, ds[0].Range)
	require.Contains(t, ds[0].Detail, "no rule covers blk.0.attn_q.weight (role attention_q, layer 0)")
	require.Equal(t, "Type does not fit", ds[1].Summary)
	require.Equal(t, 22, ds[1].Line)
	require.Contains(t, ds[1].Detail, "INT2 needs rows that 256 divides")

	crossed := func(least, most string) error {
		_, _, err := resolved(small(), ruled(fakePolicy{def: "q8_0"}, fakeRule{engine.Rule{Min: least, Max: most}, nil}), nil)
		return err
	}
	require.ErrorContains(t, crossed("q6_k", "INT4"), "min = q6_k has more bits than max = q4_k")
	require.NoError(t, crossed("q4_k", "q4_k"))
	require.NoError(t, crossed("INT8", "q8_0"))

	_, _, err = resolved(small(), ruled(fakePolicy{mix: "Q9"}), nil)
	require.ErrorContains(t, err, "Unknown mix Q9")

	// A mistake that hits many tensors is said once.
	var many []toyTensor
	for layer := range 5 {
		many = append(many, toyTensor{fmt.Sprintf("blk.%d.ffn_up.weight", layer), "bf16", []int64{256, 4}})
	}
	_, _, err = resolved(toy(many...), ruled(fakePolicy{}), nil)
	require.ErrorAs(t, err, &ds)
	require.Len(t, ds, 1)
	require.Contains(t, ds[0].Detail, "blk.0.ffn_up.weight")
	require.Contains(t, ds[0].Detail, "The same holds for 4 more tensors.")
}

// byExpert answers by the share of experts.
func byExpert(t *engine.TensorAttrs) answer {
	switch {
	case t.Expert == nil:
		return no
	case !t.Expert.Known:
		return maybe
	case t.Expert.Share > 0.5:
		return yes
	}
	return no
}

func TestResolveByEvidence(t *testing.T) {
	p := ruled(fakePolicy{def: "q4_0"}, typed("q8_0", byExpert))
	waiting := &Evidence{}
	decisions, r, err := resolved(small(), p, waiting)
	require.NoError(t, err)
	require.True(t, r.matched[1], "it may match")
	d := decisions[5]
	require.True(t, d.pending())
	require.Equal(t, "[q4_0 q8_0]", decided(d.each()[0]))
	require.Equal(t, "q4_0, default", decided(decisions[0].one))

	known := &Evidence{Known: true, Counts: map[int][]float64{0: {10, 70, 40, 80}}} // 100 tokens, 2 experts each
	decisions, _, err = resolved(small(), p, known)
	require.NoError(t, err)
	require.Len(t, decisions[5].experts, 4)
	for e, want := range []string{"q4_0, default", "q8_0, recipe.hcl:21", "q4_0, default", "q8_0, recipe.hcl:21"} {
		require.Equal(t, want, decided(decisions[5].experts[e]))
	}

	// Evidence that is there and does not tell, or none at all, is a mistake.
	_, _, err = resolved(small(), p, &Evidence{Known: true, address: "stage.imatrix.x"})
	require.ErrorContains(t, err, "recipe.hcl:21: Rule needs what was not measured")
	require.ErrorContains(t, err, "stage.imatrix.x")
	_, _, err = resolved(small(), p, nil)
	require.ErrorContains(t, err, "Rule needs evidence")

	var one diag.Diagnostic
	require.False(t, errors.As(err, &one), "a list of diagnostics")
}
