package recipes

import (
	"reflect"

	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/engine"
)

// refType is the type of a reference to a block.
var refType = cty.CapsuleWithOps("reference to a block", reflect.TypeFor[blockRef](), &cty.CapsuleOps{
	GoString:     func(v any) string { return v.(*blockRef).Address },
	TypeGoString: func(reflect.Type) string { return "reference" },
	Equals:       func(a, b any) cty.Value { return cty.BoolVal(a.(*blockRef).Address == b.(*blockRef).Address) },
	RawEquals:    func(a, b any) bool { return a.(*blockRef).Address == b.(*blockRef).Address },
	HashKey:      func(v any) string { return v.(*blockRef).Address },
})

// blockRef is a reference with what the decoder must know of its block.
type blockRef struct {
	engine.Ref
	kind string // "stage", "artifact", "policy", …
	id   string // Stage.ID
	node *node
}

func refValue(r blockRef) cty.Value { return cty.CapsuleVal(refType, &r) }

// asRef gives the reference that a value is.
func asRef(v cty.Value) (*blockRef, bool) {
	if v.IsMarked() || !v.IsKnown() || v.IsNull() || !v.Type().Equals(refType) {
		return nil, false
	}
	return v.EncapsulatedValue().(*blockRef), true
}

// replaceRefs gives a value with every reference in it replaced.
func replaceRefs(v cty.Value, by func(*blockRef) cty.Value) cty.Value {
	if !holdsRef(v.Type()) {
		return v
	}
	return replace(v, func(leaf cty.Value) cty.Value {
		if r, ok := asRef(leaf); ok {
			return by(r)
		}
		return leaf
	})
}

// replace gives a value with its leaves replaced. It rebuilds collections as
// tuples and objects, since what replaces their elements need not be of one
// type.
func replace(v cty.Value, by func(cty.Value) cty.Value) cty.Value {
	v, marks := v.Unmark()
	ty := v.Type()
	switch {
	case !v.IsKnown() || v.IsNull():
		v = by(v)
	case ty.IsMapType() || ty.IsObjectType():
		attrs := map[string]cty.Value{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			attrs[k.AsString()] = replace(e, by)
		}
		v = cty.ObjectVal(attrs)
	case ty.IsListType() || ty.IsSetType() || ty.IsTupleType():
		var items []cty.Value
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			items = append(items, replace(e, by))
		}
		v = cty.TupleVal(items)
	default:
		v = by(v)
	}
	return v.WithMarks(marks)
}

// holdsRef reports whether values of the type may hold references.
func holdsRef(ty cty.Type) bool {
	switch {
	case ty.IsCollectionType():
		return holdsRef(ty.ElementType())
	case ty.IsTupleType():
		for _, e := range ty.TupleElementTypes() {
			if holdsRef(e) {
				return true
			}
		}
	case ty.IsObjectType():
		for _, e := range ty.AttributeTypes() {
			if holdsRef(e) {
				return true
			}
		}
	}
	return ty.Equals(refType) || ty == cty.DynamicPseudoType
}

// unmeasured replaces references to what a build makes by unknown values, into
// which any traversal may go.
func unmeasured(v cty.Value) cty.Value {
	return replaceRefs(v, func(r *blockRef) cty.Value {
		if !builtKinds[r.kind] {
			return refValue(*r)
		}
		return cty.DynamicVal
	})
}

// addressesOf replaces references by their addresses, for people and JSON.
func addressesOf(v cty.Value) cty.Value {
	return replaceRefs(v, func(r *blockRef) cty.Value { return cty.StringVal(r.Address) })
}
