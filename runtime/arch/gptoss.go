package arch

var _ = register(&Arch{
	Name:    "gpt-oss",
	Classes: []string{"GptOssForCausalLM"},
	Types:   []string{"gpt_oss"},
	Config: func() Config {
		return &gptossConfig{Common: Common{RMSEps: 1e-5, RopeTheta: 150000, HeadDim: 64, Context: 131072}}
	},
})

// gptossConfig is OpenAI's gpt-oss: experts in MXFP4, layers whose attention
// is by turns within a window and full.
type gptossConfig struct {
	Common
	Experts     int64    `json:"num_local_experts" check:"required,1:65536"`
	ExpertsUsed int64    `json:"num_experts_per_tok" check:"1:65536"`
	UsedToo     int64    `json:"experts_per_token" check:"1:65536"`
	Limit       *float64 `json:"swiglu_limit" check:"0:1e9"`
}

// The activation's bound is compiled into llama.cpp.
const gptossLimit = 7.0

func (c *gptossConfig) Describe(has func(string) bool) (*Description, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.ExpertsUsed == 0 {
		c.ExpertsUsed = c.UsedToo
	}
	if c.ExpertsUsed == 0 {
		return nil, missing("num_experts_per_tok")
	}
	if err := checkExperts(c.Experts, c.ExpertsUsed, "num_local_experts", "num_experts_per_tok"); err != nil {
		return nil, err
	}
	if c.SlidingWindow == 0 {
		return nil, missing("sliding_window")
	}
	k := c.keys("gpt-oss", c.Experts, c.ExpertsUsed)
	k.uint("attention.sliding_window", c.SlidingWindow)
	k.uint("expert_feed_forward_length", c.Intermediate)
	d := c.describe(k, evenSliding)
	d.Experts, d.ExpertsUsed = int(c.Experts), int(c.ExpertsUsed)
	d.Pre = "gpt-4o"
	d.Warnings = c.warnings(d)
	d.Rules = append(c.ends(), c.attentionRules(true, true)...)
	d.Rules = append(d.Rules, c.layerNorms("blk.#.post_attention_norm.weight")...)
	d.Rules = append(d.Rules,
		vector("model.layers.#.self_attn.sinks", "blk.#.attn_sinks.weight", Other, c.Heads),
		matrix("model.layers.#.mlp.router.weight", "blk.#.ffn_gate_inp.weight", Router, c.Experts, c.Hidden),
		vector("model.layers.#.mlp.router.bias", "blk.#.ffn_gate_inp.bias", Other, c.Experts))
	d.Rules = append(d.Rules, c.biases()...)
	if has("model.layers.#.mlp.experts.gate_up_proj_blocks") {
		d.Rules = append(d.Rules, c.packed()...)
	} else {
		d.Rules = append(d.Rules, c.floats()...)
	}
	return d, nil
}

// evenSliding is the order that llama.cpp has for this architecture.
func evenSliding(layer int) string {
	if layer%2 == 0 {
		return Sliding
	}
	return Full
}

func (c *gptossConfig) warnings(d *Description) []string {
	var w []string
	for i, kind := range d.Attention {
		if kind != evenSliding(i) {
			w = append(w, "config.json: layer_types is not sliding and full by turns, and llama.cpp runs this architecture as if it were")
			break
		}
	}
	if c.Limit != nil && *c.Limit != gptossLimit {
		w = append(w, "config.json: swiglu_limit is not 7, and llama.cpp runs this architecture with 7")
	}
	return w
}

// biases of the experts: each row has gate and up by turns.
func (c *gptossConfig) biases() []Rule {
	const hub, own = "model.layers.#.mlp.experts.", "blk.#.ffn_"
	e, h, w := c.Experts, c.Hidden, c.Intermediate
	return []Rule{
		matrix(hub+"down_proj_bias", own+"down_exps.bias", Other, e, h).projection(Down),
		{
			From: []string{hub + "gate_up_proj_bias"}, Shapes: [][]int64{{e, 2 * w}},
			To: []Target{
				{Name: own + "gate_exps.bias", Role: Other, Projection: Gate, Rows: e, Cols: w, Stride: 2, Columns: true},
				{Name: own + "up_exps.bias", Role: Other, Projection: Up, Rows: e, Cols: w, First: 1, Stride: 2, Columns: true},
			},
		},
	}
}

// packed are experts in MXFP4: blocks of 16 bytes and a scale for 32 weights;
// rows of gate and up by turns.
func (c *gptossConfig) packed() []Rule {
	const hub, own = "model.layers.#.mlp.experts.", "blk.#.ffn_"
	e, h, w := c.Experts, c.Hidden, c.Intermediate
	return []Rule{
		{
			From:   []string{hub + "down_proj_blocks", hub + "down_proj_scales"},
			Shapes: [][]int64{{e, h, w / 32, 16}, {e, h, w / 32}},
			Packed: true, Early: true,
			To: []Target{{Name: own + "down_exps.weight", Role: Expert, Projection: Down, Rows: h, Cols: w}},
		},
		{
			From:   []string{hub + "gate_up_proj_blocks", hub + "gate_up_proj_scales"},
			Shapes: [][]int64{{e, 2 * w, h / 32, 16}, {e, 2 * w, h / 32}},
			Packed: true, Early: true,
			To: []Target{
				{Name: own + "gate_exps.weight", Role: Expert, Projection: Gate, Rows: w, Cols: h, Stride: 2},
				{Name: own + "up_exps.weight", Role: Expert, Projection: Up, Rows: w, Cols: h, First: 1, Stride: 2},
			},
		},
	}
}

// floats are experts as fine-tunes store them: [in, out], columns of gate and
// up by turns.
func (c *gptossConfig) floats() []Rule {
	const hub, own = "model.layers.#.mlp.experts.", "blk.#.ffn_"
	e, h, w := c.Experts, c.Hidden, c.Intermediate
	return []Rule{
		{
			From: []string{hub + "down_proj"}, Shapes: [][]int64{{e, w, h}},
			To: []Target{{Name: own + "down_exps.weight", Role: Expert, Projection: Down, Rows: h, Cols: w, Transpose: true}},
		},
		{
			From: []string{hub + "gate_up_proj"}, Shapes: [][]int64{{e, h, 2 * w}},
			To: []Target{
				{Name: own + "gate_exps.weight", Role: Expert, Projection: Gate, Rows: w, Cols: h, Stride: 2, Transpose: true},
				{Name: own + "up_exps.weight", Role: Expert, Projection: Up, Rows: w, Cols: h, First: 1, Stride: 2, Transpose: true},
			},
		},
	}
}
