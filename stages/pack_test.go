package stages

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

func (w *world) open(name string) *gguf.File {
	w.t.Helper()
	f, err := gguf.Open(w.t.Context(), filepath.Join(w.out(), name))
	require.NoError(w.t, err)
	return f
}

// tiered is the small model with experts, each a tensor of its own.
func tiered(t *testing.T, p *fakePolicy) *world {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", p)
	w.artifact("a", ggufParams{Experts: "tiered"})
	return w
}

func TestTiered(t *testing.T) {
	third := func(a *engine.TensorAttrs) answer {
		if a.Expert != nil && a.Expert.Index == 2 {
			return yes
		}
		return no
	}
	w := tiered(t, ruled(fakePolicy{def: "q4_k"}, typed("q8_0", third)))
	b := w.mustBuild()
	f := w.open("a.gguf")
	require.EqualValues(t, 4096, f.Alignment)
	var names []string
	for i := range f.Tensors {
		got := &f.Tensors[i]
		names = append(names, got.Name)
		require.Zero(t, got.Offset%4096, got.Name)
	}
	want := []string{"token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.0.ffn_gate_inp.weight"}
	for e := range 4 {
		for _, p := range []string{"gate", "up", "down"} {
			want = append(want, fmt.Sprintf("blk.0.expert.%d.%s.weight", e, p))
		}
	}
	require.Equal(t, want, names)
	for e := range 4 {
		typ := "q4_k"
		if e == 2 {
			typ = "q8_0"
		}
		gate, ok := f.Tensor(fmt.Sprintf("blk.0.expert.%d.gate.weight", e))
		require.True(t, ok)
		require.Equal(t, []int64{256, 3}, gate.Dims)
		require.Equal(t, typ, gate.Type.Name)
		down, _ := f.Tensor(fmt.Sprintf("blk.0.expert.%d.down.weight", e))
		require.Equal(t, []int64{256, 2}, down.Dims)
	}
	require.Contains(t, b.Plan.Artifacts[0].Notes[0], "stock llama.cpp does not load this file")

	// The bits are those of the stack's slices.
	raw, err := os.ReadFile(filepath.Join(w.out(), "a.gguf"))
	require.NoError(t, err)
	up, _ := f.Tensor("blk.0.expert.3.up.weight")
	require.Equal(t, b.output(`stage.quantize.q["blk.0.ffn_up_exps.weight"][3]`, tensorOutput), raw[up.Offset:up.Offset+up.Size])
}

// TestTieredWithoutGate checks that experts which have no gate, or whose gate
// and up are one, are not lost.
func TestTieredWithoutGate(t *testing.T) {
	m := moe()
	fused := m[5]
	fused.name = "blk.0.ffn_gate_up_exps.weight"
	w := newWorld(t)
	w.writeModel("m.gguf", m[0], m[4], fused, m[6])
	w.quantized("m.gguf", ruled(fakePolicy{def: "q8_0"}))
	w.artifact("a", ggufParams{Experts: "tiered"})
	w.mustBuild()
	f := w.open("a.gguf")
	require.Len(t, f.Tensors, 1+2*4+1)
	require.Equal(t, "blk.0.expert.0.up.weight", f.Tensors[1].Name)
	require.Equal(t, "blk.0.expert.0.down.weight", f.Tensors[2].Name)
	whole, ok := f.Tensor("blk.0.ffn_gate_up_exps.weight")
	require.True(t, ok)
	require.Equal(t, []int64{256, 3, 4}, whole.Dims)
}

// TestDenseTiered checks that a model without experts stays one that stock
// programs load.
func TestDenseTiered(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()[:4]...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q8_0"}))
	w.artifact("a", ggufParams{Experts: "tiered"})
	plan, err := w.plan()
	require.NoError(t, err)
	for _, note := range plan.Artifacts[0].Notes {
		require.NotContains(t, note, "stock llama.cpp does not load")
	}
}

func TestCollapseIsNoted(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	first := func(a *engine.TensorAttrs) answer {
		if a.Expert != nil && a.Expert.Index == 0 && a.Projection == "up" {
			return yes
		}
		return no
	}
	w.quantized("m.gguf", ruled(fakePolicy{def: "q4_k"}, typed("q8_0", first)))
	w.artifact("a", ggufParams{})
	b := w.mustBuild()
	f := w.open("a.gguf")
	up, _ := f.Tensor("blk.0.ffn_up_exps.weight")
	require.Equal(t, "q8_0", up.Type.Name)
	require.Equal(t, []string{`a stack of experts: the policy gives experts of one layer several types, and a stack gets one (collapse = "max")`}, b.Plan.Artifacts[0].Notes)
}

func TestSplit(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q8_0"}))
	w.artifact("whole", ggufParams{})
	w.artifact("a", ggufParams{Split: 5000})
	b := w.mustBuild()
	files := b.Artifacts[1].Files
	require.Greater(t, len(files), 2)
	total := int64(0)
	for i, f := range files {
		require.Equal(t, fmt.Sprintf("a-%05d-of-%05d.gguf", i+1, len(files)), filepath.Base(f.Path))
		total += f.Bytes
	}
	require.Equal(t, b.Plan.Artifacts[1].Bytes, total)
	split, whole := w.open(filepath.Base(files[0].Path)), w.open("whole.gguf")
	require.Len(t, split.Tensors, len(whole.Tensors))
	for i := range whole.Tensors {
		require.Equal(t, contentOf(t, whole, i), contentOf(t, split, i), whole.Tensors[i].Name)
	}
}

func contentOf(t *testing.T, f *gguf.File, i int) []byte {
	x := &f.Tensors[i]
	raw, err := os.ReadFile(f.Paths[x.File])
	require.NoError(t, err)
	return raw[x.Offset : x.Offset+x.Size]
}

