package recipes

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/engine"
)

// forEachName is the attribute that makes one block several.
const forEachName = "for_each"

// builtKinds are the block kinds that a recipe is there to make: those of the
// root are always used, those of a module can be named from outside.
var builtKinds = map[string]bool{"artifact": true, "validate": true, "report": true}

// topShape is what may stand at the top of a recipe.
func topShape(c *engine.Catalog) *shape {
	sh := &shape{blocks: map[string]*shape{
		"variable": {labels: 1}, "locals": {}, "policy": {labels: 1}, "module": {labels: 1}, "output": {labels: 1},
	}}
	for _, s := range c.Stages() {
		labels := 1
		if s.Name != "" {
			labels = 2
		}
		sh.blocks[s.Block] = &shape{labels: labels}
	}
	// locals is read on its own, since it may have any attribute.
	sh.blocks["locals"] = &shape{any: true}
	return sh
}

// declare reads the declarations of the module's file.
func (m *module) declare(body hcl.Body) {
	m.variables, m.locals, m.blocks = map[string]*node{}, map[string]*node{}, map[string]*node{}
	m.policies, m.calls, m.outputs = map[string]*node{}, map[string]*node{}, map[string]*node{}
	top := m.readBody(body, hcl.Range{Filename: m.file}, "a recipe", topShape(m.catalog))
	for _, b := range top.blocks {
		switch b.name {
		case "variable":
			m.declareVariable(b)
		case "locals":
			for _, a := range b.content.order() {
				m.add(m.locals, a.name, &node{kind: localNode, address: "local." + a.name, rng: a.rng, local: a, exprs: []*expression{a.expr}})
			}
		case "policy":
			m.declarePolicy(b)
		case "module":
			m.declareCall(b)
		case "output":
			m.declareOutput(b)
		default:
			m.declareBlock(b)
		}
	}
}

// add puts a node under its name; a second one of the name is an error.
func (m *module) add(to map[string]*node, name string, n *node) bool {
	if first := to[name]; first != nil {
		m.errorf(n.rng, "Declared twice", "%s is declared at %s already. Names are unique within a recipe; rename one of the two.", n.address, m.place(first.rng))
		return false
	}
	n.mod = m
	n.address = m.prefix + n.address
	n.value = unusable
	to[name] = n
	m.nodes = append(m.nodes, n)
	return true
}

// describe names a block in messages: `stage "quantize" "a"`.
func describe(kind string, labels ...string) string {
	for _, l := range labels {
		kind += fmt.Sprintf(" %q", l)
	}
	return kind
}

// declareBlock declares a block of the catalog's.
func (m *module) declareBlock(b *nested) {
	kind := ""
	if len(b.labels) == 2 {
		kind = b.labels[0]
	}
	stage, ok := m.catalog.Stage(b.name, kind)
	if !ok {
		names := m.catalog.Names(b.name)
		m.errorf(b.labelRanges[0], "Unknown kind of "+b.name, "There is no %s %q.%s There is %s.", b.name, kind, didYouMean(kind, names), list(names, "and"))
		return
	}
	sch := schemaOf(stage)
	what := describe(b.name, b.labels...)
	sh := sch.shape()
	sh.attrs = append(sh.attrs, forEachName)
	c := m.readBody(b.body, b.rng, what, sh)
	n := &node{kind: blockNode, address: strings.Join(append([]string{b.name}, b.labels...), "."), rng: b.rng}
	n.block = &blockDecl{stage: stage, schema: sch, content: c}
	n.block.forEach = takeForEach(c)
	n.exprs = c.expressions(n.block.forEach != nil)
	if n.block.forEach != nil {
		n.exprs = append(n.exprs, n.block.forEach.expr)
	}
	m.requireAttributes(c, sch, what)
	m.add(m.blocks, n.address, n)
}

// takeForEach removes for_each from a block's content.
func takeForEach(c *content) *attribute {
	a := c.attrs[forEachName]
	delete(c.attrs, forEachName)
	return a
}

// expressions lists all expressions of a block and says whether they may use
// each.key and each.value.
func (c *content) expressions(each bool) []*expression {
	var out []*expression
	for _, a := range c.order() {
		a.expr.each = each
		out = append(out, a.expr)
	}
	for _, b := range c.blocks {
		out = append(out, b.content.expressions(each)...)
	}
	return out
}

// requireAttributes reports what a block lacks, and blocks that repeat where
// one may stand.
func (m *module) requireAttributes(c *content, sch *schema, what string) {
	var missing []string
	count := map[string]int{}
	for _, b := range c.blocks {
		f := sch.field(b.name)
		if count[b.name]++; count[b.name] == 2 && f.kind != manyBlocks {
			m.errorf(b.rng, "Block repeats", "%s may have one block %s only.", what, b.name)
		}
		m.requireAttributes(b.content, f.inner, fmt.Sprintf("block %s of %s", b.name, what))
	}
	for _, f := range sch.fields {
		if f.required && c.attrs[f.name] == nil && count[f.name] == 0 {
			missing = append(missing, f.describe())
		}
	}
	if len(missing) > 0 {
		m.errorf(c.rng, "Missing "+plural("attribute", len(missing)), "%s needs %s.", what, list(missing, "and"))
	}
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// constant evaluates an attribute that may not refer to anything.
func (m *module) constant(a *attribute, what string) (cty.Value, bool) {
	if vars := a.expr.Variables(); len(vars) > 0 {
		m.errorf(vars[0].SourceRange(), "A constant is needed", "%s is read before anything is evaluated, so it can't refer to other parts of the recipe.", what)
		return unusable, false
	}
	if m.unknownFunctions(a.expr) || !a.expr.affordable(m.scope) {
		return unusable, false
	}
	v, ds := a.expr.Value(m.scope)
	m.hcl(ds)
	return v, !ds.HasErrors() && v.IsWhollyKnown()
}

func (m *module) constantString(a *attribute) string {
	if a == nil {
		return ""
	}
	v, ok := m.constant(a, a.name)
	if !ok || v.IsNull() {
		return ""
	}
	if v.Type() != cty.String {
		m.errorf(a.expr.Range(), "Wrong type", "%s is a string.", a.name)
		return ""
	}
	return v.AsString()
}

func (m *module) constantBool(a *attribute, otherwise bool) bool {
	if a == nil {
		return otherwise
	}
	v, ok := m.constant(a, a.name)
	if !ok || v.IsNull() {
		return otherwise
	}
	if v.Type() != cty.Bool {
		m.errorf(a.expr.Range(), "Wrong type", "%s is true or false.", a.name)
		return otherwise
	}
	return v.True()
}

// unknownFunctions reports calls of functions that do not exist.
func (m *module) unknownFunctions(e hclsyntax.Expression) bool {
	found := false
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			if _, exists := m.functions[call.Name]; !exists {
				found = true
				m.errorf(call.NameRange, "Unknown function", "There is no function %s.%s `pj docs functions` lists them.", call.Name, didYouMean(call.Name, keys(m.functions)))
			}
		}
		return nil
	})
	return found
}

// sortedNodes lists a map's nodes by name.
func sortedNodes(m map[string]*node) []*node {
	out := make([]*node, 0, len(m))
	for _, k := range keys(m) {
		out = append(out, m[k])
	}
	sort.Slice(out, func(i, j int) bool { return out[i].address < out[j].address })
	return out
}
