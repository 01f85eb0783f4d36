package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnly(t *testing.T) {
	source := Input{Name: "weights", Source: 0, Action: -1}
	from := func(action int) Input { return Input{Name: "in", Source: -1, Action: action, Output: "out"} }
	p := &Plan{
		Version: PlanVersion,
		Files:   []File{{Path: "f", Size: 4}},
		Sources: []Source{{Name: "s", Size: 4}},
		Actions: []*Action{
			{Address: `model.m["content"]`, Inputs: []Input{source}},
			{Address: `stage.quantize.a["x"]`, Inputs: []Input{source}},
			{Address: `stage.quantize.a["y"]`, Inputs: []Input{source, from(0)}},
			{Address: "artifact.gguf.a", Inputs: []Input{from(1), from(2)}},
			{Address: "stage.other.b", Inputs: []Input{source}},
		},
		Tensors: []TensorPlan{
			{Artifact: "artifact.gguf.a", Name: "x", Actions: []int{1}},
			{Artifact: "artifact.gguf.a", Name: "y", Actions: []int{2}},
			{Artifact: "artifact.gguf.a", Name: "z"},
		},
		Artifacts:   []ArtifactPlan{{Address: "artifact.gguf.a", Path: "a", Action: 3}},
		Conclusions: []ConclusionPlan{{Address: "report.r"}},
	}
	only := func(address string) *Plan {
		got := p.Only(func(a string) bool { return AddressCovers(address, a) })
		require.NoError(t, got.check())
		return got
	}
	addresses := func(p *Plan) (out []string) {
		for _, a := range p.Actions {
			out = append(out, a.Address)
		}
		return out
	}

	y := only(`stage.quantize.a["y"]`)
	require.Equal(t, []string{`model.m["content"]`, `stage.quantize.a["y"]`}, addresses(y))
	require.Equal(t, []Input{source, from(0)}, y.Actions[1].Inputs)
	require.Empty(t, y.Artifacts)
	require.Empty(t, y.Conclusions)
	require.Equal(t, []TensorPlan{{Artifact: "artifact.gguf.a", Name: "y", Actions: []int{1}}}, y.Tensors)

	whole := only("artifact.gguf.a")
	require.Equal(t, addresses(p)[:4], addresses(whole))
	require.Equal(t, 3, whole.Artifacts[0].Action)
	require.Len(t, whole.Tensors, 3, "also those that wait for evidence")

	require.Equal(t, []string{"stage.other.b"}, addresses(only("stage.other.b")))
	require.Len(t, only("report.r").Conclusions, 1)

	p.Pending = []string{"stage.other.b"}
	require.Equal(t, []string{`stage.quantize.a["x"]`, "stage.other.b"}, addresses(only(`stage.quantize.a["x"]`)), "what the plan waits for runs")
	require.Equal(t, 3, p.Artifacts[0].Action, "the plan itself is as it was")
}
