package jinja

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

func (x *constant) eval(*renderer) (any, error) { return x.value, nil }

func (x *name) eval(r *renderer) (any, error) {
	if v, ok := r.scope.get(x.name); ok {
		return v, nil
	}
	return undefined{fmt.Sprintf("%q is not defined", x.name)}, nil
}

func (x *listExpr) eval(r *renderer) (any, error) {
	l := &List{Items: make([]any, len(x.items)), tuple: x.tuple}
	for i, item := range x.items {
		v, err := item.eval(r)
		if err != nil {
			return nil, err
		}
		l.Items[i] = v
	}
	return l, r.spend(step + len(l.Items))
}

func (x *dictExpr) eval(r *renderer) (any, error) {
	d := NewDict()
	for i := range x.keys {
		k, err := x.keys[i].eval(r)
		if err != nil {
			return nil, err
		}
		v, err := x.values[i].eval(r)
		if err != nil {
			return nil, err
		}
		if _, ok := hashed(k); !ok {
			return nil, fmt.Errorf("%s can't be a key", kind(k))
		}
		d.Set(k, v)
	}
	return d, r.spend(step + 2*d.Len())
}

func (x *attribute) eval(r *renderer) (any, error) {
	of, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	v, err := member(of, x.name, true)
	return v, at(x.line, err)
}

func (x *subscript) eval(r *renderer) (any, error) {
	of, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	key, err := x.key.eval(r)
	if err != nil {
		return nil, err
	}
	v, err := member(of, key, false)
	return v, at(x.line, err)
}

// member is a value's part: x.key looks for a method first, x[key] for a key.
func member(of, key any, method bool) (any, error) {
	if u, ok := of.(undefined); ok {
		return nil, fmt.Errorf("%s, and %s of it is wanted", u.what, text(key))
	}
	s, named := key.(string)
	if named && method {
		if v, ok := methodOf(of, s); ok {
			return v, nil
		}
	}
	switch v := of.(type) {
	case *Dict:
		if item, ok := v.Get(key); ok {
			return item, nil
		}
	case *namespace:
		if item, ok := v.fields.Get(key); ok {
			return item, nil
		}
	case *turn:
		if item, ok := v.field(s); ok {
			return item, nil
		}
	case *macro:
		if s == "name" {
			return v.node.name, nil
		}
	case *List:
		if _, i, whole, ok := number(key); ok && whole {
			if i < 0 {
				i += int64(len(v.Items))
			}
			if i >= 0 && i < int64(len(v.Items)) {
				return v.Items[i], nil
			}
		}
	case string:
		if _, i, whole, ok := number(key); ok && whole {
			rs := []rune(v)
			if i < 0 {
				i += int64(len(rs))
			}
			if i >= 0 && i < int64(len(rs)) {
				return string(rs[i]), nil
			}
		}
	}
	if named && !method {
		if v, ok := methodOf(of, s); ok {
			return v, nil
		}
	}
	return undefined{fmt.Sprintf("%s has no %s", kind(of), repr(key))}, nil
}

func (x *slice) eval(r *renderer) (any, error) {
	of, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	bound := func(e expr) (*int64, error) {
		if e == nil {
			return nil, nil
		}
		v, err := e.eval(r)
		if err != nil || v == nil {
			return nil, err
		}
		_, i, whole, ok := number(v)
		if !ok || !whole {
			return nil, fmt.Errorf("a slice's bound is %s, and it has to be a whole number", kind(v))
		}
		return &i, nil
	}
	var b [3]*int64
	for i, e := range []expr{x.from, x.to, x.step} {
		if b[i], err = bound(e); err != nil {
			return nil, at(x.line, err)
		}
	}
	var list []any
	switch v := of.(type) {
	case *List:
		list = v.Items
	case string:
		list, _ = items(v)
	default:
		return nil, at(x.line, fmt.Errorf("%s can't be sliced", kind(of)))
	}
	if err := r.spend(len(list)); err != nil {
		return nil, err
	}
	out, err := sliced(list, b[0], b[1], b[2])
	if err != nil {
		return nil, at(x.line, err)
	}
	if l, ok := of.(*List); ok {
		return &List{Items: out, tuple: l.tuple}, nil
	}
	var s strings.Builder
	for _, c := range out {
		s.WriteString(c.(string))
	}
	return s.String(), nil
}

