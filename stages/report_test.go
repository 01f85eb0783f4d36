package stages

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
)

// reported is a small model with a stacked and a tiered artifact and a report.
func reported(t *testing.T, of ...engine.Ref) *world {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "INT4"}, typed("INT8", role("embedding")), typed("f32", role("router"))))
	w.artifact("a", ggufParams{})
	w.artifact("t", ggufParams{Experts: "tiered"})
	limit := 0.5
	w.block("validate", "", "a", &validateParams{Candidate: engine.Ref{Address: "artifact.gguf.a"}, Error: &errorMetric{MaxRelativeRMSE: &limit}}, `{}`, "artifact.gguf.a")
	w.block("validate", "", "t", &validateParams{Candidate: engine.Ref{Address: "artifact.gguf.t"}, Size: &sizeMetric{}}, `{}`, "artifact.gguf.t")
	var refs []string
	for _, r := range of {
		refs = append(refs, r.Address)
	}
	w.block("report", "", "r", &reportParams{Of: of, Path: "docs/report"}, `{}`, refs...)
	return w
}

func (w *world) readReport() (*report, []byte) {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.out(), "docs", "report", "report.json"))
	require.NoError(w.t, err)
	var r report
	require.NoError(w.t, json.Unmarshal(raw, &r))
	return &r, raw
}

func TestReport(t *testing.T) {
	w := reported(t)
	b := w.mustBuild()
	r, _ := w.readReport()
	require.Equal(t, "report.r", r.Address)
	require.Len(t, r.Artifacts, 2)
	require.Len(t, r.Verdicts, 2)
	require.Equal(t, []reportModel{{Address: "model.m", Source: "m.gguf", Architecture: "toy", Bytes: b.Plan.Models[0].Bytes}}, r.Models)

	a, tiered := r.Artifacts[0], r.Artifacts[1]
	require.Equal(t, b.Plan.Artifacts[0].Bytes, a.Bytes)
	require.Equal(t, []reportFile{{"a.gguf", a.Bytes, b.Artifacts[0].Files[0].SHA256}}, a.Files)
	require.Equal(t, float64(a.Bytes)/float64(a.SourceBytes), a.SourceRatio)
	require.Empty(t, a.ResidentNote)
	require.LessOrEqual(t, a.ResidentBytes, a.Bytes)
	require.NotEmpty(t, tiered.ResidentNote)

	require.Equal(t, map[string]int{"f32": 2, "q8_0": 1, "q4_k": 4}, map[string]int{
		"f32": a.Types["f32"].Tensors, "q8_0": a.Types["q8_0"].Tensors, "q4_k": a.Types["q4_k"].Tensors})
	require.Equal(t, 4.5, a.Types["q4_k"].BitsPerWeight)
	require.Zero(t, a.Types["f32"].RelativeRMSE)
	require.Equal(t, 3, a.Roles["expert"].Tensors)
	require.Equal(t, 12, tiered.Roles["expert"].Tensors)
	require.InDelta(t, a.Roles["expert"].RelativeRMSE, tiered.Roles["expert"].RelativeRMSE, 1e-12)
	require.Len(t, a.Layers, 1)
	require.Equal(t, 6, a.Layers[0].Tensors)
	require.Equal(t, []reportAsked{{"INT8", "q8_0", 1}, {"INT4", "q4_k", 4}}, a.Asked)
	require.Empty(t, a.Fallbacks)
	require.Len(t, a.Worst, 5)
	require.NotNil(t, worstOf(t, a, "blk.0.ffn_up_exps.weight").Rows[0].Expert)
	require.Nil(t, worstOf(t, tiered, "blk.0.expert.1.up.weight").Rows[0].Expert)
	require.Contains(t, string(a.Provenance.Recipe), `"source": "blake3:`)
	require.JSONEq(t, `{"artifact gguf": 1, "model": 1, "stage quantize": 3}`, string(a.Provenance.Stages))

	// The error of a tensor is that of its weights, over all slices.
	up := moe()[6].values
	q4k, _ := quant.Lookup("q4_k")
	blocks, y := make([]byte, q4k.RowBytes(int64(len(up)))), make([]float32, len(up))
	require.NoError(t, q4k.Quantize(blocks, up, quant.Options{Cols: 256, Effort: quant.Normal}))
	q4k.Dequantize(y, blocks)
	sum := quant.Measure(up, y, nil, 256)
	require.InDelta(t, sum.RelRMSE(), worstOf(t, a, "blk.0.ffn_up_exps.weight").RelativeRMSE, 1e-12)

	require.Equal(t, len(b.Plan.Actions), r.Run.Executed)
	require.Zero(t, r.Run.Cached)
	require.Equal(t, "pj test", r.Run.Program)
	require.Equal(t, "not built before", r.Run.Reasons[0].Reason)
}

