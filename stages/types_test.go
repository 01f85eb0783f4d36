package stages

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
)

func TestGGUFType(t *testing.T) {
	const odd, k = 288, 256 // 288 is 9 blocks of 32
	for _, test := range []struct {
		name, source string
		cols         int64
		want         string
		fallback     string
	}{
		{"INT8", "bf16", k, "q8_0", ""},
		{"INT8", "bf16", odd, "q8_0", ""},
		{"FP8", "bf16", k, "q8_0", ""},
		{"FP16", "bf16", 7, "f16", ""},
		{"INT4", "bf16", k, "q4_k", ""},
		{"int4", "bf16", odd, "iq4_nl", ""},
		{"INT4", "mxfp4", k, "mxfp4", ""},
		{"INT4", "mxfp4", odd, "mxfp4", ""},
		{"INT3", "mxfp4", k, "q3_k", ""},
		{"INT3", "bf16", k, "q3_k", ""},
		{"INT2", "bf16", k, "q2_k", ""},
		{"INT8", "bf16", 40, "f16", "rows of 40 weights are no multiple of 32: q8_0 -> f16"},
		{"INT4", "bf16", 40, "f16", "rows of 40 weights are no multiple of 256: q4_k -> f16"},
		{"Q4_K", "bf16", k, "q4_k", ""},
		{"q4_k", "bf16", odd, "q5_0", "rows of 288 weights are no multiple of 256: q4_k -> q5_0"},
		{"q5_k", "bf16", odd, "q5_1", "rows of 288 weights are no multiple of 256: q5_k -> q5_1"},
		{"q6_k", "bf16", odd, "q8_0", "rows of 288 weights are no multiple of 256: q6_k -> q8_0"},
		{"q2_k", "bf16", odd, "q4_0", "rows of 288 weights are no multiple of 256: q2_k -> q4_0"},
		{"q4_0", "bf16", 40, "f16", "rows of 40 weights are no multiple of 32: q4_0 -> f16"},
	} {
		source, _ := quant.Lookup(test.source)
		got, fallback, err := ggufType(test.name, source, test.cols)
		require.NoError(t, err, test.name)
		require.Equal(t, test.want, got.Name, "%s of %s, %d columns", test.name, test.source, test.cols)
		require.Equal(t, test.fallback, fallback, "%s of %s, %d columns", test.name, test.source, test.cols)
	}
}

func TestGGUFTypeRefused(t *testing.T) {
	bf16, _ := quant.Lookup("bf16")
	for _, test := range []struct {
		name string
		cols int64
		want string
	}{
		{"INT3", 288, "INT3 needs rows that 256 divides, and these have 288 weights: choose INT4, or a type with blocks of 32 such as q4_0"},
		{"int2", 288, "INT2 needs rows that 256 divides"},
		{"q9", 256, "this program cannot write the type q9"},
		{"q8_k", 256, "this program cannot write the type q8_k"},
	} {
		_, _, err := ggufType(test.name, bf16, test.cols)
		require.ErrorContains(t, err, test.want, test.name)
	}
}

// TestCatalogNames checks that every name that recipes may use is one that the
// stages know.
func TestCatalogNames(t *testing.T) {
	f32, _ := quant.Lookup("f32")
	for _, name := range Catalog().Types {
		_, _, err := ggufType(name, f32, 256)
		require.NoError(t, err, name)
	}
	roles := []string{arch.Embedding, arch.Output, arch.Router, arch.AttentionQ, arch.AttentionK, arch.AttentionV, arch.AttentionOutput,
		arch.Expert, arch.SharedExpert, arch.FFN, arch.Norm, arch.Other}
	require.ElementsMatch(t, roles, enumOf(t, &errorMetric{}, "Roles"))
}
