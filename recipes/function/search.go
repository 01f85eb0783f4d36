package function

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"alltrue", "alltrue(list)", "Whether every element is true; of an empty list it is.", "alltrue([true, false])", "false"}, every(true))
	register(Doc{"anytrue", "anytrue(list)", "Whether some element is true; of an empty list it is not.", "anytrue([true, false])", "true"}, every(false))
	register(Doc{"coalesce", "coalesce(value, …)", "The first value that is neither null nor an empty text.", `coalesce("", null, "b")`, `"b"`}, coalesceFunc)
	register(Doc{"contains", "contains(list, value)", "Whether a list or set has the value.", `contains(["attention_q", "attention_k"], "attention_k")`, "true"}, stdlib.ContainsFunc)
	register(Doc{"index", "index(list, value)", "Where the value stands first in the list, counted from 0. An error where it does not.", `index(["a", "b"], "b")`, "1"}, indexFunc)
	register(Doc{"length", "length(value)", "How many elements a collection has, or characters a text.", `length({ a = 1, b = 2 })`, "2"}, lengthFunc)
	register(Doc{"lookup", "lookup(map, key [, default])", "The map's or object's value of a key, or the default where it has none.", `lookup({ a = 1 }, "b", 0)`, "0"}, lookupFunc)
	register(Doc{"matchkeys", "matchkeys(values, keys, wanted)", "The values whose key, at the same place, is wanted.", `matchkeys(["x", "y", "z"], ["a", "b", "a"], ["a"])`, `["x", "z"]`}, matchKeysFunc)
	register(Doc{"one", "one(list)", "The one element of a list or set, null where it is empty. More are an error.", `one(["a"])`, `"a"`}, oneFunc)
}

// every gives alltrue and anytrue: what they give for an empty list, and
// otherwise unless some element is the contrary. What is not known matters only
// where no element decides.
func every(fallback bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			open := false
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				if !e.IsKnown() {
					open = true
					continue
				}
				if holds := !e.IsNull() && e.True(); holds != fallback {
					return cty.BoolVal(holds), nil
				}
			}
			if open {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(fallback), nil
		},
	})
}

var coalesceFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		if len(args) == 0 {
			return cty.NilType, errors.New("at least one value is wanted")
		}
		return common(args)
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		for i, a := range args {
			a, err := convert.Convert(a, ty)
			if err != nil {
				return cty.NilVal, function.NewArgError(i, err)
			}
			if !a.IsKnown() {
				return cty.UnknownVal(ty), nil
			}
			if a.IsNull() || a.Type() == cty.String && a.AsString() == "" {
				continue
			}
			return a, nil
		}
		return cty.NilVal, errors.New("every value is null or an empty text")
	},
})

var indexFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType, AllowNull: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if ty := args[0].Type(); !ty.IsListType() && !ty.IsTupleType() {
			return cty.NilType, function.NewArgErrorf(0, "a list is wanted, not %s", named(ty))
		}
		return cty.Number, nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() || !args[1].IsWhollyKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		for it := args[0].ElementIterator(); it.Next(); {
			i, e := it.Element()
			equal, err := stdlib.Equal(e, args[1])
			if err != nil {
				return cty.NilVal, err
			}
			if equal.True() {
				return i, nil
			}
		}
		return cty.NilVal, function.NewArgErrorf(1, "the list has no such element; ask with contains first")
	},
})

var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		if ty != cty.String && ty != cty.DynamicPseudoType && !ty.IsCollectionType() && !ty.IsTupleType() && !ty.IsObjectType() {
			return cty.NilType, function.NewArgErrorf(0, "a collection or a text is wanted, not %s", named(ty))
		}
		return cty.Number, nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v := args[0]
		switch ty := v.Type(); {
		case ty == cty.DynamicPseudoType:
			return cty.UnknownVal(cty.Number), nil
		case ty == cty.String:
			return stdlib.Strlen(v)
		case ty.IsTupleType():
			return cty.NumberIntVal(int64(ty.Length())), nil
		case ty.IsObjectType():
			return cty.NumberIntVal(int64(len(ty.AttributeTypes()))), nil
		}
		return v.Length(), nil
	},
})

var lookupFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, {Name: "key", Type: cty.String}},
	VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		if len(args) > 3 {
			return cty.NilType, function.NewArgErrorf(3, "lookup has at most three arguments: the map, the key and the default")
		}
		ty := args[0].Type()
		switch {
		case ty.IsMapType():
			if len(args) == 3 {
				if _, err := convert.Convert(args[2], ty.ElementType()); err != nil {
					return cty.NilType, function.NewArgErrorf(2, "the default must be %s, as the map's elements are", named(ty.ElementType()))
				}
			}
			return ty.ElementType(), nil
		case ty.IsObjectType():
			key, ok := text(args[1])
			if !ok {
				return cty.DynamicPseudoType, nil
			}
			if ty.HasAttribute(key) {
				return ty.AttributeType(key), nil
			}
			if len(args) == 3 {
				return args[2].Type(), nil
			}
			return cty.NilType, missing(key, attributes(ty))
		}
		return cty.NilType, function.NewArgErrorf(0, "a map or an object is wanted, not %s", named(ty))
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		m, key := args[0], args[1]
		if m.Type().IsObjectType() {
			if m.Type().HasAttribute(key.AsString()) {
				return m.GetAttr(key.AsString()), nil
			}
		} else {
			has := m.HasIndex(key)
			if !has.IsKnown() {
				return cty.UnknownVal(ty), nil
			}
			if has.True() {
				return m.Index(key), nil
			}
		}
		if len(args) == 3 {
			return convert.Convert(args[2], ty)
		}
		var names []string
		for it := m.ElementIterator(); it.Next(); {
			k, _ := it.Element()
			names = append(names, k.AsString())
		}
		return cty.NilVal, missing(key.AsString(), names)
	},
})

// missing says what a map has instead of a key.
func missing(key string, names []string) error {
	const most = 10
	has := "it is empty"
	if len(names) > 0 {
		sort.Strings(names)
		has = "it has " + strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			has += fmt.Sprintf(" and %d more", len(names)-most)
		}
	}
	return function.NewArgErrorf(1, "there is no %q and no default is given; %s", key, has)
}

func attributes(ty cty.Type) []string {
	var names []string
	for name := range ty.AttributeTypes() {
		names = append(names, name)
	}
	return names
}

var matchKeysFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "values", Type: cty.List(cty.DynamicPseudoType)}, {Name: "keys", Type: cty.List(cty.DynamicPseudoType)}, {Name: "wanted", Type: cty.List(cty.DynamicPseudoType)}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if ty, _ := convert.UnifyUnsafe([]cty.Type{args[1].Type(), args[2].Type()}); ty == cty.NilType {
			return cty.NilType, function.NewArgErrorf(2, "the keys and the wanted ones must have one type")
		}
		return args[0].Type(), nil
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		for _, a := range args {
			if !a.IsWhollyKnown() {
				return cty.UnknownVal(ty), nil
			}
		}
		if args[0].LengthInt() != args[1].LengthInt() {
			return cty.NilVal, function.NewArgErrorf(1, "there must be as many keys (%d) as values (%d)", args[1].LengthInt(), args[0].LengthInt())
		}
		both, _ := convert.UnifyUnsafe([]cty.Type{args[1].Type(), args[2].Type()})
		keys, err := convert.Convert(args[1], both)
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		wanted, err := convert.Convert(args[2], both)
		if err != nil {
			return cty.NilVal, function.NewArgError(2, err)
		}
		var set valueSet
		for it := wanted.ElementIterator(); it.Next(); {
			_, e := it.Element()
			set.add(e)
		}
		var out []cty.Value
		values := args[0].AsValueSlice()
		for i, k := range keys.AsValueSlice() {
			if set.has(k) {
				out = append(out, values[i])
			}
		}
		if len(out) == 0 {
			return cty.ListValEmpty(ty.ElementType()), nil
		}
		return cty.ListVal(out), nil
	},
})

var oneFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		switch {
		case ty.IsListType() || ty.IsSetType():
			return ty.ElementType(), nil
		case ty.IsTupleType() && ty.Length() == 0:
			return cty.DynamicPseudoType, nil
		case ty.IsTupleType() && ty.Length() == 1:
			return ty.TupleElementType(0), nil
		case ty.IsTupleType():
			return cty.NilType, tooMany(ty.Length())
		}
		return cty.NilType, sequence(args[0])
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		v := args[0]
		if n := v.Length(); !n.IsKnown() {
			return cty.UnknownVal(ty), nil
		}
		switch v.LengthInt() {
		case 0:
			return cty.NullVal(ty), nil
		case 1:
			it := v.ElementIterator()
			it.Next()
			_, e := it.Element()
			return e, nil
		}
		return cty.NilVal, tooMany(v.LengthInt())
	},
})

func tooMany(n int) error {
	return function.NewArgErrorf(0, "the list has %d elements; it must have one or none", n)
}
