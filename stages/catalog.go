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
	for _, t := range quant.All() {
		if t.GGML >= 0 && t.Quantize != nil {
			c.Types = append(c.Types, t.Name)
		}
	}
	sort.Strings(c.Types)
	c.Types = append(c.Types, widthNames...)
	c.Mixes = mix.Names()
	c.KVTypes = append([]string{"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "int3", "int2", "e4m3", "e5m2"}, "FP16", "INT8", "FP8", "INT4", "INT3", "INT2")
	return c
}
