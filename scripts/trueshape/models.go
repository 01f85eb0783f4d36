package main

import (
	"fmt"
	"maps"
	"slices"
)

// model is what is known of a flagship model's files.
type model struct {
	layers     int
	shardLimit int64
	shardName  func(i, n int) string
	metadata   bool // its shards' headers say {"format": "pt"}
	tensors    func() []tensor
	config     func() map[string]any

	generation, tokenizerConfig map[string]any
	tokenizer                   tokenizer
}

var models = map[string]*model{"Qwen3-30B-A3B": &qwen3, "gpt-oss-20b": &gptoss}

func names() []string { return slices.Sorted(maps.Keys(models)) }

// list collects tensors of one layer.
type list struct {
	prefix string
	layer  int
	out    []tensor
}

func (l *list) add(name, dtype string, shape ...int64) {
	l.out = append(l.out, tensor{l.prefix + name, l.layer, dtype, shape})
}

func (l *list) in(layer int) {
	l.prefix, l.layer = fmt.Sprintf("model.layers.%d.", layer), layer
}

func (l *list) outside() { l.prefix, l.layer = "", -1 }

var qwen3 = model{
	layers: 48, shardLimit: 4_000_000_000, metadata: true,
	shardName: func(i, n int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, n) },
	tensors: func() []tensor {
		const hidden, width, heads, headsKV, head, experts, vocabulary = 2048, 768, 32, 4, 128, 128, 151936
		l := &list{layer: -1}
		l.add("model.embed_tokens.weight", "BF16", vocabulary, hidden)
		for layer := range 48 {
			l.in(layer)
			l.add("self_attn.q_proj.weight", "BF16", heads*head, hidden)
			l.add("self_attn.k_proj.weight", "BF16", headsKV*head, hidden)
			l.add("self_attn.v_proj.weight", "BF16", headsKV*head, hidden)
			l.add("self_attn.o_proj.weight", "BF16", hidden, heads*head)
			l.add("self_attn.q_norm.weight", "BF16", head)
			l.add("self_attn.k_norm.weight", "BF16", head)
			for e := range experts {
				l.add(fmt.Sprintf("mlp.experts.%d.up_proj.weight", e), "BF16", width, hidden)
				l.add(fmt.Sprintf("mlp.experts.%d.gate_proj.weight", e), "BF16", width, hidden)
				l.add(fmt.Sprintf("mlp.experts.%d.down_proj.weight", e), "BF16", hidden, width)
			}
			l.add("mlp.gate.weight", "BF16", experts, hidden)
			l.add("input_layernorm.weight", "BF16", hidden)
			l.add("post_attention_layernorm.weight", "BF16", hidden)
		}
		l.outside()
		l.add("model.norm.weight", "BF16", hidden)
		l.add("lm_head.weight", "BF16", vocabulary, hidden)
		return l.out
	},
	config: func() map[string]any {
		return map[string]any{
			"architectures": []string{"Qwen3MoeForCausalLM"}, "model_type": "qwen3_moe", "torch_dtype": "bfloat16",
			"hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
			"intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8,
			"norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []int{}, "max_position_embeddings": 40960,
			"rope_theta": 1000000.0, "rope_scaling": nil, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false,
			"sliding_window": nil, "use_sliding_window": false, "tie_word_embeddings": false, "vocab_size": 151936,
			"bos_token_id": 151643, "eos_token_id": 151645,
		}
	},
	generation: map[string]any{"bos_token_id": 151643, "eos_token_id": []int{151645, 151643}, "pad_token_id": 151643, "temperature": 0.6, "top_k": 20, "top_p": 0.95},
	tokenizerConfig: map[string]any{
		"add_bos_token": false, "bos_token": nil, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "model_max_length": 131072,
		"tokenizer_class": "Qwen2Tokenizer",
		"chat_template":   "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
	},
	tokenizer: tokenizer{
		words: 151643, merges: 151387, normalizer: map[string]any{"type": "NFC"},
		special: []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, added: 26,
		split: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	},
}

