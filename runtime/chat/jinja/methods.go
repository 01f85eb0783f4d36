package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// methodOf is a method of Python's that templates use, bound to its value.
func methodOf(of any, name string) (any, bool) {
	bind := func(f func(r *renderer, a *args) (any, error)) (any, bool) { return &function{name, f}, true }
	switch of := of.(type) {
	case string:
		if m, ok := stringMethods[name]; ok {
			return bind(func(r *renderer, a *args) (any, error) {
				v, err := m(r, of, a)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				if s, ok := v.(string); ok {
					return r.made(s)
				}
				return v, r.spend(len(of) / 8)
			})
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok {
			return bind(func(r *renderer, a *args) (any, error) { return m(r, of, a) })
		}
	case *List:
		if m, ok := listMethods[name]; ok && (!of.tuple || name == "count" || name == "index") {
			return bind(func(r *renderer, a *args) (any, error) { return m(r, of, a) })
		}
	}
	return nil, false
}

var errArgument = errors.New("an argument is missing, or of the wrong type")

func (a *args) string(i int, name string) (string, bool) {
	v, _ := a.get(i, name)
	s, ok := v.(string)
	return s, ok
}

// int is a whole number among the arguments, or the standard one.
func (a *args) int(i int, name string, standard int64) (int64, error) {
	v, ok := a.get(i, name)
	if !ok || v == nil {
		return standard, nil
	}
	_, n, whole, ok := number(v)
	if !ok || !whole {
		return 0, errArgument
	}
	return n, nil
}

type stringMethod = func(r *renderer, s string, a *args) (any, error)

// stripping is strip and its kin: of white space, or of the characters given.
func stripping(space func(string, func(rune) bool) string) stringMethod {
	return func(_ *renderer, s string, a *args) (any, error) {
		v, _ := a.get(0, "chars")
		if v == nil {
			return space(s, unicode.IsSpace), nil
		}
		set, ok := v.(string)
		if !ok {
			return nil, errArgument
		}
		return space(s, func(r rune) bool { return strings.ContainsRune(set, r) }), nil
	}
}

// hasAffix is startswith and endswith: of one string, or of any of a tuple.
func hasAffix(has func(s, affix string) bool) stringMethod {
	return func(_ *renderer, s string, a *args) (any, error) {
		if len(a.list) != 1 {
			return nil, errArgument
		}
		switch v := a.list[0].(type) {
		case string:
			return has(s, v), nil
		case *List:
			for _, item := range v.Items {
				if t, ok := item.(string); ok && has(s, t) {
					return true, nil
				}
			}
			return false, nil
		}
		return nil, errArgument
	}
}

// every is a method that asks for a property of all characters.
func every(is func(rune) bool) stringMethod {
	return func(_ *renderer, s string, _ *args) (any, error) {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0, nil
	}
}

// cased is isupper and islower: letters with cases are all of one.
func cased(is, not func(rune) bool) stringMethod {
	return func(_ *renderer, s string, _ *args) (any, error) {
		return strings.IndexFunc(s, is) >= 0 && strings.IndexFunc(s, not) < 0, nil
	}
}

// finding is find and rfind: places are counted in characters.
func finding(index func(s, sub string) int) stringMethod {
	return func(_ *renderer, s string, a *args) (any, error) {
		sub, ok := a.string(0, "")
		if !ok || len(a.list) > 1 {
			return nil, errArgument
		}
		i := index(s, sub)
		if i > 0 {
			n, _ := length(s[:i])
			i = n
		}
		return int64(i), nil
	}
}

// parted is partition and rpartition.
func parted(index func(s, sub string) int, last bool) stringMethod {
	return func(_ *renderer, s string, a *args) (any, error) {
		sep, ok := a.string(0, "")
		if !ok || sep == "" {
			return nil, errArgument
		}
		t := &List{Items: []any{s, "", ""}, tuple: true}
		if last {
			t.Items = []any{"", "", s}
		}
		if i := index(s, sep); i >= 0 {
			t.Items = []any{s[:i], sep, s[i+len(sep):]}
		}
		return t, nil
	}
}

func simple(f func(string) string) stringMethod {
	return func(_ *renderer, s string, _ *args) (any, error) { return f(s), nil }
}

func padded(left, right bool) stringMethod {
	return func(r *renderer, s string, a *args) (any, error) {
		width, err := a.int(0, "", 0)
		fill, ok := a.or(1, "", " ").(string)
		if err != nil || !ok || len([]rune(fill)) != 1 {
			return nil, errArgument
		}
		return r.pad(s, width, fill, left, right)
	}
}

// pad fills a string up to a width, on one side or on both.
func (r *renderer) pad(s string, width int64, fill string, left, right bool) (any, error) {
	n, _ := length(s)
	missing := width - int64(n)
	if missing <= 0 {
		return s, nil
	}
	if missing > maxText/4 {
		return nil, errLarge
	}
	if err := r.room(len(s) + int(missing)*len(fill)); err != nil {
		return nil, err
	}
	before := missing
	switch {
	case left && right:
		before = missing/2 + missing&width&1
	case right:
		before = 0
	}
	return strings.Repeat(fill, int(before)) + s + strings.Repeat(fill, int(missing-before)), nil
}

var stringMethods map[string]stringMethod

func init() {
	stringMethods = map[string]stringMethod{
		"strip": stripping(strings.TrimFunc), "lstrip": stripping(strings.TrimLeftFunc), "rstrip": stripping(strings.TrimRightFunc),
		"startswith": hasAffix(strings.HasPrefix), "endswith": hasAffix(strings.HasSuffix),
		"upper": simple(strings.ToUpper), "lower": simple(strings.ToLower), "casefold": simple(strings.ToLower),
		"title": simple(titled), "capitalize": simple(capitalized), "swapcase": simple(swapped),
		"isdigit": every(unicode.IsDigit), "isdecimal": every(unicode.IsDigit), "isnumeric": every(unicode.IsNumber), "isalpha": every(unicode.IsLetter),
		"isalnum": every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }), "isspace": every(unicode.IsSpace),
		"isupper": cased(unicode.IsUpper, unicode.IsLower), "islower": cased(unicode.IsLower, unicode.IsUpper),
		"find": finding(strings.Index), "rfind": finding(strings.LastIndex),
		"partition": parted(strings.Index, false), "rpartition": parted(strings.LastIndex, true),
		"center": padded(true, true), "ljust": padded(false, true), "rjust": padded(true, false),
		"split": func(r *renderer, s string, a *args) (any, error) { return r.split(s, a, false) },
		"rsplit": func(r *renderer, s string, a *args) (any, error) {
			return r.split(s, a, true)
		},
		"splitlines": func(r *renderer, s string, a *args) (any, error) {
			keep := truth(a.or(0, "keepends", false))
			out := []any{}
			for s != "" {
				line, rest := s, ""
				if i := strings.IndexAny(s, "\r\n"); i >= 0 {
					n := 1
					if strings.HasPrefix(s[i:], "\r\n") {
						n = 2
					}
					line, rest = s[:i], s[i+n:]
					if keep {
						line = s[:i+n]
					}
				}
				out, s = append(out, line), rest
			}
			return r.list(out, false)
		},
		"replace": func(r *renderer, s string, a *args) (any, error) {
			old, ok1 := a.string(0, "old")
			with, ok2 := a.string(1, "new")
			n, err := a.int(2, "count", -1)
			if !ok1 || !ok2 || err != nil {
				return nil, errArgument
			}
			return r.replace(s, old, with, n)
		},
		"count": func(_ *renderer, s string, a *args) (any, error) {
			sub, ok := a.string(0, "")
			if !ok {
				return nil, errArgument
			}
			return int64(strings.Count(s, sub)), nil
		},
		"join": func(r *renderer, s string, a *args) (any, error) {
			if len(a.list) != 1 {
				return nil, errArgument
			}
			list, ok := items(a.list[0])
			if !ok {
				return nil, errArgument
			}
			for _, item := range list {
				if _, ok := item.(string); !ok {
					return nil, fmt.Errorf("%s is in the list, and only strings are joined", kind(item))
				}
			}
			return r.join(list, s)
		},
		"zfill": func(r *renderer, s string, a *args) (any, error) {
			width, err := a.int(0, "", 0)
			if err != nil {
				return nil, err
			}
			sign := ""
			if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
				sign, s = s[:1], s[1:]
			}
			v, err := r.pad(s, width-int64(len(sign)), "0", true, false)
			if err != nil {
				return nil, err
			}
			return sign + v.(string), nil
		},
		"removeprefix": func(_ *renderer, s string, a *args) (any, error) {
			p, ok := a.string(0, "")
			if !ok {
				return nil, errArgument
			}
			return strings.TrimPrefix(s, p), nil
		},
		"removesuffix": func(_ *renderer, s string, a *args) (any, error) {
			p, ok := a.string(0, "")
			if !ok {
				return nil, errArgument
			}
			return strings.TrimSuffix(s, p), nil
		},
		"format": func(r *renderer, s string, a *args) (any, error) { return r.braces(s, a) },
	}
}