func worstOf(t *testing.T, a reportArtifact, name string) reportWorst {
	for _, w := range a.Worst {
		if w.Name == name {
			return w
		}
	}
	require.Failf(t, "not among the worst", name)
	return reportWorst{}
}

// TestReportOf checks what a report that names something is of.
func TestReportOf(t *testing.T) {
	for _, test := range []struct {
		of        string
		artifacts string
		verdicts  string
	}{
		{"artifact.gguf.t", "artifact.gguf.t", "validate.t"},
		{"validate.a", "artifact.gguf.a", "validate.a"},
	} {
		w := reported(t, engine.Ref{Address: test.of})
		w.mustBuild()
		r, _ := w.readReport()
		require.Len(t, r.Artifacts, 1)
		require.Equal(t, test.artifacts, r.Artifacts[0].Address)
		require.Len(t, r.Verdicts, 1)
		require.Equal(t, test.verdicts, r.Verdicts[0].Address)
	}
}

// TestReportIsReproducible checks that only "run" differs between builds of the
// same in other folders, by other programs, with a warm cache.
func TestReportIsReproducible(t *testing.T) {
	var first string
	for i := range 3 {
		w := reported(t)
		if i == 1 {
			w.program = "pj of another version"
		}
		w.mustBuild()
		if i == 2 {
			w.mustBuild()
		}
		_, raw := w.readReport()
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &fields))
		delete(fields, "run")
		rest, err := json.Marshal(fields)
		require.NoError(t, err)
		require.NotContains(t, string(rest), w.dir)
		if i == 0 {
			first = string(rest)
		}
		require.Equal(t, first, string(rest))
	}
}

// TestReportPage checks that the page is whole and asks nobody for anything.
func TestReportPage(t *testing.T) {
	w := reported(t)
	w.blocks[3].Params.(*ggufParams).Path = `<b>"&'.gguf`
	w.mustBuild()
	raw, err := os.ReadFile(filepath.Join(w.out(), "docs", "report", "report.html"))
	require.NoError(t, err)
	page := string(raw)
	require.NotRegexp(t, regexp.MustCompile(`(?i)https?:|<script|<link|<img|@import|url\(|src=`), page)
	require.Contains(t, page, "prefers-color-scheme: dark")
	require.NotContains(t, page, `<b>"`)
	require.NotContains(t, page, "ZgotmplZ")
	require.NotContains(t, page, "NaN")
	for _, want := range []string{"artifact.gguf.a", "blk.0.ffn_up_exps.weight", "INT4", "passed", "<svg", "expert "} {
		require.Contains(t, page, want)
	}
	requireBalanced(t, page)
}

// requireBalanced reads the page as XML, which finds tags that are not closed.
func requireBalanced(t *testing.T, page string) {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = true
	d.Entity = xml.HTMLEntity
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
	}
}

// TestNoReport checks that a recipe without a report block gets none.
func TestNoReport(t *testing.T) {
	w := reported(t)
	w.blocks = w.blocks[:len(w.blocks)-1]
	b := w.mustBuild()
	require.Empty(t, b.Reports)
	require.NoDirExists(t, filepath.Join(w.out(), "docs"))
}

// TestReportIsDocumented checks that docs/report.md names every field, and no
// other.
func TestReportIsDocumented(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "report.md"))
	require.NoError(t, err)
	documented := map[string]bool{}
	for _, line := range strings.Split(string(raw), "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				documented[m[1]] = true
			}
		}
	}
	var missing []string
	seen := map[string]bool{}
	walkFields(reflect.TypeFor[report](), "", func(path string) {
		seen[path] = true
		if !documented[path] {
			missing = append(missing, path)
		}
	})
	require.Empty(t, missing, "fields that docs/report.md does not name")
	for path := range documented {
		require.True(t, seen[path], "docs/report.md names %s, which is no field", path)
	}
}

// walkFields calls f for the path of every field, "artifacts[].types.*.bytes".
func walkFields(t reflect.Type, prefix string, f func(path string)) {
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		switch {
		case sf.Anonymous:
			walkFields(sf.Type, prefix, f)
		case sf.IsExported():
			walkValue(sf.Type, prefix+name, f)
		}
	}
}

func walkValue(t reflect.Type, path string, f func(path string)) {
	switch {
	case t == reflect.TypeFor[json.RawMessage]() || t == reflect.TypeFor[[]int64]():
		f(path)
	case t.Kind() == reflect.Pointer:
		walkValue(t.Elem(), path, f)
	case t.Kind() == reflect.Slice:
		f(path + "[]")
		if t.Elem().Kind() == reflect.Struct {
			walkFields(t.Elem(), path+"[].", f)
		}
	case t.Kind() == reflect.Map:
		f(path)
		if e := t.Elem(); e.Kind() == reflect.Pointer {
			walkFields(e.Elem(), path+".*.", f)
		}
	case t.Kind() == reflect.Struct:
		if path != "run.machine" {
			f(path)
		}
		walkFields(t, path+".", f)
	default:
		f(path)
	}
}
