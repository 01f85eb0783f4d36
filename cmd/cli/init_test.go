package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
)

// runPJ runs the program in this process.
func runPJ(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main("pj", args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestHub reads a model of the hub through its headers.
func TestHub(t *testing.T) {
	const model = "../../examples/models/nano-qwen3moe"
	repo := hubtest.Repo{}
	entries, err := os.ReadDir(model)
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(model, e.Name()))
		require.NoError(t, err)
		repo[e.Name()] = hubtest.Text(string(b))
		if strings.HasSuffix(e.Name(), ".safetensors") {
			repo[e.Name()] = hubtest.Weights(b)
		}
	}
	h := hubtest.New(t, map[string]hubtest.Repo{"tests/Nano.Qwen3": repo})
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "")
	code, out, errs := runPJ(t, "info", "hf://tests/Nano.Qwen3")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "parameters       4.53 M (4527616)")
	recipe := filepath.Join(t.TempDir(), "recipe.hcl")
	code, _, errs = runPJ(t, "init", "hf://tests/Nano.Qwen3@main", "-o", recipe)
	require.Equal(t, exitOK, code, errs)
	text, err := os.ReadFile(recipe)
	require.NoError(t, err)
	require.Contains(t, string(text), `model "nano_qwen3" {`)
	require.Contains(t, string(text), `source = "hf://tests/Nano.Qwen3@main"`)
	require.Contains(t, string(text), `path = "nano.qwen3-balanced.gguf"`)
	code, out, errs = runPJ(t, "diff", "hf://tests/Nano.Qwen3", model)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "27 tensors identical, 0 changed")
	code, _, errs = runPJ(t, "info", "hf://tests/none")
	require.Equal(t, exitBadInput, code, errs)
}

// TestInitDense writes a recipe for a model without experts, and for one whose
// rows no rule's type fits.
func TestInitDense(t *testing.T) {
	f32, _ := quant.Lookup("f32")
	write := func(name string, tensors ...gguf.TensorInfo) string {
		h, err := gguf.EncodeHeader([]gguf.KV{{Key: "general.architecture", Value: "llama"}}, tensors, 0)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, append(h.Bytes, make([]byte, h.FileSize-int64(len(h.Bytes)))...), 0o666))
		return path
	}
	dense := write("0 Dense Model.gguf", gguf.TensorInfo{Name: "blk.0.attn_q.weight", Dims: []int64{64, 64}, Type: f32})
	code, out, errs := runPJ(t, "init", dense, "-o", "-")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `mix = "Q4_K_M"`)
	require.Contains(t, out, `model "m_0_dense_model" {`)
	require.Contains(t, out, `path = "0-dense-model-balanced.gguf"`)
	require.NotContains(t, out, "tensor {")

	odd := write("odd.gguf", gguf.TensorInfo{Name: "blk.0.ffn_gate_inp.weight", Dims: []int64{20, 8}, Type: f32},
		gguf.TensorInfo{Name: "blk.0.ffn_up_exps.weight", Dims: []int64{20, 64, 8}, Type: f32},
		gguf.TensorInfo{Name: "blk.0.ffn_down_shexp.weight", Dims: []int64{64, 20}, Type: f32})
	code, out, errs = runPJ(t, "init", odd, "-o", "-")
	require.Equal(t, exitOK, code, errs)
	require.NotContains(t, out, `role == "router"`)
	require.Contains(t, out, `role == "shared_expert"`)

	empty := write("vocabulary.gguf")
	code, _, errs = runPJ(t, "init", empty, "-o", "-")
	require.Equal(t, exitBadInput, code)
	require.Contains(t, errs, "it is a vocabulary, not a model")
}

func TestHCLText(t *testing.T) {
	require.Equal(t, `"a\\b\"$${c}%%{d}"`, hclText(`a\b"${c}%{d}`))
}
