package arch

import "github.com/llama-pajamas/pj/runtime/gguf"

// pattern is llama.cpp's own order of layers with a sliding window, for files
// that do not say it: every period-th layer has full attention, the last of
// each period, or the first.
type pattern struct {
	period    int
	fullFirst bool
}

var patterns = map[string]pattern{
	"afmoe":           {period: 4},
	"cohere2":         {period: 4},
	"cohere2moe":      {4, true},
	"exaone-moe":      {period: 4},
	"exaone4":         {period: 4},
	"gemma-embedding": {period: 6},
	"gemma2":          {period: 2},
	"gemma3":          {period: 6},
	"gemma3n":         {period: 5},
	"gpt-oss":         {period: 2},
	"laguna":          {4, true},
	"llama4":          {period: 4},
	"mellum":          {period: 4},
	"modern-bert":     {3, true},
	"olmo2":           {period: 4},
	"plamo3":          {period: 8},
	"smallthinker":    {4, true},
}

// AttentionOf is the kind of attention of each layer of a GGUF file: "" where
// the file has a window and neither it nor llama.cpp says for which layers.
func AttentionOf(f *gguf.File, architecture string, layers int) []string {
	kinds := make([]string, layers)
	window, _ := f.Uint(architecture + ".attention.sliding_window")
	key := architecture + ".attention.sliding_window_pattern"
	if flags, ok := windowFlags(f, key); ok && window > 0 {
		for i := range kinds {
			// Layers behind the list are extra ones, for drafting.
			kinds[i] = kind(i < len(flags) && flags[i])
		}
		return kinds
	}
	p, known := patterns[architecture]
	if n, ok := f.Uint(key); ok && n < 1<<16 {
		p.period, known = int(n), true
	}
	for i := range kinds {
		switch {
		case window == 0:
			kinds[i] = Full
		case known:
			kinds[i] = kind(p.slides(i))
		}
	}
	return kinds
}

// windowFlags are the layers' flags, which writers store as bools or numbers.
func windowFlags(f *gguf.File, key string) ([]bool, bool) {
	if flags, ok := f.Bools(key); ok {
		return flags, true
	}
	numbers, ok := f.Ints(key)
	if !ok {
		return nil, false
	}
	flags := make([]bool, len(numbers))
	for i, n := range numbers {
		flags[i] = n != 0
	}
	return flags, true
}

func (p pattern) slides(layer int) bool {
	switch {
	case p.period == 0:
		return true
	case p.fullFirst:
		return layer%p.period != 0
	}
	return layer%p.period < p.period-1
}

func kind(slides bool) string {
	if slides {
		return Sliding
	}
	return Full
}
