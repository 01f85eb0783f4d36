package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
)

// testApp is a program whose output is kept.
func testApp() (a *app, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	a = newApp("pj", nil, stdout, stderr)
	return a, stdout, stderr
}

// golden compares a text with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got)
}

// waitingPlan has an artifact whose types wait for evidence, actions with all
// kinds of reasons, fallbacks and notes.
func waitingPlan() *planned {
	name := func(s string) *string { return &s }
	p := &planned{Plan: &engine.Plan{Recipe: "recipe.hcl", Pending: []string{"stage.calibrate.c"}}, jobs: 2}
	add := func(address string, status engine.Status, reason string) {
		p.Actions = append(p.Actions, &engine.Action{Address: address, Memory: 10 << 20})
		p.states = append(p.states, engine.State{Status: status, Reason: reason})
	}
	add(`model.m["content"]`, engine.Cached, "")
	for _, expert := range []string{"[0]", "[1]", "[2]"} {
		add(`stage.quantize.a["blk.0.ffn_up_exps.weight"]`+expert, engine.Rebuild, "source model.layers.0.mlp.experts.1 changed")
	}
	add(`stage.quantize.a["x.weight"]`, engine.Rebuild, "policy.p rule 3 (recipe.hcl:31): type q4_k -> q5_k")
	add(`stage.quantize.a["y.weight"]`, engine.New, firstTime)
	add(`stage.quantize.a["z.weight"]`, engine.New, "input stage.calibrate.c is made anew")
	add(`module.m.stage.quantize.a["k"]["x.weight"]`, engine.Cached, "")
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		add(`stage.quantize.many["`+n+`"]`, engine.Rebuild, "reason "+n)
	}
	tensor := func(t engine.TensorPlan) {
		t.Artifact, t.Elements = "artifact.gguf.a", 1000
		p.Tensors = append(p.Tensors, t)
	}
	tensor(engine.TensorPlan{Name: "a", Role: "expert", Candidates: []string{"q2_k", "q8_0"}, BytesMin: 330, BytesMax: 1060})
	tensor(engine.TensorPlan{Name: "b", Role: "router", Type: name("q8_0"), Bytes: 1060, Asked: "INT8"})
	tensor(engine.TensorPlan{Name: "c", Role: "ffn", Type: name("q5_0"), Bytes: 690, Fallback: name("q4_k: 256 does not divide 320")})
	tensor(engine.TensorPlan{Name: "d", Role: "ffn", Type: name("q5_0"), Bytes: 690, Fallback: name("q4_k: 256 does not divide 320")})
	tensor(engine.TensorPlan{Name: "e", Role: "expert", Type: name("q8_0"), Bytes: 1060, Asked: "q4_k, q6_k, q8_0"})
	p.Artifacts = []engine.ArtifactPlan{
		{Address: "artifact.gguf.a", Path: "a.gguf", Action: -1, BytesMin: 2770, BytesMax: 3500, Elements: 4000, Notes: []string{"stock llama.cpp does not load this file"}},
	}
	return p
}

func TestPlanView(t *testing.T) {
	a, _, _ := testApp()
	golden(t, "planview.txt", a.view(waitingPlan()))
	a.flags.verbose = true
	golden(t, "planview-verbose.txt", a.view(waitingPlan()))
	a.flags.verbose, a.flags.quiet = false, true
	require.Equal(t, "Plan: 2 new, 14 to rebuild, 2 cached.\nMore is planned once stage.calibrate.c has run.\n", a.view(waitingPlan()))
	require.Equal(t, noWork+"\n", a.view(&planned{Plan: &engine.Plan{}}))
}

func TestNeed(t *testing.T) {
	p := waitingPlan()
	n := p.need()
	require.EqualValues(t, 1060+1060+690+690+1060, n.cache)
	require.EqualValues(t, 3500, n.files)
	require.EqualValues(t, programMemory+2*(10<<20), n.memory)
	p.budget = 15 << 20
	require.EqualValues(t, programMemory+10<<20, p.need().memory)
	p.jobs = 1
	require.EqualValues(t, programMemory+10<<20, p.need().memory)
	for _, a := range p.Actions {
		a.Group = "one"
	}
	p.jobs, p.budget = 8, 0
	require.EqualValues(t, programMemory+10<<20, p.need().memory)
}

func TestBlockOf(t *testing.T) {
	for in, want := range map[string]string{
		`stage.quantize.a["x"]`:                      "stage.quantize.a",
		`stage.quantize.a["x"][12]`:                  `stage.quantize.a`,
		`stage.quantize.a`:                           "stage.quantize.a",
		`stage.quantize.a["x", "artifact.gguf.b"]`:   "stage.quantize.a",
		`module.m.artifact.gguf.a`:                   "module.m.artifact.gguf.a",
		`artifact.gguf.all["published"]`:             `artifact.gguf.all["published"]`,
		`stage.quantize.all["k"]["blk.0.x"][3]`:      `stage.quantize.all["k"]`,
		`stage.quantize.all["k[\"]"]["blk.0.x"]`:     `stage.quantize.all["k[\"]"]`,
		`stage.quantize.all["k"]["x", "artifact.a"]`: `stage.quantize.all["k"]`,
		``: ``,
	} {
		blocks := map[string]bool{"stage.quantize.a": true, "module.m.artifact.gguf.a": true, `artifact.gguf.all["published"]`: true, `stage.quantize.all["k"]`: true, `stage.quantize.all["k[\"]"]`: true}
		require.Equal(t, want, blockOf(in, func(s string) bool { return blocks[s] }), in)
	}
}

