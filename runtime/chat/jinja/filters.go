package jinja

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type filterFunc = func(r *renderer, v any, a *args) (any, error)

var filters map[string]filterFunc

func init() {
	filters = map[string]filterFunc{
		"abs":        absolute,
		"attr":       func(_ *renderer, v any, a *args) (any, error) { return member(v, a.or(0, "name", ""), true) },
		"batch":      batch,
		"capitalize": ofText(capitalized), "lower": ofText(strings.ToLower), "upper": ofText(strings.ToUpper), "title": ofText(titleWords),
		"center":  func(r *renderer, v any, a *args) (any, error) { return centered(r, text(v), a) },
		"count":   count,
		"length":  count,
		"d":       standard,
		"default": standard, "dictsort": dictSort, "e": ofText(escaped), "escape": ofText(escaped), "forceescape": ofText(escaped),
		"first": func(_ *renderer, v any, _ *args) (any, error) { return end(v, 0) },
		"last":  func(_ *renderer, v any, _ *args) (any, error) { return end(v, -1) },
		"float": toFloat, "int": toInt, "groupby": groupBy, "indent": indented,
		"format": func(r *renderer, v any, a *args) (any, error) {
			if len(a.named) > 0 {
				d := NewDict()
				for _, n := range a.named {
					d.Set(n.name, n.value)
				}
				return r.format(text(v), d)
			}
			return r.format(text(v), &List{Items: a.list, tuple: true})
		},
		"items": func(r *renderer, v any, a *args) (any, error) {
			switch v := v.(type) {
			case undefined:
				return &List{}, nil
			case *Dict:
				return v.pairs(), r.spend(4 * v.Len())
			}
			return nil, fmt.Errorf("%s has no items", kind(v))
		},
		"join": joinFilter,
		"list": func(r *renderer, v any, _ *args) (any, error) {
			l, err := listOf(v)
			if err != nil {
				return nil, err
			}
			return r.list(slices.Clone(l), false)
		},
		"map": mapFilter, "max": extreme(1), "min": extreme(-1),
		"select": selecting(false, true), "reject": selecting(false, false), "selectattr": selecting(true, true), "rejectattr": selecting(true, false),
		"replace": func(r *renderer, v any, a *args) (any, error) {
			old, with := a.or(0, "old", ""), a.or(1, "new", "")
			n, err := a.int(2, "count", -1)
			if err != nil {
				return nil, err
			}
			return r.replace(text(v), text(old), text(with), n)
		},
		"reverse": reversed, "round": round, "slice": slices3, "sort": sorted, "sum": sum, "tojson": toJSON,
		"safe":   func(_ *renderer, v any, _ *args) (any, error) { return v, nil },
		"string": func(_ *renderer, v any, _ *args) (any, error) { return text(v), nil },
		"trim": func(r *renderer, v any, a *args) (any, error) {
			return stripping(strings.TrimFunc)(r, text(v), a)
		},
		"truncate": truncate, "unique": unique,
		"urlencode": func(_ *renderer, v any, _ *args) (any, error) {
			return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(text(v)), "+", "%20"), "%2F", "/"), nil
		},
		"wordcount": func(_ *renderer, v any, _ *args) (any, error) {
			inWord := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
			return int64(len(strings.FieldsFunc(text(v), func(r rune) bool { return !inWord(r) }))), nil
		},
	}
}

func ofText(f func(string) string) filterFunc {
	return func(_ *renderer, v any, _ *args) (any, error) { return f(text(v)), nil }
}

func centered(r *renderer, s string, a *args) (any, error) {
	width, err := a.int(0, "width", 80)
	if err != nil {
		return nil, err
	}
	return r.pad(s, width, " ", true, true)
}

