package infer

// qwen3 is the dense Qwen3: norms of queries and keys.
var _ = register(&architecture{name: "qwen3", load: func(l *loader) graph {
	g := &qwen3{}
	rope := l.rope(false)
	for i := range l.Layers {
		a := l.loadAttention(i, rope)
		l.loadHeadNorms(&a)
		g.layers = append(g.layers, denseLayer{a, l.loadDense(i)})
		if l.err != nil {
			break
		}
	}
	return g
}})

type qwen3 struct{ layers []denseLayer }

// denseLayer is a layer without experts.
type denseLayer struct {
	attention attention
	dense     dense
}

func (g *qwen3) layer(p *pass, i int) {
	p.attend(&g.layers[i].attention)
	p.feedForward(&g.layers[i].dense, i)
}
