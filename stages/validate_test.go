package stages

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// judged is a small model, its artifact, and a validation of it.
func judged(t *testing.T, params validateParams) *world {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q4_k"}, typed("q8_0", role("expert"))))
	w.artifact("a", ggufParams{})
	params.Candidate = engine.Ref{Address: "artifact.gguf.a"}
	w.block("validate", "", "v", &params, `{}`, "artifact.gguf.a")
	return w
}

func at[T any](v T) *T { return &v }

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		params validateParams
		failed []string // metrics that miss their limit
	}{
		{"measured only", validateParams{Size: &sizeMetric{}, Error: &errorMetric{}}, nil},
		{"all met", validateParams{
			Size:  &sizeMetric{at(engine.Bytes(1 << 20)), at(64.0), at(2.0)},
			Error: &errorMetric{MaxRelativeRMSE: at(0.5), MaxTensorRelativeRMSE: at(0.5)},
		}, nil},
		{"bytes", validateParams{Size: &sizeMetric{MaxBytes: at(engine.Bytes(10))}}, []string{"size.bytes"}},
		{"bits", validateParams{Size: &sizeMetric{MaxBitsPerWeight: at(1.0)}}, []string{"size.bits_per_weight"}},
		{"ratio", validateParams{Size: &sizeMetric{MaxRatio: at(0.01)}}, []string{"size.ratio"}},
		{"error", validateParams{Error: &errorMetric{MaxRelativeRMSE: at(1e-6)}}, []string{"error.relative_rmse"}},
		{"worst tensor", validateParams{Error: &errorMetric{MaxTensorRelativeRMSE: at(0.03), MaxRelativeRMSE: at(0.5)}}, []string{"error.tensor_relative_rmse"}},
		{"of experts", validateParams{Error: &errorMetric{MaxTensorRelativeRMSE: at(0.03), Roles: []string{"expert"}}}, nil},
		{"of nothing", validateParams{Error: &errorMetric{MaxRelativeRMSE: at(0.5), Roles: []string{"shared_expert"}}}, []string{"error.relative_rmse", "error.tensor_relative_rmse"}},
	} {
		b := judged(t, test.params).mustBuild()
		require.Len(t, b.Verdicts, 1, test.name)
		v := b.Verdicts[0]
		require.Equal(t, "validate.v", v.Address)
		var failed []string
		for _, c := range v.Checks {
			if !c.Passed {
				failed = append(failed, c.Metric)
			}
			require.Equal(t, c.Limit == nil, c.Bound == "", test.name)
		}
		require.Equal(t, test.failed, failed, test.name)
		require.Equal(t, len(test.failed) == 0, v.Passed, test.name)
		require.Equal(t, v.Passed, b.Passed())
	}
}

// TestMeasured checks the values that outputs see.
func TestMeasured(t *testing.T) {
	b := judged(t, validateParams{Size: &sizeMetric{}, Error: &errorMetric{}}).mustBuild()
	var got struct {
		Size  sizeValues  `json:"size"`
		Error errorValues `json:"error"`
	}
	require.NoError(t, json.Unmarshal(b.Measured["validate.v"], &got))
	a := b.Plan.Artifacts[0]
	require.Equal(t, sizeValues{a.Bytes, a.BitsPerWeight, float64(a.Bytes) / float64(b.Plan.Models[0].Bytes)}, got.Size)
	require.Equal(t, b.Verdicts[0].Checks[3].Value, got.Error.Value)
	require.Contains(t, []string{"token_embd.weight", "blk.0.attn_q.weight"}, got.Error.Worst)
	require.Equal(t, "worst: "+got.Error.Worst, b.Verdicts[0].Checks[4].Note)
	require.Greater(t, got.Error.WorstValue, got.Error.Value)
}

// TestThresholdAlone checks that another limit runs nothing.
func TestThresholdAlone(t *testing.T) {
	w := judged(t, validateParams{Size: &sizeMetric{MaxBytes: at(engine.Bytes(1 << 20))}})
	require.True(t, w.mustBuild().Passed())
	w.blocks[3].Params.(*validateParams).Size.MaxBytes = at(engine.Bytes(1))
	b := w.mustBuild()
	require.Zero(t, b.Executed)
	require.False(t, b.Passed())
}

// TestBaseline checks that a ratio is to the baseline that is named.
func TestBaseline(t *testing.T) {
	w := judged(t, validateParams{Size: &sizeMetric{}, Baseline: &engine.Ref{Address: "model.big"}})
	w.writeModel("big.gguf", append(moe(), source{name: "output.weight", dims: []int64{256, 300}, values: noise(256*300, 8)})...)
	w.block("model", "", "big", &modelParams{Source: "big.gguf"}, `{}`)
	w.blocks = append([]*engine.Block{w.blocks[4]}, w.blocks[:4]...) // before it is referred to
	b := w.mustBuild()
	require.Equal(t, "model.big", b.Plan.Models[0].Address)
	require.Equal(t, float64(b.Plan.Artifacts[0].Bytes)/float64(b.Plan.Models[0].Bytes), b.Verdicts[0].Checks[2].Value)
}

func TestValidateRefused(t *testing.T) {
	stage, _ := Catalog().Stage("validate", "")
	sized := diag.Range{File: "recipe.hcl", Line: 7}
	for _, test := range []struct {
		params validateParams
		want   string
	}{
		{validateParams{}, "validate.v has no metric"},
		{validateParams{Size: &sizeMetric{MaxBytes: at(engine.Bytes(0))}}, "recipe.hcl:7: Limit out of range: max_bytes is 0, and must be more than 0."},
		{validateParams{Size: &sizeMetric{MaxRatio: at(-1.0)}}, "max_ratio is -1"},
		{validateParams{Error: &errorMetric{MaxRelativeRMSE: at(-1.0)}}, "max_relative_rmse is -1"},
		{validateParams{Size: &sizeMetric{MaxRatio: at(-1.0)}, Error: &errorMetric{MaxTensorRelativeRMSE: at(-0.5)}}, "max_tensor_relative_rmse is -0.5"},
	} {
		err := stage.Check(&engine.Block{Stage: stage, Address: "validate.v", Params: &test.params, Attrs: map[string]diag.Range{"size.max_bytes": sized}})
		require.ErrorContains(t, err, test.want, test.want)
	}
	require.NoError(t, stage.Check(&engine.Block{Stage: stage, Params: &validateParams{Size: &sizeMetric{}}}))

	// What is no artifact is refused where it is planned.
	w := judged(t, validateParams{Size: &sizeMetric{}})
	w.blocks[3].Params.(*validateParams).Candidate.Address = "stage.quantize.q"
	_, err := w.plan()
	require.ErrorContains(t, err, "validations cannot judge stage.quantize.q")
	var ds diag.Diagnostics
	require.True(t, errors.As(err, &ds))
}
