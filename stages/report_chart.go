package stages

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// bar is a row of a bar chart.
type bar struct {
	label string
	value float64
	text  string // what stands behind the bar
}

// barChart draws horizontal bars from 0 to the largest value, as inline SVG.
func barChart(title string, bars []bar) template.HTML {
	const width, row, left, right = 760, 24, 230, 210
	largest := 0.0
	for _, b := range bars {
		largest = max(largest, b.value)
	}
	var s strings.Builder
	height := len(bars) * row
	fmt.Fprintf(&s, `<figure><figcaption>%s</figcaption><svg class="bars" viewBox="0 0 %d %d" role="img" aria-label="%s">`,
		template.HTMLEscapeString(title), width, height, template.HTMLEscapeString(title))
	for i, b := range bars {
		y, length := i*row, 0.0
		if largest > 0 {
			length = b.value / largest * (width - left - right)
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d"/><text x="%.1f" y="%d">%s</text>`,
			left-8, y+16, template.HTMLEscapeString(shortLabel(b.label)), left, y+5, length, row-9, left+length+6, y+16, template.HTMLEscapeString(b.text))
	}
	s.WriteString(`</svg></figure>`)
	return template.HTML(s.String())
}

// shortLabel cuts a label to what fits before a bar; its end tells more.
func shortLabel(label string) string {
	const most = 32
	r := []rune(label)
	if len(r) <= most {
		return label
	}
	return "…" + string(r[len(r)-most+1:])
}

// cell is one place of a heat strip.
type cell struct {
	value float64
	text  string // shown when pointed at
}

// heatStrip draws cells side by side, stronger where the value is larger.
func heatStrip(title, class string, cells []cell) template.HTML {
	if len(cells) == 0 {
		return ""
	}
	const width, height = 760.0, 30
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range cells {
		low, high = min(low, c.value), max(high, c.value)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<figure><figcaption>%s: %.3g to %.3g</figcaption><svg class="strip %s" viewBox="0 0 %g %d" role="img" aria-label="%s">`,
		template.HTMLEscapeString(title), low, high, class, width, height, template.HTMLEscapeString(title))
	step := width / float64(len(cells))
	for i, c := range cells {
		strength := 0.6
		if high > low {
			strength = 0.15 + 0.85*(c.value-low)/(high-low)
		}
		fmt.Fprintf(&s, `<rect x="%.2f" y="0" width="%.2f" height="%d" fill-opacity="%.3f"><title>%s</title></rect>`,
			float64(i)*step, max(step-1, step/2), height, strength, template.HTMLEscapeString(c.text))
	}
	s.WriteString(`</svg></figure>`)
	return template.HTML(s.String())
}
