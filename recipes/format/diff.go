package format

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	// diffContext is how many equal lines stand around a change.
	diffContext = 3
	// maxEdits bounds the search for the shortest script, which takes edits²
	// numbers; texts that differ more are shown as one change.
	maxEdits = 1000
)

// edit is a line of the script that makes b of a: kept (' '), only in a ('-')
// or only in b ('+').
type edit struct {
	kind byte
	line string
}

// Diff gives the unified diff that makes b of a, "" where they are equal. The
// files are called a/name and b/name, as git does.
func Diff(a, b []byte, name string) string {
	if bytes.Equal(a, b) {
		return ""
	}
	edits := script(splitLines(a), splitLines(b))
	var out strings.Builder
	fmt.Fprintf(&out, "--- a/%s\n+++ b/%s\n", name, name)
	lineA, lineB := 1, 1 // of edits[from]
	for from := 0; from < len(edits); {
		// A hunk: from the context before a change to where more than twice the
		// context is equal.
		change := from
		for change < len(edits) && edits[change].kind == ' ' {
			change++
		}
		if change == len(edits) {
			break
		}
		start := max(from, change-diffContext)
		last := change
		for i := change; i < len(edits) && i-last <= 2*diffContext+1; i++ {
			if edits[i].kind != ' ' {
				last = i
			}
		}
		end := min(last+1+diffContext, len(edits))
		lineA, lineB = lineA+start-from, lineB+start-from
		countA, countB := count(edits[start:end], '+'), count(edits[start:end], '-')
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(lineA, countA), span(lineB, countB))
		for _, e := range edits[start:end] {
			out.WriteByte(e.kind)
			out.WriteString(e.line)
			if !strings.HasSuffix(e.line, "\n") {
				out.WriteString("\n\\ No newline at end of file\n")
			}
		}
		lineA, lineB = lineA+countA, lineB+countB
		from = end
	}
	return out.String()
}

// count is how many edits are not of a kind.
func count(edits []edit, not byte) int {
	n := 0
	for _, e := range edits {
		if e.kind != not {
			n++
		}
	}
	return n
}

// span is how a hunk's header names its lines.
func span(line, lines int) string {
	switch lines {
	case 0:
		return fmt.Sprintf("%d,0", line-1)
	case 1:
		return fmt.Sprint(line)
	}
	return fmt.Sprintf("%d,%d", line, lines)
}

// splitLines splits after every line end.
func splitLines(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// script gives the shortest edit script, by Myers' greedy algorithm (An O(ND)
// Difference Algorithm and Its Variations, 1986).
func script(a, b []string) []edit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []edit
	for _, line := range a[:head] {
		out = append(out, edit{' ', line})
	}
	out = append(out, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail:] {
		out = append(out, edit{' ', line})
	}
	return out
}

func middle(a, b []string) []edit {
	// reach[d][k+d] is how far in a the best path of d edits on diagonal k = x-y
	// comes.
	var reach [][]int32
	for d := 0; d <= min(len(a)+len(b), maxEdits); d++ {
		row := make([]int32, 2*d+1)
		reach = append(reach, row)
		for k := -d; k <= d; k += 2 {
			x := start(reach, d, k)
			for x < len(a) && x-k < len(b) && x-k >= 0 && a[x] == b[x-k] {
				x++
			}
			row[k+d] = int32(x)
			if x >= len(a) && x-k >= len(b) {
				return backtrack(reach, a, b)
			}
		}
	}
	out := make([]edit, 0, len(a)+len(b))
	for _, line := range a {
		out = append(out, edit{'-', line})
	}
	for _, line := range b {
		out = append(out, edit{'+', line})
	}
	return out
}

// start is where the best path of d edits enters diagonal k.
func start(reach [][]int32, d, k int) int {
	if d == 0 {
		return 0
	}
	if down(reach, d, k) {
		return int(reach[d-1][k+1+d-1])
	}
	return int(reach[d-1][k-1+d-1]) + 1
}

// down reports whether the path enters diagonal k from the one above it, by a
// line of b.
func down(reach [][]int32, d, k int) bool {
	if k == -d || k == d {
		return k == -d
	}
	before := reach[d-1]
	return before[k-1+d-1] < before[k+1+d-1]
}

func backtrack(reach [][]int32, a, b []string) []edit {
	out := make([]edit, 0, len(a)+len(b))
	x, y := len(a), len(b)
	for d := len(reach) - 1; d >= 0; d-- {
		k := x - y
		from := start(reach, d, k)
		for x > from {
			x--
			y--
			out = append(out, edit{' ', a[x]})
		}
		if d == 0 {
			break
		}
		if down(reach, d, k) {
			y--
			out = append(out, edit{'+', b[y]})
		} else {
			x--
			out = append(out, edit{'-', a[x]})
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}
