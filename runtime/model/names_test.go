package model

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What names say, and size labels, compared with llama.cpp's own.
func TestNamesAsLlamaCpp(t *testing.T) {
	b, err := os.ReadFile("testdata/names.json")
	require.NoError(t, err)
	var want struct{ IDs, Labels [][]any }
	require.NoError(t, json.Unmarshal(b, &want))
	require.NotEmpty(t, want.IDs)
	for _, w := range want.IDs {
		p := partsOf(w[0].(string), int64(w[1].(float64)))
		require.Equal(t, w[2:], []any{p.full, p.organization, p.basename, p.finetune, p.version, p.size, title(p.full)}, w[0])
	}
	require.NotEmpty(t, want.Labels)
	for _, w := range want.Labels {
		n := func(i int) int64 { return int64(w[i].(float64)) }
		s := modelSizes{total: n(0), shared: n(1), expert: n(2), experts: n(3)}
		require.Equal(t, w[4], s.label(), w)
	}
}

func TestPatternOf(t *testing.T) {
	for _, c := range []struct {
		name, want string
		place      place
	}{
		{"model.layers.12.mlp.experts.127.up_proj.weight", "model.layers.#.mlp.experts.#.up_proj.weight", place{12, 127}},
		{"lm_head.weight", "lm_head.weight", place{}},
		{"a.0.1.2.b", "a.#.#.2.b", place{0, 1}},
		{"a.00.b", "a.00.b", place{}},
		{"a.12345678.b", "a.12345678.b", place{}},
		{"a.x1.b", "a.x1.b", place{}},
		{"a..b", "a..b", place{}},
		{"7", "#", place{layer: 7}},
		{"", "", place{}},
	} {
		got, p := patternOf(nil, c.name)
		require.Equal(t, c.want, string(got))
		require.Equal(t, c.place, p, c.name)
	}
	require.Equal(t, "a.3.b.5.c", numbered("a.#.b.#.c", place{3, 5}))
}

func TestNearest(t *testing.T) {
	known := []string{"model.layers.#.mlp.up_proj.weight", "model.norm.weight", "lm_head.weight"}
	require.Equal(t, "model.layers.#.mlp.up_proj.weight", nearest("model.layers.#.mlp.upproj.weight", known))
	require.Equal(t, "model.norm.weight", nearest("model.norm.bias", known))
	require.Equal(t, "", nearest("vision_tower.blocks.#.attn.qkv.weight", known))
	require.Equal(t, 3, distance("kitten", "sitting", 10))
	require.Equal(t, 2, distance("kitten", "sitting", 2))
}
