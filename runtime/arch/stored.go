package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// CheckStored compares the keys of a GGUF file with its tensors, as far as a
// registered architecture's say something of each other: llama.cpp would refuse
// the file, or run it wrong. Of other architectures nothing is known.
func CheckStored(f *gguf.File, architecture string, layers int) error {
	if a, ok := ByName(architecture); !ok || a.Name != architecture {
		return nil
	}
	s := &stored{f: f, arch: architecture, layers: layers}
	if err := s.read(); err != nil {
		return err
	}
	for i := range f.Tensors {
		if err := s.check(&f.Tensors[i]); err != nil {
			return err
		}
	}
	return s.complete()
}

// stored are the sizes that a GGUF file's keys give. Those that are not said, or
// for each layer its own, are 0 and say nothing of a tensor.
type stored struct {
	f      *gguf.File
	arch   string
	layers int

	hidden, heads, headsKV, key, value, ffn, experts, expertFFN, vocab int64
}

func (s *stored) read() error {
	for key, to := range map[string]*int64{
		"embedding_length": &s.hidden, "attention.head_count": &s.heads, "attention.head_count_kv": &s.headsKV,
		"attention.key_length": &s.key, "attention.value_length": &s.value, "feed_forward_length": &s.ffn,
		"expert_count": &s.experts, "expert_feed_forward_length": &s.expertFFN,
	} {
		*to = s.size(key)
	}
	for _, key := range []string{"embedding_length", "block_count", "attention.head_count"} {
		_, one := s.f.Uint(s.arch + "." + key)
		if _, several := s.f.Ints(s.arch + "." + key); !one && !several {
			return fmt.Errorf("the key %s.%s is missing or no number, and no program can run the model without it: the file is damaged", s.arch, key)
		}
	}
	if _, ok := s.f.Get(s.arch + ".attention.head_count_kv"); !ok {
		s.headsKV = s.heads
	}
	if s.heads > 0 && s.headsKV > 0 && s.heads%s.headsKV != 0 {
		return fmt.Errorf("the keys say %d heads and %d of keys and values, which has to divide them: the file is damaged", s.heads, s.headsKV)
	}
	if s.heads > 0 {
		if s.key == 0 {
			s.key = s.hidden / s.heads
		}
		if s.value == 0 {
			s.value = s.hidden / s.heads
		}
	}
	if s.expertFFN == 0 {
		s.expertFFN = s.ffn
	}
	if used := s.size("expert_used_count"); used > s.experts {
		return fmt.Errorf("the keys say that %d of %d experts are used: the file is damaged", used, s.experts)
	}
	if tokens, ok := s.f.Strings("tokenizer.ggml.tokens"); ok {
		s.vocab = int64(len(tokens))
	} else {
		s.vocab = s.size("vocab_size")
	}
	return nil
}

// size is the number of a key, 0 where it is none or not there.
func (s *stored) size(key string) int64 {
	n, ok := s.f.Uint(s.arch + "." + key)
	if !ok || n > 1<<31 {
		return 0
	}
	return int64(n)
}