func (r *renderer) replace(s, old, with string, n int64) (any, error) {
	k := int64(strings.Count(s, old))
	if n >= 0 {
		k = min(k, n)
	}
	if err := r.room(len(s) + int(k)*max(len(with)-len(old), 0)); err != nil {
		return nil, err
	}
	return strings.Replace(s, old, with, int(k)), nil
}

func (r *renderer) join(list []any, sep string) (any, error) {
	parts := make([]string, len(list))
	size := 0
	for i, v := range list {
		parts[i] = text(v)
		if size += len(parts[i]) + len(sep); size > maxText {
			return nil, errLarge
		}
	}
	if err := r.room(size); err != nil {
		return nil, err
	}
	return strings.Join(parts, sep), nil
}

// split is str.split and str.rsplit.
func (r *renderer) split(s string, a *args, right bool) (any, error) {
	limit, err := a.int(1, "maxsplit", -1)
	if err != nil {
		return nil, err
	}
	var parts []string
	sep, ok := a.string(0, "sep")
	switch v, _ := a.get(0, "sep"); {
	case v == nil:
		parts = fields(s, limit, right)
	case !ok || sep == "":
		return nil, errArgument
	case limit < 0:
		parts = strings.Split(s, sep)
	case !right:
		parts = strings.SplitN(s, sep, int(min(limit, maxItems))+1)
	default:
		for ; limit > 0; limit-- {
			i := strings.LastIndex(s, sep)
			if i < 0 {
				break
			}
			parts, s = append(parts, s[i+len(sep):]), s[:i]
		}
		parts = append(parts, s)
		slices.Reverse(parts)
	}
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return r.list(out, false)
}