var gptoss = model{
	layers: 24, shardLimit: 4_800_000_000,
	shardName: func(i, n int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i, n-1) },
	tensors: func() []tensor {
		const hidden, heads, headsKV, head, experts, vocabulary = 2880, 64, 8, 64, 32, 201088
		var order []int // as their names sort
		for layer := range 24 {
			order = append(order, layer)
		}
		slices.SortFunc(order, func(a, b int) int {
			if x, y := fmt.Sprint(a), fmt.Sprint(b); x < y {
				return -1
			}
			return 1
		})
		l := &list{}
		for _, layer := range order {
			l.in(layer)
			l.add("input_layernorm.weight", "BF16", hidden)
			l.add("self_attn.o_proj.bias", "BF16", hidden)
			l.add("self_attn.o_proj.weight", "BF16", hidden, heads*head)
			l.add("self_attn.q_proj.bias", "BF16", heads*head)
			l.add("self_attn.k_proj.bias", "BF16", headsKV*head)
			l.add("self_attn.v_proj.bias", "BF16", headsKV*head)
			l.add("self_attn.q_proj.weight", "BF16", heads*head, hidden)
			l.add("self_attn.k_proj.weight", "BF16", headsKV*head, hidden)
			l.add("self_attn.v_proj.weight", "BF16", headsKV*head, hidden)
			l.add("self_attn.sinks", "BF16", heads)
			l.add("mlp.router.bias", "BF16", experts)
			l.add("mlp.router.weight", "BF16", experts, hidden)
			l.add("mlp.experts.gate_up_proj_bias", "BF16", experts, 2*hidden)
			l.add("mlp.experts.gate_up_proj_blocks", "U8", experts, 2*hidden, hidden/32, 16)
			l.add("mlp.experts.gate_up_proj_scales", "U8", experts, 2*hidden, hidden/32)
			l.add("mlp.experts.down_proj_bias", "BF16", experts, hidden)
			l.add("mlp.experts.down_proj_blocks", "U8", experts, hidden, hidden/32, 16)
			l.add("mlp.experts.down_proj_scales", "U8", experts, hidden, hidden/32)
			l.add("post_attention_layernorm.weight", "BF16", hidden)
		}
		l.outside()
		l.add("model.embed_tokens.weight", "BF16", vocabulary, hidden)
		l.add("model.norm.weight", "BF16", hidden)
		l.add("lm_head.weight", "BF16", vocabulary, hidden)
		return l.out
	},
	config: func() map[string]any {
		var types []string
		for range 12 {
			types = append(types, "sliding_attention", "full_attention")
		}
		return map[string]any{
			"architectures": []string{"GptOssForCausalLM"}, "model_type": "gpt_oss",
			"hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 24, "layer_types": types,
			"num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "attention_bias": true,
			"num_local_experts": 32, "num_experts_per_tok": 4, "experts_per_token": 4, "swiglu_limit": 7.0, "hidden_act": "silu",
			"sliding_window": 128, "max_position_embeddings": 131072, "initial_context_length": 4096, "rope_theta": 150000,
			"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "original_max_position_embeddings": 4096, "truncate": false},
			"rms_norm_eps": 1e-5, "tie_word_embeddings": false, "vocab_size": 201088, "eos_token_id": 200002, "pad_token_id": 199999,
			"quantization_config": map[string]any{
				"quant_method":           "mxfp4",
				"modules_to_not_convert": []string{"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"},
			},
		}
	},
	generation: map[string]any{"bos_token_id": 199998, "do_sample": true, "eos_token_id": []int{200002, 199999}, "pad_token_id": 199999},
	tokenizerConfig: map[string]any{
		"bos_token": "<|startoftext|>", "eos_token": "<|return|>", "pad_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast",
		"chat_template": "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}",
	},
	tokenizer: tokenizer{
		words: 199998, merges: 446189, ignoreMerges: true, added: 21,
		special: []string{
			"<|startoftext|>", "<|endoftext|>", "<|reserved_200000|>", "<|reserved_200001|>", "<|return|>", "<|constrain|>",
			"<|reserved_200004|>", "<|channel|>", "<|start|>", "<|end|>", "<|message|>",
		},
		split: `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	},
}