// shape is what the keys say of a tensor, its row's length first; nil where they
// say nothing. base is its name without the layer.
func (s *stored) shape(base string) []int64 {
	q, k, v := s.heads*s.key, s.headsKV*s.key, s.headsKV*s.value
	switch base {
	case "token_embd.weight", "output.weight":
		return []int64{s.hidden, s.vocab}
	case "output_norm.weight", "attn_norm.weight", "ffn_norm.weight", "post_attention_norm.weight", "attn_output.bias", "ffn_down.bias":
		return []int64{s.hidden}
	case "attn_q.weight":
		return []int64{s.hidden, q}
	case "attn_k.weight":
		return []int64{s.hidden, k}
	case "attn_v.weight":
		return []int64{s.hidden, v}
	case "attn_output.weight":
		return []int64{s.heads * s.value, s.hidden}
	case "attn_q.bias":
		return []int64{q}
	case "attn_k.bias":
		return []int64{k}
	case "attn_v.bias":
		return []int64{v}
	case "attn_q_norm.weight", "attn_k_norm.weight":
		return []int64{s.key}
	case "attn_sinks.weight":
		return []int64{s.heads}
	case "ffn_gate.weight", "ffn_up.weight":
		return []int64{s.hidden, s.ffn}
	case "ffn_down.weight":
		return []int64{s.ffn, s.hidden}
	case "ffn_gate.bias", "ffn_up.bias":
		return []int64{s.ffn}
	case "ffn_gate_inp.weight":
		return []int64{s.hidden, s.experts}
	case "ffn_gate_inp.bias":
		return []int64{s.experts}
	case "ffn_gate_exps.weight", "ffn_up_exps.weight":
		return []int64{s.hidden, s.expertFFN, s.experts}
	case "ffn_down_exps.weight":
		return []int64{s.expertFFN, s.hidden, s.experts}
	case "ffn_gate_exps.bias", "ffn_up_exps.bias":
		return []int64{s.expertFFN, s.experts}
	case "ffn_down_exps.bias":
		return []int64{s.hidden, s.experts}
	}
	return nil
}

// check compares one tensor with the keys.
func (s *stored) check(t *gguf.Tensor) error {
	layer, base := layerOf(t.Name)
	if layer >= s.layers {
		return fmt.Errorf("tensor %q is of layer %d, and the key %s.block_count says that there are %d: the file is damaged", t.Name, layer, s.arch, s.layers)
	}
	want := s.shape(base)
	if want == nil || slices.Contains(want, 0) || sameShape(t.Dims, want) {
		return nil
	}
	if base == "token_embd.weight" && len(t.Dims) == 2 && t.Dims[0] == s.hidden {
		return fmt.Errorf("tensor %q has a row for %d tokens, and the vocabulary has %d: the file is damaged", t.Name, t.Dims[1], s.vocab)
	}
	return fmt.Errorf("tensor %q has the shape %v, and by the keys it is %v: the file is damaged", t.Name, t.Dims, want)
}

// sameShape compares shapes without the ones behind them.
func sameShape(a, b []int64) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	return slices.Equal(a[:len(b)], b) && !slices.ContainsFunc(a[len(b):], func(n int64) bool { return n != 1 })
}

// complete finds what is missing. Layers of these architectures are alike: what
// one has all have.
func (s *stored) complete() error {
	var bases []string
	have := map[string][]bool{} // by base and layer
	for i := range s.f.Tensors {
		layer, base := layerOf(s.f.Tensors[i].Name)
		if layer < 0 || PlaceOf(s.f.Tensors[i].Name).Expert() {
			continue
		}
		if have[base] == nil {
			have[base] = make([]bool, s.layers)
			bases = append(bases, base)
		}
		have[base][layer] = true
	}
	for _, name := range []string{"token_embd.weight", "output_norm.weight"} {
		if !slices.ContainsFunc(s.f.Tensors, func(t gguf.Tensor) bool { return t.Name == name }) {
			return fmt.Errorf("tensor %q is missing: the file is damaged", name)
		}
	}
	if len(bases) == 0 && s.layers > 0 {
		return fmt.Errorf("the key %s.block_count says %d layers, and no tensor is of one: the file is damaged", s.arch, s.layers)
	}
	for _, base := range bases {
		if layer := slices.Index(have[base], false); layer >= 0 {
			return fmt.Errorf("tensor %q is missing, which other layers have: the file is damaged", "blk."+strconv.Itoa(layer)+"."+base)
		}
	}
	return nil
}

// layerOf splits "blk.3.attn_q.weight"; the layer is -1 outside of them.
func layerOf(name string) (layer int, base string) {
	layer = PlaceOf(name).Layer
	if layer < 0 {
		return -1, name
	}
	_, base, _ = strings.Cut(strings.TrimPrefix(name, "blk."), ".")
	return layer, base
}