// titleWords is Jinja's title: words begin after spaces, hyphens and brackets.
func titleWords(s string) string {
	fresh := true
	return strings.Map(func(r rune) rune {
		was := fresh
		fresh = unicode.IsSpace(r) || strings.ContainsRune("-({[<", r)
		if was {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;").Replace(s)
}

// listOf is a value's items, or why it has none.
func listOf(v any) ([]any, error) {
	l, ok := items(v)
	if !ok {
		return nil, fmt.Errorf("%s is no list", kind(v))
	}
	return l, nil
}

func absolute(_ *renderer, v any, _ *args) (any, error) {
	f, i, whole, ok := number(v)
	switch {
	case !ok:
		return nil, wrongType("abs ", v)
	case whole && i == math.MinInt64:
		return nil, errRange
	case whole:
		return max(i, -i), nil
	}
	return math.Abs(f), nil
}

func count(_ *renderer, v any, _ *args) (any, error) {
	n, ok := length(v)
	if !ok {
		return nil, fmt.Errorf("%s has no length", kind(v))
	}
	return int64(n), nil
}

func standard(_ *renderer, v any, a *args) (any, error) {
	_, undef := v.(undefined)
	if undef || truth(a.or(1, "boolean", false)) && !truth(v) {
		return a.or(0, "default_value", ""), nil
	}
	return v, nil
}

func end(v any, i int) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	if len(l) == 0 {
		return undefined{"there is no item in the list"}, nil
	}
	if i < 0 {
		i = len(l) - 1
	}
	return l[i], nil
}

func toInt(_ *renderer, v any, a *args) (any, error) {
	none := a.or(0, "default", int64(0))
	switch v := v.(type) {
	case string:
		base, err := a.int(1, "base", 10)
		if err != nil || base < 0 || base > 36 || base == 1 {
			return nil, errArgument
		}
		s := strings.ReplaceAll(strings.TrimSpace(v), "_", "")
		if base == 16 {
			s = strings.TrimPrefix(strings.ToLower(s), "0x")
		}
		if i, err := strconv.ParseInt(s, int(base), 64); err == nil {
			return i, nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 {
			return int64(f), nil
		}
		return none, nil
	}
	f, i, whole, ok := number(v)
	switch {
	case !ok:
		return none, nil
	case whole:
		return i, nil
	case math.Abs(f) < 1<<62:
		return int64(f), nil
	}
	return none, nil
}

func toFloat(_ *renderer, v any, a *args) (any, error) {
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f, nil
		}
		return a.or(0, "default", 0.0), nil
	}
	if f, _, _, ok := number(v); ok {
		return f, nil
	}
	return a.or(0, "default", 0.0), nil
}

func indented(r *renderer, v any, a *args) (any, error) {
	by := ""
	switch w := a.or(0, "width", int64(4)).(type) {
	case string:
		by = w
	case int64:
		if w > 1000 {
			return nil, errLarge
		}
		by = strings.Repeat(" ", int(max(w, 0)))
	default:
		return nil, errArgument
	}
	first, blank := truth(a.or(1, "first", false)), truth(a.or(2, "blank", false))
	s := text(v)
	if err := r.room(len(s) + len(by)*(strings.Count(s, "\n")+1)); err != nil {
		return nil, err
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if (i > 0 || first) && (line != "" || blank || i == 0) {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

func joinFilter(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	if attr, ok := a.get(1, "attribute"); ok {
		if l, err = r.each(l, func(v any) (any, error) { return dotted(v, attr) }); err != nil {
			return nil, err
		}
	}
	return r.join(l, text(a.or(0, "d", "")))
}

// each is f of every item.
func (r *renderer) each(l []any, f func(any) (any, error)) ([]any, error) {
	out := make([]any, len(l))
	for i, v := range l {
		if err := r.spend(step); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = f(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dotted follows an attribute like "a.b.0".
func dotted(v, path any) (any, error) {
	s, ok := path.(string)
	if !ok {
		return member(v, path, false)
	}
	for _, part := range strings.Split(s, ".") {
		var key any = part
		if i, err := strconv.ParseInt(part, 10, 64); err == nil {
			key = i
		}
		var err error
		if v, err = member(v, key, false); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func mapFilter(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	f := func(v any) (any, error) { return nil, errArgument }
	if attr, ok := a.get(-1, "attribute"); ok {
		none, has := a.get(-1, "default")
		f = func(v any) (any, error) {
			out, err := dotted(v, attr)
			if _, undef := out.(undefined); undef && has {
				return none, nil
			}
			return out, err
		}
	} else if name, ok := a.string(0, ""); ok {
		rest := &args{a.list[1:], a.named}
		f = func(v any) (any, error) { return r.filter(name, v, rest) }
	}
	out, err := r.each(l, f)
	if err != nil {
		return nil, err
	}
	return r.list(out, false)
}

// selecting is select, reject, and those by an attribute.
func selecting(byAttr, want bool) filterFunc {
	return func(r *renderer, v any, a *args) (any, error) {
		l, err := listOf(v)
		if err != nil {
			return nil, err
		}
		list := a.list
		var attr any
		if byAttr {
			if len(list) == 0 {
				return nil, errArgument
			}
			attr, list = list[0], list[1:]
		}
		name := ""
		rest := &args{nil, a.named}
		if len(list) > 0 {
			var ok bool
			if name, ok = list[0].(string); !ok {
				return nil, errArgument
			}
			rest.list = list[1:]
		}
		out := []any{}
		for _, item := range l {
			x := item
			if byAttr {
				if x, err = dotted(item, attr); err != nil {
					return nil, err
				}
			}
			yes := truth(x)
			if name != "" {
				if yes, err = r.test(name, x, rest); err != nil {
					return nil, err
				}
			}
			if yes == want {
				out = append(out, item)
			}
			if err := r.spend(step); err != nil {
				return nil, err
			}
		}
		return r.list(out, false)
	}
}

func reversed(r *renderer, v any, _ *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	l = slices.Clone(l)
	slices.Reverse(l)
	if _, ok := v.(string); ok {
		return r.join(l, "")
	}
	return r.list(l, false)
}

func round(_ *renderer, v any, a *args) (any, error) {
	f, i, whole, ok := number(v)
	digits, err := a.int(0, "precision", 0)
	if !ok || err != nil || digits > 300 || digits < -300 {
		return nil, errArgument
	}
	by := math.Pow(10, float64(digits))
	switch method := text(a.or(1, "method", "common")); method {
	case "ceil":
		return math.Ceil(f*by) / by, nil
	case "floor":
		return math.Floor(f*by) / by, nil
	case "common":
		if whole && digits >= 0 {
			return i, nil
		}
		if digits >= 0 {
			out, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
			return out, nil
		}
		return math.RoundToEven(f*by) / by, nil
	}
	return nil, errArgument
}

// keyed are items with what they are compared by.
func keyed(r *renderer, l []any, a *args, attrAt, caseAt int) ([]any, error) {
	attr := a.or(attrAt, "attribute", nil)
	exact := truth(a.or(caseAt, "case_sensitive", false))
	fold := func(v any) any {
		if s, ok := v.(string); ok && !exact {
			return strings.ToLower(s)
		}
		return v
	}
	return r.each(l, func(v any) (any, error) {
		if attr == nil {
			return fold(v), nil
		}
		s, ok := attr.(string)
		if !ok || !strings.Contains(s, ",") {
			x, err := dotted(v, attr)
			return fold(x), err
		}
		t := &List{tuple: true}
		for part := range strings.SplitSeq(s, ",") {
			x, err := dotted(v, part)
			if err != nil {
				return nil, err
			}
			t.Items = append(t.Items, fold(x))
		}
		return t, nil
	})
}

// sortBy sorts items by their keys.
func sortBy(r *renderer, l, keys []any, reverse bool) ([]any, error) {
	index := make([]int, len(l))
	for i := range index {
		index[i] = i
	}
	var err error
	slices.SortStableFunc(index, func(i, k int) int {
		if err == nil {
			err = r.spend(step)
		}
		if err != nil {
			return 0
		}
		c, ok := order(keys[i], keys[k])
		if !ok {
			err = wrongType("<", keys[i], keys[k])
		}
		if reverse {
			return -c
		}
		return c
	})
	out := make([]any, len(l))
	for i, k := range index {
		out[i] = l[k]
	}
	return out, err
}

func sorted(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	keys, err := keyed(r, l, a, 2, 1)
	if err != nil {
		return nil, err
	}
	out, err := sortBy(r, l, keys, truth(a.or(0, "reverse", false)))
	if err != nil {
		return nil, err
	}
	return r.list(out, false)
}

func dictSort(r *renderer, v any, a *args) (any, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("%s is no dictionary", kind(v))
	}
	by := d.keys
	if text(a.or(1, "by", "key")) == "value" {
		by = d.values
	}
	keys, err := keyed(r, by, &args{nil, a.named}, -1, -1)
	if err != nil {
		return nil, err
	}
	if c, ok := a.get(0, "case_sensitive"); ok && truth(c) {
		keys = by
	}
	out, err := sortBy(r, d.pairs().Items, keys, truth(a.or(2, "reverse", false)))
	if err != nil {
		return nil, err
	}
	return r.list(out, false)
}

func extreme(sign int) filterFunc {
	return func(r *renderer, v any, a *args) (any, error) {
		l, err := listOf(v)
		if err != nil {
			return nil, err
		}
		if len(l) == 0 {
			return undefined{"there is no item in the list"}, nil
		}
		keys, err := keyed(r, l, a, 1, 0)
		if err != nil {
			return nil, err
		}
		best := 0
		for i := range l {
			c, ok := order(keys[i], keys[best])
			if !ok {
				return nil, wrongType("<", keys[i], keys[best])
			}
			if c*sign > 0 {
				best = i
			}
		}
		return l[best], nil
	}
}

func unique(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	keys, err := keyed(r, l, a, 1, 0)
	if err != nil {
		return nil, err
	}
	seen := NewDict()
	out := []any{}
	for i, k := range keys {
		if _, ok := hashed(k); !ok {
			return nil, fmt.Errorf("%s can't be a key", kind(k))
		}
		if _, ok := seen.Get(k); !ok {
			seen.Set(k, true)
			out = append(out, l[i])
		}
	}
	return r.list(out, false)
}

func groupBy(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	attr := a.or(0, "attribute", nil)
	by := &args{named: []namedArg{{"attribute", attr}}}
	keys, err := keyed(r, l, by, -1, -1)
	if err != nil {
		return nil, err
	}
	both := make([]any, len(l))
	for i := range l {
		both[i] = &List{Items: []any{keys[i], l[i]}}
	}
	if both, err = sortBy(r, both, keys, false); err != nil {
		return nil, err
	}
	out := []any{}
	var last *List
	var key any
	for _, b := range both {
		pair := b.(*List).Items
		if last == nil || !equal(pair[0], key) {
			key, last = pair[0], &List{}
			name, err := dotted(pair[1], attr)
			if err != nil {
				return nil, err
			}
			out = append(out, &List{Items: []any{name, last}, tuple: true})
		}
		last.Items = append(last.Items, pair[1])
	}
	return r.list(out, false)
}

func sum(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	if err != nil {
		return nil, err
	}
	total := a.or(1, "start", int64(0))
	for _, item := range l {
		if attr, ok := a.get(0, "attribute"); ok && attr != nil {
			if item, err = dotted(item, attr); err != nil {
				return nil, err
			}
		}
		if total, err = r.binary("+", total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func batch(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	n, err2 := a.int(0, "linecount", 0)
	if err != nil || err2 != nil || n < 1 {
		return nil, errArgument
	}
	out := []any{}
	for len(l) > 0 {
		k := min(int(min(n, maxItems)), len(l))
		part := &List{Items: slices.Clone(l[:k])}
		if fill, ok := a.get(1, "fill_with"); ok && fill != nil {
			for int64(len(part.Items)) < n {
				if err := part.grow(r, fill); err != nil {
					return nil, err
				}
			}
		}
		out, l = append(out, part), l[k:]
	}
	return r.list(out, false)
}

// slices3 divides a list into so many parts.
func slices3(r *renderer, v any, a *args) (any, error) {
	l, err := listOf(v)
	n, err2 := a.int(0, "slices", 0)
	if err != nil || err2 != nil || n < 1 || n > maxRange {
		return nil, errArgument
	}
	fill, filling := a.get(1, "fill_with")
	size, more := len(l)/int(n), len(l)%int(n)
	out := []any{}
	at := 0
	for i := range int(n) {
		k := size
		if i < more {
			k++
		}
		part := &List{Items: slices.Clone(l[at : at+k])}
		if filling && fill != nil && i >= more && more > 0 {
			part.Items = append(part.Items, fill)
		}
		out = append(out, part)
		at += k
	}
	return r.list(out, false)
}

func truncate(_ *renderer, v any, a *args) (any, error) {
	size, err := a.int(0, "length", 255)
	leeway, err2 := a.int(3, "leeway", 5)
	if err != nil || err2 != nil {
		return nil, errArgument
	}
	mark := text(a.or(2, "end", "..."))
	s := []rune(text(v))
	if int64(len(s)) <= size+leeway {
		return string(s), nil
	}
	n := size - int64(len([]rune(mark)))
	if n < 0 {
		return nil, errors.New("the length is less than that of the end")
	}
	cut := string(s[:n])
	if !truth(a.or(1, "killwords", false)) {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return cut + mark, nil
}

func toJSON(r *renderer, v any, a *args) (any, error) {
	s := &jsonStyle{ascii: truth(a.or(0, "ensure_ascii", false)), item: ", ", key: ": "}
	// Jinja's own tojson has indent first; the hub library's second.
	if _, ok := a.get(-1, "ensure_ascii"); !ok && len(a.list) == 1 {
		if _, whole := a.list[0].(int64); whole {
			s.ascii = false
			a = &args{[]any{false, a.list[0]}, a.named}
		}
	}
	switch indent := a.or(1, "indent", nil).(type) {
	case nil:
	case int64:
		if indent > 100 {
			return nil, errLarge
		}
		s.lines, s.indent, s.item = true, strings.Repeat(" ", int(max(indent, 0))), ","
	case string:
		s.lines, s.indent, s.item = true, indent, ","
	default:
		return nil, errArgument
	}
	if sep, ok := a.or(2, "separators", nil).(*List); ok {
		if len(sep.Items) != 2 {
			return nil, errArgument
		}
		s.item, s.key = text(sep.Items[0]), text(sep.Items[1])
	}
	s.sorted = truth(a.or(3, "sort_keys", false))
	var b strings.Builder
	if err := writeJSON(&b, v, s, 0); err != nil {
		return nil, err
	}
	return b.String(), nil
}
