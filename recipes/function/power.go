package function

import (
	"errors"
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Logarithms and powers are computed in long arithmetic and rounded once: the
// functions of package math may differ in the last bit between machines, and a
// value of a recipe is part of a cache key.

const (
	// precision is that of the language's numbers, in bits.
	precision = 512
	// working is the precision of logarithms; their results are rounded to 53
	// bits, so that log(8, 2) is 3.
	working = 256
)

func init() {
	register(Doc{"log", "log(number, base)", "The logarithm of the number, to 53 bits.", "log(1024, 2)", "10"}, logFunc)
	register(Doc{"pow", "pow(number, exponent)", "The number to the power of the exponent, exact for whole exponents, else to 53 bits.", "pow(2, 60)", "1152921504606846976"}, powFunc)
}

var logFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "number", Type: cty.Number}, {Name: "base", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if err := smallNumbers(args); err != nil {
			return cty.NilVal, err
		}
		x, base := args[0].AsBigFloat(), args[1].AsBigFloat()
		if x.Sign() <= 0 {
			return cty.NilVal, function.NewArgErrorf(0, "only numbers greater than 0 have a logarithm")
		}
		if base.Sign() <= 0 || base.Cmp(big.NewFloat(1)) == 0 {
			return cty.NilVal, function.NewArgErrorf(1, "the base must be greater than 0 and not 1")
		}
		return rounded(newFloat().Quo(ln(x), ln(base))), nil
	},
})

var powFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "number", Type: cty.Number}, {Name: "exponent", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if err := smallNumbers(args); err != nil {
			return cty.NilVal, err
		}
		x, y := args[0].AsBigFloat(), args[1].AsBigFloat()
		switch {
		case y.IsInt():
			return wholePower(x, y)
		case x.Sign() < 0:
			return cty.NilVal, function.NewArgErrorf(1, "a negative number has only whole powers")
		case x.Sign() == 0 && y.Sign() > 0:
			return cty.Zero, nil
		case x.Sign() == 0:
			return cty.NilVal, errZeroPower
		}
		power := newFloat().Mul(y, ln(x))
		if power.MantExp(nil) > 20 {
			return cty.NilVal, errPower
		}
		result := exp(power)
		if checkNumber(result) != nil {
			return cty.NilVal, errPower
		}
		return rounded(result), nil
	},
})

var (
	errPower     = errors.New("the result is beyond all measure")
	errZeroPower = function.NewArgErrorf(1, "0 has no negative power")
)

// wholePower squares and multiplies.
func wholePower(x, y *big.Float) (cty.Value, error) {
	if x.Sign() == 0 && y.Sign() < 0 {
		return cty.NilVal, errZeroPower
	}
	n, accuracy := y.Int64()
	one := big.NewFloat(1)
	if accuracy != big.Exact || n > 1<<40 || n < -1<<40 {
		// Only these have such a power; whether n is odd matters to -1 alone.
		switch distance := new(big.Float).Abs(x); {
		case x.Sign() == 0, x.Cmp(one) == 0:
			return cty.NumberVal(x), nil
		case distance.Cmp(one) == 0:
			whole, _ := y.Int(nil)
			return cty.NumberIntVal(1 - 2*int64(whole.Bit(0))), nil
		}
		return cty.NilVal, errPower
	}
	square := new(big.Float).SetPrec(precision).Set(x)
	result := new(big.Float).SetPrec(precision).SetInt64(1)
	negative := n < 0
	if negative {
		n = -n
	}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result.Mul(result, square)
			if checkNumber(result) != nil {
				return cty.NilVal, errPower
			}
		}
		if n > 1 {
			square.Mul(square, square)
			if checkNumber(square) != nil {
				return cty.NilVal, errPower
			}
		}
	}
	if negative {
		result.Quo(one, result)
	}
	return cty.NumberVal(result), nil
}

func newFloat() *big.Float { return new(big.Float).SetPrec(working) }

// rounded gives a result to 53 bits, as other languages have it.
func rounded(f *big.Float) cty.Value {
	return cty.NumberVal(new(big.Float).SetPrec(precision).Set(new(big.Float).SetPrec(53).Set(f)))
}

// ln is the natural logarithm of x > 0: that of its exponent plus that of its
// mantissa m in [1/2, 1).
func ln(x *big.Float) *big.Float {
	mantissa := newFloat()
	exponent := newFloat().Set(x).MantExp(mantissa)
	out := newFloat().SetInt64(int64(exponent))
	// ln 2 = -ln(1/2)
	out.Mul(out, newFloat().Neg(lnMantissa(newFloat().SetFloat64(0.5))))
	return out.Add(out, lnMantissa(mantissa))
}

// lnMantissa is ln m = 2 atanh z with z = (m-1)/(m+1), |z| <= 1/3, by the
// series z + z³/3 + z⁵/5 + …
func lnMantissa(m *big.Float) *big.Float {
	one := newFloat().SetInt64(1)
	z := newFloat().Quo(newFloat().Sub(m, one), newFloat().Add(m, one))
	zz := newFloat().Mul(z, z)
	sum := newFloat()
	for k := int64(1); z.Sign() != 0; k += 2 {
		term := newFloat().Quo(z, newFloat().SetInt64(k))
		sum.Add(sum, term)
		if term.MantExp(nil) < sum.MantExp(nil)-working {
			break
		}
		z.Mul(z, zz)
	}
	return sum.Add(sum, sum)
}

// exp is e^x = 2^k · e^r with x = k ln 2 + r, and e^r by its series of r/2^16,
// squared 16 times. |x| must be below 2^20.
func exp(x *big.Float) *big.Float {
	ln2 := newFloat().Neg(lnMantissa(newFloat().SetFloat64(0.5)))
	k, _ := newFloat().Quo(x, ln2).Int64()
	r := newFloat().Sub(x, newFloat().Mul(newFloat().SetInt64(k), ln2))
	const halvings = 16
	r.SetMantExp(r, -halvings)
	sum, term := newFloat().SetInt64(1), newFloat().SetInt64(1)
	for i := int64(1); term.Sign() != 0 && term.MantExp(nil) > -working; i++ {
		term.Mul(term, r)
		term.Quo(term, newFloat().SetInt64(i))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(k))
}
