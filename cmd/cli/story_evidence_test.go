package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/imatrix"
)

// writeImatrix writes an importance matrix for nano-qwen3moe: each layer's
// experts saw as many tokens as counts says.
func (s *story) writeImatrix(name string, counts [2][8]float64) {
	s.t.Helper()
	var sums []imatrix.Sums
	squares := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(1 + i%7)
		}
		return out
	}
	for layer, experts := range counts {
		for _, stack := range []string{"gate", "up", "down"} {
			sums = append(sums, imatrix.Sums{Name: fmt.Sprintf("blk.%d.ffn_%s_exps.weight", layer, stack), Counts: experts[:], Squares: squares(8 * 256)})
		}
		for _, tensor := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			sums = append(sums, imatrix.Sums{Name: fmt.Sprintf("blk.%d.%s.weight", layer, tensor), Counts: []float64{400}, Squares: squares(256)})
		}
	}
	var b bytes.Buffer
	require.NoError(s.t, imatrix.Write(&b, imatrix.Head{Datasets: []string{"wiki.txt"}, Chunks: 3, ChunkSize: 512}, sums))
	require.NoError(s.t, os.WriteFile(s.path(name), b.Bytes(), 0o644))
}

// TestStoryEvidence gives types by how often experts are used.
func TestStoryEvidence(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	// Experts 0 and 1 of layer 0 see most tokens, 6 and 7 of layer 1.
	s.writeImatrix("im.gguf", [2][8]float64{{300, 200, 100, 100, 50, 30, 19, 1}, {1, 19, 30, 50, 100, 100, 200, 300}})
	recipe := strings.Replace(storyRecipe("m", "Q4_K_M", `  evidence = imatrix("im.gguf")

  tensor {
    when = role == "expert" && expert.share >= 0.5
    type = "q8_0"
  }
  tensor {
    when = role == "expert" && expert.share < 0.05
    type = "q2_k"
  }
  tensor {
    when = role == "expert"
    type = "q4_k"
  }
`), "  path = \"a.gguf\"\n", "  path    = \"a.gguf\"\n  experts = \"tiered\"\n", 1)
	s.write("recipe.hcl", recipe)
	plan := s.pj(0, "plan", "--json").json()
	require.Empty(t, plan.Pending, "what a file says is known")
	planned := map[string]string{}
	for _, tensor := range plan.Tensors {
		require.NotNil(t, tensor.Type)
		planned[tensor.Name] = *tensor.Type
	}
	built := s.pj(0, "build", "--json").json()
	require.Equal(t, built.Summary.Actions, built.Summary.Executed)
	types := s.types("a.gguf")
	require.Equal(t, planned, types)
	for name, want := range map[string]string{
		"blk.0.expert.0.up.weight": "q8_0", "blk.0.expert.1.down.weight": "q8_0", "blk.0.expert.2.up.weight": "q4_k", "blk.0.expert.7.gate.weight": "q2_k",
		"blk.1.expert.0.up.weight": "q2_k", "blk.1.expert.7.up.weight": "q8_0", "blk.1.expert.6.gate.weight": "q8_0", "blk.1.expert.3.up.weight": "q4_k",
	} {
		require.Equal(t, want, types[name], name)
	}
	f := s.openGGUF("a.gguf")
	dataset, _ := f.String("quantize.imatrix.dataset")
	require.Equal(t, "wiki.txt", dataset)
	chunks, _ := f.Uint("quantize.imatrix.chunks_count")
	require.Equal(t, uint64(3), chunks)
	entries, _ := f.Uint("quantize.imatrix.entries_count")
	require.Equal(t, uint64(14), entries)
	file, _ := f.String("quantize.imatrix.file")
	require.NotEmpty(t, file)
	require.NotContains(t, file, "/", "no path of a machine is in an artifact")

	require.Equal(t, 0, s.pj(0, "build", "--json").json().Summary.Executed)
	s.pj(0, "verify")
	s.pj(0, "reproduce", "a.gguf", "--source", "model.m=m", "--source", "stage.imatrix.p=im.gguf").prints("is reproduced")

	// Other counts, the same importances: only the experts whose type changes
	// are quantized again.
	s.writeImatrix("im.gguf", [2][8]float64{{300, 200, 100, 100, 50, 30, 19, 1}, {1, 19, 30, 50, 100, 300, 200, 100}})
	r := s.pj(0, "build", "--json")
	var again []string
	for _, a := range r.json().executed() {
		if strings.HasPrefix(a, "stage.quantize.q[") {
			again = append(again, a)
		}
	}
	require.Equal(t, []string{
		`stage.quantize.q["blk.1.ffn_down_exps.weight"][5]`, `stage.quantize.q["blk.1.ffn_down_exps.weight"][7]`,
		`stage.quantize.q["blk.1.ffn_gate_exps.weight"][5]`, `stage.quantize.q["blk.1.ffn_gate_exps.weight"][7]`,
		`stage.quantize.q["blk.1.ffn_up_exps.weight"][5]`, `stage.quantize.q["blk.1.ffn_up_exps.weight"][7]`,
	}, again, "%s", r)

	// Stacked, one of an artifact's stacks gets one type.
	s.write("recipe.hcl", strings.Replace(recipe, "  experts = \"tiered\"\n", "", 1))
	s.pj(0, "build")
	require.Equal(t, "q8_0", s.types("a.gguf")["blk.0.ffn_up_exps.weight"])

	// Evidence of another model, and none.
	s.write("recipe.hcl", strings.Replace(recipe, `source = "m"`, fmt.Sprintf("source = %q", exampleModel(t, "nano-gptoss")), 1))
	s.pj(2, "build").says("recipe.hcl:", "Evidence is of another model", "8 x 256")
	s.write("recipe.hcl", strings.Replace(recipe, "im.gguf", "none.gguf", 1))
	s.pj(2, "build").says("recipe.hcl:7:", "none.gguf")
	s.write("recipe.hcl", strings.Replace(recipe, "im.gguf", "a.gguf", 1))
	s.pj(2, "build").says("recipe.hcl:7:", "a.gguf", "not an importance matrix")
}
