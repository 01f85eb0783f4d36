package infer

// llama is Llama, Mistral and their like without experts. Its files hold the
// rows of queries and keys so that neighbours are turned together.
var _ = register(&architecture{name: "llama", load: func(l *loader) graph {
	g := &llama{}
	if l.Experts > 0 {
		l.fail(errNoExperts)
		return g
	}
	rope := l.rope(true)
	for i := range l.Layers {
		g.layers = append(g.layers, denseLayer{l.loadAttention(i, rope), l.loadDense(i)})
		if l.err != nil {
			break
		}
	}
	return g
}})

type llama struct{ layers []denseLayer }

func (g *llama) layer(p *pass, i int) {
	p.attend(&g.layers[i].attention)
	p.feedForward(&g.layers[i].dense, i)
}
