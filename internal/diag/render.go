package diag

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	reset  = "\x1b[0m"
)

// minWidth is the narrowest text that is wrapped or cut; narrower terminals
// wrap by themselves.
const minWidth = 40

// Render writes a diagnostic for people: summary, place, the source line with
// marks under the range, detail. source is the text of the file that the range
// names; nil leaves the line out. width is the terminal's, 0 where there is
// none: nothing is wrapped then. Control characters are never passed through.
func Render(w io.Writer, d Diagnostic, source []byte, color bool, width int) {
	if width > 0 && width < minWidth {
		width = minWidth
	}
	p := painter{color}
	tone := red
	title := "Error"
	if d.Severity == Warning {
		tone, title = yellow, "Warning"
	}
	fmt.Fprintf(w, "%s%s\n", p.paint(tone+bold, title+": "), p.paint(bold, printable(d.Summary)))
	if place := d.place(); place != "" {
		fmt.Fprintf(w, "%s %s\n", p.paint(dim, "  in"), printable(place))
	}
	renderSnippet(w, p, d.Range, source, tone, width)
	if d.Detail == "" {
		return
	}
	fmt.Fprintln(w)
	for _, paragraph := range strings.Split(strings.TrimRight(d.Detail, "\n"), "\n") {
		for _, line := range wrap(printable(paragraph), width-2) {
			fmt.Fprintln(w, strings.TrimRight("  "+line, " "))
		}
	}
}

// place is "file:line:column", as editors and terminals understand it.
func (r Range) place() string {
	if r.Line > 0 && r.Column > 0 {
		return fmt.Sprintf("%s:%d:%d", r.File, r.Line, r.Column)
	}
	return r.String()
}

type painter struct{ color bool }

func (p painter) paint(code, s string) string {
	if !p.color {
		return s
	}
	return code + s + reset
}

// maxSnippetLines is how many lines of a range are shown.
const maxSnippetLines = 3

// renderSnippet writes the lines of the range, each with marks under it.
func renderSnippet(w io.Writer, p painter, r Range, source []byte, tone string, width int) {
	if r.Line <= 0 || source == nil {
		return
	}
	lines := strings.Split(string(source), "\n")
	if r.Line > len(lines) {
		return
	}
	last := max(r.Line, r.EndLine)
	last = min(last, r.Line+maxSnippetLines-1, len(lines))
	if r.EndColumn == 1 && last == r.EndLine && last > r.Line {
		last-- // the range ends before the line's first character
	}
	gutter := len(strconv.Itoa(last))
	bar := p.paint(dim, "|")
	fmt.Fprintln(w)
	for n := r.Line; n <= last; n++ {
		line := strings.TrimSuffix(lines[n-1], "\r")
		// -1: to the end of the line. Later lines are marked from their text on.
		from, to := utf8.RuneCountInString(line)-utf8.RuneCountInString(strings.TrimLeft(line, " \t"))+1, -1
		if n == r.Line {
			from = max(r.Column, 1)
		}
		if n == r.EndLine {
			to = r.EndColumn
		} else if r.EndLine == 0 {
			to = from + 1
		}
		text, marks := markedLine(line, from, to, width-gutter-5)
		fmt.Fprintf(w, "  %s %s %s\n", p.paint(dim, fmt.Sprintf("%*d", gutter, n)), bar, text)
		if marks != "" {
			fmt.Fprintf(w, "  %*s %s %s\n", gutter, "", bar, p.paint(tone, marks))
		}
	}
	if end := max(r.Line, r.EndLine); last < end && !(last == end-1 && r.EndColumn == 1) {
		fmt.Fprintf(w, "  %*s %s %s\n", gutter, "", bar, p.paint(dim, "…"))
	}
}

// cell is one character of a line as it is shown.
type cell struct {
	text   string
	width  int
	column int // the source column it belongs to, from 1
}

// tabStop is how wide a tab is shown.
const tabStop = 4

// cells splits a line into what is shown. A combining character belongs to the
// one before it, so that columns count characters as editors do.
func cells(line string) []cell {
	var out []cell
	column := 0
	joined := false
	for _, r := range line {
		switch {
		case len(out) > 0 && (joined || combines(r)):
			out[len(out)-1].text += printable(string(r))
			joined = r == '\u200d'
			continue
		case r == '\t':
			column++
			out = append(out, cell{strings.Repeat(" ", tabStop), tabStop, column})
		default:
			column++
			out = append(out, cell{printable(string(r)), runeWidth(r), column})
		}
		joined = false
	}
	return out
}

// markedLine gives a line and the marks below it. A line longer than width is
// cut around the marks.
func markedLine(line string, from, to, width int) (text, marks string) {
	cs := cells(line)
	if len(strings.TrimSpace(line)) == 0 {
		return "", ""
	}
	if to >= 0 && to <= from {
		to = from + 1 // an empty range: mark the place
	}
	first, count := 0, len(cs)
	head, tail := "", ""
	if rest := total(cs); width >= 20 && rest > width {
		for first < len(cs)-1 && rest > width-2 && cs[first].column < from-width/3 {
			rest -= cs[first].width
			first++
		}
		if first > 0 {
			head = "…"
		}
		count = first
		used := len(head)
		for count < len(cs) && used+cs[count].width < width {
			used += cs[count].width
			count++
		}
		if count < len(cs) {
			tail = "…"
		}
	}
	var t, m strings.Builder
	t.WriteString(head)
	if head != "" {
		m.WriteByte(' ')
	}
	for _, c := range cs[first:count] {
		t.WriteString(c.text)
		mark := " "
		if c.column >= from && (to < 0 || c.column < to) {
			mark = "^"
		}
		m.WriteString(strings.Repeat(mark, c.width))
	}
	if n := len(cs); count == n && (n == 0 || cs[n-1].column < from) {
		m.WriteString("^") // just after the line's end
	}
	t.WriteString(tail)
	return strings.TrimRight(t.String(), " "), strings.TrimRight(m.String(), " ")
}

func total(cs []cell) int {
	n := 0
	for _, c := range cs {
		n += c.width
	}
	return n
}

// combines reports whether a rune is drawn over the one before it.
func combines(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me) || r == '\u200d' || r >= 0xfe00 && r <= 0xfe0f || r >= 0x1f3fb && r <= 0x1f3ff
}

// runeWidth is 2 for the runes that terminals draw two cells wide.
func runeWidth(r rune) int {
	switch {
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// printable replaces what could steer a terminal, or is no text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, s)
}

// wrap breaks text at spaces into lines of at most width characters; longer
// words stay whole. Leading spaces are kept.
func wrap(s string, width int) []string {
	if width <= 0 || utf8.RuneCountInString(s) <= width {
		return []string{s}
	}
	indent := s[:len(s)-len(strings.TrimLeft(s, " "))]
	var lines []string
	line := indent
	for _, word := range strings.Fields(s) {
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
