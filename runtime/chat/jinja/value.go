package jinja

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Values are nil (none), bool, int64, float64, string, *List, *Dict, and what
// only templates make: undefined, functions, macros and namespaces.

// List is a list, or a tuple.
type List struct {
	Items []any
	tuple bool
}

// Dict is a map that keeps the order in which keys came.
type Dict struct {
	keys   []any
	values []any
	index  map[any]int
}

// NewDict makes an empty one.
func NewDict() *Dict { return &Dict{index: map[any]int{}} }

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Get returns a key's value.
func (d *Dict) Get(key any) (any, bool) {
	k, ok := hashed(key)
	if !ok {
		return nil, false
	}
	i, ok := d.index[k]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// Set sets a key's value; a new key becomes the last.
func (d *Dict) Set(key, value any) {
	k, ok := hashed(key)
	if !ok {
		return
	}
	if i, ok := d.index[k]; ok {
		d.values[i] = value
		return
	}
	d.index[k] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

// All goes through the keys and values in their order.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for i, k := range d.keys {
			if !yield(k, d.values[i]) {
				return
			}
		}
	}
}

func (d *Dict) remove(key any) {
	k, _ := hashed(key)
	i, ok := d.index[k]
	if !ok {
		return
	}
	d.keys, d.values = slices.Delete(d.keys, i, i+1), slices.Delete(d.values, i, i+1)
	delete(d.index, k)
	for k, at := range d.index {
		if at > i {
			d.index[k] = at - 1
		}
	}
}

func (d *Dict) pairs() *List {
	out := &List{Items: make([]any, len(d.keys))}
	for i, k := range d.keys {
		out.Items[i] = &List{Items: []any{k, d.values[i]}, tuple: true}
	}
	return out
}

// hashed is what stands for a key: numbers that are equal are one key.
func hashed(key any) (any, bool) {
	switch k := key.(type) {
	case nil, string, int64:
		return k, true
	case bool:
		if k {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<62 {
			return int64(k), true
		}
		return k, true
	case *List:
		if !k.tuple {
			return nil, false
		}
		return "\x00" + repr(k), true
	}
	return nil, false
}

// undefined is what a name or key without a value gives: empty text, false, but
// an error where more is wanted of it.
type undefined struct{ what string }

// namespace is what namespace() makes: a value whose fields can be set.
type namespace struct{ fields *Dict }

// function is something to call.
type function struct {
	name string
	call func(r *renderer, a *args) (any, error)
}

// args are the arguments of a call.
type args struct {
	list  []any
	named []namedArg
}

type namedArg struct {
	name  string
	value any
}

// get takes an argument by its place or name.
func (a *args) get(i int, name string) (any, bool) {
	if i >= 0 && i < len(a.list) {
		return a.list[i], true
	}
	for _, n := range a.named {
		if n.name == name {
			return n.value, true
		}
	}
	return nil, false
}

func (a *args) or(i int, name string, standard any) any {
	if v, ok := a.get(i, name); ok {
		return v
	}
	return standard
}

// kind is what messages call a value's type.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case undefined:
		return "undefined"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "a string"
	case *List:
		if v.tuple {
			return "a tuple"
		}
		return "a list"
	case *Dict:
		return "a dictionary"
	case *namespace:
		return "a namespace"
	}
	return "a function"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case *Dict:
		return v.Len() > 0
	}
	return true
}

// text is a value as it is printed.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case undefined:
		return ""
	}
	return repr(v)
}

// repr is a value as Python writes it.
func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

func writeRepr(b *strings.Builder, v any, depth int) {
	if depth > maxNest || b.Len() > maxText {
		b.WriteString("...")
		return
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case undefined:
		b.WriteString("Undefined")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		b.WriteString(quoted(v))
	case *List:
		open, end := "[", "]"
		if v.tuple {
			if open, end = "(", ")"; len(v.Items) == 1 {
				end = ",)"
			}
		}
		b.WriteString(open)
		for i, item := range v.Items {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, item, depth+1)
		}
		b.WriteString(end)
	case *Dict:
		b.WriteString("{")
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, k, depth+1)
			b.WriteString(": ")
			writeRepr(b, v.values[i], depth+1)
		}
		b.WriteString("}")
	case *namespace:
		b.WriteString("<Namespace ")
		writeRepr(b, v.fields, depth+1)
		b.WriteString(">")
	case *turn:
		b.WriteString("<LoopContext>")
	case *function:
		b.WriteString("<function " + v.name + ">")
	case *macro:
		b.WriteString("<Macro " + quoted(v.node.name) + ">")
	}
}

