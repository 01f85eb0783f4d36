package recipes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// describeProgram is a program as text, without places in files.
func describeProgram(t testing.TB, p *engine.Program) string {
	var b strings.Builder
	for _, x := range p.Blocks {
		params, err := json.Marshal(x.Params)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s used=%v\n  refs %s\n  params %s\n  canonical %s\n", x.Address, x.Used, strings.Join(x.Refs, " "), params, x.Canonical)
		fmt.Fprintf(&b, "  places of %s\n", strings.Join(keys(x.Attrs), " "))
		require.True(t, json.Valid(x.Canonical))
	}
	for _, a := range keys(p.Policies) {
		pol := p.Policies[a].(*Policy)
		bytes, bits, kld := pol.Budget()
		fmt.Fprintf(&b, "%s mix=%s default=%s preserve=%v evidence=%v budget=%d %g %g\n  canonical %s\n", a, pol.Mix(), pol.Default(), pol.Preserve(), pol.Evidence(), bytes, bits, kld, pol.Canonical())
		for _, r := range pol.Rules() {
			fmt.Fprintf(&b, "  %d: type=%s min=%s max=%s effort=%s\n", r.Index, r.Type, r.Min, r.Max, r.Effort)
		}
		kv, err := pol.KV(&engine.TensorAttrs{Attention: "full", Layers: 2})
		require.NoError(t, err)
		for _, r := range kv {
			fmt.Fprintf(&b, "  kv %d %d %s %s\n", r.MaxContext, r.MinAge, r.Key, r.Value)
		}
	}
	for _, name := range keys(p.Outputs) {
		fmt.Fprintf(&b, "output %s = %s\n", name, p.Outputs[name])
	}
	return b.String()
}

func TestBothSyntaxesGiveOneProgram(t *testing.T) {
	load := func(file string) *Recipe {
		r, ds := Load(context.Background(), Options{Path: file, Catalog: testCatalog()})
		require.Empty(t, ds, "%s", render(r, ds))
		return r
	}
	native, inJSON := load("testdata/program/full.hcl"), load("testdata/program/full.hcl.json")
	got := describeProgram(t, native.Program)
	require.Equal(t, got, describeProgram(t, inJSON.Program))
	require.Equal(t, native.Graph(), inJSON.Graph())
	for _, e := range native.Graph() {
		got += "edge " + e.From + " -> " + e.To + "\n"
	}
	dir, err := filepath.Abs("testdata")
	require.NoError(t, err)
	got = strings.ReplaceAll(got, dir, "TESTDATA")

	golden := "testdata/program/full.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got)
}

func TestDeterminism(t *testing.T) {
	var first string
	for range 5 {
		r, ds := Load(context.Background(), Options{Path: "testdata/program/full.hcl", Catalog: testCatalog()})
		require.NoError(t, ds.Err())
		got := describeProgram(t, r.Program)
		if first == "" {
			first = got
		}
		require.Equal(t, first, got)
	}
}

// TestOrderInTheFile checks that moving blocks about changes nothing.
func TestOrderInTheFile(t *testing.T) {
	parts := []string{`model "q" { source = var.s }`, `variable "s" { default = "x" }`, `policy "p" { mix = local.mix }`,
		`locals { mix = "Q4_K_M" }`, "stage \"quantize\" \"z\" {\n model = model.q\n policy = policy.p\n}",
		"artifact \"gguf\" \"a\" {\n from = stage.quantize.z\n path = \"a.gguf\"\n}"}
	forward := mustLoad(t, strings.Join(parts, "\n"))
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	require.Equal(t, describeProgram(t, forward.Program), describeProgram(t, mustLoad(t, strings.Join(parts, "\n")).Program))
}

func find(t testing.TB, p *engine.Program, address string) *engine.Block {
	t.Helper()
	for _, b := range p.Blocks {
		if b.Address == address {
			return b
		}
	}
	require.Fail(t, "no block "+address)
	return nil
}

