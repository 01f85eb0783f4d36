package arch

import (
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

// configs are small configurations of each architecture; a test below makes
// sure that none is left out.
var configs = map[string]string{
	"qwen3": `{"architectures":["Qwen3ForCausalLM"],"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,"vocab_size":100}`,
	"qwen3moe": `{"architectures":["Qwen3MoeForCausalLM"],"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":16,"intermediate_size":96,
"moe_intermediate_size":32,"num_experts":8,"num_experts_per_tok":2,"vocab_size":100}`,
	"llama": `{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":96,"vocab_size":100}`,
	"gpt-oss": `{"architectures":["GptOssForCausalLM"],"hidden_size":64,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,"vocab_size":100,
"num_local_experts":8,"experts_per_token":2,"sliding_window":16}`,
}

func none(string) bool { return false }

func describe(config string, has func(string) bool) (*Description, error) {
	a, err := Detect([]byte(config), "config.json", "")
	if err != nil {
		return nil, err
	}
	return a.Describe([]byte(config), "config.json", has)
}

// Every architecture of the registry makes sense of its own.
func TestRegistry(t *testing.T) {
	require.NotEmpty(t, All())
	for _, a := range All() {
		config, ok := configs[a.Name]
		require.True(t, ok, "add a configuration of %s to the test", a.Name)
		require.NotEmpty(t, a.Classes)
		require.NotEmpty(t, a.Types)
		for _, name := range append(append([]string{a.Name}, a.Classes...), a.Types...) {
			b, ok := ByName(name)
			require.True(t, ok)
			require.Same(t, a, b, name)
		}
		d, err := describe(config, none)
		require.NoError(t, err)
		require.Same(t, a, d.Arch)
		require.Len(t, d.Attention, d.Layers)
		for _, kv := range d.Keys {
			require.True(t, strings.HasPrefix(kv.Key, a.Name+"."), kv.Key)
		}
		names := map[string]bool{}
		for _, r := range d.Rules {
			require.Equal(t, len(r.From), len(r.Shapes))
			require.NotEmpty(t, r.To)
			for _, to := range r.To {
				require.False(t, names[to.Name], "%s twice", to.Name)
				names[to.Name] = true
				require.Equal(t, strings.Contains(r.From[0], "#"), strings.Contains(to.Name, "#"), to.Name)
				// A file of the model would be given the same roles.
				p := PlaceOf(strings.Replace(to.Name, "#", "7", 1))
				require.Equal(t, []any{p.Role, p.Projection}, []any{to.Role, to.Projection}, to.Name)
			}
		}
	}
	_, ok := ByName("none")
	require.False(t, ok)
	require.Panics(t, func() { register(&Arch{Name: "llama"}) })
	require.Panics(t, func() { register(&Arch{Name: "new", Types: []string{"mistral"}}) })
}

func TestDetect(t *testing.T) {
	detect := func(config, want string) (string, error) {
		a, err := Detect([]byte(config), "config.json", want)
		if err != nil {
			return "", err
		}
		return a.Name, nil
	}
	for config, want := range map[string]string{
		`{"architectures":["MistralForCausalLM"],"model_type":"x"}`: "llama",
		`{"model_type":"qwen3_moe"}`:                                "qwen3moe",
		`{"architectures":null,"model_type":"gpt_oss"}`:             "gpt-oss",
	} {
		got, err := detect(config, "")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, c := range []struct{ config, want, message string }{
		{`{}`, "", "config.json: neither architectures nor model_type is there: this is no configuration of a model"},
		{`[]`, "", "config.json: not a JSON object: correct the file"},
		{"{\n\n  \"a\" 1}", "", "config.json: line 3, column 7: "},
		{`{"architectures":"x"}`, "", `config.json: architectures is "x", and it has to be a list of strings`},
		{`{"model_type":7}`, "", `config.json: model_type is 7, and it has to be a string`},
		{`{"model_type":"mamba"}`, "", `config.json: architecture "mamba" is not known; known are gpt-oss (GptOssForCausalLM), llama (LlamaForCausalLM, LLaMAForCausalLM, MistralForCausalLM), qwen3 (Qwen3ForCausalLM), qwen3moe (Qwen3MoeForCausalLM). Convert it with another program and name the GGUF file instead`},
		{`{"model_type":"llama"}`, "qwen3", `config.json: the model is of architecture "llama" (llama), not "qwen3": correct or drop the architecture`},
		{`{"model_type":"llama"}`, "mamba", `architecture "mamba" is not known; known are`},
	} {
		_, err := detect(c.config, c.want)
		require.ErrorContains(t, err, c.message)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ arch, old, with, want string }{
		{"llama", `"hidden_size":64`, `"hidden_size":null`, "config.json: hidden_size is missing: the file is not complete"},
		{"llama", `"hidden_size":64`, `"hidden_size":"64"`, `hidden_size is "64", and it has to be a whole number from 1 to 1048576: correct the file`},
		{"llama", `"hidden_size":64`, `"hidden_size":64.0`, "hidden_size is 64.0, and it has to be a whole number"},
		{"llama", `"hidden_size":64`, `"hidden_size":-64`, "hidden_size is -64"},
		{"llama", `"hidden_size":64`, `"hidden_size":99999999999999999999999`, "hidden_size is 99999999999999999999999"},
		{"llama", `"hidden_size":64`, `"hidden_size":66`, "hidden_size 66 is no multiple of num_attention_heads 4, and there is no head_dim"},
		{"llama", `"hidden_size":64`, `"hidden_size":12`, "head_dim is 3, and rotary positions need an even one"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rms_norm_eps":2`, "rms_norm_eps is 2, and it has to be a number from 1e-30 to 1"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rope_theta":"NaN"`, `rope_theta is "NaN"`},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"tie_word_embeddings":1`, "tie_word_embeddings is 1, and it has to be true or false"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rope_scaling":[]`, "rope_scaling is [], and it has to be an object"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rope_scaling":{"rope_type":"su"}`, `rope_scaling: type "su" is not known; known are default, linear, yarn and llama3`},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rope_scaling":{"rope_type":"yarn","factor":2}`, "type yarn needs original_max_position_embeddings"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rope_scaling":{"rope_type":"yarn","factor":-2}`, "rope_scaling.factor is -2, and it has to be a number from 1e-06 to 1e+09"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"rope_scaling":{"rope_type":"llama3","low_freq_factor":4}`, "low_freq_factor and high_freq_factor are both 4"},
		{"llama", `"hidden_size":64`, `"hidden_size":64,"quantization_config":{"quant_method":"gptq"}`, `the weights are stored as "gptq", which this program does not read: take the model's BF16 or F16 release`},
		{"qwen3", `"num_key_value_heads":2`, `"num_key_value_heads":3`, "num_attention_heads 4 is no multiple of num_key_value_heads 3"},
		{"qwen3", `"hidden_size":64`, `"hidden_size":64,"layer_types":["full_attention"]`, "layer_types has 1 entries and num_hidden_layers is 2"},
		{"qwen3", `"hidden_size":64`, `"hidden_size":64,"layer_types":["full_attention","chunked"]`, `layer_types has "chunked", and known are sliding_attention and full_attention`},
		{"qwen3moe", `"num_experts":8`, `"num_experts":1`, "num_experts_per_tok 2 is more than num_experts 1"},
		{"qwen3moe", `"num_experts":8`, `"num_experts":8,"decoder_sparse_step":2`, "say that some layers have no experts"},
		{"qwen3moe", `"num_experts":8`, `"num_experts":8,"mlp_only_layers":[0]`, "say that some layers have no experts"},
		{"gpt-oss", `,"sliding_window":16`, ``, "sliding_window is missing"},
		{"gpt-oss", `"experts_per_token":2,`, ``, "num_experts_per_tok is missing"},
		{"gpt-oss", `"num_local_experts":8`, `"num_local_experts":1`, "num_experts_per_tok 2 is more than num_local_experts 1"},
	} {
		require.Contains(t, configs[c.arch], c.old)
		_, err := describe(strings.Replace(configs[c.arch], c.old, c.with, 1), none)
		require.ErrorContains(t, err, c.want, "%s: %s", c.arch, c.with)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ arch, old, with, want string }{
		{"qwen3moe", `"num_experts":8`, `"num_experts":8,"norm_topk_prob":false`, "norm_topk_prob is false"},
		{"qwen3", `"hidden_size":64`, `"hidden_size":64,"layer_types":["full_attention","sliding_attention"]`, "layer 1 has a sliding window, and llama.cpp gives every layer"},
		{"gpt-oss", `"hidden_size":64`, `"hidden_size":64,"layer_types":["full_attention","full_attention","full_attention"]`, "layer_types is not sliding and full by turns"},
		{"gpt-oss", `"hidden_size":64`, `"hidden_size":64,"swiglu_limit":8`, "swiglu_limit is not 7"},
	} {
		d, err := describe(strings.Replace(configs[c.arch], c.old, c.with, 1), none)
		require.NoError(t, err)
		require.Len(t, d.Warnings, 1)
		require.Contains(t, d.Warnings[0], c.want)
	}
	d, err := describe(configs["gpt-oss"], none)
	require.NoError(t, err)
	require.Empty(t, d.Warnings)
	require.Equal(t, []string{Sliding, Full, Sliding}, d.Attention)
}

// Llama 3.1's factors of frequencies, as llama.cpp's converter computes them in
// single precision: heads of 128, theta 500000, factor 8.
func TestRopeFreqs(t *testing.T) {
	config := strings.Replace(configs["llama"], `"hidden_size":64`, `"hidden_size":512,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}`, 1)
	d, err := describe(config, none)
	require.NoError(t, err)
	require.Len(t, d.Computed, 1)
	require.Equal(t, "rope_freqs.weight", d.Computed[0].Name)
	v := d.Computed[0].Values
	require.Len(t, v, 64)
	want := []float32{1, 1, 1, 1.2074838876724243, 1.5534145832061768, 2.026313066482544, 2.6945300102233887, 3.684253215789795, 5.257327079772949, 8, 8, 8}
	for i, w := range want {
		require.InEpsilon(t, w, v[26+i], 1e-6, "%d", 26+i)
	}
	d, err = describe(configs["llama"], none)
	require.NoError(t, err)
	require.Empty(t, d.Computed)
}

// Code Llama and small Granite are known by their vocabulary's size.
func TestTokenizerKeys(t *testing.T) {
	for size, want := range map[string][]gguf.KV{
		"32016": {{Key: "tokenizer.ggml.eot_token_id", Value: uint32(32010)}},
		"49152": {{Key: "tokenizer.ggml.add_bos_token", Value: false}},
		"32000": nil,
	} {
		d, err := describe(strings.Replace(configs["llama"], `"vocab_size":100`, `"vocab_size":`+size, 1), none)
		require.NoError(t, err)
		require.Equal(t, want, d.TokenizerKeys)
	}
}

// FuzzConfig describes anything as a config.json.
func FuzzConfig(f *testing.F) {
	for _, c := range configs {
		f.Add(c)
	}
	f.Add(`{"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":1,"vocab_size":1,"rope_parameters":{"rope_type":"llama3","rope_theta":1e30}}`)
	f.Fuzz(func(t *testing.T, config string) {
		for _, has := range []func(string) bool{none, func(string) bool { return true }} {
			d, err := describe(config, has)
			if err != nil {
				continue
			}
			if d.Layers < 1 || len(d.Attention) != d.Layers || d.Vocab < 1 || len(d.Rules) == 0 {
				t.Fatalf("%+v", d)
			}
			if _, err := gguf.EncodeKVs(d.Keys); err != nil {
				t.Fatal(err)
			}
		}
	})
}
