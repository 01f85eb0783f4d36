package arch

import (
	"math"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

var _ = register(&Arch{
	Name:    "llama",
	Classes: []string{"LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM"},
	Types:   []string{"llama", "mistral"},
	Config: func() Config {
		return &llamaConfig{Common: Common{RMSEps: 1e-6, RopeTheta: 10000, Context: 2048}}
	},
})

// llamaConfig is the dense Llama, versions 1 to 3, and Mistral.
type llamaConfig struct {
	Common
	MLPBias   bool   `json:"mlp_bias"`
	ModelType string `json:"model_type"`
}

func (c *llamaConfig) Describe(has func(string) bool) (*Description, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.ModelType != "mistral" {
		c.HeadDim = c.headDim() // the hub's library fills it in, and its key is written
	}
	k := c.keys("llama", 0, 0)
	k.uint("vocab_size", c.Vocab)
	k.uint("rope.dimension_count", c.headDim())
	d := c.describe(k, allFull)
	d.Tokenizer = Llama
	d.TokenizerKeys = c.tokenizerKeys()
	if freqs := c.ropeFreqs(); freqs != nil {
		d.Computed = []Computed{{Name: "rope_freqs.weight", Values: freqs}}
	}
	d.Rules = append(c.ends(), c.layerNorms("blk.#.ffn_norm.weight")...)
	d.Rules = append(d.Rules, c.denseFFN(c.MLPBias)...)
	// Models with biases on q, k and v only say so by having them.
	bias := c.AttentionBias || has("model.layers.#.self_attn.q_proj.bias")
	outputBias := c.AttentionBias || has("model.layers.#.self_attn.o_proj.bias")
	for _, r := range c.attentionRules(bias, outputBias) {
		switch {
		case strings.HasPrefix(r.To[0].Name, "blk.#.attn_q."):
			r = r.permute(c.Heads)
		case strings.HasPrefix(r.To[0].Name, "blk.#.attn_k."):
			r = r.permute(c.HeadsKV)
		}
		d.Rules = append(d.Rules, r)
	}
	return d, nil
}

// tokenizerKeys are what the converter knows of models by their vocabulary's
// size.
func (c *llamaConfig) tokenizerKeys() []gguf.KV {
	switch c.Vocab {
	case 32016: // Code Llama: the end of an infill
		return []gguf.KV{{Key: "tokenizer.ggml.eot_token_id", Value: uint32(32010)}}
	case 49152: // small Granite and SmolLM
		return []gguf.KV{{Key: "tokenizer.ggml.add_bos_token", Value: false}}
	}
	return nil
}

// ropeFreqs are Llama 3.1's factors by which the frequencies of rotary
// positions are divided: 1 for short wavelengths, factor for long ones, smooth
// between. nil for other scalings.
func (c *llamaConfig) ropeFreqs() []float32 {
	r := c.rope()
	if !strings.EqualFold(r.Type, "llama3") {
		return nil
	}
	factor, low, high := orElse(r.Factor, 8), orElse(r.LowFreqFactor, 1), orElse(r.HighFreqFactor, 4)
	context := float64(r.OriginalContext)
	if context == 0 {
		context = 8192
	}
	dim := c.headDim()
	freqs := make([]float32, 0, dim/2)
	for i := int64(0); i < dim; i += 2 {
		wave := 2 * math.Pi * math.Pow(r.Theta, float64(i)/float64(dim))
		f := 0.0
		switch {
		case wave < context/high:
			f = 1
		case wave > context/low:
			f = factor
		default:
			smooth := (context/wave - low) / (high - low)
			f = 1 / (float64((1-smooth)/factor) + smooth)
		}
		freqs = append(freqs, float32(f))
	}
	return freqs
}