// sliced is list[from:to:step] as in Python.
func sliced(list []any, from, to, step *int64) ([]any, error) {
	n, by := int64(len(list)), int64(1)
	if step != nil {
		by = *step
	}
	if by == 0 {
		return nil, errors.New("a slice's step is 0")
	}
	lo, hi := int64(0), n
	if by < 0 {
		lo, hi = -1, n-1
	}
	clamp := func(i *int64, none int64) int64 {
		if i == nil {
			return none
		}
		k := *i
		if k < 0 {
			k += n
		}
		return min(max(k, lo), hi)
	}
	start, end := clamp(from, lo), clamp(to, hi)
	if by < 0 {
		start, end = clamp(from, hi), clamp(to, lo)
	}
	out := []any{}
	for i := start; by > 0 && i < end || by < 0 && i > end; {
		out = append(out, list[i])
		if by > n || by < -n {
			break
		}
		i += by
	}
	return out, nil
}

func (x *condition) eval(r *renderer) (any, error) {
	v, err := x.test.eval(r)
	if err != nil {
		return nil, err
	}
	if truth(v) {
		return x.yes.eval(r)
	}
	if x.no == nil {
		return undefined{"the condition is false, and there is no else"}, nil
	}
	return x.no.eval(r)
}

func (x *unary) eval(r *renderer) (any, error) {
	v, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	if x.op == "not" {
		return !truth(v), nil
	}
	f, i, whole, ok := number(v)
	if !ok {
		return nil, at(x.line, wrongType(x.op, v))
	}
	switch {
	case x.op == "+" && whole:
		return i, nil
	case x.op == "+":
		return f, nil
	case whole && i != math.MinInt64:
		return -i, nil
	}
	return -f, nil
}

func wrongType(op string, values ...any) error {
	for _, v := range values {
		if u, ok := v.(undefined); ok {
			return errors.New(u.what)
		}
	}
	if len(values) == 2 {
		return fmt.Errorf("%s %s %s has no meaning", kind(values[0]), op, kind(values[1]))
	}
	return fmt.Errorf("%s%s has no meaning", op, kind(values[0]))
}

func (x *binary) eval(r *renderer) (any, error) {
	a, err := x.left.eval(r)
	if err != nil {
		return nil, err
	}
	switch x.op {
	case "and":
		if !truth(a) {
			return a, nil
		}
		return x.right.eval(r)
	case "or":
		if truth(a) {
			return a, nil
		}
		return x.right.eval(r)
	}
	b, err := x.right.eval(r)
	if err != nil {
		return nil, err
	}
	v, err := r.binary(x.op, a, b)
	return v, at(x.line, err)
}

// binary is a op b.
func (r *renderer) binary(op string, a, b any) (any, error) {
	if err := r.spend(step); err != nil {
		return nil, err
	}
	if op == "~" {
		return r.joined(text(a), text(b))
	}
	fa, ia, wa, oka := number(a)
	fb, ib, wb, okb := number(b)
	if oka && okb {
		if wa && wb && op != "/" {
			return wholes(op, ia, ib)
		}
		return floats(op, fa, fb)
	}
	switch a := a.(type) {
	case string:
		switch op {
		case "+":
			if s, ok := b.(string); ok {
				return r.joined(a, s)
			}
		case "*":
			if okb && wb {
				return r.repeated(a, ib)
			}
		case "%":
			return r.format(a, b)
		}
	case *List:
		if l, ok := b.(*List); ok && op == "+" && a.tuple == l.tuple {
			return r.list(append(append([]any{}, a.Items...), l.Items...), a.tuple)
		}
		if op == "*" && okb && wb {
			if ib > 0 && (int64(len(a.Items)) > maxItems || ib > maxItems || int64(len(a.Items))*ib > maxItems) {
				return nil, errItems
			}
			var out []any
			for range max(ib, 0) {
				out = append(out, a.Items...)
			}
			return r.list(out, a.tuple)
		}
	}
	if oka && wa && op == "*" {
		switch b.(type) {
		case string, *List:
			return r.binary(op, b, a)
		}
	}
	return nil, wrongType(op, a, b)
}

