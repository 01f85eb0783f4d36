package infer

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

// stories260K is a small real Llama, with logits that were computed in double
// precision.
type stories struct {
	Layout map[string]struct {
		Offset int     `json:"offset_bytes"`
		Shape  []int64 `json:"shape"`
	} `json:"layout"`
	Greedy struct {
		IDs  []int32        `json:"ids"`
		Top5 [][][2]float64 `json:"top5"`
	} `json:"greedy"`
	PPL struct {
		IDs  []int32 `json:"ids"`
		Mean float64 `json:"mean_nll"`
	} `json:"ppl"`
}

const storiesDir = "testdata/stories260K/"

func readStories(t *testing.T) (s stories, weights []weight) {
	b, err := os.ReadFile(storiesDir + "reference.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &s))
	data, err := os.ReadFile(storiesDir + "stories260K.bin")
	require.NoError(t, err)
	for _, x := range []struct{ from, to string }{
		{"token_embedding", "token_embd.weight"}, {"rms_final_weight", "output_norm.weight"},
		{"rms_att_weight", "blk.%d.attn_norm.weight"}, {"rms_ffn_weight", "blk.%d.ffn_norm.weight"},
		{"wq", "blk.%d.attn_q.weight"}, {"wk", "blk.%d.attn_k.weight"}, {"wv", "blk.%d.attn_v.weight"}, {"wo", "blk.%d.attn_output.weight"},
		{"w1_gate", "blk.%d.ffn_gate.weight"}, {"w3_up", "blk.%d.ffn_up.weight"}, {"w2_down", "blk.%d.ffn_down.weight"},
	} {
		l := s.Layout[x.from]
		n := int64(1)
		for _, d := range l.Shape {
			n *= d
		}
		v := floats(data[l.Offset : l.Offset+int(4*n)])
		if x.from == "token_embedding" || x.from == "rms_final_weight" {
			weights = append(weights, weight{name: x.to, dims: reversed(l.Shape), v: v})
			continue
		}
		size := len(v) / int(l.Shape[0])
		for i := range int(l.Shape[0]) {
			weights = append(weights, weight{name: fmt.Sprintf(x.to, i), dims: reversed(l.Shape[1:]), v: v[i*size : (i+1)*size]})
		}
	}
	return s, weights
}

func reversed(x []int64) []int64 {
	out := make([]int64, len(x))
	for i, d := range x {
		out[len(x)-1-i] = d
	}
	return out
}

func storiesGGUF(t *testing.T) (stories, string) {
	s, weights := readStories(t)
	kvs := []gguf.KV{{Key: "general.architecture", Value: "llama"}}
	for key, n := range map[string]uint32{
		"block_count": 5, "embedding_length": 64, "feed_forward_length": 172, "context_length": 512,
		"attention.head_count": 8, "attention.head_count_kv": 4, "rope.dimension_count": 8,
	} {
		kvs = append(kvs, gguf.KV{Key: "llama." + key, Value: n})
	}
	kvs = append(kvs, gguf.KV{Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)})
	return s, writeGGUF(t, kvs, weights)
}

func TestStories(t *testing.T) {
	s, path := storiesGGUF(t)
	m := openModel(t, path, Options{Exact: true})
	c := newContext(t, m, ContextOptions{Cache: cacheOf(t, m, "f32")})
	ids := s.Greedy.IDs
	require.Equal(t, ids[1:], greedy(t, c, ids[:1], len(ids)-1))
	for i, logits := range allLogits(t, c, ids[:len(s.Greedy.Top5)]) {
		for _, top := range s.Greedy.Top5[i] {
			require.InDelta(t, top[1], logits[int(top[0])], 1e-4, "token %d", i)
		}
	}
	nll := 0.0
	for i, logits := range allLogits(t, c, s.PPL.IDs) {
		if i+1 < len(s.PPL.IDs) {
			nll += negLog(logits, s.PPL.IDs[i+1])
		}
	}
	require.InDelta(t, s.PPL.Mean, nll/float64(len(s.PPL.IDs)-1), 1e-5)
}

// negLog is minus the logarithm of a token's probability.
func negLog(logits []float32, token int32) float64 {
	most := logits[largest(logits)]
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - most))
	}
	return math.Log(sum) - float64(logits[token]-most)
}

// The same model in the hub's layout, whose rows of queries and keys stand in
// another order, gives the same logits.
func TestStoriesFromHub(t *testing.T) {
	s, weights := readStories(t)
	dir := t.TempDir()
	var out []safetensors.WriteTensor
	names := map[string]string{
		"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
		"attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
	}
	for _, w := range weights {
		name := map[string]string{"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[w.name]
		v := w.v
		if name == "" {
			var layer int
			var kind string
			_, err := fmt.Sscanf(w.name, "blk.%d.%s", &layer, &kind)
			require.NoError(t, err)
			kind = kind[:len(kind)-len(".weight")]
			name = fmt.Sprintf("model.layers.%d.%s.weight", layer, names[kind])
			if kind == "attn_q" || kind == "attn_k" {
				v = halves(v, 64, 8)
			}
		}
		out = append(out, safetensors.WriteTensor{Name: name, DType: "F32", Shape: reversed(w.dims), Data: stored(t, quantType(t, "f32"), v, int64(len(v)))})
	}
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(f, out, nil))
	require.NoError(t, f.Close())
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("config.json", `{"architectures":["LlamaForCausalLM"],"hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":8,
		"num_key_value_heads":4,"vocab_size":512,"rms_norm_eps":1e-5,"rope_theta":10000,"max_position_embeddings":512,"tie_word_embeddings":true}`)
	write("tokenizer.json", `{"version":"1.0","model":{"type":"BPE","byte_fallback":true,"unk_token":"<unk>","vocab":{"<unk>":0,"<s>":1,"</s>":2,"a":3,"b":4,"ab":5},"merges":["a b"]},
		"normalizer":null,"decoder":{"type":"Sequence","decoders":[]},"pre_tokenizer":null,"added_tokens":[]}`)
	hub := openModel(t, dir, Options{Exact: true})
	_, path := storiesGGUF(t)
	own := openModel(t, path, Options{Exact: true})
	tokens := s.Greedy.IDs[:40]
	a := allLogits(t, newContext(t, own, ContextOptions{}), tokens)
	b := allLogits(t, newContext(t, hub, ContextOptions{}), tokens)
	require.Equal(t, a, b)
}

// halves puts each head's rows from pairs into halves.
func halves(v []float32, cols, head int) []float32 {
	out := make([]float32, 0, len(v))
	for at := 0; at < len(v)/cols; at += head {
		for first := range 2 {
			for i := first; i < head; i += 2 {
				out = append(out, v[(at+i)*cols:(at+i+1)*cols]...)
			}
		}
	}
	return out
}
