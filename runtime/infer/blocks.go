package infer

import (
	"fmt"
	"math"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
)

// Blocks that architectures are put together from. Each adds what it computes
// to the residual stream p.x.

// attention is the first half of a layer.
type attention struct {
	name           string // of the layer: "blk.0."
	norm           ops.Vector
	q, k, v, out   ops.Matrix
	bq, bk, bv, bo ops.Vector // nil where there are none
	qNorm, kNorm   ops.Vector // of each head; nil where there are none
	rope           ops.Rope
	settings       ops.Attention
}

// loadAttention loads the weights that all architectures have.
func (l *loader) loadAttention(i int, r ops.Rope) attention {
	name := fmt.Sprintf("blk.%d.", i)
	q, kw, vw := l.Heads*l.KeyWidth, l.HeadsKV*l.KeyWidth, l.HeadsKV*l.ValWidth
	a := attention{
		name: name, rope: r,
		norm: l.vector(name+"attn_norm.weight", l.Hidden),
		q:    l.matrix(name+"attn_q.weight", q, l.Hidden),
		k:    l.matrix(name+"attn_k.weight", kw, l.Hidden),
		v:    l.matrix(name+"attn_v.weight", vw, l.Hidden),
		out:  l.matrix(name+"attn_output.weight", l.Hidden, l.Heads*l.ValWidth),
		bq:   l.optional(name+"attn_q.bias", q),
		bk:   l.optional(name+"attn_k.bias", kw),
		bv:   l.optional(name+"attn_v.bias", vw),
		bo:   l.optional(name+"attn_output.bias", l.Hidden),
		settings: ops.Attention{
			Layer: i, Heads: l.Heads, HeadsKV: l.HeadsKV, KeyWidth: l.KeyWidth, ValWidth: l.ValWidth,
			Scale: float32(1 / math.Sqrt(float64(l.KeyWidth))),
		},
	}
	if l.Attention[i] == arch.Sliding {
		a.settings.Window = l.Window
	}
	return a
}

// loadHeadNorms loads the norms of queries and keys.
func (l *loader) loadHeadNorms(a *attention) {
	a.qNorm = l.vector(a.name+"attn_q_norm.weight", l.KeyWidth)
	a.kNorm = l.vector(a.name+"attn_k_norm.weight", l.KeyWidth)
}

func (p *pass) attend(a *attention) {
	b, s := p.b, &a.settings
	b.RMSNorm(p.h, p.x, a.norm, p.Eps)
	p.saw(p.h, p.rows(), s.Layer, a.name, attentionInputs)
	b.Linear(p.q, a.q, a.bq, p.h)
	b.Linear(p.k, a.k, a.bk, p.h)
	b.Linear(p.v, a.v, a.bv, p.h)
	if a.qNorm != nil {
		b.HeadNorm(p.q, s.Heads, a.qNorm, p.Eps)
		b.HeadNorm(p.k, s.HeadsKV, a.kNorm, p.Eps)
	}
	b.Rotate(p.q, s.Heads, a.rope)
	b.Rotate(p.k, s.HeadsKV, a.rope)
	b.Attend(p.att, p.q, p.k, p.v, s)
	p.trim(s.Layer)
	p.saw(p.att, p.rows(), s.Layer, a.name, attentionOutput)
	b.Linear(p.h, a.out, a.bo, p.att)
	b.Add(p.x, p.h)
}

// dense is the second half of a layer without experts.
type dense struct {
	name           string
	norm           ops.Vector
	gate, up, down ops.Matrix
	bg, bu, bd     ops.Vector
}

func (l *loader) loadDense(i int) dense {
	name := fmt.Sprintf("blk.%d.", i)
	if l.Width == 0 {
		l.fail(fmt.Errorf("the key %s.feed_forward_length is missing: the file is not complete", l.Architecture))
	}
	return dense{
		name: name,
		norm: l.vector(name+"ffn_norm.weight", l.Hidden),
		gate: l.matrix(name+"ffn_gate.weight", l.Width, l.Hidden),
		up:   l.matrix(name+"ffn_up.weight", l.Width, l.Hidden),
		down: l.matrix(name+"ffn_down.weight", l.Hidden, l.Width),
		bg:   l.optional(name+"ffn_gate.bias", l.Width),
		bu:   l.optional(name+"ffn_up.bias", l.Width),
		bd:   l.optional(name+"ffn_down.bias", l.Hidden),
	}
}

func (p *pass) feedForward(d *dense, layer int) {
	b := p.b
	b.RMSNorm(p.h, p.x, d.norm, p.Eps)
	p.saw(p.h, p.rows(), layer, d.name, denseInputs)
	b.Linear(p.gate, d.gate, d.bg, p.h)
	b.Linear(p.up, d.up, d.bu, p.h)
	b.Activate(p.gate, p.gate, p.up, ops.SwiGLU)
	p.saw(p.gate, p.rows(), layer, d.name, denseDown)
	b.Linear(p.h, d.down, d.bd, p.gate)
	b.Add(p.x, p.h)
}

// mixture is the second half of a layer with experts.
type mixture struct {
	name       string
	norm       ops.Vector
	router     ops.Matrix
	bias       ops.Vector // of the router; nil where there is none
	experts    ops.Experts
	activation ops.Activation
}

// loadMixture loads a mixture; norm is the name of the norm before it.
func (l *loader) loadMixture(i int, norm string, biases bool) mixture {
	name := fmt.Sprintf("blk.%d.", i)
	if l.Experts == 0 || l.ExpertWidth == 0 {
		l.fail(fmt.Errorf("the keys %s.expert_count and %[1]s.expert_feed_forward_length are needed: the file is not complete", l.Architecture))
		return mixture{}
	}
	m := mixture{
		name:    name,
		norm:    l.vector(name+norm, l.Hidden),
		router:  l.matrix(name+"ffn_gate_inp.weight", l.Experts, l.Hidden),
		experts: l.experts(i, biases),
	}
	if biases {
		m.bias = l.vector(name+"ffn_gate_inp.bias", l.Experts)
	}
	return m
}

func (p *pass) mix(m *mixture, layer int) {
	b := p.b
	b.RMSNorm(p.h, p.x, m.norm, p.Eps)
	p.saw(p.h, p.rows(), layer, m.name, mixtureInputs)
	b.Linear(p.router, m.router, m.bias, p.h)
	b.Route(p.routing, p.router)
	p.routed(layer)
	b.Mix(p.h, p.h, m.experts, p.routing, m.activation)
	b.Add(p.x, p.h)
}
