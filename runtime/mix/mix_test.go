package mix

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookup(t *testing.T) {
	fileTypes := map[uint32]string{}
	for _, name := range Names() {
		m, ok := Lookup(strings.ToLower(name))
		require.True(t, ok, name)
		require.Equal(t, name, m.Name)
		require.NotContains(t, fileTypes, m.FileType, name)
		fileTypes[m.FileType] = name
	}
	for alias, name := range map[string]string{"Q3_K": "Q3_K_M", "q4_k": "Q4_K_M", "Q5_k": "Q5_K_M"} {
		m, ok := Lookup(alias)
		require.True(t, ok, alias)
		require.Equal(t, name, m.Name)
	}
	for _, name := range []string{"", "COPY", "Q4", "Q4_K_XL", "NVFP4"} {
		_, ok := Lookup(name)
		require.False(t, ok, name)
	}
	// The numbers of general.file_type, see gguf.md of ggml.
	for name, want := range map[string]uint32{"F32": 0, "F16": 1, "Q8_0": 7, "Q4_K_M": 15, "Q6_K": 18, "IQ4_XS": 30, "BF16": 32, "MXFP4_MOE": 38} {
		m, _ := Lookup(name)
		require.Equal(t, want, m.FileType, name)
	}
}

func TestKept(t *testing.T) {
	cases := []struct {
		tensor Tensor
		want   string // "" for one that is quantized
	}{
		{Tensor{"blk.0.attn_norm.weight", []int64{256}, "bf16"}, "f32"},
		{Tensor{"blk.0.attn_norm.weight", []int64{256}, "f32"}, "f32"},
		{Tensor{"blk.0.ffn_gate_inp.weight", []int64{256, 8}, "f16"}, "f32"},
		{Tensor{"blk.0.ffn_gate_exps.bias", []int64{256, 8}, "bf16"}, "f32"},
		{Tensor{"rope_freqs.weight", []int64{64, 1, 1}, "f32"}, "f32"},
		{Tensor{"blk.0.ffn_gate_tid2eid.weight", []int64{256, 8}, "i32"}, "i32"},
		{Tensor{"blk.0.laurel_l.weight", []int64{256, 8}, "bf16"}, "bf16"},
		{Tensor{"blk.0.laurel_post_norm.weight", []int64{256}, "bf16"}, "f32"},
		{Tensor{"blk.0.ffn_gate_inp.weight", []int64{256, 8}, "q8_0"}, "q8_0"},
		{Tensor{"blk.0.attn_q.weight", []int64{256, 8}, "bf16"}, ""},
		{Tensor{"blk.0.attn_q.weight", []int64{256, 8}, "f8_e4m3"}, ""}, // the source matters only where it stays
	}
	for _, c := range cases {
		for _, name := range []string{"Q4_K_M", "F16"} {
			m, _ := Lookup(name)
			choices, err := m.Assign(Model{Layers: 1}, []Tensor{c.tensor})
			require.NoError(t, err)
			require.Equal(t, c.want != "", choices[0].Kept, c.tensor)
			if choices[0].Kept {
				require.Equal(t, c.want, choices[0].Type.Name, c.tensor)
				require.Nil(t, choices[0].Wanted)
			} else {
				require.Same(t, m.Type, choices[0].Type)
			}
		}
	}
}

func TestFallback(t *testing.T) {
	cases := []struct {
		mix    string
		cols   int64
		want   string
		wanted string
	}{
		{"Q4_K_M", 256, "q4_k", ""},
		{"Q4_K_M", 2880, "q5_0", "q4_k"},
		{"Q4_K_M", 48, "f16", "q4_k"},
		{"Q5_K_S", 288, "q5_1", "q5_k"},
		{"Q6_K", 288, "q8_0", "q6_k"},
		{"Q3_K_S", 288, "q4_0", "q3_k"},
		{"IQ2_XXS", 288, "iq4_nl", "iq2_xxs"},
		{"TQ1_0", 288, "q4_0", "tq1_0"},
		{"Q2_0", 96, "q4_0", "q2_0"},
		{"Q8_0", 40, "f16", "q8_0"},
		{"F16", 41, "f16", ""},
	}
	for _, c := range cases {
		m, _ := Lookup(c.mix)
		choices, err := m.Assign(Model{Layers: 1, HasOutput: true}, []Tensor{{"blk.0.ssm_out.weight", []int64{c.cols, 2}, "f32"}})
		require.NoError(t, err)
		require.Equal(t, c.want, choices[0].Type.Name, c)
		if c.wanted == "" {
			require.Nil(t, choices[0].Wanted, c)
		} else {
			require.Equal(t, c.wanted, choices[0].Wanted.Name)
		}
	}
}

