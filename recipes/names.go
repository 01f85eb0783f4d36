package recipes

import (
	"fmt"
	"sort"
	"strings"
)

// maxListed is how many names a message lists.
const maxListed = 24

// maxSearched bounds the names that are compared with a misspelt one, so that
// a hostile file cannot make each of its many mistakes expensive.
const maxSearched = 500

// list joins names as a sentence does: "a, b and c".
func list(names []string, conjunction string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + ", …"
	}
	switch len(names) {
	case 0:
		return "none"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + conjunction + " " + names[len(names)-1]
}

// nearest finds the name that was probably meant, "" if none is near.
func nearest(given string, names []string) string {
	if len(names) > maxSearched {
		names = names[:maxSearched]
	}
	lower := strings.ToLower(given)
	best, bestDistance := "", max(2, len(given)/3)+1
	for _, n := range names {
		if d := distance(lower, strings.ToLower(n), bestDistance); d < bestDistance && d < max(len(n), len(given)) {
			best, bestDistance = n, d
		}
	}
	return best
}

// didYouMean is the sentence that suggests the nearest name, with a leading
// space, or "".
func didYouMean(given string, names []string) string {
	if n := nearest(given, names); n != "" && n != given {
		return " Did you mean " + n + "?"
	}
	return ""
}

// distance is the number of edits (insert, delete, replace, swap neighbours)
// that make a into b; at least limit where it would be more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 200 || len(b) > 200 {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// keys lists a map's keys in order.
func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// fold finds a name in a list without regard to case, in the list's spelling.
func fold(name string, names []string) (string, bool) {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n, true
		}
	}
	return "", false
}

// instance is the address of one instance of a block with for_each.
func instance(address, key string) string { return address + "[" + quote(key) + "]" }

// quote writes a string as HCL does.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
