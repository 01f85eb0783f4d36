package interop

import (
	"math"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// BitsPerWeight is the storage cost of all tensors of a file.
func BitsPerWeight(f *gguf.File) float64 {
	var bytes, weights float64
	for _, t := range f.Tensors {
		n := 1.0
		for _, d := range t.Dims {
			n *= float64(d)
		}
		weights += n
		bytes += float64(t.Size)
	}
	return 8 * bytes / weights
}

// Exact says that a file has nothing but F32: llama.cpp then computes in F32.
func Exact(f *gguf.File) bool {
	for _, t := range f.Tensors {
		if t.Type.Name != "f32" {
			return false
		}
	}
	return true
}

// Published says that a file has the types in which models are published:
// floats, and MXFP4 for experts of gpt-oss.
func Published(f *gguf.File) bool {
	architecture, _ := f.String("general.architecture")
	for _, t := range f.Tensors {
		expert := t.Type.Name == "mxfp4" && architecture == "gpt-oss" && strings.Contains(t.Name, "_exps.")
		if !t.Type.Float && !expert {
			return false
		}
	}
	return true
}

// Bound is how far the logits of a file in llama.cpp may be from those of the
// model it was made from whole. On the nano models llama.cpp's own files have a
// quarter of these divergences or less. BF16 weights make it round the
// activations too; in gpt-oss it rounds YaRN's range of dimensions, which moves
// single logits by 3, whatever the types.
func (r *Reference) Bound(f *gguf.File) Difference {
	any := math.Inf(1)
	hidden, _ := f.Uint(r.Architecture + ".embedding_length")
	switch bits := BitsPerWeight(f); {
	case Exact(f) && r.Architecture != "gpt-oss" && int(hidden) == r.Hidden:
		return Difference{Max: 1e-3, Top1: 1, KLD: 1e-6}
	case Published(f):
		return Difference{Max: any, Top1: 0.95, KLD: 0.005}
	case bits >= 7.5:
		return Difference{Max: any, Top1: 0.9, KLD: 0.01}
	case bits >= 5.5:
		return Difference{Max: any, Top1: 0.8, KLD: 0.1}
	case bits >= 4:
		return Difference{Max: any, Top1: 0.7, KLD: 0.3}
	case bits >= 3:
		return Difference{Max: any, Top1: 0.4, KLD: 1}
	}
	return Difference{Max: any, KLD: 4}
}
