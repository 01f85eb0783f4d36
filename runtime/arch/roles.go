package arch

import (
	"strconv"
	"strings"
)

// Place is where a tensor of a GGUF file belongs in its model.
type Place struct {
	Role, Projection string
	Layer            int // -1 outside the layers
	// Stacked says that the tensor holds the matrices of all experts.
	Stacked bool
}

// weightRoles are the roles of weights by llama.cpp's names, "blk.N." and
// ".weight" taken off. Matrices that join queries, keys and values, whole or
// compressed, count as values, the part that suffers most from few bits.
var weightRoles = map[string]Place{
	"token_embd":           {Role: Embedding},
	"per_layer_token_embd": {Role: Embedding},
	"output":               {Role: Output},

	"attn_q": {Role: AttentionQ}, "attn_q_a": {Role: AttentionQ}, "attn_q_b": {Role: AttentionQ},
	"attn_k": {Role: AttentionK}, "attn_k_b": {Role: AttentionK},
	"attn_v": {Role: AttentionV}, "attn_v_b": {Role: AttentionV},
	"attn_qkv": {Role: AttentionV}, "attn_kv": {Role: AttentionV},
	"attn_kv_a_mqa": {Role: AttentionV}, "attn_kv_b": {Role: AttentionV},
	"attn_output": {Role: AttentionOutput}, "attn_o": {Role: AttentionOutput},
	"attn_output_a": {Role: AttentionOutput}, "attn_output_b": {Role: AttentionOutput},
	"cross_attn_q": {Role: AttentionQ}, "cross_attn_k": {Role: AttentionK},
	"cross_attn_v": {Role: AttentionV}, "cross_attn_o": {Role: AttentionOutput},

	"ffn_gate_inp": {Role: Router}, "ffn_gate_inp_shexp": {Role: Router},
	"ffn_gate": {Role: FFN, Projection: Gate}, "ffn_up": {Role: FFN, Projection: Up}, "ffn_down": {Role: FFN, Projection: Down},
	"ffn_gate_exps":    {Role: Expert, Projection: Gate, Stacked: true},
	"ffn_up_exps":      {Role: Expert, Projection: Up, Stacked: true},
	"ffn_down_exps":    {Role: Expert, Projection: Down, Stacked: true},
	"ffn_gate_up_exps": {Role: Expert, Stacked: true},
	"ffn_gate_chexps":  {Role: Expert, Projection: Gate, Stacked: true},
	"ffn_up_chexps":    {Role: Expert, Projection: Up, Stacked: true},
	"ffn_down_chexps":  {Role: Expert, Projection: Down, Stacked: true},
	"ffn_gate_shexp":   {Role: SharedExpert, Projection: Gate},
	"ffn_up_shexp":     {Role: SharedExpert, Projection: Up},
	"ffn_down_shexp":   {Role: SharedExpert, Projection: Down},
}

// PlaceOf places a tensor of a GGUF file of any architecture by its name.
func PlaceOf(name string) Place {
	p := Place{Role: Other, Layer: -1}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, "enc."), "dec.")
	if tail, ok := strings.CutPrefix(rest, "blk."); ok {
		number, after, _ := strings.Cut(tail, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return p
		}
		p.Layer, rest = n, after
	}
	base, isWeight := strings.CutSuffix(rest, ".weight")
	if !isWeight {
		// A bias says whose it is all the same.
		if base, ok := strings.CutSuffix(rest, ".bias"); ok {
			p.Projection = weightRoles[base].Projection
		}
		return p
	}
	if known, ok := weightRoles[base]; ok {
		known.Layer = p.Layer
		return known
	}
	if expert, ok := strings.CutPrefix(base, "expert."); ok {
		return tiered(p, expert)
	}
	if isNorm(base) {
		p.Role = Norm
	}
	return p
}

// Expert reports whether the tensor is a single expert's.
func (p Place) Expert() bool { return p.Role == Expert && !p.Stacked }

// tiered places "E.gate" and so on: a tensor of one expert.
func tiered(p Place, base string) Place {
	number, projection, _ := strings.Cut(base, ".")
	if _, err := strconv.Atoi(number); err != nil {
		return p
	}
	switch projection {
	case Gate, Up, Down:
		p.Role, p.Projection = Expert, projection
	}
	return p
}

// isNorm finds attn_norm, attn_norm_2, output_norm, nextn.enorm, time_mix_ln
// and their like, outside the vision and audio parts too.
func isNorm(base string) bool {
	last := base[strings.LastIndexByte(base, '.')+1:]
	last = strings.TrimRight(last, "_0123456789")
	return strings.HasSuffix(last, "norm") || strings.HasSuffix(last, "_ln") || last == "ln" || strings.Contains(last, "_norm_")
}
