// Package quant holds every tensor type that the program knows: one file and
// one registered literal each. The scalar code here is the truth that faster
// implementations are tested against.
package quant

import (
	"fmt"
	"sort"
	"strings"
)

// Type describes how weights are stored. A row's length must be a multiple of
// Block; each block of Block weights takes Bytes bytes.
type Type struct {
	Name    string   // canonical, lower case: "q4_k"
	Aliases []string // other spellings, matched without regard to case
	GGML    int      // type id in GGUF files; -1 where GGUF has none
	Block   int      // weights in a block
	Bytes   int      // bytes of a block
	Doc     string   // one line: the layout, and when to use it

	// MLX says how MLX stores the type; nil where it doesn't.
	MLX *MLXMode
	// KV says that the type can hold keys and values of attention.
	KV bool
	// Float says that the type stores plain floating point numbers.
	Float bool
	// Dot is what activations are rounded to where they meet the type in a
	// product, "q8_0", "q8_1" or "q8_k" as in ggml; "" where they stay as they are.
	Dot string
	// Error is the most that the normal effort loses of normally distributed
	// weights: sqrt(sum (x-y)^2 / sum x^2). 0 where nothing is lost, or the type is
	// never written.
	Error float64

	// NeedsImportance says that quantizing without an importance gives garbage.
	NeedsImportance bool
	// Fallback names the type to use where a row is no multiple of Block, ""
	// for f16.
	Fallback string

	// Dequantize decodes len(dst) weights (a multiple of Block) from src.
	Dequantize func(dst []float32, src []byte)
	// Quantize encodes rows of opt.Cols weights each; len(src) is a multiple of
	// opt.Cols, opt.Cols of Block. nil where the type can only be read. The
	// result is the same bits on every machine. Weights that the type can't
	// represent (NaN, infinities, overflow) are a *ValueError.
	Quantize func(dst []byte, src []float32, opt Options) error

	// lattice is what rounding under second moments needs; nil where the type is
	// not rounded so.
	lattice *lattice
	plain   func([]byte, []float32, Options) error // Quantize without second moments
}

// Effort says how hard a quantizer searches.
type Effort int

const (
	Fast Effort = iota
	Normal
	Best
)

// Options steer a quantizer.
type Options struct {
	// Cols is the length of a row.
	Cols int
	// Importance weighs each column's squared error (mean squared input of the
	// channel); nil: none. Length Cols.
	Importance []float32
	// Second are the second moments of the inputs, in place of an importance; nil:
	// none. The best effort rounds under the matrix, others take its diagonal for
	// an importance.
	Second *SecondMoments
	Effort Effort
}

// ValueError says that a weight can't be represented. Index counts weights
// from the start of the slice that was given to Quantize.
type ValueError struct {
	Type  string
	Index int
	Value float32
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("weight %d is %v, which %s cannot represent", e.Index, e.Value, e.Type)
}

// BitsPerWeight is the storage cost of one weight.
func (t *Type) BitsPerWeight() float64 { return float64(t.Bytes) * 8 / float64(t.Block) }

// RowBytes is the size of a row of cols weights; cols is a multiple of Block.
func (t *Type) RowBytes(cols int64) int64 { return cols / int64(t.Block) * int64(t.Bytes) }

func (t *Type) String() string { return t.Name }

var (
	byName = map[string]*Type{}
	byGGML = map[int]*Type{}
	types  []*Type
)

// register adds a type; a name, alias or id that is taken is a bug.
func register(t *Type) *Type {
	registerUnlisted(t)
	types = append(types, t)
	return t
}

// registerUnlisted adds a type that All leaves out, being another type but for
// how its scales are stored.
func registerUnlisted(t *Type) *Type {
	if t.Quantize != nil {
		t.plain = t.Quantize
		t.Quantize = withSecondMoments(t)
	}
	var names []string
	for _, n := range append([]string{t.Name}, t.Aliases...) {
		n = strings.ToLower(n)
		if byName[n] != nil {
			panic("quant: " + n + " registered twice")
		}
		names = append(names, n)
	}
	if t.GGML >= 0 {
		if byGGML[t.GGML] != nil {
			panic(fmt.Sprintf("quant: GGUF type id %d registered twice", t.GGML))
		}
		byGGML[t.GGML] = t
	}
	for _, n := range names {
		byName[n] = t
	}
	return t
}

// Lookup finds a type by name or alias, in any case.
func Lookup(name string) (*Type, bool) {
	t, ok := byName[strings.ToLower(name)]
	return t, ok
}

// ByGGML finds a type by its id in GGUF files.
func ByGGML(id int) (*Type, bool) {
	t, ok := byGGML[id]
	return t, ok
}

// All lists the types by name; of MLX's affine types those with bf16 scales
// (see MLXMode.WithScales).
func All() []*Type {
	out := append([]*Type(nil), types...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
