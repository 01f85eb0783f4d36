package stages

import (
	"sort"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/mix"
)

// widthNames are names of precision that each format gives a type of its own.
var widthNames = []string{"FP16", "INT8", "FP8", "INT4", "INT3", "INT2"}

// Catalog is everything that recipes may use.
func Catalog() *engine.Catalog {
	c := engine.NewCatalog(registry...)
	c.OtherTypes = map[string]string{}
	var kv []*quant.Type
	for _, t := range quant.All() {
		switch {
		case t.GGML >= 0 && t.Quantize != nil:
			c.Types = append(c.Types, t.Name)
		case t.Quantize == nil:
			c.OtherTypes[t.Name] = "a type that is only read"
		case t.MLX != nil:
			c.OtherTypes[t.Name] = "a type of MLX's, which GGUF files cannot hold"
		case t.KV:
			c.OtherTypes[t.Name] = "a type of KV caches, for kv rules"
		}
		if t.KV {
			kv = append(kv, t)
		}
	}
	sort.Strings(c.Types)
	c.Types = append(c.Types, widthNames...)
	c.Widths = widthNames
	c.Mixes = mix.Names()
	sort.SliceStable(kv, func(i, j int) bool { return kv[i].BitsPerWeight() > kv[j].BitsPerWeight() })
	for _, t := range kv {
		c.KVTypes = append(c.KVTypes, t.Name)
	}
	c.KVTypes = append(c.KVTypes, widthNames...)
	return c
}
