package arch

import (
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

func TestPlaceOf(t *testing.T) {
	for name, want := range map[string]Place{
		"token_embd.weight":                {Role: Embedding, Layer: -1},
		"per_layer_token_embd.weight":      {Role: Embedding, Layer: -1},
		"output.weight":                    {Role: Output, Layer: -1},
		"output.bias":                      {Role: Other, Layer: -1},
		"output_norm.weight":               {Role: Norm, Layer: -1},
		"output_norm.bias":                 {Role: Other, Layer: -1},
		"rope_freqs.weight":                {Role: Other, Layer: -1},
		"blk.0.attn_q.weight":              {Role: AttentionQ},
		"blk.12.attn_qkv.weight":           {Role: AttentionV, Layer: 12},
		"blk.1.attn_kv_a_mqa.weight":       {Role: AttentionV, Layer: 1},
		"blk.1.attn_output.weight":         {Role: AttentionOutput, Layer: 1},
		"blk.1.attn_q_norm.weight":         {Role: Norm, Layer: 1},
		"blk.1.attn_q_a_norm.weight":       {Role: Norm, Layer: 1},
		"blk.1.attn_norm_2.weight":         {Role: Norm, Layer: 1},
		"blk.1.post_attention_norm.weight": {Role: Norm, Layer: 1},
		"blk.1.time_mix_ln.weight":         {Role: Norm, Layer: 1},
		"blk.1.nextn.enorm.weight":         {Role: Norm, Layer: 1},
		"blk.1.attn_sinks.weight":          {Role: Other, Layer: 1},
		"blk.1.ffn_gate_inp.weight":        {Role: Router, Layer: 1},
		"blk.1.ffn_gate_inp.bias":          {Role: Other, Layer: 1},
		"blk.1.ffn_down.weight":            {Role: FFN, Projection: Down, Layer: 1},
		"blk.1.ffn_down.bias":              {Role: Other, Projection: Down, Layer: 1},
		"blk.1.ffn_up_exps.weight":         {Role: Expert, Projection: Up, Layer: 1, Stacked: true},
		"blk.1.ffn_up_exps.bias":           {Role: Other, Projection: Up, Layer: 1},
		"blk.1.ffn_gate_shexp.weight":      {Role: SharedExpert, Projection: Gate, Layer: 1},
		"blk.1.expert.31.gate.weight":      {Role: Expert, Projection: Gate, Layer: 1},
		"blk.1.expert.31.odd.weight":       {Role: Other, Layer: 1},
		"blk.1.expert.x.gate.weight":       {Role: Other, Layer: 1},
		"blk.1.ssm_conv1d.weight":          {Role: Other, Layer: 1},
		"blk.x.attn_q.weight":              {Role: Other, Layer: -1},
		"blk.-1.attn_q.weight":             {Role: Other, Layer: -1},
		"blk.99999999999999999999.a":       {Role: Other, Layer: -1},
		"enc.blk.3.attn_q.weight":          {Role: AttentionQ, Layer: 3},
		"dec.blk.3.cross_attn_o.weight":    {Role: AttentionOutput, Layer: 3},
		"v.patch_embd.weight":              {Role: Other, Layer: -1},
		"":                                 {Role: Other, Layer: -1},
	} {
		require.Equal(t, want, PlaceOf(name), name)
	}
}

func TestAttentionOf(t *testing.T) {
	const s, f = Sliding, Full
	for name, c := range map[string]struct {
		arch string
		kvs  []gguf.KV
		want []string
	}{
		"no window":    {"x", nil, []string{f, f, f}},
		"window of 0":  {"gpt-oss", []gguf.KV{{Key: "gpt-oss.attention.sliding_window", Value: uint32(0)}}, []string{f, f, f}},
		"gpt-oss":      {"gpt-oss", []gguf.KV{{Key: "gpt-oss.attention.sliding_window", Value: uint32(128)}}, []string{s, f, s}},
		"last of four": {"cohere2", []gguf.KV{{Key: "cohere2.attention.sliding_window", Value: uint32(8)}}, []string{s, s, s, f, s}},
		"first":        {"modern-bert", []gguf.KV{{Key: "modern-bert.attention.sliding_window", Value: uint32(8)}}, []string{f, s, s, f}},
		"not told":     {"x", []gguf.KV{{Key: "x.attention.sliding_window", Value: uint32(8)}}, []string{"", "", ""}},
		"flags":        {"x", []gguf.KV{{Key: "x.attention.sliding_window", Value: uint32(8)}, {Key: "x.attention.sliding_window_pattern", Value: []bool{true, false}}}, []string{s, f, f}},
		"numbers":      {"x", []gguf.KV{{Key: "x.attention.sliding_window", Value: uint32(8)}, {Key: "x.attention.sliding_window_pattern", Value: []int32{0, 1, 1}}}, []string{f, s, s}},
		"period":       {"x", []gguf.KV{{Key: "x.attention.sliding_window", Value: uint32(8)}, {Key: "x.attention.sliding_window_pattern", Value: uint32(2)}}, []string{s, f, s}},
		"period of 0":  {"x", []gguf.KV{{Key: "x.attention.sliding_window", Value: uint32(8)}, {Key: "x.attention.sliding_window_pattern", Value: uint32(0)}}, []string{s, s}},
		"period of 1":  {"x", []gguf.KV{{Key: "x.attention.sliding_window", Value: uint32(8)}, {Key: "x.attention.sliding_window_pattern", Value: uint32(1)}}, []string{f, f}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, AttentionOf(&gguf.File{KVs: c.kvs}, c.arch, len(c.want)))
		})
	}
}
