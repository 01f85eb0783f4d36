package infer

// qwen3moe is Qwen3 with experts in every layer: norms of queries and keys, a
// softmax over all experts of which the chosen ones' part is normalized.
var _ = register(&architecture{name: "qwen3moe", load: func(l *loader) graph {
	g := &qwen3moe{}
	rope := l.rope(false)
	for i := range l.Layers {
		a := l.loadAttention(i, rope)
		l.loadHeadNorms(&a)
		g.layers = append(g.layers, qwen3moeLayer{a, l.loadMixture(i, "ffn_norm.weight", false)})
		if l.err != nil {
			break
		}
	}
	return g
}})

type qwen3moe struct{ layers []qwen3moeLayer }

type qwen3moeLayer struct {
	attention attention
	mixture   mixture
}

func (g *qwen3moe) layer(p *pass, i int) {
	p.attend(&g.layers[i].attention)
	p.mix(&g.layers[i].mixture, i)
}
