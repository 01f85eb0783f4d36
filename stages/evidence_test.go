package stages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

func TestExpertAttributes(t *testing.T) {
	e := &Evidence{Known: true, Counts: map[int][]float64{3: {10, 90, 50, 50}}}
	for index, want := range []engine.ExpertAttrs{
		{Index: 0, Known: true, Share: 0.1, RouteShare: 0.05, Rank: 0.75},
		{Index: 1, Known: true, Share: 0.9, RouteShare: 0.45, Rank: 0},
		{Index: 2, Known: true, Share: 0.5, RouteShare: 0.25, Rank: 0.25}, // ties by index
		{Index: 3, Known: true, Share: 0.5, RouteShare: 0.25, Rank: 0.5},
		{Index: 4}, // not in the evidence
	} {
		require.Equal(t, &want, e.expert(3, index, 2))
	}
	require.False(t, e.expert(0, 0, 2).Known)
	require.False(t, (*Evidence)(nil).expert(0, 0, 2).Known)
	require.False(t, (&Evidence{}).expert(0, 0, 2).Known)
	idle := &Evidence{Known: true, Counts: map[int][]float64{0: {0, 0}}}
	require.Equal(t, &engine.ExpertAttrs{Index: 1, Known: true, Rank: 0.5}, idle.expert(0, 1, 2))
}

func TestSliceOutput(t *testing.T) {
	require.Equal(t, "a.weight", SliceOutput("a.weight", 0, 1))
	require.Equal(t, "a.weight[7]", SliceOutput("a.weight", 7, 8))
}

func TestEvidenceFits(t *testing.T) {
	m := small()
	at := diag.Range{File: "recipe.hcl", Line: 3}
	e := &Evidence{Known: true, address: "stage.imatrix.x", Slices: map[string]int{}, Columns: map[string]int64{}}
	set := func(name string, slices int, columns int64) { e.Slices[name], e.Columns[name] = slices, columns }
	warning, err := e.fits(m, at)
	require.NoError(t, err)
	require.Contains(t, warning.Detail, "stage.imatrix.x knows no tensor of model.m")

	set("blk.0.attn_q.weight", 1, 256)
	set("blk.0.ffn_down_exps.weight", 4, 288)
	set("blk.9.elsewhere.weight", 1, 1)
	warning, err = e.fits(m, at)
	require.NoError(t, err)
	require.Nil(t, warning)

	set("blk.0.attn_q.weight", 1, 512)
	_, err = e.fits(m, at)
	require.ErrorContains(t, err, "recipe.hcl:3: Evidence is of another model")
	require.ErrorContains(t, err, "blk.0.attn_q.weight has 1 x 512, and the tensor has 1 x 256.")
	set("blk.0.ffn_down_exps.weight", 8, 288)
	_, err = e.fits(m, at)
	require.ErrorContains(t, err, "1 x 256; 1 more do not fit")

	for _, none := range []*Evidence{nil, {}} {
		warning, err = none.fits(m, at)
		require.NoError(t, err)
		require.Nil(t, warning)
	}
}
