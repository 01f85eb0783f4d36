package function

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"can", "can(expression)", "Whether the expression has a value, instead of an error.", `can(regex("[0-9]", "abc"))`, "false"}, canFunc)
	register(Doc{"try", "try(expression, …)", "The value of the first expression that has one.", `try(jsondecode("{"), "none")`, `"none"`}, tryFunc)
	register(Doc{"tobool", "tobool(value)", "The value as true or false.", `tobool("true")`, "true"}, stdlib.MakeToFunc(cty.Bool))
	register(Doc{"tonumber", "tonumber(value)", "The value as a number.", `tonumber("4.5")`, "4.5"}, limited(stdlib.MakeToFunc(cty.Number), smallNumerals, nil))
	register(Doc{"tostring", "tostring(value)", "The value as text.", "tostring(4.5)", `"4.5"`}, limited(stdlib.MakeToFunc(cty.String), smallNumbers, nil))
	register(Doc{"tolist", "tolist(value)", "The value as a list, whose elements get one type.", `tolist(["a", 1])`, `["a", "1"]`}, limited(stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), smallNumbers, nil))
	register(Doc{"tomap", "tomap(value)", "The value as a map, whose elements get one type.", `tomap({ a = 1, b = "2" })`, `{ a = "1", b = "2" }`}, limited(stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), smallNumbers, nil))
	register(Doc{"toset", "toset(value)", "The value as a set: no order, every element once.", `toset(["b", "a", "b"])`, `["a", "b"]`}, limited(stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), smallNumbers, nil))
	register(Doc{"type", "type(value)", "The value's type, as a variable block would say it.", `type(tolist([1, 2]))`, `"list(number)"`}, typeFunc)
}

// errNone is try's error where every expression has one.
const errNone = "no expression has a value: %s"

// tryFunc evaluates each expression at most once, and so costs what its
// expressions cost also where calls of try nest.
var tryFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
	Type:     function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if len(args) == 0 {
			return cty.NilVal, errors.New("at least one expression is wanted")
		}
		reason := ""
		for _, a := range args {
			closure := customdecode.ExpressionClosureFromVal(a)
			v, problems := closure.Value()
			if problems.HasErrors() {
				if reason == "" {
					reason = fmt.Sprintf("%s: %s; %s", closure.Expression.Range(), problems[0].Summary, problems[0].Detail)
				}
				continue
			}
			if !v.IsWhollyKnown() {
				// What is not known yet may turn out to be an error.
				return cty.DynamicVal, nil
			}
			return v, nil
		}
		return cty.NilVal, fmt.Errorf(errNone, reason)
	},
})

var canFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "expression", Type: customdecode.ExpressionClosureType}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, problems := customdecode.ExpressionClosureFromVal(args[0]).Value()
		switch {
		case problems.HasErrors():
			return cty.False, nil
		case !v.IsWhollyKnown():
			return cty.UnknownVal(cty.Bool), nil
		}
		return cty.True, nil
	},
})

var typeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		ty := args[0].Type()
		if ty == cty.DynamicPseudoType && !args[0].IsKnown() {
			return cty.UnknownVal(cty.String), nil
		}
		if hasCapsule(ty) {
			return cty.StringVal("reference"), nil
		}
		return cty.StringVal(typeexpr.TypeString(ty)), nil
	},
})

// hasCapsule reports whether a type holds values that the language cannot write.
func hasCapsule(ty cty.Type) bool {
	found := false
	switch {
	case ty.IsCapsuleType():
		found = true
	case ty.IsCollectionType():
		found = hasCapsule(ty.ElementType())
	case ty.IsTupleType():
		for _, e := range ty.TupleElementTypes() {
			found = found || hasCapsule(e)
		}
	case ty.IsObjectType():
		for _, e := range ty.AttributeTypes() {
			found = found || hasCapsule(e)
		}
	}
	return found
}
