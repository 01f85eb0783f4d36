package recipes

import (
	"math/big"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

const (
	// maxValueParts and maxValueBytes bound a value, so that locals which
	// double each other cannot take all memory.
	maxValueParts = 1 << 18
	maxValueBytes = 4 << 20
	// maxBits bounds the exponent of a number for the same reason.
	maxBits = 4096
)

// eachScope is the instance of a block with for_each that is evaluated.
type eachScope struct {
	key   string
	value cty.Value
}

// evaluate gives an expression's value. It is false where there is none; why
// is reported then, here or earlier.
func (e *expression) evaluate(each *eachScope) (cty.Value, bool) {
	if !e.usable() || !e.checkKeys() {
		return unusable, false
	}
	ctx := e.context(each, nil)
	if !e.affordable(ctx) {
		return unusable, false
	}
	v, ds := e.Expression.Value(ctx)
	if ds.HasErrors() {
		if e.isMeasured(each, ds) {
			e.mod.errorf(e.Range(), "Measured value in a plan", "What a build measures is known only after it; such values may appear in the outputs of the root recipe and nowhere else.")
			return unusable, false
		}
		e.mod.hcl(plainer(ds))
		return unusable, false
	}
	if !v.IsWhollyKnown() {
		return unusable, false // a part failed, and said so
	}
	return v, e.mod.checkSize(e, v)
}

// usable reports whether everything that the expression refers to has a value.
func (e *expression) usable() bool {
	if e.bad || e.mod.flooded() {
		return false
	}
	parts, bytes := 0, 0
	for _, r := range e.refs {
		for _, t := range r.targets {
			if t.node.bad {
				return false
			}
			parts += t.node.parts
			bytes += t.node.bytes
		}
	}
	if parts > 4*maxValueParts || bytes > 4*maxValueBytes {
		e.mod.errorf(e.Range(), "Value too large", "The expression refers to values of more than %d parts or %d MiB of text in all.", 4*maxValueParts, 4*maxValueBytes>>20)
		e.bad = true
		return false
	}
	return true
}

// checkKeys reports references to instances that a block does not have.
func (e *expression) checkKeys() bool {
	ok := true
	for _, r := range e.refs {
		if len(r.targets) != 1 || len(r.traversal) <= r.steps {
			continue
		}
		n := r.targets[0].node
		names, each := n.instanceKeys()
		if !each {
			continue
		}
		step := r.traversal[r.steps]
		if i, isIndex := step.(hcl.TraverseIndex); isIndex && i.Key.Type() != cty.String {
			continue // the library says what is wrong
		}
		key, isName := stepName(r.traversal, r.steps)
		if !isName {
			continue
		}
		found := false
		for _, k := range names {
			found = found || k == key
		}
		if !found {
			ok = false
			e.mod.errorf(r.traversal[:r.steps+1].SourceRange(), "Unknown instance", "%s has no instance %q.%s Its for_each gives %s.", n.address, key, didYouMean(key, names), list(names, "and"))
		}
	}
	return ok
}

// plainer rewords messages of the library that speak of values where people
// think of blocks.
func plainer(ds hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range ds {
		if d.Summary == "Unsupported attribute" && strings.HasPrefix(d.Detail, "This value does not have any attributes") {
			d.Detail = "The value has no attributes. A reference to a block stands for the block itself; what the block says cannot be read through it."
		}
	}
	return ds
}

// isMeasured reports whether the expression fails only because it looks into
// what a build will measure.
func (e *expression) isMeasured(each *eachScope, ds hcl.Diagnostics) bool {
	for _, d := range ds {
		if d.Severity == hcl.DiagError && d.Summary != "Unsupported attribute" && d.Summary != "Invalid index" {
			return false
		}
	}
	_, again := e.Expression.Value(e.context(each, unmeasured))
	return !again.HasErrors()
}

// context is the scope that the expression is evaluated in: the values of what
// it refers to and nothing else. change, if not nil, is applied to each value.
func (e *expression) context(each *eachScope, change func(cty.Value) cty.Value) *hcl.EvalContext {
	m := e.mod
	tree := map[string]any{}
	for _, r := range e.refs {
		for _, t := range r.targets {
			v := t.node.value
			if change != nil {
				v = change(v)
			}
			put(tree, t.path, v)
		}
		switch r.traversal.RootName() {
		case "module":
			if len(r.targets) == 0 {
				name, _ := stepName(r.traversal, 1)
				put(tree, []string{"module", name}, cty.EmptyObjectVal)
			}
		case "each":
			if each != nil {
				v := each.value
				if change != nil {
					v = change(v)
				}
				tree["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(each.key), "value": v})
			}
		case "path":
			tree["path"] = cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(m.dir), "root": cty.StringVal(m.root().dir)})
		}
	}
	ctx := m.scope.NewChild()
	ctx.Variables = make(map[string]cty.Value, len(tree))
	for name, v := range tree {
		ctx.Variables[name] = grow(v)
	}
	return ctx
}

// put sets the value at a path of a tree of maps.
func put(tree map[string]any, path []string, v cty.Value) {
	for _, name := range path[:len(path)-1] {
		next, ok := tree[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[name] = next
		}
		tree = next
	}
	if _, ok := tree[path[len(path)-1]].(map[string]any); !ok {
		tree[path[len(path)-1]] = v
	}
}

// grow makes an object of a tree.
func grow(v any) cty.Value {
	tree, ok := v.(map[string]any)
	if !ok {
		return v.(cty.Value)
	}
	attrs := make(map[string]cty.Value, len(tree))
	for name, e := range tree {
		attrs[name] = grow(e)
	}
	return cty.ObjectVal(attrs)
}

// checkSize refuses values that could not come from a sane recipe.
func (m *module) checkSize(e *expression, v cty.Value) bool {
	parts, bytes := extent(v)
	if parts <= maxValueParts && bytes <= maxValueBytes {
		return true
	}
	m.errorf(e.Range(), "Value too large", "The value has more than %d parts, more than %d MiB of text, nests deeper than %d, or has a number beyond all measure.", maxValueParts, maxValueBytes>>20, maxNesting)
	return false
}

// extent counts the parts of a value and the bytes of its strings. It gives up
// once there are too many of either.
func extent(v cty.Value) (parts, bytes int) { return extentAt(v, 0) }

func extentAt(v cty.Value, depth int) (parts, bytes int) {
	v, _ = v.Unmark()
	parts = 1
	if depth > maxNesting {
		return maxValueParts + 1, 0
	}
	if !v.IsKnown() || v.IsNull() {
		return
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		return 1, len(v.AsString())
	case ty == cty.Number:
		if f := v.AsBigFloat(); f.IsInf() || f.Sign() != 0 && abs(f.MantExp(new(big.Float))) > maxBits {
			return maxValueParts + 1, 0
		}
	case ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType():
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			p, b := extentAt(e, depth+1)
			parts, bytes = parts+p, bytes+b
			if parts > maxValueParts || bytes > maxValueBytes {
				return
			}
		}
	}
	return
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
