package arch

// matrix is the rule of a weight [rows, cols].
func matrix(from, to, role string, rows, cols int64) Rule {
	return Rule{
		From: []string{from}, Shapes: [][]int64{{rows, cols}},
		To: []Target{{Name: to, Role: role, Rows: rows, Cols: cols}},
	}
}

// vector is the rule of a tensor of one dimension.
func vector(from, to, role string, n int64) Rule {
	return Rule{
		From: []string{from}, Shapes: [][]int64{{n}},
		To: []Target{{Name: to, Role: role, Cols: n}},
	}
}

// projection says which of a feed-forward layer's matrices a rule's target is.
func (r Rule) projection(p string) Rule {
	r.To[0].Projection = p
	return r
}

// permute gives the target's rows llama's rotary order: the hub stores a
// head's first half before its second, llama.cpp wants them in pairs.
func (r Rule) permute(heads int64) Rule {
	r.To[0].PermuteHeads = int(heads)
	r.To[0].Columns = r.To[0].Rows == 0
	return r
}

// ends are the tensors outside the layers. A model that shares the embedding
// with the output may leave the output away.
func (c *Common) ends() []Rule {
	output := matrix("lm_head.weight", "output.weight", Output, c.Vocab, c.Hidden)
	output.Optional = c.Tied
	return []Rule{
		matrix("model.embed_tokens.weight", "token_embd.weight", Embedding, c.Vocab, c.Hidden),
		vector("model.norm.weight", "output_norm.weight", Norm, c.Hidden),
		output,
	}
}

// attentionRules are the four matrices of attention, and their biases.
func (c *Common) attentionRules(bias, outputBias bool) []Rule {
	const hub, own = "model.layers.#.self_attn.", "blk.#.attn_"
	q, kv := c.Heads*c.headDim(), c.HeadsKV*c.headDim()
	rules := []Rule{
		matrix(hub+"q_proj.weight", own+"q.weight", AttentionQ, q, c.Hidden),
		matrix(hub+"k_proj.weight", own+"k.weight", AttentionK, kv, c.Hidden),
		matrix(hub+"v_proj.weight", own+"v.weight", AttentionV, kv, c.Hidden),
		matrix(hub+"o_proj.weight", own+"output.weight", AttentionOutput, c.Hidden, q),
	}
	if bias {
		rules = append(rules,
			vector(hub+"q_proj.bias", own+"q.bias", Other, q),
			vector(hub+"k_proj.bias", own+"k.bias", Other, kv),
			vector(hub+"v_proj.bias", own+"v.bias", Other, kv))
	}
	if outputBias {
		rules = append(rules, vector(hub+"o_proj.bias", own+"output.bias", Other, c.Hidden))
	}
	return rules
}

// headNorms are the norms of the heads' queries and keys.
func (c *Common) headNorms() []Rule {
	return []Rule{
		vector("model.layers.#.self_attn.q_norm.weight", "blk.#.attn_q_norm.weight", Norm, c.headDim()),
		vector("model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight", Norm, c.headDim()),
	}
}

// layerNorms are the norms before attention and before the feed-forward part.
func (c *Common) layerNorms(second string) []Rule {
	return []Rule{
		vector("model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", Norm, c.Hidden),
		vector("model.layers.#.post_attention_layernorm.weight", second, Norm, c.Hidden),
	}
}

// denseFFN are the matrices of a layer without experts.
func (c *Common) denseFFN(bias bool) []Rule {
	const hub, own = "model.layers.#.mlp.", "blk.#.ffn_"
	rules := []Rule{
		matrix(hub+"gate_proj.weight", own+"gate.weight", FFN, c.Intermediate, c.Hidden).projection(Gate),
		matrix(hub+"up_proj.weight", own+"up.weight", FFN, c.Intermediate, c.Hidden).projection(Up),
		matrix(hub+"down_proj.weight", own+"down.weight", FFN, c.Hidden, c.Intermediate).projection(Down),
	}
	if bias {
		rules = append(rules,
			vector(hub+"gate_proj.bias", own+"gate.bias", Other, c.Intermediate).projection(Gate),
			vector(hub+"up_proj.bias", own+"up.bias", Other, c.Intermediate).projection(Up),
			vector(hub+"down_proj.bias", own+"down.bias", Other, c.Hidden).projection(Down))
	}
	return rules
}
