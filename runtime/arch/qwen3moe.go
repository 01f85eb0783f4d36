package arch

var _ = register(&Arch{
	Name:    "qwen3moe",
	Classes: []string{"Qwen3MoeForCausalLM"},
	Types:   []string{"qwen3_moe"},
	Config: func() Config {
		return &qwen3moeConfig{Common: Common{RMSEps: 1e-6, RopeTheta: 10000, Context: 32768}, SparseStep: 1}
	},
})

// qwen3moeConfig is Qwen3 with experts in every layer.
type qwen3moeConfig struct {
	Common
	Experts         int64   `json:"num_experts" check:"required,1:65536"`
	ExpertsUsed     int64   `json:"num_experts_per_tok" check:"required,1:65536"`
	ExpertWidth     int64   `json:"moe_intermediate_size" check:"required,1:16777216"`
	SparseStep      int64   `json:"decoder_sparse_step" check:"1:10000"`
	DenseLayers     []int64 `json:"mlp_only_layers"`
	NormalizeTopK   *bool   `json:"norm_topk_prob"`
	SharedExpertDim int64   `json:"shared_expert_intermediate_size" check:"0:16777216"`
}

func (c *qwen3moeConfig) Describe(has func(string) bool) (*Description, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := checkExperts(c.Experts, c.ExpertsUsed, "num_experts", "num_experts_per_tok"); err != nil {
		return nil, err
	}
	if c.SparseStep != 1 || len(c.DenseLayers) > 0 {
		return nil, errDenseLayers
	}
	k := c.keys("qwen3moe", c.Experts, c.ExpertsUsed)
	k.uint("expert_feed_forward_length", c.ExpertWidth)
	d := c.describe(k, allFull)
	d.Experts, d.ExpertsUsed = int(c.Experts), int(c.ExpertsUsed)
	d.Pre = "qwen2"
	d.Warnings = c.noSliding(d)
	if c.NormalizeTopK != nil && !*c.NormalizeTopK {
		d.Warnings = append(d.Warnings, "config.json: norm_topk_prob is false, and llama.cpp normalizes the chosen experts' weights of this architecture all the same")
	}
	d.Rules = append(c.ends(), c.attentionRules(c.AttentionBias, c.AttentionBias)...)
	d.Rules = append(d.Rules, c.headNorms()...)
	d.Rules = append(d.Rules, c.layerNorms("blk.#.ffn_norm.weight")...)
	d.Rules = append(d.Rules, matrix("model.layers.#.mlp.gate.weight", "blk.#.ffn_gate_inp.weight", Router, c.Experts, c.Hidden))
	if has("model.layers.#.mlp.experts.gate_up_proj") {
		d.Rules = append(d.Rules, c.stacked()...)
	} else {
		d.Rules = append(d.Rules, c.single()...)
	}
	return d, nil
}

// single are experts with a tensor each, as all releases have them.
func (c *qwen3moeConfig) single() []Rule {
	const hub, own, group = "model.layers.#.mlp.experts.#.", "blk.#.ffn_", 1
	rules := []Rule{
		matrix(hub+"down_proj.weight", own+"down_exps.weight", Expert, c.Hidden, c.ExpertWidth).projection(Down),
		matrix(hub+"gate_proj.weight", own+"gate_exps.weight", Expert, c.ExpertWidth, c.Hidden).projection(Gate),
		matrix(hub+"up_proj.weight", own+"up_exps.weight", Expert, c.ExpertWidth, c.Hidden).projection(Up),
	}
	for i := range rules {
		rules[i].Group = group
	}
	return rules
}

// stacked are experts in one tensor, gate before up, as newer libraries save
// them.
func (c *qwen3moeConfig) stacked() []Rule {
	const hub, own = "model.layers.#.mlp.experts.", "blk.#.ffn_"
	e, h, w := c.Experts, c.Hidden, c.ExpertWidth
	return []Rule{
		{
			From: []string{hub + "down_proj"}, Shapes: [][]int64{{e, h, w}},
			To: []Target{{Name: own + "down_exps.weight", Role: Expert, Projection: Down, Rows: h, Cols: w}},
		},
		{
			From: []string{hub + "gate_up_proj"}, Shapes: [][]int64{{e, 2 * w, h}},
			To: []Target{
				{Name: own + "gate_exps.weight", Role: Expert, Projection: Gate, Rows: w, Cols: h},
				{Name: own + "up_exps.weight", Role: Expert, Projection: Up, Rows: w, Cols: h, First: w},
			},
		},
	}
}
