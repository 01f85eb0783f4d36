package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/docs"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/recipes/function"
	"github.com/llama-pajamas/pj/runtime/mix"
	"github.com/llama-pajamas/pj/stages"
)

// docPage is something that pj docs shows.
type docPage struct {
	title string
	doc   string // one line, for lists
	text  string // for people
	data  any    // for --json
}

// guidePages are the topics that the guide to the language explains: the word
// and the heading of its section.
func guidePages() [][2]string {
	return [][2]string{
		{"recipe", "## A first recipe"},
		{"values", "## Values"},
		{"references", "## References"},
		{"variable", "## Variables and locals"},
		{"locals", "## Variables and locals"},
		{"policy", "## Policies"},
		{"tensor", "### Tensor rules"},
		{"kv", "### Rules for the KV cache"},
		{"inherit", "### Inheriting"},
		{"for_each", "## Several of a kind: `for_each`"},
		{"output", "## Outputs"},
		{"module", "## Modules"},
		{"json", "## The same in JSON"},
	}
}

// guideSection is a part of the guide, from its heading to the next of its level or
// above.
func guideSection(heading string) string {
	level := len(heading) - len(strings.TrimLeft(heading, "#"))
	var out []string
	fenced := false
	for line := range strings.Lines(docs.Language()) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		n := len(line) - len(strings.TrimLeft(line, "#"))
		if out != nil && !fenced && n > 0 && n <= level {
			break
		}
		if out != nil || strings.TrimSpace(line) == heading {
			out = append(out, line)
		}
	}
	return strings.TrimRight(strings.Join(out, ""), "\n") + "\n"
}

func guidePage(name, heading string) docPage {
	text := guideSection(heading)
	title := strings.TrimSpace(strings.TrimLeft(heading, "#"))
	return docPage{title: name, doc: strings.ReplaceAll(title, "`", ""), text: text, data: struct {
		Topic string `json:"topic"`
		Text  string `json:"text"`
	}{name, text}}
}

func blockPage(c *engine.Catalog, s *engine.Stage) docPage {
	d := documentBlock(c, s)
	var b strings.Builder
	b.WriteString(d.Example + "\n" + d.Doc + "\n")
	if d.Yields != "" && d.Yields != d.Block {
		fmt.Fprintf(&b, "A reference to it stands for: %s.\n", d.Yields)
	}
	writeFields(&b, "", d.Attributes, d.Blocks)
	b.WriteString("\nAlso for_each: `pj docs for_each`.\n")
	return docPage{title: s.ID(), doc: s.Doc, text: b.String(), data: d}
}

func writeFields(b *strings.Builder, indent string, attributes, blocks []fieldDoc) {
	t := table{header: []string{"attribute", "type", "default", ""}, indent: indent}
	for i := range attributes {
		f := &attributes[i]
		t.add(f.Name, f.typeDoc(), f.value(), f.Doc)
	}
	if len(t.rows) > 0 {
		b.WriteString("\n" + t.String())
	}
	for i := range blocks {
		f := &blocks[i]
		fmt.Fprintf(b, "\n%s%s { … }  %s%s\n", indent, f.Name, f.Doc, map[bool]string{true: " (may repeat)"}[f.Repeats])
		writeFields(b, indent+"  ", f.Attributes, f.Blocks)
	}
}

func functionPage(d function.Doc) docPage {
	text := fmt.Sprintf("%s\n\n%s\n\n%s\n  = %s\n", d.Signature, d.Summary, d.Example, d.Result)
	return docPage{title: d.Name, doc: d.Summary, text: text, data: functionData(d)}
}

type functionDoc struct {
	Name      string `json:"name"`
	Signature string `json:"signature"`
	Doc       string `json:"doc"`
	Example   string `json:"example"`
	Result    string `json:"result"`
}

func functionData(d function.Doc) functionDoc {
	return functionDoc{d.Name, d.Signature, d.Summary, d.Example, d.Result}
}

