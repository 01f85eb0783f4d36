package cli

import (
	"fmt"
	"sort"
	"strings"

	"github.com/llama-pajamas/pj/engine"
)

// typeName is a tensor's type, or what it may be.
func typeName(t *engine.TensorPlan) string {
	switch {
	case t.Type != nil:
		return *t.Type
	case len(t.Candidates) > 0:
		return strings.Join(t.Candidates, "|")
	}
	return "?"
}

// typeTable sums an artifact's tensors by type, the largest first.
func typeTable(tensors []*engine.TensorPlan) string {
	type sum struct {
		name         string
		tensors      int
		elements     int64
		bytes, least int64
		roles        map[string]bool
	}
	byName := map[string]*sum{}
	var sums []*sum
	var total int64
	for _, t := range tensors {
		name := typeName(t)
		s := byName[name]
		if s == nil {
			s = &sum{name: name, roles: map[string]bool{}}
			byName[name], sums = s, append(sums, s)
		}
		most := max(t.Bytes, t.BytesMax)
		s.tensors++
		s.elements += t.Elements
		s.bytes += most
		s.least += max(t.Bytes, t.BytesMin)
		s.roles[t.Role] = true
		total += most
	}
	sort.SliceStable(sums, func(i, k int) bool { return sums[i].bytes > sums[k].bytes })
	tab := table{header: []string{"TYPE", ">TENSORS", ">BYTES", ">BITS", ">SHARE", "ROLES"}, indent: "  "}
	for _, s := range sums {
		size, width := bytesOf(s.bytes), fmt.Sprintf("%.2f", bits(s.bytes, s.elements))
		if s.least != s.bytes {
			size = bytesOf(s.least) + " to " + size
			width = fmt.Sprintf("%.2f to %s", bits(s.least, s.elements), width)
		}
		tab.add(s.name, fmt.Sprint(s.tensors), size, width, fmt.Sprintf("%.1f%%", 100*float64(s.bytes)/float64(max(total, 1))), roles(s.roles))
	}
	return tab.String()
}

func roles(set map[string]bool) string {
	var names []string
	for r := range set {
		names = append(names, r)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// mostFallbacks is how many kinds of fallback are listed.
const mostFallbacks = 10

// fallbacks lists the tensors that get another type than was asked for.
func (v *planView) fallbacks(tensors []*engine.TensorPlan) {
	type kind struct{ typ, why string }
	names := map[kind][]string{}
	var order []kind
	became := map[string]map[string]int{}
	for _, t := range tensors {
		if t.Asked != "" && t.Type != nil && t.Asked != *t.Type {
			if became[t.Asked] == nil {
				became[t.Asked] = map[string]int{}
			}
			became[t.Asked][*t.Type]++
		}
		if t.Fallback == nil {
			continue
		}
		k := kind{typeName(t), *t.Fallback}
		if names[k] == nil {
			order = append(order, k)
		}
		names[k] = append(names[k], t.Name)
	}
	for n, k := range order {
		if n == mostFallbacks && !v.verbose {
			v.printf("  fallback: … and %d more kinds (-v lists them)\n", len(order)-n)
			break
		}
		who := names[k][0]
		if n := len(names[k]); n > 1 {
			who = fmt.Sprintf("%s and %s", who, plural(n-1, "other"))
		}
		v.printf("  %s %s: %s (%s)\n", v.ink(yellow, "fallback:"), who, k.typ, k.why)
	}
	var asked []string
	for a := range became {
		asked = append(asked, a)
	}
	sort.Strings(asked)
	for _, a := range asked {
		one, what := "tensor", a+" is"
		if experts, ok := severalAsked(a); ok {
			one, what = "stack", experts
		}
		var types []string
		for t, n := range became[a] {
			types = append(types, fmt.Sprintf("%s in %s", t, plural(n, one)))
		}
		sort.Strings(types)
		v.printf("  %s %s\n", what, strings.Join(types, ", "))
	}
}

// severalAsked words the names that experts of one stack were to have; false
// where it is one name.
func severalAsked(asked string) (string, bool) {
	i := strings.LastIndex(asked, ", ")
	if i < 0 {
		return "", false
	}
	return "experts of one layer are to be " + asked[:i] + " and " + asked[i+2:] + ", and share", true
}

// tensorTable lists an artifact's tensors with the rule of each.
func tensorTable(tensors []*engine.TensorPlan) string {
	tab := table{header: []string{"TENSOR", "ROLE", "SHAPE", "FROM", "TYPE", ">BYTES", "RULE"}, indent: "  "}
	for _, t := range tensors {
		size := bytesOf(t.Bytes)
		if t.Type == nil {
			size = bytesOf(t.BytesMin) + " to " + bytesOf(t.BytesMax)
		}
		tab.add(t.Name, t.Role, shape(t.Shape), t.SourceType, typeName(t), size, t.Rule)
	}
	return tab.String()
}

func shape(dims []int64) string {
	var s []string
	for _, d := range dims {
		s = append(s, fmt.Sprint(d))
	}
	return strings.Join(s, "x")
}
