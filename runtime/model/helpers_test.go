package model

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/safetensors"
	"github.com/stretchr/testify/require"
)

var (
	update    = flag.Bool("update", false, "write the golden files")
	writeTiny = flag.String("write-tiny", "", "write the tiny models into this folder, for testdata/converter.py")
)

// example is one of the repository's own models.
func example(name string) string { return filepath.Join("..", "..", "examples", "models", name) }

// memory is a folder in memory. Files may be larger than their bytes: the rest
// is zeros.
type memory struct {
	files map[string][]byte
	sizes map[string]int64
	reads map[string]int64 // the furthest byte that was read
}

func newMemory() *memory {
	return &memory{files: map[string][]byte{}, sizes: map[string]int64{}, reads: map[string]int64{}}
}

func (m *memory) Names() []string {
	var n []string
	for name := range m.files {
		n = append(n, name)
	}
	return n
}

func (m *memory) Path(name string) string { return "dir/" + name }

func (m *memory) Size(name string) (int64, error) {
	b, ok := m.files[name]
	if !ok {
		return 0, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	return max(int64(len(b)), m.sizes[name]), nil
}

func (m *memory) ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	size, err := m.Size(name)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	if b := m.files[name]; off < int64(len(b)) {
		n = int64(copy(p, b[off:]))
	}
	for n < int64(len(p)) && off+n < size {
		p[n] = 0
		n++
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// tiny is a small model: every part is easy to change before it is opened.
type tiny struct {
	config  string
	tensors []safetensors.WriteTensor
	files   map[string]string
	rng     *rand.Rand
}

func newTiny(config string) *tiny {
	return &tiny{config: config, files: map[string]string{}, rng: rand.New(rand.NewPCG(1, 2))}
}

// add adds a tensor of random weights.
func (m *tiny) add(name, dtype string, shape ...int64) *tiny {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	width, _ := safetensors.DTypeSize(dtype)
	data := make([]byte, n*int64(width))
	for i := range data {
		switch {
		case dtype == "BF16" && i%2 == 0:
			binary.LittleEndian.PutUint16(data[i:], uint16(math.Float32bits(float32(m.rng.NormFloat64()))>>16))
		case dtype == "F32" && i%4 == 0:
			binary.LittleEndian.PutUint32(data[i:], math.Float32bits(float32(m.rng.NormFloat64())))
		case dtype == "U8":
			data[i] = byte(m.rng.IntN(250))
		}
	}
	m.tensors = append(m.tensors, safetensors.WriteTensor{Name: name, DType: dtype, Shape: shape, Data: data})
	return m
}

func (m *tiny) find(name string) *safetensors.WriteTensor {
	for i := range m.tensors {
		if m.tensors[i].Name == name {
			return &m.tensors[i]
		}
	}
	panic(name)
}

func (m *tiny) remove(name string) *tiny {
	m.tensors = slices.DeleteFunc(m.tensors, func(t safetensors.WriteTensor) bool { return t.Name == name })
	return m
}

// folder lays the model out in memory.
func (m *tiny) folder(t testing.TB) *memory {
	t.Helper()
	f := newMemory()
	f.files["config.json"] = []byte(m.config)
	for name, text := range m.files {
		f.files[name] = []byte(text)
	}
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, m.tensors, nil))
	f.files["model.safetensors"] = b.Bytes()
	return f
}

// write lays the model out on the disk.
func (m *tiny) write(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for name, b := range m.folder(t).files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, b, 0o644))
	}
}

// byteVocabulary are the 256 characters that stand for bytes.
func byteVocabulary() []string {
	var out []string
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		out = append(out, string(r))
	}
	return out
}

