// Package arch holds what the program knows of model architectures: one file
// each, with the shape of its config.json, the keys that a GGUF file of it
// carries, and a table from the hub's tensor names to GGUF's. It reads no files.
package arch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// Roles of tensors, the words that a recipe's rules use.
const (
	Embedding       = "embedding"
	Output          = "output"
	Router          = "router"
	AttentionQ      = "attention_q"
	AttentionK      = "attention_k"
	AttentionV      = "attention_v"
	AttentionOutput = "attention_output"
	Expert          = "expert"
	SharedExpert    = "shared_expert"
	FFN             = "ffn"
	Norm            = "norm"
	Other           = "other" // also every bias, whatever it belongs to
)

// Projections of feed-forward weights.
const (
	Gate = "gate"
	Up   = "up"
	Down = "down"
)

// Kinds of attention that a layer can have.
const (
	Full    = "full"
	Sliding = "sliding"
)

// Arch is an architecture that hub folders can be read of.
type Arch struct {
	Name    string   // in GGUF: general.architecture and the prefix of its keys
	Classes []string // in config.json: architectures
	Types   []string // in config.json: model_type, where architectures is missing
	// Config is a pointer to a zero struct shaped like config.json, see
	// decodeConfig.
	Config func() Config
}

// Config is a decoded config.json.
type Config interface {
	// Describe checks the settings against each other. has says whether the
	// model has tensors of a name, "#" standing for each number in it; some
	// settings show only there.
	Describe(has func(pattern string) bool) (*Description, error)
}

// Description is an architecture with one model's own sizes.
type Description struct {
	Arch                   *Arch
	Layers, Heads, HeadsKV int
	Experts, ExpertsUsed   int // 0 where the model has none
	Vocab, Hidden          int64
	Attention              []string  // kind of each layer
	Keys                   []gguf.KV // the architecture's own, in the converter's order
	Rules                  []Rule
	Computed               []Computed
	Warnings               []string
	Tokenizer              Tokenizer
	TokenizerKeys          []gguf.KV // set after the tokenizer's own, replacing those of the same name
	// Pre is llama.cpp's name for the way in which the architecture's models
	// split text; it counts where the tokenizer's files do not describe theirs.
	Pre string
}

// Tokenizer says which forms of tokenizer the architecture's models come with.
type Tokenizer int

const (
	// BPE: byte-level, in tokenizer.json or vocab.json and merges.txt.
	BPE Tokenizer = iota
	// SentencePieceOrBPE: tokenizer.model where it is there, else BPE.
	SentencePieceOrBPE
	// Llama: tokenizer.model, else a tokenizer.json with byte fallback as
	// Llama 2's, else BPE as Llama 3's.
	Llama
)

// Rule says what becomes of the source tensors of one name pattern, in which
// "#" stands for the layer's number and a second one for the expert's.
type Rule struct {
	// From are the patterns of the tensors that are read together: one, or the
	// blocks and the scales of MXFP4.
	From   []string
	Shapes [][]int64 // of From, slowest dimension first
	Packed bool      // From are MXFP4 blocks and scales, dtype U8; else floats
	To     []Target
	// Optional says that the tensor may be missing.
	Optional bool
	// Group, where not 0, joins the rules whose tensors are written, layer by
	// layer, where the last of them stands in the source.
	Group int
	// Early says that the tensors come before all that are not.
	Early bool
}

// Target is a tensor of the artifact. Its rows are rows of each source tensor;
// a source of one dimension more than rows and columns holds all experts.
type Target struct {
	Name             string // "blk.#.attn_q.weight"
	Role, Projection string
	Rows, Cols       int64 // of one slice; Rows 0: a vector of Cols weights
	First, Stride    int64 // result row i is source row First + i*Stride; Stride 0 counts as 1
	Columns          bool  // First, Stride and PermuteHeads count weights instead of rows
	Transpose        bool  // the source is stored [Cols, rows]
	PermuteHeads     int   // llama's order of rotary rows
}

// Computed is a tensor whose values follow from the configuration.
type Computed struct {
	Name   string
	Values []float32
}

var registry []*Arch

// register adds an architecture; a name that is taken is a bug.
func register(a *Arch) *Arch {
	for _, b := range registry {
		taken := b.Name == a.Name
		for _, c := range a.Classes {
			taken = taken || slices.Contains(b.Classes, c)
		}
		for _, t := range a.Types {
			taken = taken || slices.Contains(b.Types, t)
		}
		if taken {
			panic("arch: " + a.Name + " registered twice")
		}
	}
	registry = append(registry, a)
	slices.SortFunc(registry, func(a, b *Arch) int { return strings.Compare(a.Name, b.Name) })
	return a
}

// All lists the architectures by name.
func All() []*Arch { return slices.Clone(registry) }

// ByName finds an architecture by its name in GGUF, or by one that config.json
// has for it.
func ByName(name string) (*Arch, bool) {
	for _, a := range registry {
		if a.Name == name || slices.Contains(a.Classes, name) || slices.Contains(a.Types, name) {
			return a, true
		}
	}
	return nil, false
}

// known lists the architectures for errors: "gpt-oss (GptOssForCausalLM), …".
func known() string {
	var b strings.Builder
	for i, a := range registry {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s (%s)", a.Name, strings.Join(a.Classes, ", "))
	}
	return b.String()
}