// fields divides at white space, at most so many times.
func fields(s string, limit int64, right bool) (out []string) {
	if limit < 0 {
		return strings.Fields(s)
	}
	for ; ; limit-- {
		if right {
			s = strings.TrimRightFunc(s, unicode.IsSpace)
		} else {
			s = strings.TrimLeftFunc(s, unicode.IsSpace)
		}
		if s == "" {
			break
		}
		i := strings.IndexFunc(s, unicode.IsSpace)
		if right {
			i = strings.LastIndexFunc(s, unicode.IsSpace)
		}
		if i < 0 || limit <= 0 {
			out = append(out, s)
			break
		}
		if right {
			_, n := utf8.DecodeRuneInString(s[i:])
			out, s = append(out, s[i+n:]), s[:i]
		} else {
			out, s = append(out, s[:i]), s[i:]
		}
	}
	if right {
		slices.Reverse(out)
	}
	return out
}

func titled(s string) string {
	word := false
	return strings.Map(func(r rune) rune {
		inside := word
		if word = unicode.IsLetter(r); inside {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func capitalized(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		if first {
			first = false
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func swapped(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

var dictMethods = map[string]func(r *renderer, d *Dict, a *args) (any, error){
	"items":  func(r *renderer, d *Dict, _ *args) (any, error) { return d.pairs(), r.spend(4 * d.Len()) },
	"keys":   func(r *renderer, d *Dict, _ *args) (any, error) { return r.list(slices.Clone(d.keys), false) },
	"values": func(r *renderer, d *Dict, _ *args) (any, error) { return r.list(slices.Clone(d.values), false) },
	"get": func(_ *renderer, d *Dict, a *args) (any, error) {
		k, _ := a.get(0, "")
		if v, ok := d.Get(k); ok {
			return v, nil
		}
		return a.or(1, "", nil), nil
	},
	"pop": func(_ *renderer, d *Dict, a *args) (any, error) {
		k, _ := a.get(0, "")
		v, ok := d.Get(k)
		if !ok {
			if v, ok = a.get(1, ""); !ok {
				return nil, fmt.Errorf("pop: there is no key %s", repr(k))
			}
			return v, nil
		}
		d.remove(k)
		return v, nil
	},
	"setdefault": func(_ *renderer, d *Dict, a *args) (any, error) {
		k, _ := a.get(0, "")
		if v, ok := d.Get(k); ok {
			return v, nil
		}
		v := a.or(1, "", nil)
		d.Set(k, v)
		return v, nil
	},
	"copy": func(r *renderer, d *Dict, _ *args) (any, error) {
		out := NewDict()
		for i, k := range d.keys {
			out.Set(k, d.values[i])
		}
		return out, r.spend(4 * d.Len())
	},
	"update": func(r *renderer, d *Dict, a *args) (any, error) {
		if len(a.list) > 0 {
			more, ok := a.list[0].(*Dict)
			if !ok {
				return nil, errArgument
			}
			for i, k := range slices.Clone(more.keys) {
				d.Set(k, more.values[i])
			}
		}
		for _, n := range a.named {
			d.Set(n.name, n.value)
		}
		return nil, r.spend(4 * d.Len())
	},
}

var listMethods = map[string]func(r *renderer, l *List, a *args) (any, error){
	"append": func(r *renderer, l *List, a *args) (any, error) {
		if len(a.list) != 1 {
			return nil, errArgument
		}
		return nil, l.grow(r, a.list[0])
	},
	"extend": func(r *renderer, l *List, a *args) (any, error) {
		if len(a.list) != 1 {
			return nil, errArgument
		}
		more, ok := items(a.list[0])
		if !ok {
			return nil, errArgument
		}
		return nil, l.grow(r, slices.Clone(more)...)
	},
	"insert": func(r *renderer, l *List, a *args) (any, error) {
		i, err := a.int(0, "", 0)
		if err != nil || len(a.list) != 2 {
			return nil, errArgument
		}
		if i < 0 {
			i += int64(len(l.Items))
		}
		at := int(min(max(i, 0), int64(len(l.Items))))
		if err := l.grow(r, nil); err != nil {
			return nil, err
		}
		copy(l.Items[at+1:], l.Items[at:])
		l.Items[at] = a.list[1]
		return nil, r.spend(len(l.Items) / 8)
	},
	"pop": func(r *renderer, l *List, a *args) (any, error) {
		i, err := a.int(0, "", -1)
		if i < 0 {
			i += int64(len(l.Items))
		}
		if err != nil || i < 0 || i >= int64(len(l.Items)) {
			return nil, errors.New("pop: the list has no such item")
		}
		v := l.Items[i]
		l.Items = slices.Delete(slices.Clone(l.Items), int(i), int(i)+1)
		return v, r.spend(len(l.Items))
	},
	"index": func(r *renderer, l *List, a *args) (any, error) {
		for i, v := range l.Items {
			if len(a.list) == 1 && equal(v, a.list[0]) {
				return int64(i), r.spend(len(l.Items))
			}
		}
		return nil, errors.New("index: the value is not in the list")
	},
	"count": func(r *renderer, l *List, a *args) (any, error) {
		n := int64(0)
		for _, v := range l.Items {
			if len(a.list) == 1 && equal(v, a.list[0]) {
				n++
			}
		}
		return n, r.spend(len(l.Items))
	},
	"copy": func(r *renderer, l *List, _ *args) (any, error) { return r.list(slices.Clone(l.Items), false) },
}

func (l *List) grow(r *renderer, more ...any) error {
	if len(l.Items)+len(more) > maxItems {
		return errItems
	}
	l.Items = append(l.Items, more...)
	return r.spend(step + len(more))
}
