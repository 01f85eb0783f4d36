package arch

var _ = register(&Arch{
	Name:    "qwen3",
	Classes: []string{"Qwen3ForCausalLM"},
	Types:   []string{"qwen3"},
	Config: func() Config {
		return &qwen3Config{Common{HeadDim: 128, RMSEps: 1e-6, RopeTheta: 10000, Context: 32768}}
	},
})

// qwen3Config is the dense Qwen3.
type qwen3Config struct {
	Common
}

func (c *qwen3Config) Describe(func(string) bool) (*Description, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	d := c.describe(c.keys("qwen3", 0, 0), allFull)
	d.Tokenizer = SentencePieceOrBPE
	d.Pre = "qwen2"
	d.Warnings = c.noSliding(d)
	d.Rules = append(c.ends(), c.attentionRules(c.AttentionBias, c.AttentionBias)...)
	d.Rules = append(d.Rules, c.headNorms()...)
	d.Rules = append(d.Rules, c.layerNorms("blk.#.ffn_norm.weight")...)
	d.Rules = append(d.Rules, c.denseFFN(false)...)
	return d, nil
}
