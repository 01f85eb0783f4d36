package infer

import (
	"fmt"

	"github.com/llama-pajamas/pj/kernels/vec"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
	"github.com/llama-pajamas/pj/runtime/model"
)

// Config are a model's sizes and settings, as its keys say them.
type Config struct {
	Architecture          string
	Layers, Hidden, Vocab int
	Width                 int // of the feed-forward part of a layer without experts
	Heads, HeadsKV        int
	KeyWidth, ValWidth    int // of a head
	Context               int // tokens that the model was trained for
	Window                int // of sliding layers; 0: there are none
	Eps                   float32
	Experts, ExpertsUsed  int // 0 where there are none
	ExpertWidth           int
	Rope                  vec.RopeConfig
	Attention             []string // kind of each layer
	BOS, EOS              int      // -1 where there is none
}

// reader reads a model's keys; the first error stays.
type reader struct {
	f    *gguf.File
	arch string
	err  error
}

// maxSize bounds every size; beyond, a file is damaged.
const maxSize = 1 << 24

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// size reads a key that has to be there and to be positive.
func (r *reader) size(key string) int {
	if _, ok := r.f.Get(r.arch + "." + key); !ok {
		r.fail("the key %s.%s is missing: the file is not complete; convert the model again", r.arch, key)
		return 1
	}
	return r.sizeOr(key, 1)
}

// sizeOr reads a key that may be missing.
func (r *reader) sizeOr(key string, otherwise int) int {
	key = r.arch + "." + key
	v, ok := r.f.Get(key)
	if !ok {
		return otherwise
	}
	n, ok := r.f.Uint(key)
	if !ok || n == 0 || n > maxSize {
		r.fail("the key %s is %v, and it has to be a whole number from 1 to %d: the file is damaged", key, v, maxSize)
		return 1
	}
	return int(n)
}

func (r *reader) floatOr(key string, otherwise, low, high float64) float64 {
	key = r.arch + "." + key
	v, ok := r.f.Get(key)
	if !ok {
		return otherwise
	}
	f, ok := r.f.Float(key)
	if !ok || !(f >= low && f <= high) {
		r.fail("the key %s is %v, and it has to be a number from %g to %g: the file is damaged", key, v, low, high)
		return otherwise
	}
	return f
}

// readConfig reads what all architectures have.
func readConfig(f *gguf.File, m *model.Model, store *weights.Store) (*Config, error) {
	r := &reader{f: f, arch: m.Architecture}
	c := &Config{
		Architecture: m.Architecture,
		Layers:       r.size("block_count"),
		Hidden:       r.size("embedding_length"),
		Width:        r.sizeOr("feed_forward_length", 0),
		Heads:        r.size("attention.head_count"),
		Context:      r.size("context_length"),
		Eps:          float32(r.floatOr("attention.layer_norm_rms_epsilon", 1e-5, 0, 1)),
		Window:       r.sizeOr("attention.sliding_window", 0),
		Experts:      r.sizeOr("expert_count", 0),
		ExpertsUsed:  r.sizeOr("expert_used_count", 0),
		ExpertWidth:  r.sizeOr("expert_feed_forward_length", 0),
		Attention:    m.Attention,
		BOS:          token(f, "bos"),
		EOS:          token(f, "eos"),
	}
	c.HeadsKV = r.sizeOr("attention.head_count_kv", c.Heads)
	if r.err == nil && (c.Heads%c.HeadsKV != 0) {
		r.fail("%d heads of queries are no multiple of %d heads of keys: the file is damaged", c.Heads, c.HeadsKV)
	}
	c.KeyWidth = r.sizeOr("attention.key_length", max(1, c.Hidden/c.Heads))
	c.ValWidth = r.sizeOr("attention.value_length", max(1, c.Hidden/c.Heads))
	c.readRope(r)
	if c.Layers != m.Layers || len(c.Attention) != c.Layers {
		r.fail("the keys say %d layers, and the model has %d: the file is damaged", c.Layers, m.Layers)
	}
	if t, ok := store.Tensor("token_embd.weight"); ok && len(t.Dims) == 2 && t.Dims[1] <= maxSize {
		c.Vocab = int(t.Dims[1])
	} else {
		r.fail("the tensor token_embd.weight is missing, or no matrix: the model is not complete")
	}
	if (c.Experts == 0) != (c.ExpertsUsed == 0) || c.ExpertsUsed > c.Experts {
		r.fail("%d experts of %d are used: the file is damaged", c.ExpertsUsed, c.Experts)
	}
	return c, r.err
}

func token(f *gguf.File, use string) int {
	if id, ok := f.Uint("tokenizer.ggml." + use + "_token_id"); ok && id < maxSize {
		return int(id)
	}
	return -1
}

func (c *Config) readRope(r *reader) {
	scaling, _ := r.f.String(c.Architecture + ".rope.scaling.type")
	switch scaling {
	case "none":
		scaling = vec.RopePlain
	case vec.RopePlain, vec.RopeLinear, vec.RopeYaRN:
	default:
		r.fail("the key %s.rope.scaling.type is %q; known are linear and yarn", c.Architecture, scaling)
	}
	c.Rope = vec.RopeConfig{
		Dim:       r.sizeOr("rope.dimension_count", c.KeyWidth),
		Base:      r.floatOr("rope.freq_base", 10000, 1, 1e30),
		Scaling:   scaling,
		Factor:    r.floatOr("rope.scaling.factor", 1, 1e-6, 1e9),
		Original:  r.sizeOr("rope.scaling.original_context_length", c.Context),
		BetaFast:  r.floatOr("rope.scaling.yarn_beta_fast", 32, 0, 1e9),
		BetaSlow:  r.floatOr("rope.scaling.yarn_beta_slow", 1, 0, 1e9),
		Attention: r.floatOr("rope.scaling.yarn_attn_factor", 0, 0, 1e9),
		Truncate:  true,
	}
	if c.Rope.Dim > c.KeyWidth || c.Rope.Dim%2 != 0 {
		r.fail("%d dimensions of a head of %d cannot be turned: the file is damaged", c.Rope.Dim, c.KeyWidth)
	}
}
