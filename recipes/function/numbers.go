package function

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"abs", "abs(number)", "The number without its sign.", "abs(-12.5)", "12.5"}, stdlib.AbsoluteFunc)
	register(Doc{"ceil", "ceil(number)", "The smallest whole number that is not less.", "ceil(4.1)", "5"},
		limited(stdlib.CeilFunc, smallNumbers, nil))
	register(Doc{"floor", "floor(number)", "The largest whole number that is not greater.", "floor(-4.1)", "-5"},
		limited(stdlib.FloorFunc, smallNumbers, nil))
	register(Doc{"max", "max(number, …)", "The greatest of the numbers; max(list...) takes a list.", "max(2, 7, 3)", "7"}, stdlib.MaxFunc)
	register(Doc{"min", "min(number, …)", "The least of the numbers; min(list...) takes a list.", "min(2, 7, 3)", "2"}, stdlib.MinFunc)
	register(Doc{"parseint", "parseint(text, base)", "The whole number that the text says in a base from 2 to 62.", `parseint("ff", 16)`, "255"},
		limited(stdlib.ParseIntFunc, shortDigits, nil))
	register(Doc{"signum", "signum(number)", "-1, 0 or 1 by the number's sign.", "signum(-0.5)", "-1"}, signumFunc)
	register(Doc{"sum", "sum(list)", "The sum of a list's numbers.", "sum([1, 2, 3.5])", "6.5"}, sumFunc)
}

// shortDigits bounds what parseint reads.
func shortDigits(args []cty.Value) error {
	if s, ok := text(args[0]); ok && len(s) > maxBits/6 {
		return function.NewArgErrorf(0, "the text has more than %d digits", maxBits/6)
	}
	return nil
}

var signumFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "number", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		return cty.NumberIntVal(int64(args[0].AsBigFloat().Sign())), nil
	},
})

var sumFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		return cty.Number, sequence(args[0])
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		if args[0].LengthInt() == 0 {
			return cty.NilVal, function.NewArgErrorf(0, "an empty list has no sum; say which you mean: length(list) == 0 ? 0 : sum(list)")
		}
		total := cty.Zero
		for it := args[0].ElementIterator(); it.Next(); {
			_, e := it.Element()
			n, err := convert.Convert(e, cty.Number)
			if err != nil || n.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "every element must be a number")
			}
			total = total.Add(n)
		}
		return total, nil
	},
})

// sequence refuses what is no list, set or tuple.
func sequence(v cty.Value) error {
	if ty := v.Type(); !ty.IsListType() && !ty.IsSetType() && !ty.IsTupleType() {
		return function.NewArgErrorf(0, "a list or a set is wanted, not %s", named(ty))
	}
	return nil
}

// named is a type's name with its article.
func named(ty cty.Type) string {
	name := ty.FriendlyName()
	switch name[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return fmt.Sprintf("an %s", name)
	}
	return fmt.Sprintf("a %s", name)
}