var errItems = fmt.Errorf("a list of more than %d items", maxItems)

func (r *renderer) list(items []any, tuple bool) (any, error) {
	if len(items) > maxItems {
		return nil, errItems
	}
	return &List{Items: items, tuple: tuple}, r.spend(len(items))
}

func (r *renderer) joined(a, b string) (any, error) {
	if err := r.room(len(a) + len(b)); err != nil {
		return nil, err
	}
	return a + b, nil
}

func (r *renderer) repeated(s string, n int64) (any, error) {
	if n <= 0 || s == "" {
		return "", nil
	}
	if n > maxText {
		return nil, errLarge
	}
	if err := r.room(len(s) * int(n)); err != nil {
		return nil, err
	}
	return strings.Repeat(s, int(n)), nil
}

var (
	errZero  = errors.New("division by zero")
	errRange = errors.New("a number is out of range")
)

// wholes is arithmetic of whole numbers, which in Python has no limit; here
// what does not fit is an error.
func wholes(op string, a, b int64) (any, error) {
	switch op {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
	case "*":
		if a == 0 || b == 0 {
			return int64(0), nil
		}
		if c := a * b; c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64) {
			return c, nil
		}
	case "//", "%":
		if b == 0 {
			return nil, errZero
		}
		if a == math.MinInt64 && b == -1 {
			return nil, errRange
		}
		q, m := a/b, a%b
		if m != 0 && (m < 0) != (b < 0) {
			q, m = q-1, m+b
		}
		if op == "%" {
			return m, nil
		}
		return q, nil
	case "**":
		if b < 0 {
			return floats(op, float64(a), float64(b))
		}
		out := int64(1)
		for b > 0 && a != 0 && a != 1 {
			v, err := wholes("*", out, a)
			if err != nil {
				return nil, err
			}
			out = v.(int64)
			if b--; a == -1 {
				b %= 2
			}
		}
		if a == 0 && b > 0 {
			out = 0
		}
		return out, nil
	}
	return nil, errRange
}

func floats(op string, a, b float64) (any, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "**":
		return math.Pow(a, b), nil
	}
	if b == 0 {
		return nil, errZero
	}
	switch op {
	case "/":
		return a / b, nil
	case "//":
		return math.Floor(a / b), nil
	}
	m := math.Mod(a, b)
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m, nil
}

func (x *comparison) eval(r *renderer) (any, error) {
	a, err := x.first.eval(r)
	if err != nil {
		return nil, err
	}
	for i, op := range x.ops {
		b, err := x.rest[i].eval(r)
		if err != nil {
			return nil, err
		}
		yes, err := r.compare(op, a, b)
		if err != nil {
			return nil, at(x.line, err)
		}
		if !yes {
			return false, nil
		}
		a = b
	}
	return true, nil
}

func (r *renderer) compare(op string, a, b any) (bool, error) {
	if err := r.spend(step); err != nil {
		return false, err
	}
	switch op {
	case "==", "!=":
		same, err := r.equal(a, b)
		return same == (op == "=="), err
	case "in", "not in":
		in, err := r.contains(b, a)
		return in == (op == "in"), err
	}
	c, ok := order(a, b)
	if !ok {
		return false, wrongType(op, a, b)
	}
	switch op {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	}
	return c >= 0, nil
}

