package infer

import "github.com/llama-pajamas/pj/runtime/infer/ops"

// gpt-oss: biases everywhere, a learned logit per head that takes part in the
// softmax, layers with a sliding window and full ones by turns, and experts with
// a clamped activation. The ramp of its YaRN is not rounded to dimensions.
var _ = register(&architecture{name: "gpt-oss", load: func(l *loader) graph {
	g := &gptoss{}
	l.Rope.Truncate = false
	rope := l.rope(false)
	for i := range l.Layers {
		a := l.loadAttention(i, rope)
		a.settings.Sinks = l.vector(a.name+"attn_sinks.weight", l.Heads)
		m := l.loadMixture(i, "post_attention_norm.weight", true)
		m.activation = ops.ClampedSwiGLU
		g.layers = append(g.layers, gptossLayer{a, m})
		if l.err != nil {
			break
		}
	}
	return g
}})

type gptoss struct{ layers []gptossLayer }

type gptossLayer struct {
	attention attention
	mixture   mixture
}

func (g *gptoss) layer(p *pass, i int) {
	p.attend(&g.layers[i].attention)
	p.mix(&g.layers[i].mixture, i)
}
