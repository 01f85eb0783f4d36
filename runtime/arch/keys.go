package arch

import (
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// keys gathers a model's own GGUF keys in the order in which llama.cpp's
// converter writes them.
type keys struct {
	arch string
	kvs  []gguf.KV
}

func (k *keys) uint(key string, v int64) {
	k.kvs = append(k.kvs, gguf.KV{Key: k.arch + "." + key, Value: uint32(v)})
}

func (k *keys) float(key string, v float64) {
	k.kvs = append(k.kvs, gguf.KV{Key: k.arch + "." + key, Value: float32(v)})
}

func (k *keys) optional(key string, v *float64) {
	if v != nil {
		k.float(key, *v)
	}
}

func (k *keys) string(key, v string) {
	k.kvs = append(k.kvs, gguf.KV{Key: k.arch + "." + key, Value: v})
}

// common are the keys that every architecture has. experts and used are 0 for
// a model without experts.
func (c *Common) keys(arch string, experts, used int64) *keys {
	k := &keys{arch: arch}
	k.uint("block_count", c.Layers)
	if c.Context > 0 {
		k.uint("context_length", c.Context)
	}
	k.uint("embedding_length", c.Hidden)
	k.uint("feed_forward_length", c.Intermediate)
	k.uint("attention.head_count", c.Heads)
	k.uint("attention.head_count_kv", c.HeadsKV)
	c.rope().keys(k)
	if c.RMSEps > 0 {
		k.float("attention.layer_norm_rms_epsilon", c.RMSEps)
	}
	if experts > 0 {
		k.uint("expert_count", experts)
		k.uint("expert_used_count", used)
	}
	if c.HeadDim > 0 {
		k.uint("attention.key_length", c.HeadDim)
		k.uint("attention.value_length", c.HeadDim)
	}
	return k
}

func (r *Rope) keys(k *keys) {
	if r.Factor != nil && (r.Type == "linear" || r.Type == "yarn") {
		k.string("rope.scaling.type", r.Type)
		k.float("rope.scaling.factor", *r.Factor)
	}
	if r.Factor != nil && r.Type == "yarn" {
		k.uint("rope.scaling.original_context_length", r.OriginalContext)
		k.optional("rope.scaling.yarn_ext_factor", r.ExtFactor)
		if r.AttentionFactor != nil {
			k.optional("rope.scaling.yarn_attn_factor", r.AttentionFactor)
		} else {
			k.optional("rope.scaling.yarn_attn_factor", r.AttnFactor)
		}
		k.optional("rope.scaling.yarn_beta_fast", r.BetaFast)
		k.optional("rope.scaling.yarn_beta_slow", r.BetaSlow)
	}
	if r.Theta > 0 {
		k.float("rope.freq_base", r.Theta)
	}
}
