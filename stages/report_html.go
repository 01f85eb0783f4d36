package stages

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/internal/bytesize"
)

//go:embed report.gohtml
var reportPage string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"size":     bytesize.Format,
	"count":    thousands,
	"bits":     func(x float64) string { return fmt.Sprintf("%.3f", x) },
	"percent":  percent,
	"duration": func(x float64) string { return fmt.Sprintf("%.2f s", x) },
	"json":     indented,
	"types":    func(p map[string]*reportPart) []namedPart { return sortedParts(p, byBits) },
	"roles":    func(p map[string]*reportPart) []namedPart { return sortedParts(p, byBytes) },
	"verdict":  verdictWord,
	"few":      func(t []reportTensor) bool { return len(t) <= reportPageTensors },

	"sizeChart":  sizeChart,
	"roleChart":  roleChart,
	"errorChart": errorChart,
	"timeChart":  timeChart,
	"layerStrip": layerStrip,
}).Parse(reportPage))

// reportPageTensors is up to how many tensors the page lists them all; the JSON
// always does.
const reportPageTensors = 1500

func writeReportHTML(w io.Writer, r *report) error {
	if err := reportTemplate.Execute(w, r); err != nil {
		return fmt.Errorf("report.html: %w", err)
	}
	return nil
}

// indented is JSON for people.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// thousands writes a number with thin spaces between groups of three digits.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteRune('\u202f')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func percent(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }

// namedPart is a part of an artifact with its name.
type namedPart struct {
	Name string
	*reportPart
}

func byBits(a, b *reportPart) bool  { return a.BitsPerWeight > b.BitsPerWeight }
func byBytes(a, b *reportPart) bool { return a.Bytes > b.Bytes }

func sortedParts(parts map[string]*reportPart, before func(a, b *reportPart) bool) []namedPart {
	out := make([]namedPart, 0, len(parts))
	for name, p := range parts {
		out = append(out, namedPart{name, p})
	}
	sort.Slice(out, func(i, j int) bool {
		if before(out[i].reportPart, out[j].reportPart) || before(out[j].reportPart, out[i].reportPart) {
			return before(out[i].reportPart, out[j].reportPart)
		}
		return out[i].Name < out[j].Name
	})
	return out
}

func sizeChart(r *report) template.HTML {
	var bars []bar
	for _, m := range r.Models {
		bars = append(bars, bar{m.Address, float64(m.Bytes), bytesize.Format(m.Bytes) + ", the source"})
	}
	for _, a := range r.Artifacts {
		bars = append(bars, bar{a.Address, float64(a.Bytes), fmt.Sprintf("%s, %.2f bits", bytesize.Format(a.Bytes), a.BitsPerWeight)})
	}
	return barChart("Sizes", bars)
}

func roleChart(a reportArtifact) template.HTML {
	var bars []bar
	for _, p := range sortedParts(a.Roles, byBytes) {
		bars = append(bars, bar{p.Name, float64(p.Bytes), fmt.Sprintf("%s, %.2f bits", bytesize.Format(p.Bytes), p.BitsPerWeight)})
	}
	return barChart("Bytes by role", bars)
}

func errorChart(a reportArtifact) template.HTML {
	var bars []bar
	for _, p := range sortedParts(a.Roles, func(x, y *reportPart) bool { return x.RelativeRMSE > y.RelativeRMSE }) {
		bars = append(bars, bar{p.Name, p.RelativeRMSE, percent(p.RelativeRMSE)})
	}
	return barChart("Relative error by role", bars)
}

func timeChart(run reportRun) template.HTML {
	var bars []bar
	for _, s := range run.Stages {
		bars = append(bars, bar{s.Stage, s.Seconds, fmt.Sprintf("%.2f s, %d of %d ran", s.Seconds, s.Executed, s.Actions)})
	}
	return barChart("Seconds by stage", bars)
}

// layerStrip shows the layers side by side, darker where there are more bits,
// and their errors below.
func layerStrip(a reportArtifact) template.HTML {
	var bits, errors []cell
	for _, l := range a.Layers {
		bits = append(bits, cell{l.BitsPerWeight, fmt.Sprintf("layer %d: %.3f bits per weight, %s", l.Layer, l.BitsPerWeight, bytesize.Format(l.Bytes))})
		errors = append(errors, cell{l.RelativeRMSE, fmt.Sprintf("layer %d: relative error %s", l.Layer, percent(l.RelativeRMSE))})
	}
	return heatStrip("Bits per weight, by layer", "bits", bits) + heatStrip("Relative error, by layer", "error", errors)
}

// verdictWord is how a verdict reads, and its class on the page.
func verdictWord(passed bool) string {
	if passed {
		return "passed"
	}
	return "missed"
}