func functionsPage() docPage {
	t := table{header: []string{"function", ""}}
	data := []functionDoc{}
	for _, d := range function.Docs() {
		t.add(d.Signature, d.Summary)
		data = append(data, functionData(d))
	}
	return docPage{title: "functions", doc: "what expressions can call", text: t.String(), data: struct {
		Functions []functionDoc `json:"functions"`
	}{data}}
}

// quantDoc documents a type of package quant.
type quantDoc struct {
	Name            string   `json:"name"`
	Aliases         []string `json:"aliases"`
	BitsPerWeight   float64  `json:"bits_per_weight"`
	Block           int      `json:"block"`
	Bytes           int      `json:"bytes"`
	GGUF            int      `json:"gguf_type"` // -1 where GGUF has none
	Writable        bool     `json:"writable"`
	MLX             string   `json:"mlx,omitempty"` // the mode
	KV              bool     `json:"kv"`
	NeedsImportance bool     `json:"needs_importance"`
	Fallback        string   `json:"fallback,omitempty"`
	Dot             string   `json:"dot,omitempty"` // what activations are rounded to in products
	Error           float64  `json:"error"`         // of normally distributed weights
	Doc             string   `json:"doc"`
}

func quantData(t *quant.Type) quantDoc {
	mode := ""
	if t.MLX != nil {
		mode = t.MLX.Mode
	}
	return quantDoc{
		MLX: mode, KV: t.KV, Name: t.Name, Aliases: append([]string{}, t.Aliases...), BitsPerWeight: t.BitsPerWeight(), Block: t.Block, Bytes: t.Bytes,
		GGUF: t.GGML, Writable: t.Quantize != nil, NeedsImportance: t.NeedsImportance, Fallback: t.Fallback,
		Dot: t.Dot, Error: t.Error, Doc: t.Doc,
	}
}

// placesOf lists where a type is stored: in GGUF files, with its number, in
// MLX folders, in a KV cache.
func placesOf(t *quant.Type) string {
	var places []string
	if t.GGML >= 0 {
		places = append(places, "GGUF "+strconv.Itoa(t.GGML))
	}
	if t.MLX != nil {
		places = append(places, "MLX")
	}
	if t.KV {
		places = append(places, "KV")
	}
	return strings.Join(places, ", ")
}

// typesBySize lists the types from few bits to many.
func typesBySize() []*quant.Type {
	types := quant.All()
	slices.SortStableFunc(types, func(a, b *quant.Type) int {
		return int(max(-1, min(1, (a.BitsPerWeight()-b.BitsPerWeight())*1e6)))
	})
	return types
}

// typesText says which of the types recipes may use where.
const typesText = `Weights in a policy take the types of GGUF that are not read only, kv rules those of
the KV cache; the types of MLX can be measured by pj tensor quantize. These names
stand for a width, and become the type of that width which fits the tensor:`

func typesPage() docPage {
	t := table{header: []string{"type", ">bits", ">block", "stored in", "importance", ""}}
	data := []quantDoc{}
	for _, q := range typesBySize() {
		t.add(q.Name, strconv.FormatFloat(q.BitsPerWeight(), 'f', -1, 64), strconv.Itoa(q.Block), placesOf(q),
			map[bool]string{true: "needed"}[q.NeedsImportance], q.Doc)
		data = append(data, quantData(q))
	}
	widths := table{header: []string{"width", "weights", "KV cache", ""}}
	for _, w := range stages.Widths() {
		widths.add(w.Name, w.Weights, w.KV, w.Except)
	}
	text := t.String() + "\n" + typesText + "\n\n" + widths.String()
	return docPage{title: "types", doc: "the types of tensors, and what each costs", text: text, data: struct {
		Types  []quantDoc     `json:"types"`
		Widths []stages.Width `json:"widths"`
	}{data, stages.Widths()}}
}