// HasOutput can be told by the model or be seen in the tensors.
func TestTied(t *testing.T) {
	m, _ := Lookup("Q4_K_M")
	embedding := Tensor{"token_embd.weight", []int64{256, 8}, "f32"}
	for _, c := range []struct {
		model   Model
		tensors []Tensor
		want    string
	}{
		{Model{}, []Tensor{embedding}, "q6_k"},
		{Model{HasOutput: true}, []Tensor{embedding}, "q4_k"},
		{Model{}, []Tensor{embedding, {"output.weight", []int64{256, 8}, "f32"}}, "q4_k"},
	} {
		choices, err := m.Assign(c.model, c.tensors)
		require.NoError(t, err)
		require.Equal(t, c.want, choices[0].Type.Name)
	}
}

// What is chosen does not depend on the order of the tensors.
func TestAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, model := range madeModels() {
		for _, name := range []string{"IQ2_M", "Q3_K_M", "Q4_K_M"} {
			m, _ := Lookup(name)
			choices, err := m.Assign(model.Model, model.tensors)
			require.NoError(t, err)
			want := map[string]string{}
			for i, tensor := range model.tensors {
				want[tensor.Name] = choices[i].Type.Name
			}
			shuffled := append([]Tensor(nil), model.tensors...)
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			choices, err = m.Assign(model.Model, shuffled)
			require.NoError(t, err)
			for i, tensor := range shuffled {
				require.Equal(t, want[tensor.Name], choices[i].Type.Name, tensor.Name)
			}
		}
	}
}

func TestNeedsImportance(t *testing.T) {
	tensors := []Tensor{
		{"output.weight", []int64{256, 8}, "f32"}, {"token_embd.weight", []int64{256, 8}, "f32"},
		{"blk.0.attn_q.weight", []int64{256, 8}, "f32"}, {"blk.0.attn_v.weight", []int64{256, 8}, "f32"},
	}
	for name, want := range map[string][]bool{
		"Q2_K":    {false, false, false, false},
		"Q2_K_S":  {false, false, true, true},
		"IQ3_XS":  {false, false, true, false},
		"IQ3_S":   {false, false, false, false},
		"IQ2_XXS": {false, false, true, false},
		"Q4_K_M":  {false, false, false, false},
	} {
		m, _ := Lookup(name)
		choices, err := m.Assign(Model{Layers: 1}, tensors)
		require.NoError(t, err)
		some := false
		for i, c := range choices {
			require.Equal(t, want[i], c.NeedsImportance, "%s %s", name, tensors[i].Name)
			some = some || c.NeedsImportance
		}
		require.Equal(t, some, m.NeedsImportance, name)
	}
}

func TestErrors(t *testing.T) {
	matrix := []int64{256, 8}
	moe := Model{Layers: 2, Experts: 16}
	cases := []struct {
		mix     string
		model   Model
		tensors []Tensor
		want    string
	}{
		{"Q4_K_M", moe, []Tensor{{"a.weight", nil, "f32"}}, "tensor a.weight: dimensions [], want 1 to 4"},
		{"Q4_K_M", moe, []Tensor{{"a.weight", []int64{256, 0}, "f32"}}, "at least 1"},
		{"Q4_K_M", moe, []Tensor{{"a.weight", []int64{1, 1, 1, 1, 1}, "f32"}}, "want 1 to 4"},
		{"Q4_K_M", moe, []Tensor{{"a.weight", matrix, "f32"}, {"a.weight", matrix, "f32"}}, "given twice"},
		{"Q4_K_M", moe, []Tensor{{"a.bias", matrix, "f7"}}, `its type "f7" is not known`},
		{"Q4_K_M", moe, []Tensor{{"blk.2.ffn_down_exps.weight", matrix, "f32"}}, "mix Q4_K_M: tensor blk.2.ffn_down_exps.weight: its layer should be one of 0 to 1 (block_count is 2)"},
		{"Q4_K_M", moe, []Tensor{{"ffn_down_exps.weight", matrix, "f32"}}, "name it blk.N"},
		{"Q1_0", moe, []Tensor{{"blk.0.attn_q.weight", []int64{192, 2}, "f32"}}, "rows of 192 weights are no multiple of 128, and q1_0 has no fallback"},
	}
	for _, c := range cases {
		m, _ := Lookup(c.mix)
		_, err := m.Assign(c.model, c.tensors)
		require.ErrorContains(t, err, c.want)
	}
	choices, err := (table[0]).Assign(Model{}, nil)
	require.NoError(t, err)
	require.Empty(t, choices)
}
