package jinja

import (
	"strings"
	"unicode"
)

type testFunc = func(r *renderer, v any, a *args) (bool, error)

var tests map[string]testFunc

func init() {
	is := func(f func(v any) bool) testFunc {
		return func(_ *renderer, v any, _ *args) (bool, error) { return f(v), nil }
	}
	compare := func(op string) testFunc {
		return func(r *renderer, v any, a *args) (bool, error) {
			if len(a.list) != 1 {
				return false, errArgument
			}
			return r.compare(op, v, a.list[0])
		}
	}
	whole := func(f func(i int64) bool) testFunc {
		return func(_ *renderer, v any, _ *args) (bool, error) {
			_, i, whole, ok := number(v)
			if !ok || !whole {
				return false, wrongType("odd or even: ", v)
			}
			return f(i), nil
		}
	}
	tests = map[string]testFunc{
		"defined":   is(func(v any) bool { _, u := v.(undefined); return !u }),
		"undefined": is(func(v any) bool { _, u := v.(undefined); return u }),
		"none":      is(func(v any) bool { return v == nil }),
		"boolean":   is(func(v any) bool { _, ok := v.(bool); return ok }),
		"true":      is(func(v any) bool { return v == true }),
		"false":     is(func(v any) bool { return v == false }),
		"integer":   is(func(v any) bool { _, ok := v.(int64); return ok }),
		"float":     is(func(v any) bool { _, ok := v.(float64); return ok }),
		"number":    is(func(v any) bool { _, _, _, ok := number(v); return ok }),
		"string":    is(func(v any) bool { _, ok := v.(string); return ok }),
		"mapping":   is(func(v any) bool { _, ok := v.(*Dict); return ok }),
		"iterable":  is(func(v any) bool { _, ok := items(v); return ok }),
		"sequence":  is(func(v any) bool { _, ok := length(v); return ok }),
		"callable": is(func(v any) bool {
			switch v.(type) {
			case *function, *macro:
				return true
			}
			return false
		}),
		"escaped": is(func(any) bool { return false }),
		"lower":   is(func(v any) bool { return oneCase(text(v), unicode.IsLower, unicode.IsUpper) }),
		"upper":   is(func(v any) bool { return oneCase(text(v), unicode.IsUpper, unicode.IsLower) }),
		"odd":     whole(func(i int64) bool { return i%2 != 0 }),
		"even":    whole(func(i int64) bool { return i%2 == 0 }),
		"divisibleby": func(_ *renderer, v any, a *args) (bool, error) {
			_, i, w1, ok1 := number(v)
			_, n, w2, ok2 := number(a.or(0, "num", nil))
			if !ok1 || !ok2 || !w1 || !w2 || n == 0 {
				return false, errArgument
			}
			return i%n == 0, nil
		},
		"sameas": func(_ *renderer, v any, a *args) (bool, error) {
			if len(a.list) != 1 {
				return false, errArgument
			}
			_, b1 := v.(bool)
			_, b2 := a.list[0].(bool)
			return b1 == b2 && equal(v, a.list[0]), nil
		},
		"filter": is(func(v any) bool { s, _ := v.(string); _, ok := filters[s]; return ok }),
		"test":   is(func(v any) bool { s, _ := v.(string); _, ok := tests[s]; return ok }),
	}
	for op, names := range map[string]string{
		"==": "eq equalto ==", "!=": "ne !=", "<": "lt lessthan <", "<=": "le <=", ">": "gt greaterthan >", ">=": "ge >=", "in": "in",
	} {
		for _, name := range strings.Fields(names) {
			tests[name] = compare(op)
		}
	}
}

func oneCase(s string, is, not func(rune) bool) bool {
	return strings.IndexFunc(s, is) >= 0 && strings.IndexFunc(s, not) < 0
}
