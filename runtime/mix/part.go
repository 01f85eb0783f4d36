package mix

import (
	"slices"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// part is what a tensor is to the mixes.
type part int

const (
	other part = iota
	output
	embedding
	attentionQ
	attentionK
	attentionV // also matrices that hold the values among others
	attentionOutput
	gate
	up
	down
	parts // the number of parts
)

// partNames are parts by what a tensor's name contains; the first that fits
// counts. Those of the feed-forward layers also fit the stacks of experts and
// the shared experts.
var partNames = []struct {
	name string
	part part
}{
	{"attn_qkv.weight", attentionV},
	{"attn_kv_b.weight", attentionV},
	{"attn_v.weight", attentionV},
	{"attn_k.weight", attentionK},
	{"attn_q.weight", attentionQ},
	{"attn_output.weight", attentionOutput},
	{"ffn_up", up},
	{"ffn_gate", gate},
	{"ffn_down", down},
}

func partOf(name string) part {
	switch name {
	case "output.weight":
		return output
	case "token_embd.weight", "per_layer_token_embd.weight":
		return embedding
	}
	for _, p := range partNames {
		if strings.Contains(name, p.name) {
			return p.part
		}
	}
	return other
}

// layerOf is the layer of a tensor "blk.N.…", -1 of others.
func layerOf(name string) int {
	rest, ok := strings.CutPrefix(name, "blk.")
	if !ok {
		return -1
	}
	number, _, ok := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		return -1
	}
	return n
}

// keptNames are what the names of weights contain that are never quantized:
// too small, too sensitive, or needed as floats.
var keptNames = []string{
	"_norm.weight",
	"ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", // routers
	"indexer.k_proj.weight", "indexer.q_proj.weight",
	"ssm_conv1d", "shortconv.conv.weight", // short convolutions
	"time_mix_first.weight", "time_mix_lerp_fused.weight", // RWKV
	"time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight",
	"time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight",
	"time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight",
	"time_mix_g1.weight", "time_mix_g2.weight",
	"time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
	"attn_rel_b.weight",                                                   // T5
	".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", // vision
	".patch_embd", ".patch_merger",
	"a.rvq.codebook", "mm.a.code_embd", // audio
}

// keptStored are those that llama.cpp's converter does not widen to f32.
var keptStored = []string{"altup", "laurel", "per_layer_model_proj"}

// keptType is the type of a tensor that llama-quantize leaves as it is; ok is
// false for others.
func keptType(t Tensor, source *quant.Type) (*quant.Type, bool) {
	contains := func(s string) bool { return strings.Contains(t.Name, s) }
	if slices.ContainsFunc(keptStored, contains) && !vector(t) && strings.HasSuffix(t.Name, "weight") {
		return source, true
	}
	if !vector(t) && strings.HasSuffix(t.Name, "weight") &&
		t.Name != "position_embd.weight" && t.Name != "token_types.weight" &&
		!slices.ContainsFunc(keptNames, contains) {
		return nil, false
	}
	if source != nil && source.Float && source.Bytes < 4 {
		source = must("f32")
	}
	return source, true
}

// vector says that a tensor has one row only.
func vector(t Tensor) bool {
	for _, d := range t.Dims[1:] {
		if d > 1 {
			return false
		}
	}
	return true
}
