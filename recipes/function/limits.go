package function

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

const (
	// maxText and maxParts bound what a function gives, as the language bounds
	// every value: a short expression must not take all memory.
	maxText  = 16 << 20
	maxParts = 1 << 20
	// maxBits bounds a number's binary exponent, for the same reason: a number
	// is written out whole.
	maxBits = 4096
	// maxNesting is how deep decoded values may nest.
	maxNesting = 256
)

// limited gives a function whose arguments and result are checked. Either check
// may be nil. before sees arguments that may be unknown, null or marked.
func limited(f function.Function, before func(args []cty.Value) error, after func(cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		VarParam:    f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if before != nil {
				if err := before(args); err != nil {
					return cty.NilType, err
				}
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err == nil && after != nil {
				err = after(v)
			}
			return v, err
		},
	})
}

// known gives an argument's plain value; false where it has none (yet).
func known(v cty.Value) (cty.Value, bool) {
	v, _ = v.Unmark()
	return v, v.IsKnown() && !v.IsNull()
}

// text gives a string argument; false where it is not known.
func text(v cty.Value) (string, bool) {
	v, ok := known(v)
	if !ok || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// smallNumbers refuses arguments that hold numbers beyond all measure, whose
// digits would fill the memory.
func smallNumbers(args []cty.Value) error {
	for i, a := range args {
		if err := checkNumbers(a); err != nil {
			return function.NewArgError(i, err)
		}
	}
	return nil
}

func checkNumbers(v cty.Value) error { return eachPrimitive(v, numberOnly) }

// smallNumerals is smallNumbers for a function that reads texts as numbers.
func smallNumerals(args []cty.Value) error {
	for i, a := range args {
		if err := eachPrimitive(a, numeral); err != nil {
			return function.NewArgError(i, err)
		}
	}
	return nil
}

func numberOnly(v cty.Value) error {
	if v.Type() != cty.Number {
		return nil
	}
	return checkNumber(v.AsBigFloat())
}

func numeral(v cty.Value) error {
	if v.Type() != cty.String {
		return numberOnly(v)
	}
	s := v.AsString()
	if !strings.ContainsAny(s, "eEpP") || strings.Trim(s, "0123456789.+-eEpP_") != "" {
		return nil
	}
	if len(s) > maxBits {
		return fmt.Errorf("the number has more than %d digits", maxBits)
	}
	if n, err := cty.ParseNumberVal(s); err == nil {
		return checkNumber(n.AsBigFloat())
	}
	return nil
}

// eachPrimitive checks every primitive value of a value.
func eachPrimitive(v cty.Value, check func(cty.Value) error) error {
	v, ok := known(v)
	if !ok {
		return nil
	}
	ty := v.Type()
	if ty.IsPrimitiveType() {
		return check(v)
	}
	if ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType() {
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if err := eachPrimitive(e, check); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNumber(f *big.Float) error {
	if e := f.MantExp(nil); f.IsInf() || f.Sign() != 0 && abs(e) > maxBits {
		return errors.New("the number is beyond all measure")
	}
	return nil
}

// resultText refuses a text that would be too long.
func resultText(length int) error {
	if length < 0 || length > maxText {
		return fmt.Errorf("the result would have more than %d MiB", maxText>>20)
	}
	return nil
}

// resultParts refuses a collection that would be too large.
func resultParts(parts int) error {
	if parts < 0 || parts > maxParts {
		return fmt.Errorf("the result would have more than %d elements", maxParts)
	}
	return nil
}

// times multiplies sizes; what overflows is -1, and so is too large.
func times(a, b int) int {
	if a != 0 && b > (1<<62)/a {
		return -1
	}
	return a * b
}

// size measures a value: its parts and the bytes of its texts and numbers.
func size(v cty.Value) (parts, bytes int) {
	parts = 1
	v, ok := known(v)
	if !ok {
		return parts, 4
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		return parts, len(v.AsString())
	case ty == cty.Number:
		return parts, 8 + abs(v.AsBigFloat().MantExp(nil))/3
	case ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType():
		named := ty.IsMapType() || ty.IsObjectType()
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			p, b := size(e)
			parts, bytes = parts+p, bytes+b+2
			if named {
				bytes += len(k.AsString())
			}
			if parts > maxParts || bytes > 4*maxText {
				return
			}
		}
	}
	return parts, bytes + 8
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
