package stages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
)

func TestCollapse(t *testing.T) {
	m := toy(toyTensor{"blk.0.ffn_up_exps.weight", "bf16", []int64{256, 8, 4}})
	decide := func(names ...string) (out []*decision) {
		for _, n := range names {
			typ, ok := quant.Lookup(n)
			require.True(t, ok)
			out = append(out, &decision{typ: typ, rule: "rule of " + n})
		}
		return out
	}
	most := &Evidence{Known: true, Counts: map[int][]float64{0: {97, 1, 1, 1}}}
	unused := &Evidence{Known: true, Counts: map[int][]float64{0: {0, 0, 0, 0}}}
	for _, test := range []struct {
		how      string
		evidence *Evidence
		types    []string
		want     string
	}{
		{"max", nil, []string{"q4_k", "q8_0", "q4_k", "q4_k"}, "q8_0"},
		{"min", nil, []string{"q4_k", "q8_0", "q8_0", "q8_0"}, "q4_k"},
		{"mean", nil, []string{"q4_k", "q8_0", "q4_k", "q4_k"}, "q4_k"},
		{"mean", nil, []string{"q4_k", "q8_0", "q8_0", "q8_0"}, "q8_0"},
		{"mean", nil, []string{"q4_k", "q8_0", "q4_k", "q8_0"}, "q8_0"},        // as near to both: the finer
		{"mean", nil, []string{"q2_k", "q4_k", "q8_0", "q4_k"}, "q4_k"},        // 5.03 bits
		{"weighted", most, []string{"q8_0", "q4_k", "q4_k", "q4_k"}, "q8_0"},   // nearly all tokens
		{"weighted", most, []string{"q4_k", "q8_0", "q8_0", "q8_0"}, "q4_k"},   //
		{"weighted", unused, []string{"q4_k", "q8_0", "q4_k", "q4_k"}, "q8_0"}, // nothing is known: the finest
		{"weighted", nil, []string{"q4_k", "q8_0", "q4_k", "q4_k"}, "q8_0"},    //
		{"weighted", most, []string{"q4_k", "q4_k", "q4_k", "q4_k"}, "q4_k"},   //
		{"min", nil, []string{"iq4_nl", "q4_0", "q4_0", "q4_0"}, "iq4_nl"},     // as many bits: by name
		{"max", nil, []string{"f16", "bf16", "bf16", "bf16"}, "f16"},           //
	} {
		g := &ggufPlan{params: &ggufParams{Collapse: test.how}, q: &weights{model: m, evidence: test.evidence}}
		got, err := g.collapse(0, decide(test.types...))
		require.NoError(t, err)
		require.Equal(t, test.want, got.typ.Name, "%s of %v", test.how, test.types)
	}

	g := &ggufPlan{params: &ggufParams{Collapse: "max"}, q: &weights{model: m}}
	got, err := g.collapse(0, decide("q4_k", "q8_0", "q4_k", "q4_k"))
	require.NoError(t, err)
	require.Equal(t, "collapse of 2 types, rule of q8_0", got.rule)
	require.Equal(t, "q4_k, q8_0", got.asked)

	waiting := append(decide("q8_0"), &decision{candidates: []*quant.Type{decide("q2_k")[0].typ, decide("q4_k")[0].typ}})
	got, err = g.collapse(0, waiting)
	require.NoError(t, err)
	require.Nil(t, got.typ)
	require.Equal(t, "[q2_k q4_k q8_0]", decided(got))
}