// TestProvenance checks that stand-ins are replaced by digests of the same
// length, so that the planned size holds.
func TestProvenance(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q8_0"}))
	w.artifact("a", ggufParams{})
	b := w.mustBuild()
	f := w.open("a.gguf")
	require.EqualValues(t, b.Plan.Artifacts[0].Bytes, f.Sizes[0])
	recipe, _ := f.String(KeyRecipe)
	digest := string(b.output(`model.m["content"]`, contentOutput))
	require.Len(t, digest, len(standIn(0)))
	require.JSONEq(t, `{
		"model": {"m": {"source": "`+digest+`"}},
		"policy": {"p": {"mix": ""}},
		"stage": {"quantize": {"q": {"model": "${model.m}", "policy": "${policy.p}", "effort": "normal"}}},
		"artifact": {"gguf": {"a": {"from": "${stage.quantize.q}"}}}
	}`, recipe)
	lock, _ := f.String(KeyLock)
	require.JSONEq(t, `{"model.m": {"digest": "`+digest+`"}}`, lock)
	stages, _ := f.String(KeyStages)
	var versions map[string]int
	require.NoError(t, json.Unmarshal([]byte(stages), &versions))
	require.Equal(t, map[string]int{"artifact gguf": 1, "model": 1, "stage quantize": 3}, versions)
	require.Equal(t, "x "+digest+" y "+digest, fillIn("x "+standIn(0)+" y "+standIn(0), []string{digest}))
	_, ok := f.String("quantize.imatrix.file")
	require.False(t, ok)
}

func TestKVTable(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	p := ruled(fakePolicy{def: "q8_0"})
	p.kv = func(layer *engine.TensorAttrs) []engine.KVRule {
		return []engine.KVRule{{MaxContext: 4096, Key: "FP16", Value: "INT8"}, {MinAge: 128, Key: "FP8", Value: "INT4"}, {Key: "INT3", Value: "q4_0"}}
	}
	w.quantized("m.gguf", p)
	w.artifact("a", ggufParams{})
	w.mustBuild()
	table, ok := w.open("a.gguf").String(KeyKV)
	require.True(t, ok)
	require.JSONEq(t, `[[{"max_context":4096,"key":"f16","value":"q8_0"},{"min_age":128,"key":"e4m3","value":"q4_0"},{"key":"int3","value":"q4_0"}]]`, table)

	p.kv = nil
	w.mustBuild()
	_, ok = w.open("a.gguf").String(KeyKV)
	require.False(t, ok)
}

func TestBudget(t *testing.T) {
	for _, test := range []struct {
		bytes int64
		bits  float64
		want  string
	}{
		{1000, 0, "artifact.gguf.a would have"},
		{0, 4, "bits per weight, and the budget of policy.p is 4"},
		{1 << 30, 64, ""},
	} {
		w := tiered(t, ruled(fakePolicy{def: "q8_0", bytes: test.bytes, bitsPerWeight: test.bits}))
		_, err := w.plan()
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "recipe.hcl:10: Over budget")
		require.ErrorContains(t, err, test.want)
	}
}

// TestBudgetThatNobodyHolds checks that a plan says so, and that a build does not
// go on as if it were held.
func TestBudgetThatNobodyHolds(t *testing.T) {
	w := tiered(t, ruled(fakePolicy{def: "q8_0", maxKLD: 0.01}))
	plan, err := w.plan()
	require.NoError(t, err)
	require.Len(t, plan.Refusals, 1)
	require.Contains(t, plan.Refusals[0].Detail, "max_kld of policy.p needs the model to be run")
}

// TestBounds checks what a plan says while evidence is missing.
func TestBounds(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q4_0"}, typed("q8_0", byExpert), typed("q6_k", role("norm")), typed("q5_k", role("output"))))
	w.artifact("a", ggufParams{})
	// Evidence that is planned and not there: as a calibration would leave it.
	w.policies[policyAddress].(*fakePolicy).evidence = &engine.Ref{Address: "stage.pending.e"}
	w.blocks = append([]*engine.Block{{
		Address: "stage.pending.e", Used: true, Canonical: json.RawMessage(`{}`),
		Stage: &engine.Stage{Block: "stage", Name: "pending", Lower: pendingEvidence},
	}}, w.blocks...)
	plan, err := w.plan()
	require.NoError(t, err)
	require.Equal(t, []string{"stage.pending.e"}, plan.Pending)
	a := plan.Artifacts[0]
	require.Equal(t, -1, a.Action)
	require.Zero(t, a.Bytes)
	require.Greater(t, a.BytesMax, a.BytesMin)
	for _, tensor := range plan.Tensors {
		switch {
		case tensor.Role == "expert":
			require.Nil(t, tensor.Type, tensor.Name)
			require.Equal(t, []string{"q4_0", "q8_0"}, tensor.Candidates)
			require.Equal(t, tensor.Elements/32*18, tensor.BytesMin)
			require.Equal(t, tensor.Elements/32*34, tensor.BytesMax)
		case tensor.Name == "blk.0.attn_norm.weight":
			require.NotEmpty(t, tensor.Actions, "it does not wait")
		case tensor.Name == "token_embd.weight":
			require.Equal(t, "q4_0", *tensor.Type)
			require.Empty(t, tensor.Actions, "its importance is not known")
		}
	}
	// The rule on the output never matches; that on norms does, but they are kept
	// as floats.
	var warned []string
	for _, d := range plan.Diagnostics {
		warned = append(warned, d.Summary+" "+d.Range.String())
	}
	require.Equal(t, []string{"Rule decides nothing recipe.hcl:22", "Rule never matches recipe.hcl:23"}, warned)
}