func TestEveryFieldType(t *testing.T) {
	r, ds := Load(context.Background(), Options{Path: "testdata/program/full.hcl", Catalog: testCatalog()})
	require.NoError(t, ds.Err())
	p := find(t, r.Program, "stage.all.everything").Params.(*allParams)
	zero := 0
	ref := func(a, yields string) engine.Ref { return engine.Ref{Address: a, Yields: yields} }
	a, b := ref(`model.m["a"]`, "model"), ref(`model.m["b"]`, "model")
	evidence := ref("stage.calibrate.c", "evidence")
	want := &allParams{Text: "a b", Flag: true, Count: 12, Big: 9007199254740993, Ratio: 0.25, Size: 1.5e9, Maybe: &zero,
		Texts: []string{"x", "3"}, Counts: []int{1, 2}, Sizes: []engine.Bytes{10, 2048}, Shares: map[string]float64{"a": 0.1, "b": 2},
		Lists: map[string][]string{"x": {"y"}, "z": {}}, Ref: &evidence,
		Refs:     []engine.Ref{a, b, ref("artifact.gguf.f", "file"), ref(`artifact.gguf.g["low"]`, "file")},
		RefMap:   map[string]engine.Ref{"a": a, "b": b},
		RefLists: map[string][]engine.Ref{"all": {a, b}, "one": {a}}, Choices: []string{"green"}, Workers: 9}
	want.One.Depth = 3
	want.Must.Name = "needed"
	want.Many = append(want.Many, struct {
		Name  string   `hcl:"name"`
		Inner []level2 `hcl:"inner,block"`
	}{"first", []level2{{"deep"}, {"deeper"}}}, struct {
		Name  string   `hcl:"name"`
		Inner []level2 `hcl:"inner,block"`
	}{Name: "second"})
	require.Equal(t, want, p)

	block := find(t, r.Program, "stage.all.everything")
	require.Equal(t, "testdata/program/full.hcl", block.Range.File)
	require.Equal(t, r.Program.Dir, block.Base)
	at := block.Attrs["many[0].inner[1].name"]
	line := strings.Split(string(r.Files[at.File]), "\n")[at.Line-1]
	require.Equal(t, `"deeper"`, line[at.Column-1:at.EndColumn-1])

	// Defaults are there, and belong to each block alone.
	empty := mustLoad(t, "stage \"all\" \"x\" {\n must { name = \"n\" }\n}\nstage \"all\" \"y\" {\n must { name = \"n\" }\n}")
	x, y := find(t, empty.Program, "stage.all.x").Params.(*allParams), find(t, empty.Program, "stage.all.y").Params.(*allParams)
	require.Equal(t, []string{"a", "b"}, x.Texts)
	require.Equal(t, engine.Bytes(2<<30), x.Size)
	require.Nil(t, x.Ref)
	require.Nil(t, x.Maybe)
	x.Texts[0] = "changed"
	require.Equal(t, "a", y.Texts[0])
	require.JSONEq(t, `{"must":{"name":"n"},"one":{"depth":3},"size":2147483648,"texts":["a","b"]}`, string(find(t, empty.Program, "stage.all.x").Canonical))
}

func TestNullMeansNotSet(t *testing.T) {
	r := mustLoad(t, "variable \"t\" { default = null }\nstage \"all\" \"x\" {\n must { name = \"n\" }\n text = var.t\n size = null\n}")
	b := find(t, r.Program, "stage.all.x")
	require.Equal(t, engine.Bytes(2<<30), b.Params.(*allParams).Size)
	require.NotContains(t, string(b.Canonical), "text\"")
}

// TestCanonical checks what does and what does not change a block's canonical
// form.
func TestCanonical(t *testing.T) {
	canonical := func(text string) string {
		r, ds := loadText(t, text)
		require.NoError(t, ds.Err(), "%s", render(r, ds))
		return string(find(t, r.Program, "artifact.gguf.a").Canonical) + string(find(t, r.Program, "model.q").Canonical) + string(r.Program.Policies["policy.p"].Canonical())
	}
	const base = `
model "q" { source = "${path.module}/m.gguf" }
policy "p" {
  tensor {
    when = role == "expert" && layer < 10
    type = "q4_k"
  }
  kv {
    when = context <= 4096
    type = "INT8"
  }
}
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}`
	want := canonical(base)
	require.Contains(t, want, `"source":"${path.module}/m.gguf"`, "no folder of this machine")
	same := map[string][2]string{
		"comments":        {`type = "q4_k"`, "type = \"q4_k\" # a comment"},
		"spelling":        {`"q4_k"`, `"Q4_K"`},
		"a local":         {"layer < 10", "layer < local.ten"},
		"parentheses":     {"layer < 10", "((layer) < (5 + 5))"},
		"what is default": {`path = "a.gguf"`, "path = \"a.gguf\"\n  alignment = 32"},
		"what is hidden":  {`path = "a.gguf"`, "path = \"a.gguf\"\n  threads = 12"},
		"number format":   {"4096", "4.096e3"},
		"key and value":   {`type = "INT8"`, "key = \"INT8\"\n value = \"int8\""},
	}
	for name, edit := range same {
		text := strings.Replace(base, edit[0], edit[1], 1) + "\nlocals {\n ten = 10\n}\n"
		require.NotEqual(t, base, text, name)
		require.Equal(t, want, canonical(text), name)
	}
	different := map[string][2]string{
		"another bound": {"layer < 10", "layer < 11"},
		"another type":  {`"q4_k"`, `"q6_k"`},
		"another path":  {"a.gguf", "b.gguf"},
		"a setting":     {`path = "a.gguf"`, "path = \"a.gguf\"\n  alignment = 64"},
	}
	for name, edit := range different {
		require.NotEqual(t, want, canonical(strings.Replace(base, edit[0], edit[1], 1)), name)
	}
}