func (r *renderer) contains(in, v any) (bool, error) {
	switch in := in.(type) {
	case undefined:
		return false, nil
	case string:
		s, ok := v.(string)
		if !ok {
			return false, wrongType("in", v, in)
		}
		return strings.Contains(in, s), r.spend(len(in) / 8)
	case *Dict:
		_, ok := in.Get(v)
		return ok, nil
	case *List:
		for _, item := range in.Items {
			same, err := r.equal(item, v)
			if same || err != nil {
				return same, err
			}
		}
		return false, nil
	}
	return false, wrongType("in", v, in)
}

func (a *arguments) eval(r *renderer) (*args, error) {
	out := &args{}
	for _, x := range a.list {
		v, err := x.eval(r)
		if err != nil {
			return nil, err
		}
		out.list = append(out.list, v)
	}
	if a.spread != nil {
		v, err := a.spread.eval(r)
		if err != nil {
			return nil, err
		}
		more, ok := items(v)
		if !ok {
			return nil, fmt.Errorf("*%s: only a list can be arguments", kind(v))
		}
		if err := r.spend(len(more)); err != nil {
			return nil, err
		}
		out.list = append(out.list, more...)
	}
	for i, x := range a.named {
		v, err := x.eval(r)
		if err != nil {
			return nil, err
		}
		out.named = append(out.named, namedArg{a.names[i], v})
	}
	if a.spreadNamed != nil {
		v, err := a.spreadNamed.eval(r)
		if err != nil {
			return nil, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("**%s: only a dictionary can be named arguments", kind(v))
		}
		for i, k := range d.keys {
			out.named = append(out.named, namedArg{text(k), d.values[i]})
		}
	}
	return out, nil
}

func (x *call) eval(r *renderer) (any, error) {
	of, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	a, err := x.args.eval(r)
	if err != nil {
		return nil, at(x.line, err)
	}
	v, err := r.call(of, a)
	return v, at(x.line, err)
}

func (r *renderer) call(of any, a *args) (any, error) {
	if err := r.spend(step); err != nil {
		return nil, err
	}
	switch f := of.(type) {
	case *function:
		return f.call(r, a)
	case *macro:
		return f.call(r, a, nil)
	case *turn:
		if f.again != nil && len(a.list) == 1 {
			return f.again(r, a.list[0])
		}
	case undefined:
		return nil, fmt.Errorf("%s, and it is called", f.what)
	}
	return nil, fmt.Errorf("%s can't be called", kind(of))
}

func (x *filter) eval(r *renderer) (any, error) {
	v, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	return x.apply(r, v)
}

func (x *filter) apply(r *renderer, v any) (any, error) {
	a, err := x.args.eval(r)
	if err != nil {
		return nil, err
	}
	v, err = r.filter(x.name, v, a)
	return v, at(x.line, err)
}

func (r *renderer) filter(name string, v any, a *args) (any, error) {
	if err := r.spend(step); err != nil {
		return nil, err
	}
	f, ok := filters[name]
	if !ok {
		return nil, fmt.Errorf("the filter %q is not known here", name)
	}
	out, err := f(r, v, a)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return nil, err
	}
	if s, ok := out.(string); ok {
		return r.made(s)
	}
	return out, nil
}

func (x *test) eval(r *renderer) (any, error) {
	v, err := x.of.eval(r)
	if err != nil {
		return nil, err
	}
	a, err := x.args.eval(r)
	if err != nil {
		return nil, err
	}
	yes, err := r.test(x.name, v, a)
	return yes != x.not, at(x.line, err)
}

func (r *renderer) test(name string, v any, a *args) (bool, error) {
	if err := r.spend(step); err != nil {
		return false, err
	}
	f, ok := tests[name]
	if !ok {
		return false, fmt.Errorf("the test %q is not known here", name)
	}
	return f(r, v, a)
}