func TestGenerally(t *testing.T) {
	for in, want := range map[string]string{
		"source model.x changed":                                       "their sources changed",
		"source model.x is not hashed yet":                             "their sources are not hashed yet",
		"source model.x: /a b/c changed on disk and is not hashed yet": "their sources are not hashed yet",
		`input stage.a.b["x changed y"] is made anew`:                  "their inputs are made anew",
		`input stage.a.b changed`:                                      "their inputs changed",
		"policy.p rule 3 (recipe.hcl:31): type q4_k -> q5_k":           "policy.p rule 3 (recipe.hcl:31): type q4_k -> q5_k",
	} {
		require.Equal(t, want, generally(in), in)
	}
}

func TestProgressLine(t *testing.T) {
	a, _, stderr := testApp()
	p := a.newProgress()
	now := time.Unix(100, 0)
	p.now = func() time.Time { return now }
	p.observe(engine.Event{Kind: engine.EventPlanned, Bytes: 4e9, Count: 12})
	require.Equal(t, "  0%  0 B of 4.00 GB  0/12  ", p.line(0))
	p.observe(engine.Event{Kind: engine.EventStarted, Action: &engine.Action{Address: `stage.quantize.a["blk.0.x"]`}})
	p.observe(engine.Event{Kind: engine.EventProgress, Bytes: 1e9})
	p.observe(engine.Event{Kind: engine.EventFinished})
	now = now.Add(10 * time.Second)
	require.Equal(t, ` 25%  1.00 GB of 4.00 GB  100 MB/s  30 s left  1/12  stage.quantize.a["blk.0.x"]`, p.line(0))
	require.Equal(t, ` 25%  1.00 GB of 4.00 GB  100 MB/s  30…`, p.line(40))
	p.observe(engine.Event{Kind: engine.EventAssemble, Text: "a.gguf"})
	require.Contains(t, p.line(0), "writing a.gguf")
	p.observe(engine.Event{Kind: engine.EventRemade, Action: &engine.Action{Address: "x"}, Text: "blob 1 is corrupt"})
	p.observe(engine.Event{Kind: engine.EventFetch, Text: "hf://a/b", Bytes: 5})
	p.stop()
	require.Equal(t, "Warning: x is made again: blob 1 is corrupt.\nFetching hf://a/b, 5 B.\n", stderr.String())
}

func TestWords(t *testing.T) {
	require.Equal(t, "1 entry", plural(1, "entry"))
	require.Equal(t, "0 entries", plural(0, "entry"))
	require.Equal(t, "2 files", plural(2, "file"))
	require.Equal(t, "30,532,122,624", thousands(30532122624))
	require.Equal(t, "999", thousands(999))
	for d, want := range map[time.Duration]string{
		1500 * time.Microsecond: "1 ms", 9940 * time.Millisecond: "9.9 s", 59 * time.Second: "59 s",
		200 * time.Second: "3 min 20 s", 2*time.Hour + 5*time.Minute: "2 h 5 min",
	} {
		require.Equal(t, want, short(d))
	}
	tab := table{header: []string{"NAME", ">SIZE", ""}, indent: " "}
	require.Empty(t, tab.String())
	tab.add("ä", "1", "")
	tab.add("long name", "1000", "x")
	require.Equal(t, " NAME       SIZE\n ä             1\n long name  1000  x\n", tab.String())
}

func TestSplitArgs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.Mkdir("folder", 0o755))
	for _, tt := range []struct {
		args      []string
		recipe    string
		addresses []string
	}{
		{nil, ".", nil},
		{[]string{"folder"}, "folder", []string{}},
		{[]string{"artifact.gguf.a", "folder"}, ".", []string{"artifact.gguf.a", "folder"}},
		{[]string{"none.hcl", "artifact.gguf.a"}, "none.hcl", []string{"artifact.gguf.a"}},
		{[]string{"none.hcl.json"}, "none.hcl.json", []string{}},
		{[]string{"no/folder"}, "no/folder", []string{}},
		{[]string{`stage.q.a["a/b"]`}, ".", []string{`stage.q.a["a/b"]`}},
		{[]string{"blk.0.attn_q.weight"}, ".", []string{"blk.0.attn_q.weight"}},
	} {
		recipe, addresses := splitArgs(tt.args)
		require.Equal(t, tt.recipe, recipe)
		require.Equal(t, tt.addresses, addresses)
	}
}

// TestScreen checks that what is said stands above the status line.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	s.show("10%")
	s.show("10%")
	s.Write([]byte("said\n"))
	s.show("20%")
	s.clear()
	s.clear()
	require.Equal(t, "\r10%\x1b[K\r\x1b[Ksaid\n\r20%\x1b[K\r\x1b[K", out.String())
}