func TestSensitive(t *testing.T) {
	text := `
variable "token" {
  type      = string
  sensitive = true
}
model "q" { source = "hf://a/b" }
policy "p" {
  tensor {
    when = name == var.token
    type = "q4_k"
  }
}
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
output "t" {
  value     = var.token
  sensitive = true
}`
	load := func(token string) *Recipe {
		return mustLoad(t, text, func(o *Options) { o.Vars = []Var{{Name: "token", Value: token}} })
	}
	r := load("swordfish")
	canonical := r.Program.Policies["policy.p"].Canonical()
	for _, shown := range []string{string(canonical), string(r.Program.Outputs["t"]), fmt.Sprint(r.Variables())} {
		require.NotContains(t, shown, "swordfish")
	}
	require.Equal(t, canonical, load("swordfish").Program.Policies["policy.p"].Canonical())
	require.NotEqual(t, canonical, load("marlin").Program.Policies["policy.p"].Canonical())
	require.Equal(t, "cannot open (sensitive value)", r.Redact("cannot open swordfish"))
	d, err := r.Program.Policies["policy.p"].Match(&engine.TensorAttrs{Name: "swordfish"})
	require.NoError(t, err)
	require.NotNil(t, d.Rule)
}

func TestOutputsAfterABuild(t *testing.T) {
	r, ds := Load(context.Background(), Options{Path: "testdata/program/full.hcl", Catalog: testCatalog()})
	require.NoError(t, ds.Err())
	require.JSONEq(t, `[null, 0.2]`, string(r.Program.Outputs["measured"]))
	out, ds := r.Outputs(map[string]json.RawMessage{`validate.v["low"]`: json.RawMessage(`{"perplexity":{"value":7.25}}`)})
	require.Empty(t, ds)
	require.JSONEq(t, `[7.25, 0.2]`, string(out["measured"]))
	require.JSONEq(t, `{"high":"artifact.gguf.g[\"high\"]","low":"artifact.gguf.g[\"low\"]"}`, string(out["reference"]))

	out, ds = r.Outputs(map[string]json.RawMessage{`validate.v["low"]`: json.RawMessage(`{"other":1}`)})
	require.Len(t, ds, 1)
	require.Equal(t, diag.Warning, ds[0].Severity)
	require.JSONEq(t, `null`, string(out["measured"]))
	out, ds = r.Outputs(nil)
	require.Empty(t, ds)
	require.JSONEq(t, `[null, 0.2]`, string(out["measured"]))
}

func TestFindRecipe(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
		err   string
	}{
		"recipe.hcl wins": {[]string{"a.hcl", "recipe.hcl", "pj.lock.hcl"}, "recipe.hcl", ""},
		"the only one":    {[]string{"a.hcl", "pj.lock.hcl", "x.txt"}, "a.hcl", ""},
		"in JSON":         {[]string{"a.hcl.json"}, "a.hcl.json", ""},
		"recipe in JSON":  {[]string{"a.hcl", "recipe.hcl.json"}, "recipe.hcl.json", ""},
		"none":            {[]string{"pj.lock.hcl", "x.json"}, "", "holds no recipe"},
		"several":         {[]string{"a.hcl", "b.hcl"}, "", "a.hcl and b.hcl"},
	} {
		files := map[string]string{}
		for _, f := range c.files {
			files[f] = "{}"
		}
		dir := write(t, files)
		got, err := findRecipe(dir)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, filepath.Join(dir, c.want), got, name)
	}
	_, ds := Load(context.Background(), Options{Path: filepath.Join(t.TempDir(), "nowhere"), Catalog: testCatalog()})
	require.ErrorContains(t, ds.Err(), "no such file")

	big := write(t, map[string]string{"recipe.hcl": strings.Repeat("# a comment\n", 400_000)})
	_, ds = Load(context.Background(), Options{Path: big, Catalog: testCatalog()})
	require.ErrorContains(t, ds.Err(), "larger than 4 MiB")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, ds := Load(ctx, Options{Path: "testdata/program/full.hcl", Catalog: testCatalog()})
	require.ErrorContains(t, ds.Err(), "canceled")
}