// floatText writes a number as Python does.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f == 0 || math.Abs(f) >= 1e-4 && math.Abs(f) < 1e16:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// quoted is a string as Python's repr writes it.
func quoted(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r > 0x7f && r < 0x100 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case !unicode.IsPrint(r) && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// number is a value as a number.
func number(v any) (f float64, i int64, whole, ok bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), v, true, true
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case float64:
		return v, 0, false, true
	}
	return 0, 0, false, false
}

// equal compares two values. Values within each other many times over are
// taken as different after a million steps.
func equal(a, b any) bool {
	left := maxItems
	return equalTo(a, b, 0, &left)
}

// equal is the same, and counts the work.
func (r *renderer) equal(a, b any) (bool, error) {
	left := maxItems
	yes := equalTo(a, b, 0, &left)
	return yes, r.spend(step * (maxItems - left))
}

func equalTo(a, b any, depth int, left *int) bool {
	if *left--; depth > maxNest || *left < 0 {
		return false
	}
	fa, ia, wa, oka := number(a)
	fb, ib, wb, okb := number(b)
	if oka && okb {
		if wa && wb {
			return ia == ib
		}
		return fa == fb
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case string:
		s, ok := b.(string)
		return ok && a == s
	case *List:
		l, ok := b.(*List)
		if !ok || a.tuple != l.tuple || len(a.Items) != len(l.Items) {
			return false
		}
		for i := range a.Items {
			if !equalTo(a.Items[i], l.Items[i], depth+1, left) {
				return false
			}
		}
		return true
	case *Dict:
		d, ok := b.(*Dict)
		if !ok || a.Len() != d.Len() {
			return false
		}
		for i, k := range a.keys {
			v, ok := d.Get(k)
			if !ok || !equalTo(a.values[i], v, depth+1, left) {
				return false
			}
		}
		return true
	case *namespace, *function, *macro:
		return a == b
	}
	return false
}

// order compares two values; ok is false where Python would not.
func order(a, b any) (c int, ok bool) { return orderOf(a, b, 0) }

func orderOf(a, b any, depth int) (c int, ok bool) {
	if depth > maxNest {
		return 0, false
	}
	fa, ia, wa, oka := number(a)
	fb, ib, wb, okb := number(b)
	if oka && okb {
		switch {
		case wa && wb && ia < ib, !(wa && wb) && fa < fb:
			return -1, true
		case wa && wb && ia > ib, !(wa && wb) && fa > fb:
			return 1, true
		}
		return 0, true
	}
	switch a := a.(type) {
	case string:
		if s, ok := b.(string); ok {
			return strings.Compare(a, s), true
		}
	case *List:
		l, ok := b.(*List)
		if !ok {
			return 0, false
		}
		for i := range min(len(a.Items), len(l.Items)) {
			if equal(a.Items[i], l.Items[i]) {
				continue
			}
			return orderOf(a.Items[i], l.Items[i], depth+1)
		}
		return len(a.Items) - len(l.Items), true
	}
	return 0, false
}

// items are the values that a loop goes over.
func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case undefined:
		return nil, true
	case *List:
		return v.Items, true
	case *Dict:
		return slices.Clone(v.keys), true
	case string:
		out := make([]any, 0, len(v))
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, true
	}
	return nil, false
}

func length(v any) (int, bool) {
	switch v := v.(type) {
	case undefined:
		return 0, true
	case string:
		return utf8.RuneCountInString(v), true
	case *List:
		return len(v.Items), true
	case *Dict:
		return v.Len(), true
	}
	return 0, false
}
