// Package engine turns blocks into a plan, and a plan into outputs: it expands,
// keys, explains, schedules and commits actions. It knows nothing of HCL, of
// models or of kernels; those register themselves here as stages.
package engine

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// Stage is one kind of block and, where it has Run, the work that actions of
// its name do. One file registers one literal.
//
// Params is a pointer to a zero struct. Its tags are the block's schema, its
// documentation, its checks and its canonical form at once:
//
//	hcl:"name"           attribute; hcl:"name,block" a nested block (struct, or
//	                     slice of structs where it may repeat)
//	doc:"…"              one line for people
//	default:"…"          value where the attribute is absent; a field without
//	                     default is required unless it is tagged optional:"true"
//	enum:"a,b,c"         allowed values
//	ref:"model,stage"    for Ref fields (and slices and maps of Ref): the block
//	                     kinds, or values a stage yields, that may stand here
//	canon:"-"            does not change an output, is left out of provenance
//
// Field types: string, bool, int, int64, float64, Bytes ("45 GB"), Ref,
// slices and map[string] of these, structs for blocks.
type Stage struct {
	Block   string // "stage", "artifact", "model", "dataset", "validate", "report"
	Name    string // type label: "quantize", "gguf"; "" where the block kind has no type label
	Version int    // raised whenever the output for the same key changes
	Doc     string // what it does, in a sentence or two
	Yields  string // what a reference to the block stands for: "weights", "evidence", "file", "model", …
	Params  any

	// Check looks at one block's parameters alone, offline; nil: nothing more
	// to check than the schema.
	Check func(b *Block) error
	// Lower adds what the block needs to the plan. It runs after the blocks it
	// refers to were lowered.
	Lower func(ctx context.Context, p *Planner, b *Block) error
	// Run does one action: reads env's inputs, writes its outputs. nil for a
	// block kind without actions of its own.
	Run func(ctx context.Context, env *Env) error
	// Conclude judges or reports once the artifacts are there: a pure function
	// of what was built, never cached. nil for most kinds.
	Conclude func(ctx context.Context, c *Conclusion) error
}

// ID is how a stage is looked up: "stage quantize", "artifact gguf", "model".
func (s *Stage) ID() string { return strings.TrimSpace(s.Block + " " + s.Name) }

// Bytes is a size that recipes write as a number or as "45 GB", "2GiB".
type Bytes int64

// Ref names another block by its address.
type Ref struct {
	Address string // "policy.ultra", `artifact.gguf.x["stock"]`
	Yields  string // "policy", or what the block's stage yields
}

// Catalog is what recipes may use: the stages, and the names that stages know.
type Catalog struct {
	stages map[string]*Stage
	// Types and Mixes are the names that a policy may use, canonical spelling
	// first; matched without regard to case.
	Types []string
	Mixes []string
	// Widths are those of Types that name a precision only: each format has its
	// own type of it.
	Widths []string
	// KVTypes are the names that a policy's kv rules may use.
	KVTypes []string
	// OtherTypes are types that there are, and that weights cannot have: by name,
	// what they are instead, "a type of KV caches".
	OtherTypes map[string]string
}

// NewCatalog collects stages; two of one ID panic.
func NewCatalog(stages ...*Stage) *Catalog {
	c := &Catalog{stages: map[string]*Stage{}}
	for _, s := range stages {
		if c.stages[s.ID()] != nil {
			panic(fmt.Sprintf("engine: %s registered twice", s.ID()))
		}
		c.stages[s.ID()] = s
	}
	return c
}

// Stage finds a stage by block kind and type label ("" where it has none).
func (c *Catalog) Stage(block, name string) (*Stage, bool) {
	s, ok := c.stages[strings.TrimSpace(block+" "+name)]
	return s, ok
}

// Stages lists the stages by ID.
func (c *Catalog) Stages() []*Stage {
	out := make([]*Stage, 0, len(c.stages))
	for _, s := range c.stages {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID() < out[j].ID() })
	return out
}

// Names lists the type labels that a block kind may have.
func (c *Catalog) Names(block string) []string {
	var out []string
	for _, s := range c.Stages() {
		if s.Block == block && s.Name != "" {
			out = append(out, s.Name)
		}
	}
	return out
}
