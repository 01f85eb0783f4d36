package model

import (
	"strconv"
	"strings"
)

// maxNumbers is how many numbers a source tensor's name can have: the layer's
// and the expert's.
const maxNumbers = 2

// place is where a source tensor's name says it belongs.
type place struct{ layer, expert int }

// patternOf appends a name to buf with "#" for the first two numbers that stand
// alone between dots, and returns these. Numbers of more than seven digits, or
// with zeros before them, are left as they are: no name has them.
func patternOf(buf []byte, name string) ([]byte, place) {
	var numbers [maxNumbers]int
	n := 0
	for rest := name; ; {
		part, after, more := strings.Cut(rest, ".")
		if v, ok := number(part); ok && n < maxNumbers {
			numbers[n] = v
			n++
			buf = append(buf, '#')
		} else {
			buf = append(buf, part...)
		}
		if !more {
			break
		}
		buf = append(buf, '.')
		rest = after
	}
	return buf, place{numbers[0], numbers[1]}
}

func number(s string) (int, bool) {
	if s == "" || len(s) > 7 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int(d)
	}
	return n, true
}

// numbered puts the numbers back into a pattern.
func numbered(pattern string, p place) string {
	s := strings.Replace(pattern, "#", strconv.Itoa(p.layer), 1)
	return strings.Replace(s, "#", strconv.Itoa(p.expert), 1)
}

// ignored says that llama.cpp's converter drops a tensor: buffers that old
// libraries saved along with the weights.
func ignored(name string) bool {
	return strings.HasSuffix(name, ".attention.masked_bias") ||
		strings.HasSuffix(name, ".attention.bias") ||
		strings.HasSuffix(name, ".rotary_emb.inv_freq")
}

// nearest is the pattern that is the fewest edits away, "" where none is near.
func nearest(pattern string, known []string) string {
	best, least := "", max(3, len(pattern)*2/5+1)
	for _, k := range known {
		if d := distance(pattern, k, least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the edits between two names; at limit it stops counting.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal, least := row[0], i
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
	}
	return row[len(b)]
}
