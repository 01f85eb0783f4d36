package recipes

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/llama-pajamas/pj/engine"
)

// unusable is the value of what could not be evaluated; its error is reported
// already, so that what depends on it stays silent.
var unusable = cty.DynamicVal

// nodeKind is what a declaration declares.
type nodeKind int

const (
	variableNode nodeKind = iota
	localNode
	blockNode // of a kind that the catalog knows
	policyNode
	callNode // a module block
	outputNode
)

// node is one declaration of one module: what references point to, and the
// unit of evaluation.
type node struct {
	kind    nodeKind
	mod     *module
	address string // "module.m.stage.quantize.x", without instance keys
	rng     hcl.Range
	exprs   []*expression // everything that may refer to other nodes
	value   cty.Value
	parts   int // how large the value is
	bytes   int
	bad     bool // not usable; why is reported

	variable *variable
	local    *attribute
	block    *blockDecl
	policy   *policyDecl
	call     *call
	output   *output
}

// blockDecl is a block of the catalog's.
type blockDecl struct {
	stage   *engine.Stage
	schema  *schema
	forEach *attribute
	content *content
	// instances in key order, once evaluated, and those with a mistake, of which
	// only some parameters are known.
	instances, failed []*engine.Block
}

// module is one use of a recipe: the root, or what a module block includes.
type module struct {
	*loader
	prefix string // "" for the root, "module.m."
	parent *module
	dir    string // the folder of its file, absolute
	path   string // its file, absolute
	remote bool   // fetched, or included by a module that was
	file   string // as shown to people
	source []byte // the file's text

	functions map[string]function.Function
	scope     *hcl.EvalContext // the functions

	nodes     []*node // in the order of the file
	variables map[string]*node
	locals    map[string]*node
	blocks    map[string]*node // by "stage.quantize.x", "model.q"
	policies  map[string]*node
	calls     map[string]*node
	outputs   map[string]*node
}

// expr registers an expression of this module.
func (m *module) expr(e hclsyntax.Expression) *expression {
	return &expression{Expression: e, mod: m}
}

// root is the module that the user named.
func (m *module) root() *module {
	for m.parent != nil {
		m = m.parent
	}
	return m
}