func typePage(t *quant.Type) docPage {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", t.Name, t.Doc)
	fmt.Fprintf(&b, "bits per weight  %s\n", strconv.FormatFloat(t.BitsPerWeight(), 'f', -1, 64))
	fmt.Fprintf(&b, "block            %s in %s\n", plural(t.Block, "weight"), plural(t.Bytes, "byte"))
	if t.Error > 0 {
		fmt.Fprintf(&b, "loses            %.3g %% of normally distributed weights, at most, with the normal effort\n", 100*t.Error)
	}
	if t.Dot != "" {
		fmt.Fprintf(&b, "in products      activations are rounded to %s\n", t.Dot)
	}
	if len(t.Aliases) > 0 {
		fmt.Fprintf(&b, "other names      %s\n", strings.Join(t.Aliases, ", "))
	}
	if t.GGML >= 0 {
		fmt.Fprintf(&b, "GGUF type        %d\n", t.GGML)
	}
	if t.MLX != nil {
		fmt.Fprintf(&b, "MLX              mode %s, %d bits, groups of %d\n", t.MLX.Mode, t.MLX.Bits, t.MLX.Group)
	}
	if t.KV {
		b.WriteString("KV cache         yes\n")
	}
	if t.Fallback != "" {
		fmt.Fprintf(&b, "fallback         %s, where %d does not divide a row\n", t.Fallback, t.Block)
	}
	if t.NeedsImportance {
		b.WriteString("importance       needed: a policy's evidence\n")
	}
	if t.Quantize == nil {
		b.WriteString("read only\n")
	}
	for _, w := range stages.Widths() {
		if strings.EqualFold(w.Name, t.Name) && w.Weights != t.Name {
			fmt.Fprintf(&b, "\nAs a type of weights the name is a width, and means %s.\n", w.Weights)
		}
	}
	return docPage{title: t.Name, doc: t.Doc, text: b.String(), data: quantData(t)}
}

// widthPage explains a name of precision that is no type's.
func widthPage(name string) (docPage, bool) {
	for _, w := range stages.Widths() {
		if !strings.EqualFold(w.Name, name) {
			continue
		}
		weights := w.Weights
		if w.Except != "" {
			weights += "; " + w.Except
		}
		text := fmt.Sprintf("%s\n\nA width: tensors get the type of it that fits them.\n\nweights   %s\nKV cache  %s\n", w.Name, weights, w.KV)
		return docPage{title: w.Name, doc: "A width", text: text, data: w}, true
	}
	return docPage{}, false
}

// mixDoc documents a mix.
type mixDoc struct {
	Name            string   `json:"name"`
	Aliases         []string `json:"aliases"`
	Type            string   `json:"type"`
	BitsPerWeight   float64  `json:"bits_per_weight"` // of that type
	FileType        uint32   `json:"file_type"`
	NeedsImportance bool     `json:"needs_importance"`
}

func mixDocs() []mixDoc {
	var out []mixDoc
	for _, n := range mix.Names() {
		m, _ := mix.Lookup(n)
		out = append(out, mixDoc{m.Name, append([]string{}, m.Aliases...), m.Type.Name, m.Type.BitsPerWeight(), m.FileType, m.NeedsImportance})
	}
	return out
}

func mixesPage() docPage {
	t := table{header: []string{"mix", "most weights", ">bits", "other names", "importance"}}
	data := mixDocs()
	for _, m := range data {
		t.add(m.Name, m.Type, strconv.FormatFloat(m.BitsPerWeight, 'f', -1, 64), strings.Join(m.Aliases, ", "), map[bool]string{true: "needed"}[m.NeedsImportance])
	}
	text := "Mixes choose a type for each tensor, as llama-quantize does; a policy's rules come first.\n\n" + t.String()
	return docPage{title: "mixes", doc: "llama-quantize's choices of types", text: text, data: struct {
		Mixes []mixDoc `json:"mixes"`
	}{data}}
}

func kvTypesPage(c *engine.Catalog) docPage {
	text := "The types that a policy's kv rules may give to keys and values of the KV cache:\n\n  " + strings.Join(c.KVTypes, ", ") + "\n\n`pj docs kv` explains the rules.\n"
	return docPage{title: "kv-types", doc: "the types of the KV cache", text: text, data: struct {
		Types []string `json:"kv_types"`
	}{c.KVTypes}}
}
