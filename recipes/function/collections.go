package function

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"chunklist", "chunklist(list, size)", "The list in pieces of a size; the last may be shorter.", "chunklist([1, 2, 3], 2)", "[[1, 2], [3]]"}, stdlib.ChunklistFunc)
	register(Doc{"coalescelist", "coalescelist(list, …)", "The first list that is not empty.", `coalescelist([], ["a"])`, `["a"]`}, stdlib.CoalesceListFunc)
	register(Doc{"compact", "compact(list)", "The texts of a list that are not empty.", `compact(["a", "", "b", null])`, `["a", "b"]`}, stdlib.CompactFunc)
	register(Doc{"concat", "concat(list, …)", "The lists, one after the other.", `concat(["a"], ["b", "c"])`, `["a", "b", "c"]`}, stdlib.ConcatFunc)
	register(Doc{"distinct", "distinct(list)", "The list with every element once, where it stands first.", `distinct(["b", "a", "b"])`, `["b", "a"]`}, distinctFunc)
	register(Doc{"element", "element(list, index)", "An element of a list, which is repeated without end in both directions.", `element(["a", "b"], 3)`, `"b"`}, stdlib.ElementFunc)
	register(Doc{"flatten", "flatten(list)", "The elements of a list, those of lists in it in their place.", "flatten([[1], [2, [3]]])", "[1, 2, 3]"}, stdlib.FlattenFunc)
	register(Doc{"keys", "keys(map)", "The keys of a map or object, sorted.", "keys({ b = 1, a = 2 })", `["a", "b"]`}, stdlib.KeysFunc)
	register(Doc{"merge", "merge(map, …)", "The elements of all maps or objects; of one key the last holds.", "merge({ a = 1, b = 2 }, { b = 3 })", "{ a = 1, b = 3 }"}, stdlib.MergeFunc)
	register(Doc{"range", "range([start,] limit [, step])", "The numbers from start (0) to before limit, step (1) apart; at most 1024.", "range(1, 6, 2)", "[1, 3, 5]"}, stdlib.RangeFunc)
	register(Doc{"reverse", "reverse(list)", "The list from last to first.", "reverse([1, 2, 3])", "[3, 2, 1]"}, stdlib.ReverseListFunc)
	register(Doc{"setintersection", "setintersection(set, …)", "The elements that all sets have.", `setintersection(["a", "b"], ["b", "c"])`, `["b"]`}, stdlib.SetIntersectionFunc)
	register(Doc{"setproduct", "setproduct(list, …)", "Every choice of one element of each list.", `setproduct(["a", "b"], [1, 2])`, `[["a", 1], ["a", 2], ["b", 1], ["b", 2]]`},
		limited(stdlib.SetProductFunc, productLimit, nil))
	register(Doc{"setsubtract", "setsubtract(set, set)", "The elements of the first set that the second lacks.", `setsubtract(["a", "b"], ["b"])`, `["a"]`}, stdlib.SetSubtractFunc)
	register(Doc{"setunion", "setunion(set, …)", "The elements that any set has.", `setunion(["b"], ["a", "b"])`, `["a", "b"]`}, stdlib.SetUnionFunc)
	register(Doc{"slice", "slice(list, start, end)", "The elements from start to before end, counted from 0.", `slice(["a", "b", "c"], 1, 3)`, `["b", "c"]`}, stdlib.SliceFunc)
	register(Doc{"sort", "sort(list)", "The texts of a list in the order of their characters.", `sort(["b", "a"])`, `["a", "b"]`}, stdlib.SortFunc)
	register(Doc{"transpose", "transpose(map)", "A map of lists turned around: for every text the keys whose list has it.", `transpose({ a = ["x", "y"], b = ["y"] })`, `{ x = ["a"], y = ["a", "b"] }`}, transposeFunc)
	register(Doc{"values", "values(map)", "The values of a map or object, in the order of the keys.", "values({ b = 1, a = 2 })", "[2, 1]"}, stdlib.ValuesFunc)
	register(Doc{"zipmap", "zipmap(keys, values)", "A map of keys and of values in the same order.", `zipmap(["a", "b"], [1, 2])`, "{ a = 1, b = 2 }"}, stdlib.ZipmapFunc)
}

func productLimit(args []cty.Value) error {
	parts := 1
	for _, a := range args {
		v, ok := known(a)
		if !ok {
			return nil
		}
		if ty := v.Type(); ty.IsListType() || ty.IsSetType() || ty.IsTupleType() {
			parts = times(parts, v.LengthInt())
			if parts < 0 {
				break
			}
		}
	}
	return resultParts(times(parts, len(args)))
}

var distinctFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.List(cty.DynamicPseudoType)}},
	Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ty), nil
		}
		var seen valueSet
		var out []cty.Value
		for it := args[0].ElementIterator(); it.Next(); {
			if _, e := it.Element(); seen.add(e) {
				out = append(out, e)
			}
		}
		if len(out) == 0 {
			return cty.ListValEmpty(ty.ElementType()), nil
		}
		return cty.ListVal(out), nil
	},
})

// valueSet finds equal values in about constant time, where comparing each with
// each would take minutes for long lists.
type valueSet map[int][]cty.Value

// add reports whether the value is new.
func (s *valueSet) add(v cty.Value) bool {
	if s.has(v) {
		return false
	}
	if *s == nil {
		*s = valueSet{}
	}
	(*s)[v.Hash()] = append((*s)[v.Hash()], v)
	return true
}

func (s valueSet) has(v cty.Value) bool {
	for _, e := range s[v.Hash()] {
		if v.RawEquals(e) {
			return true
		}
	}
	return false
}

var transposeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "map", Type: cty.Map(cty.List(cty.String))}},
	Type:   function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ty), nil
		}
		lists := map[string][]cty.Value{}
		for it := args[0].ElementIterator(); it.Next(); {
			key, list := it.Element()
			if list.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "the list of %q is null", key.AsString())
			}
			for each := list.ElementIterator(); each.Next(); {
				_, e := each.Element()
				if e.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "the list of %q has a null", key.AsString())
				}
				lists[e.AsString()] = append(lists[e.AsString()], key)
			}
		}
		if len(lists) == 0 {
			return cty.MapValEmpty(cty.List(cty.String)), nil
		}
		out := make(map[string]cty.Value, len(lists))
		for k, list := range lists {
			out[k] = cty.ListVal(list)
		}
		return cty.MapVal(out), nil
	},
})

// common gives the one type that all values can have.
func common(args []cty.Value) (cty.Type, error) {
	types := make([]cty.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	ty, _ := convert.UnifyUnsafe(types)
	if ty == cty.NilType {
		return ty, function.NewArgErrorf(len(args)-1, "all arguments must have one type")
	}
	return ty, nil
}
