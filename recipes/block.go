package recipes

import (
	"reflect"
	"sort"
	"unicode"

	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// maxInstances bounds what one for_each may give.
const maxInstances = 4096

// instances evaluates for_each: one scope per instance, in key order; a single
// nil where the block has none.
func (m *module) instances(a *attribute) ([]*eachScope, bool) {
	if a == nil {
		return []*eachScope{nil}, true
	}
	v, ok := a.expr.evaluate(nil)
	if !ok {
		return nil, false
	}
	r := a.expr.Range()
	if v.IsMarked() || marksInKeys(v) {
		m.errorf(r, "Sensitive value", "for_each names its instances by its keys, so it can't come from a sensitive value.")
		return nil, false
	}
	if v.IsNull() {
		m.errorf(r, "Value is null", "for_each needs an object, a map or a set of strings; it is null. Use {} for no instances.")
		return nil, false
	}
	ty := v.Type()
	var out []*eachScope
	switch {
	case ty.IsMapType() || ty.IsObjectType():
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			out = append(out, &eachScope{k.AsString(), e})
		}
	case ty.IsSetType() && (ty.ElementType() == cty.String || v.LengthInt() == 0):
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if e.IsNull() {
				m.errorf(r, "Value is null", "The set of for_each has a null; instances are named by strings.")
				return nil, false
			}
			out = append(out, &eachScope{e.AsString(), e})
		}
	case ty.IsTupleType() || ty.IsListType():
		m.errorf(r, "Wrong type", "for_each takes an object, a map or a set of strings, not a list: instances are named, not numbered. Write toset([…]).")
		return nil, false
	default:
		m.errorf(r, "Wrong type", "for_each takes an object, a map or a set of strings, not %s.", valueName(ty))
		return nil, false
	}
	if len(out) > maxInstances {
		m.errorf(r, "Too many instances", "for_each gives %d instances; at most %d are allowed.", len(out), maxInstances)
		return nil, false
	}
	for _, e := range out {
		if !sane(e.key) {
			m.errorf(r, "Not a key", "%s can't name an instance: keys are not empty and have no control characters.", quote(e.key))
			return nil, false
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].key < out[j].key })
	return out, true
}

// marksInKeys reports whether a set has sensitive members: they would be keys.
func marksInKeys(v cty.Value) bool {
	return !v.IsNull() && v.Type().IsSetType() && v.ContainsMarked()
}

func sane(key string) bool {
	for _, r := range key {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return false
		}
	}
	return key != "" && len(key) <= 200
}

// instanceKeys are the keys of the node's instances; false where the node has
// no for_each.
func (n *node) instanceKeys() ([]string, bool) {
	var each bool
	switch n.kind {
	case blockNode:
		each = n.block.forEach != nil
	case policyNode:
		each = n.policy.forEach != nil
	}
	if !each || !n.value.Type().IsObjectType() {
		return nil, false
	}
	return keys(n.value.Type().AttributeTypes()), true
}

// evaluateBlock decodes every instance of a block.
func (l *loader) evaluateBlock(n *node) {
	b := n.block
	scopes, ok := n.mod.instances(b.forEach)
	if !ok {
		n.bad = true
		return
	}
	values := map[string]cty.Value{}
	for _, each := range scopes {
		address := n.address
		if each != nil {
			address = instance(address, each.key)
		}
		// A block that fails can be referred to all the same, so that what is wrong
		// elsewhere is found, too.
		if eb, ok := l.decodeBlock(n, address, each); ok {
			b.instances = append(b.instances, eb)
		} else {
			b.failed = append(b.failed, eb)
		}
		ref := refValue(blockRef{engine.Ref{Address: address, Yields: b.stage.Yields}, b.stage.Block, b.stage.ID(), n})
		if each == nil {
			n.value = ref
		} else {
			values[each.key] = ref
		}
	}
	if b.forEach != nil {
		n.value = cty.ObjectVal(values)
	}
	l.program.Blocks = append(l.program.Blocks, b.instances...)
}

// decodeBlock makes one instance of a block.
func (l *loader) decodeBlock(n *node, address string, each *eachScope) (*engine.Block, bool) {
	m, s := n.mod, n.block.schema
	params := reflect.New(s.typ)
	b := &engine.Block{
		Stage: n.block.stage, Address: address, Params: params.Interface(), Range: m.place(n.rng),
		Attrs: map[string]diag.Range{}, Base: m.dir,
	}
	d := newDecoder(m, each, b)
	if !m.complete(n.block.content, s) {
		d.ok = false // reported when the block was read
	}
	d.fill(n.block.content, params.Elem(), s, "")
	for a := range d.refs {
		b.Refs = append(b.Refs, a)
		l.edges[Edge{address, a}] = true
	}
	sort.Strings(b.Refs)
	if !d.ok {
		return b, false
	}
	if !m.checkStage(b) {
		return b, false
	}
	b.Canonical = d.canonical(params.Elem(), s)
	return b, true
}

// complete reports whether a block has all that it needs, and nothing else.
func (m *module) complete(c *content, s *schema) bool {
	if c.failed {
		return false
	}
	count := map[string]int{}
	for _, b := range c.blocks {
		f := s.field(b.name)
		count[b.name]++
		if count[b.name] > 1 && f.kind != manyBlocks || !m.complete(b.content, f.inner) {
			return false
		}
	}
	for _, f := range s.fields {
		if f.required && c.attrs[f.name] == nil && count[f.name] == 0 {
			return false
		}
	}
	return true
}
