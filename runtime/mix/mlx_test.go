package mix

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// modulesOf are the modules that mlx-lm quantizes of models that exist only for
// their names.
func modulesOf(kind string, layers int) []Module {
	prefix := "model"
	if kind == "nested" {
		prefix = "language_model.model"
	}
	paths := []string{prefix + ".embed_tokens"}
	for n := range layers {
		layer := fmt.Sprintf("%s.layers.%d.", prefix, n)
		add := func(names ...string) {
			for _, name := range names {
				paths = append(paths, layer+name)
			}
		}
		add("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
		switch kind {
		case "deepseek":
			add("self_attn.q_a_proj", "self_attn.kv_a_proj_with_mqa", "self_attn.kv_b_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
		case "qwen3_moe":
			add("mlp.gate", "mlp.switch_mlp.gate_proj", "mlp.switch_mlp.up_proj", "mlp.switch_mlp.down_proj")
		case "gpt_oss":
			add("mlp.router", "mlp.experts.gate_proj", "mlp.experts.up_proj", "mlp.experts.down_proj")
		default:
			add("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
		}
	}
	paths = append(paths, strings.TrimSuffix(prefix, "model")+"lm_head")
	modules := make([]Module, len(paths))
	for i, p := range paths {
		modules[i] = Module{p, 256}
	}
	return modules
}

// TestMLXMixes holds choices against those of mlx-lm.
func TestMLXMixes(t *testing.T) {
	raw, err := os.ReadFile("testdata/mlx_mixes.json")
	require.NoError(t, err)
	var cases []struct {
		Recipe, Model string
		Layers        int
		Bits          string // a digit for each module
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	seen := map[string]bool{}
	for _, c := range cases {
		seen[c.Recipe] = true
		m, ok := LookupMLX(strings.ToUpper(c.Recipe))
		require.True(t, ok, c.Recipe)
		for _, group := range []int{32, 64, 128} {
			types, err := m.Assign(c.Layers, group, modulesOf(c.Model, c.Layers))
			require.NoError(t, err)
			bits := ""
			for _, q := range types {
				require.Equal(t, group, q.MLX.Group)
				require.Equal(t, "affine", q.MLX.Mode)
				bits += fmt.Sprint(q.MLX.Bits)
			}
			require.Equal(t, c.Bits, bits, "%s %s of %d layers", c.Recipe, c.Model, c.Layers)
		}
	}
	for _, name := range MLXNames() {
		require.True(t, seen[name], name)
	}
}

// TestMLXSizes wants what mlx-lm prints for its conversions of a small model of
// experts: bits per weight, which norms and routers are part of.
func TestMLXSizes(t *testing.T) {
	const layers, hidden, experts, expert, vocabulary = 4, 256, 32, 256, 4096
	modules := modulesOf("qwen3_moe", layers)
	weights := make([]int64, len(modules))
	for i := range modules {
		at := &modules[i]
		rows := int64(hidden)
		switch path := at.Path; {
		case strings.HasSuffix(path, "embed_tokens"), path == "lm_head":
			rows = vocabulary
		case strings.HasSuffix(path, "q_proj"):
			rows = 512
		case strings.HasSuffix(path, "k_proj"), strings.HasSuffix(path, "v_proj"):
			rows = 128
		case strings.HasSuffix(path, "o_proj"):
			at.Cols = 512
		case strings.HasSuffix(path, "mlp.gate"):
			rows = experts
		case strings.Contains(path, "switch_mlp"):
			rows = expert * experts
		}
		weights[i] = rows * at.Cols
	}
	norms := int64(hidden*(2*layers+1) + 2*64*layers)
	for name, want := range map[string]string{"mixed_2_6": "3.244", "mixed_3_4": "3.687", "mixed_3_6": "4.058", "mixed_4_6": "4.872"} {
		m, _ := LookupMLX(name)
		types, err := m.Assign(layers, 64, modules)
		require.NoError(t, err)
		bytes, all := 2*norms, norms
		for i, q := range types {
			bytes += q.RowBytes(weights[i])
			all += weights[i]
		}
		require.Equal(t, want, fmt.Sprintf("%.3f", 8*float64(bytes)/float64(all)), name)
	}
}

func TestMLXRefusals(t *testing.T) {
	m, ok := LookupMLX("mixed_3_6")
	require.True(t, ok)
	_, ok = LookupMLX("Q4_K_M")
	require.False(t, ok)
	_, err := m.Assign(2, 48, modulesOf("llama", 2))
	require.ErrorContains(t, err, "MLX has no groups of 48 weights")
	_, err = m.Assign(2, 64, []Module{{"model.embed_tokens", 64}})
	require.ErrorContains(t, err, "no module is a down_proj")
	_, err = m.Assign(2, 64, append(modulesOf("llama", 2), Module{"model.vision.blocks.0.q_proj", 64}))
	require.ErrorContains(t, err, `module model.vision.blocks.0.q_proj: its part 3 should be the number of a layer, not "blocks"`)

	modules := modulesOf("llama", 2)
	modules[1].Cols = 100
	types, err := m.Assign(2, 64, modules)
	require.NoError(t, err)
	require.Nil(t, types[1])
	require.NotNil(t, types[2])
}
