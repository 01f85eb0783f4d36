package infer

import (
	"fmt"
	"math"

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
	Rope                  RopeConfig
	Attention             []string // kind of each layer
	BOS, EOS              int      // -1 where there is none
}

// RopeConfig says how positions are turned into angles.
type RopeConfig struct {
	Dims     int // of a head that are turned
	Base     float64
	Scaling  string // "", "linear" or "yarn"
	Factor   float64
	Original int // tokens that the model was trained for before it was scaled
	// YaRN's settings.
	BetaFast, BetaSlow, AttentionFactor float64
	// Truncate rounds the ends of YaRN's ramp to whole dimensions.
	Truncate bool
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
	p := &c.Rope
	p.Dims = r.sizeOr("rope.dimension_count", c.KeyWidth)
	if p.Dims > c.KeyWidth || p.Dims%2 != 0 {
		r.fail("%d dimensions of a head of %d cannot be turned: the file is damaged", p.Dims, c.KeyWidth)
	}
	p.Base = r.floatOr("rope.freq_base", 10000, 1e-6, 1e30)
	p.Scaling, _ = r.f.String(c.Architecture + ".rope.scaling.type")
	p.Factor = r.floatOr("rope.scaling.factor", 1, 1e-6, 1e9)
	p.Original = r.sizeOr("rope.scaling.original_context_length", c.Context)
	p.BetaFast = r.floatOr("rope.scaling.yarn_beta_fast", 32, 0, 1e9)
	p.BetaSlow = r.floatOr("rope.scaling.yarn_beta_slow", 1, 0, 1e9)
	p.AttentionFactor = r.floatOr("rope.scaling.yarn_attn_factor", 0, -1e9, 1e9)
	p.Truncate = true
	switch p.Scaling {
	case "none":
		p.Scaling = ""
	case "", "linear", "yarn":
	default:
		r.fail("the key %s.rope.scaling.type is %q; known are linear and yarn", c.Architecture, p.Scaling)
	}
}

// frequencies are the angles by which a token turns each pair of dimensions,
// and the factor of sine and cosine. factors, where not nil, divide them.
//
// YaRN is that of Peng et al., arXiv 2309.00071: dimensions that turn more often
// than BetaFast times within the original context stay, those that turn less
// than BetaSlow times are slowed down by the factor, with a ramp between.
func (p *RopeConfig) frequencies(factors []float32) (f []float64, scale float64) {
	n := p.Dims / 2
	f, scale = make([]float64, n), 1
	for i := range f {
		f[i] = math.Pow(p.Base, -float64(2*i)/float64(p.Dims))
		if factors != nil {
			f[i] /= float64(factors[i])
		}
	}
	switch p.Scaling {
	case "linear":
		for i := range f {
			f[i] /= p.Factor
		}
	case "yarn":
		low, high := p.turns(p.BetaFast), p.turns(p.BetaSlow)
		if p.Truncate {
			low, high = math.Floor(low), math.Ceil(high)
		}
		low, high = max(low, 0), min(high, float64(p.Dims-1))
		for i := range f {
			ramp := min(max((float64(i)-low)/max(0.001, high-low), 0), 1)
			f[i] = f[i]/p.Factor*ramp + f[i]*(1-ramp)
		}
		if scale = p.AttentionFactor; scale == 0 {
			scale = 1
			if p.Factor > 1 {
				scale = 0.1*math.Log(p.Factor) + 1
			}
		}
	}
	return f, scale
}

// turns is the dimension that turns so many times within the original context.
func (p *RopeConfig) turns(n float64) float64 {
	return float64(p.Dims) * math.Log(float64(p.Original)/(n*2*math.Pi)) / (2 * math.Log(p.Base))
}