// TestSchemaMistakes checks that a stage whose parameters cannot be a schema is
// found when it is first used.
func TestSchemaMistakes(t *testing.T) {
	for name, params := range map[string]any{
		"no pointer": struct{}{},
		"bad type": &struct {
			A chan int `hcl:"a"`
		}{},
		"bad default": &struct {
			A int `hcl:"a" default:"x"`
		}{},
		"bad block": &struct {
			A int `hcl:"a,block"`
		}{},
		"reserved": &struct {
			A int `hcl:"for_each"`
		}{},
		"twice": &struct {
			A, B int `hcl:"a"`
		}{},
		"unexported": &struct {
			a int `hcl:"a"`
		}{},
		"bad size": &struct {
			A engine.Bytes `hcl:"a" default:"3 XB"`
		}{},
	} {
		require.Panics(t, func() { schemaOf(&engine.Stage{Block: "b", Params: params}) }, name)
	}
	require.NotPanics(t, func() {
		v, err := parseDefault(reflect.TypeFor[*float64](), "1.5")
		require.NoError(t, err)
		require.Equal(t, 1.5, v.Elem().Float())
	})
}

// TestEvidenceFromAFile checks that evidence = imatrix("file") declares a stage
// of its own for each policy.
func TestEvidenceFromAFile(t *testing.T) {
	text := `
model "q" { source = "x" }
policy "p" {
  for_each = { a = "1.gguf", b = "2.gguf" }
  evidence = imatrix("im-${each.value}")
  tensor {
    when = expert.rank < 0.5
    type = "q8_0"
  }
}
stage "quantize" "z" {
  for_each = policy.p
  model    = model.q
  policy   = each.value
}
artifact "gguf" "a" {
  for_each = stage.quantize.z
  from     = each.value
  path     = "${each.key}.gguf"
}
`
	r, ds := loadText(t, text)
	require.Empty(t, ds, "%s", render(r, ds))
	b := find(t, r.Program, `stage.imatrix.p["b"]`)
	require.Equal(t, "im-2.gguf", b.Params.(*imatrixParams).File)
	require.True(t, b.Used)
	require.Equal(t, &engine.Ref{Address: `stage.imatrix.p["b"]`, Yields: "evidence"}, r.Program.Policies[`policy.p["b"]`].Evidence())

	_, ds = loadText(t, text+"stage \"imatrix\" \"p\" { file = \"x\" }\n")
	require.ErrorContains(t, ds.Err(), "stage.imatrix.p is declared at")
}

// TestFunctionsOfReferences checks that no function fails badly on a reference
// to a block, and that paths from path.module can be read.
func TestFunctionsOfReferences(t *testing.T) {
	for name := range functionsFor(t.TempDir()) {
		for _, args := range []string{"model.q", "[model.q]", "model.e", "model.q, model.q", "[model.q], model.q", `model.e, "x"`, `"x", model.q`, `"x", model.e`, `"x", [model.q], "y"`} {
			_, ds := loadText(t, "model \"q\" { source = \"x\" }\nmodel \"e\" {\n for_each = { a = 1 }\n source = \"y\"\n}\noutput \"o\" { value = "+name+"("+args+") }\n")
			for _, d := range ds {
				require.NotContains(t, d.Detail, "panic", "%s(%s)", name, args)
			}
		}
	}
	r, ds := loadFiles(t, map[string]string{"recipe.hcl": `output "o" { value = [file("x.txt"), file("./x.txt"), file("${path.module}/x.txt")] }`, "x.txt": "text"})
	require.NoError(t, ds.Err(), "%s", render(r, ds))
	require.JSONEq(t, `["text","text","text"]`, string(r.Program.Outputs["o"]))
}