const qwen2Regex = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// tokenizerJSON is a byte-level vocabulary of 258 tokens and some added ones.
func tokenizerJSON(regex, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"version":"1.0","added_tokens":[{"id":258,"content":"<|end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},`+
		`{"id":259,"content":"<tool>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":false}],`)
	fmt.Fprintf(&b, `"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":%q},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},`, regex)
	b.WriteString(`"post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},`)
	fmt.Fprintf(&b, `"model":{"type":"BPE",%s"vocab":{`, more)
	for i, c := range byteVocabulary() {
		fmt.Fprintf(&b, "%q:%d,", c, i)
	}
	b.WriteString(`"th":256,"the":257},"merges":["t h","th e"]}}`)
	return b.String()
}

func tokenizerFiles(m *tiny) *tiny {
	m.files["tokenizer.json"] = tokenizerJSON(qwen2Regex, "")
	m.files["tokenizer_config.json"] = `{"tokenizer_class":"PreTrainedTokenizerFast","eos_token":"<|end|>","add_bos_token":false,"chat_template":"{{ messages }}"}`
	return m
}

// qwen3 is a dense model that shares the embedding with the output.
func tinyQwen3() *tiny {
	m := newTiny(`{"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":16,"intermediate_size":64,"vocab_size":272,"max_position_embeddings":512,"rms_norm_eps":1e-6,"rope_theta":1000000,"tie_word_embeddings":true,"bos_token_id":0}`)
	m.add("model.embed_tokens.weight", "BF16", 272, 32)
	for l := range 2 {
		p := fmt.Sprintf("model.layers.%d.", l)
		m.attention(p, 32, 64, 32)
		m.add(p+"self_attn.q_norm.weight", "BF16", 16).add(p+"self_attn.k_norm.weight", "BF16", 16)
		m.dense(p, 32, 64)
	}
	m.add("model.norm.weight", "BF16", 32)
	m.files["README.md"] = "---\nlicense: apache-2.0\ntags:\n- test\npipeline_tag: text-generation\nlanguage:\n- en\n- no\nbase_model: Some-Org/Base-7B-v1.5\ndatasets:\n- org/data-v2\n---\n# Tiny\n"
	m.files["generation_config.json"] = `{"temperature":0.7,"top_k":20,"top_p":0.8,"repetition_penalty":1.05,"min_p":null}`
	return tokenizerFiles(m)
}

func (m *tiny) attention(p string, hidden, q, kv int64) {
	m.add(p+"input_layernorm.weight", "BF16", hidden).add(p+"post_attention_layernorm.weight", "BF16", hidden)
	m.add(p+"self_attn.q_proj.weight", "BF16", q, hidden).add(p+"self_attn.k_proj.weight", "BF16", kv, hidden)
	m.add(p+"self_attn.v_proj.weight", "BF16", kv, hidden).add(p+"self_attn.o_proj.weight", "BF16", hidden, q)
}

func (m *tiny) dense(p string, hidden, width int64) {
	m.add(p+"mlp.gate_proj.weight", "BF16", width, hidden).add(p+"mlp.up_proj.weight", "BF16", width, hidden).add(p+"mlp.down_proj.weight", "BF16", hidden, width)
}

// tinyLlama has llama's order of rotary rows, biases and scaled frequencies.
func tinyLlama() *tiny {
	m := newTiny(`{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
"intermediate_size":64,"vocab_size":272,"max_position_embeddings":4096,"rms_norm_eps":1e-5,"rope_theta":500000.0,"attention_bias":true,
"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":1024},"eos_token_id":[258,259],"bos_token_id":257}`)
	m.add("model.embed_tokens.weight", "BF16", 272, 32).add("lm_head.weight", "F32", 272, 32).add("model.norm.weight", "F32", 32)
	for l := range 2 {
		p := fmt.Sprintf("model.layers.%d.", l)
		m.attention(p, 32, 32, 16)
		m.add(p+"self_attn.q_proj.bias", "BF16", 32).add(p+"self_attn.k_proj.bias", "BF16", 16).add(p+"self_attn.v_proj.bias", "BF16", 16).add(p+"self_attn.o_proj.bias", "BF16", 32)
		m.add(p+"self_attn.rotary_emb.inv_freq", "F32", 4)
		m.dense(p, 32, 64)
	}
	return tokenizerFiles(m)
}

const tinyGptossConfig = `{"architectures":["GptOssForCausalLM"],"model_type":"gpt_oss","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":16,"intermediate_size":64,"vocab_size":272,"max_position_embeddings":4096,"rms_norm_eps":1e-5,"rope_theta":150000,"attention_bias":true,"sliding_window":16,
"num_local_experts":4,"num_experts_per_tok":2,"rope_scaling":{"beta_fast":32.0,"beta_slow":1.0,"factor":8.0,"original_max_position_embeddings":512,"rope_type":"yarn","truncate":false}}`

// tinyGptoss has its experts as fine-tunes store them, [experts, in, out], or
// packed as the release does.
func tinyGptoss(packed bool) *tiny {
	m := newTiny(tinyGptossConfig)
	m.add("model.embed_tokens.weight", "BF16", 272, 32).add("lm_head.weight", "BF16", 272, 32).add("model.norm.weight", "BF16", 32)
	for l := range 2 {
		p := fmt.Sprintf("model.layers.%d.", l)
		m.attention(p, 32, 64, 32)
		m.add(p+"self_attn.q_proj.bias", "BF16", 64).add(p+"self_attn.k_proj.bias", "BF16", 32).add(p+"self_attn.v_proj.bias", "BF16", 32).add(p+"self_attn.o_proj.bias", "BF16", 32)
		m.add(p+"self_attn.sinks", "BF16", 4).add(p+"mlp.router.weight", "BF16", 4, 32).add(p+"mlp.router.bias", "BF16", 4)
		m.add(p+"mlp.experts.down_proj_bias", "BF16", 4, 32).add(p+"mlp.experts.gate_up_proj_bias", "BF16", 4, 128)
		if packed {
			m.add(p+"mlp.experts.down_proj_blocks", "U8", 4, 32, 2, 16).add(p+"mlp.experts.down_proj_scales", "U8", 4, 32, 2)
			m.add(p+"mlp.experts.gate_up_proj_blocks", "U8", 4, 128, 1, 16).add(p+"mlp.experts.gate_up_proj_scales", "U8", 4, 128, 1)
		} else {
			m.add(p+"mlp.experts.down_proj", "BF16", 4, 64, 32).add(p+"mlp.experts.gate_up_proj", "BF16", 4, 32, 128)
		}
	}
	tokenizerFiles(m)
	m.files["tokenizer.json"] = tokenizerJSON(`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, `"ignore_merges":true,`)
	return m
}

// tinyMoE is qwen3moe with experts in tensors of their own, or stacked as newer
// libraries save them.
func tinyMoE(stacked bool) *tiny {
	m := newTiny(`{"architectures":["Qwen3MoeForCausalLM"],"model_type":"qwen3_moe","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":16,"intermediate_size":64,"moe_intermediate_size":48,"num_experts":12,"num_experts_per_tok":2,"norm_topk_prob":true,"decoder_sparse_step":1,"mlp_only_layers":[],
"vocab_size":272,"max_position_embeddings":512,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"tie_word_embeddings":false,"eos_token_id":258}`)
	m.add("model.embed_tokens.weight", "BF16", 272, 32).add("lm_head.weight", "BF16", 272, 32).add("model.norm.weight", "BF16", 32)
	for l := range 2 {
		p := fmt.Sprintf("model.layers.%d.", l)
		m.attention(p, 32, 64, 32)
		m.add(p+"self_attn.q_norm.weight", "BF16", 16).add(p+"self_attn.k_norm.weight", "BF16", 16)
		m.add(p+"mlp.gate.weight", "BF16", 12, 32)
		if stacked {
			m.add(p+"mlp.experts.gate_up_proj", "BF16", 12, 96, 32).add(p+"mlp.experts.down_proj", "BF16", 12, 32, 48)
			continue
		}
		for e := range 12 {
			x := fmt.Sprintf("%smlp.experts.%d.", p, e)
			m.add(x+"gate_proj.weight", "BF16", 48, 32).add(x+"up_proj.weight", "BF16", 48, 32).add(x+"down_proj.weight", "BF16", 32, 48)
		}
	}
	return tokenizerFiles(m)
}

// tinies are all of them, by the names of their folders.
func tinies() map[string]*tiny {
	return map[string]*tiny{
		"Tiny-Qwen3-10K-Instruct-v2": tinyQwen3(),
		"tiny-llama-1.5b-chat":       tinyLlama(),
		"tiny-gptoss-bf16":           tinyGptoss(false),
		"tiny-gptoss-mxfp4":          tinyGptoss(true),
		"tiny-qwen3moe":              tinyMoE(false),
		"tiny-qwen3moe-stacked":      tinyMoE(true),
		"tiny-llama-pieces":          tinyPieces(),
		"tiny-llama-fallback":        tinyFallback(),
		"tiny-llama-templates":       tinyTemplates(),
	}
}

// open opens a folder in memory.
func open(t testing.TB, f Files) *Model {
	t.Helper()
	m, err := OpenFiles(context.Background(), f, Options{})
	require.NoError(t, err)
	return m
}
