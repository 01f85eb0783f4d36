// Package mix knows the mixes of llama-quantize (Q4_K_M, IQ3_XS, …) and of mlx-lm
// (mixed_3_6, …): which type each of them gives to each tensor of a model. The
// choices are those of llama.cpp 0.5.0, the fallbacks for odd rows included, and
// of mlx-lm 0.32.2.
package mix

import (
	"fmt"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// Mix is a named choice of types.
type Mix struct {
	Name     string // as llama-quantize spells it: "Q4_K_M"
	Aliases  []string
	FileType uint32 // general.file_type of files made with it
	// Type is that of the weights that the mix does not single out.
	Type *quant.Type
	// NeedsImportance says that llama-quantize refuses the mix without an
	// importance matrix; Choice has the same for each tensor.
	NeedsImportance bool

	base string
	// output is the type of the output matrix, or of the embedding where the
	// two are one; "" for q6_k.
	output string
	// single, where not "", is the type of all that is no stack of experts.
	single string
	// coarse mixes go below three bits on their own terms: models with eight
	// experts and models of 70 B parameters are no exceptions to their rules.
	coarse bool
	rules  rules
}

// Model is what a choice depends on besides the tensors.
type Model struct {
	Architecture string // as in general.architecture
	Layers       int    // block_count, layers for multi-token prediction included
	Experts      int    // in a layer; 0 where there are none
	// Heads and HeadsKV are those of the first layer where layers differ.
	Heads, HeadsKV int
	// HasOutput says that the model has an output matrix of its own; it is
	// implied by a tensor output.weight.
	HasOutput bool
	// HasImportance says that there is an importance matrix.
	HasImportance bool
}

// Tensor is a tensor as a GGUF file of the model has it.
type Tensor struct {
	Name   string
	Dims   []int64 // ne0 (the row's length) first; 1 to 4
	Source string  // name of the type in which it is stored
}

// Choice is the type of one tensor.
type Choice struct {
	Type *quant.Type
	// Wanted is the type that the mix names, where the row's length forced
	// another; nil where it did not.
	Wanted *quant.Type
	// Kept says that llama-quantize leaves the tensor as the converted model has
	// it: vectors, norms, routers and whatever is no weight. Type is then the
	// stored one, but f32 for the 16 bit floats that llama.cpp's converter widens.
	Kept bool
	// NeedsImportance says that llama-quantize refuses this tensor where there is
	// no importance for it.
	NeedsImportance bool
}

var byName = map[string]*Mix{}

func init() {
	for _, m := range table {
		m.Type = must(m.base)
		if m.output == "" {
			m.output = "q6_k"
		}
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			if byName[strings.ToLower(name)] != nil {
				panic("mix: " + name + " registered twice")
			}
			byName[strings.ToLower(name)] = m
		}
	}
}

// must finds a type that the table names; one that is missing is a bug.
func must(name string) *quant.Type {
	t, ok := quant.Lookup(name)
	if !ok {
		panic(fmt.Sprintf("mix: type %s is not registered", name))
	}
	return t
}

// Names lists the mixes without their aliases, from few bits to many.
func Names() []string {
	names := make([]string, len(table))
	for i, m := range table {
		names[i] = m.Name
	}
	return names
}

// Lookup finds a mix by its name or an alias, in any case.
func Lookup(name string) (*Mix, bool) {
	m, ok := byName[strings.ToLower(name)]
	return m, ok
}
