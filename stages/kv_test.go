package stages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
)

func TestKVNotes(t *testing.T) {
	const tail = "; stock llama.cpp goes by its own flags instead"
	all := []kvRow{{Key: "q8_0", Value: "q8_0"}}
	byContext := []kvRow{{MaxContext: 4096, Key: "q8_0", Value: "q8_0"}, {MaxContext: 32768, Key: "q4_0", Value: "q4_0"}, {Key: "q4_0", Value: "int3"}}
	byAge := []kvRow{{MaxContext: 4096, MinAge: 64, Key: "e4m3", Value: "e4m3"}}
	for _, test := range []struct {
		table [][]kvRow
		want  []string
	}{
		{nil, nil},
		{[][]kvRow{all, all}, []string{"KV cache: q8_0" + tail}},
		{[][]kvRow{byContext}, []string{"KV cache: up to 4096 tokens q8_0, up to 32768 tokens q4_0, else keys q4_0 and values int3" + tail}},
		{[][]kvRow{byAge, all, byAge, byAge, {}}, []string{
			"KV cache of layers 0, 2-3: up to 4096 tokens from age 64 e4m3, else f16",
			"KV cache of layer 1: q8_0",
			"KV cache of layer 4: f16" + tail,
		}},
	} {
		require.Equal(t, test.want, kvNotes(test.table))
	}
}

// TestKVIsNoted checks that a plan says what the names of the kv rules became.
func TestKVIsNoted(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	p := ruled(fakePolicy{def: "q8_0"})
	p.kv = func(*engine.TensorAttrs) []engine.KVRule { return []engine.KVRule{{Key: "FP8", Value: "INT4"}} }
	w.quantized("m.gguf", p)
	w.artifact("a", ggufParams{})
	plan, err := w.plan()
	require.NoError(t, err)
	require.Len(t, plan.Artifacts[0].Notes, 1)
	require.Contains(t, plan.Artifacts[0].Notes[0], "KV cache: keys e4m3 and values q4_0")
}

// TestRuleForVectors checks that a rule whose type no tensor can have is told of.
func TestRuleForVectors(t *testing.T) {
	plan := func(typ string) *engine.Plan {
		w := newWorld(t)
		w.writeModel("m.gguf", moe()...)
		w.quantized("m.gguf", ruled(fakePolicy{def: "q8_0"}, typed(typ, role("norm"))))
		w.artifact("a", ggufParams{})
		plan, err := w.plan()
		require.NoError(t, err)
		return plan
	}
	ds := plan("q4_0").Diagnostics
	require.Len(t, ds, 1)
	require.Equal(t, "Rule decides nothing", ds[0].Summary)
	require.Contains(t, ds[0].Detail, "Ask for f32, f16 or bf16, or remove the rule.")
	require.Empty(t, plan("f16").Diagnostics)
}
