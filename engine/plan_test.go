package engine

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/diag"
)

// fullPlan has a value in every field.
func fullPlan() *Plan {
	q4, fallback := "q4_k", "256 does not divide 100"
	return &Plan{
		Version: PlanVersion, Recipe: "a/recipe.hcl", Scope: "0123", OutputDir: "out",
		Files:   []File{{Path: "m/a.bin", Size: 100, Remote: "hf://a/b", SHA256: "ab"}, {Path: "m/b.bin", Size: 0}},
		Sources: []Source{{Name: "t0", Size: 60}, {Name: "t1", Offset: 60, Size: 40}, {Name: "none", File: 1}},
		Actions: []*Action{
			{
				Address: `stage.quantize.a["t0"]`, Stage: "stage quantize", Version: 3, Params: Params{{Name: "a", Value: `{"x":"\u003c"}`}, {Name: "b", Value: "1.50"}},
				Inputs: []Input{source("in", 0), source("in", 1)}, Group: "g", Origins: map[string]string{"a": "policy.a rule 3"}, Work: 60, Memory: 1000, Fingerprint: "avx2",
			},
			{Address: "artifact.gguf.a", Stage: "artifact gguf", Version: 1, Params: Params{}, Inputs: []Input{output("part", 0)}},
		},
		Tensors: []TensorPlan{
			{Artifact: "artifact.gguf.a", Name: "t0", Role: "expert", Layer: 3, Shape: []int64{10, 6}, Elements: 60, Type: &q4, Bytes: 30, Rule: "mix Q4_K_M", Fallback: &fallback, Asked: "INT4", SourceType: "bf16", SourceBytes: 60, Actions: []int{0, 1}},
			{Name: "t1", Candidates: []string{"q4_k", "q8_0"}, BytesMin: 1, BytesMax: 2},
		},
		Artifacts:   []ArtifactPlan{{Address: "artifact.gguf.a", Path: "a/b.gguf", Format: "gguf", Action: 1, Bytes: 100, BitsPerWeight: 4.5, BytesMin: 1, BytesMax: 2, Elements: 60, Notes: []string{"n"}}, {Path: "later", Action: -1}},
		Conclusions: []ConclusionPlan{{Address: "report.a", Stage: "report", Params: json.RawMessage(`{"x":1}`), Path: "reports/a"}, {Params: json.RawMessage(`null`)}},
		Models:      []ModelPlan{{Address: "model.a", Source: "hf://a/b", Revision: "abc", Files: []int{0, 1}, Sources: []int{0, 2}, Bytes: 100, Arch: "qwen3"}},
		Pending:     []string{"stage.calibrate.a"},
		Diagnostics: diag.Diagnostics{},
	}
}

func encode(t testing.TB, p *Plan) []byte {
	var b bytes.Buffer
	require.NoError(t, p.Encode(&b))
	return b.Bytes()
}

func TestPlanRoundTrip(t *testing.T) {
	for _, p := range []*Plan{fullPlan(), {Version: PlanVersion}, newWorld(t).packed(3, 100, "a.bin")} {
		raw := encode(t, p)
		again, err := DecodePlan(raw)
		require.NoError(t, err)
		require.Equal(t, string(raw), string(encode(t, again)))
		if len(p.Tensors) > 0 {
			require.JSONEq(t, string(p.Conclusions[0].Params), string(again.Conclusions[0].Params))
			again.Conclusions[0].Params = p.Conclusions[0].Params // but for its spaces
			require.Equal(t, p, again)
		}
	}
}

// A plan of a file is the plan itself: same keys, nothing runs again.
func TestBuildFromFile(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.packed(3, 100, "a.bin")
		p.Actions[1].Params, _ = p.Actions[1].Params.With("odd", map[string]any{"z": "<é\u2028>", "a": 1.5e300})
		first := w.must(p)
		path := filepath.Join(w.dir, "plan.json")
		require.NoError(t, os.WriteFile(path, encode(t, p), 0o644))
		read, err := ReadPlan(path)
		require.NoError(t, err)
		res := w.must(read)
		require.Equal(t, 0, res.Executed)
		for i := range res.States {
			require.Equal(t, first.States[i].ID, res.States[i].ID)
		}
	})
}

func TestReadPlanErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadPlan(filepath.Join(dir, "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(dir, "plan.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"version":1,`), 0o644))
	_, err = ReadPlan(path)
	require.ErrorContains(t, err, "plan "+path+": ")
	require.ErrorContains(t, err, "make it anew with pj plan -o")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(maxPlanBytes+1))
	require.NoError(t, f.Close())
	_, err = ReadPlan(path)
	require.ErrorContains(t, err, "at most 536870912 are read")
}

func TestDamagedPlans(t *testing.T) {
	for want, damage := range map[string]func(p *Plan){
		"it has version 2, this program reads 1":                             func(p *Plan) { p.Version = 2 },
		"it has version 0, this program reads 1":                             func(p *Plan) { p.Version = 0 },
		"file 0 (m/a.bin) has -9223372036854775808 bytes":                    func(p *Plan) { p.Files[0].Size = -1 << 63 },
		"source 1 (t1) names file 2 of 2":                                    func(p *Plan) { p.Sources[1].File = 2 },
		"source 2 (none) names file -1 of 2":                                 func(p *Plan) { p.Sources[2].File = -1 },
		"source 1 (t1): bytes 61+40 are not within the 100 bytes of m/a.bin": func(p *Plan) { p.Sources[1].Offset = 61 },
		"source 0 (t0): bytes -1+60 are not within":                          func(p *Plan) { p.Sources[0].Offset = -1 },
		"source 0 (t0): bytes 0+-1 are not within":                           func(p *Plan) { p.Sources[0].Size = -1 },
		"source 0 (t0): bytes 1+9223372036854775807 are not within":          func(p *Plan) { p.Sources[0] = Source{Name: "t0", Offset: 1, Size: 1<<63 - 1} },
		"source 0 (t0): bytes 9223372036854775807+60 are not within":         func(p *Plan) { p.Sources[0].Offset = 1<<63 - 1 },
		"action 1 is null": func(p *Plan) { p.Actions[1] = nil },
		"action 0 (stage.quantize.a[\"t0\"]) has negative work or memory":                  func(p *Plan) { p.Actions[0].Work = -1 },
		"action 1 (artifact.gguf.a) has negative work or memory":                           func(p *Plan) { p.Actions[1].Memory = -1 },
		"action 0 (stage.quantize.a[\"t0\"]): input 1 (in) names neither":                  func(p *Plan) { p.Actions[0].Inputs[1].Source = 3 },
		"action 0 (stage.quantize.a[\"t0\"]): input 0 (in) names neither":                  func(p *Plan) { p.Actions[0].Inputs[0].Action = 0 },
		"action 1 (artifact.gguf.a): input 0 (part) names neither a source nor an earlier": func(p *Plan) { p.Actions[1].Inputs[0].Action = 1 },
		"action 1 (artifact.gguf.a): input 0 (part) names":                                 func(p *Plan) { p.Actions[1].Inputs[0].Action = -1 },
		"tensor t0 names action 2 of 2":                                                    func(p *Plan) { p.Tensors[0].Actions[1] = 2 },
		"tensor t0 names action -1 of 2":                                                   func(p *Plan) { p.Tensors[0].Actions[0] = -1 },
		"artifact.gguf.a names action 2 of 2":                                              func(p *Plan) { p.Artifacts[0].Action = 2 },
		"artifact.gguf.a names action -2 of 2":                                             func(p *Plan) { p.Artifacts[0].Action = -2 },
		"artifact.gguf.a: the path \"../x\" leaves the output folder":                      func(p *Plan) { p.Artifacts[0].Path = "../x" },
		"artifact.gguf.a: the path is empty":                                               func(p *Plan) { p.Artifacts[0].Path = "" },
		"report.a: the path \"/etc\" is absolute":                                          func(p *Plan) { p.Conclusions[0].Path = "/etc" },
		"model.a names file 2 of 2":                                                        func(p *Plan) { p.Models[0].Files[1] = 2 },
		"model.a names source -1 of 3":                                                     func(p *Plan) { p.Models[0].Sources[0] = -1 },
	} {
		t.Run(want, func(t *testing.T) {
			p := fullPlan()
			damage(p)
			got, err := DecodePlan(encode(t, p))
			require.ErrorContains(t, err, want)
			require.Nil(t, got)
		})
	}
}

func TestPlanSyntax(t *testing.T) {
	for raw, want := range map[string]string{
		``:                                  "EOF",
		`null`:                              "it has version 0",
		`[]`:                                "cannot unmarshal",
		`{"version":1,"new":1}`:             `unknown field "new"`,
		`{"version":1,"files":[{"new":1}]}`: `unknown field "new"`,
		`{"version":1,"actions":[{"params":[]}]}`: "action parameters",
		`{"version":1} {"version":1}`:             "something follows the end",
		`{"version":1}]`:                          "something follows the end",
		`{"version":7,"files":{"new":1}}`:         "it has version 7, this program reads 1",
		`{"version":7,"new":1}`:                   "it has version 7, this program reads 1",
		`{"version":"1"}`:                         "cannot unmarshal",
	} {
		p, err := DecodePlan([]byte(raw))
		require.ErrorContains(t, err, want, raw)
		require.Nil(t, p)
	}
}

// A plan that was accepted can be written and read again, and resolving it
// touches nothing that it should not.
func FuzzDecodePlan(f *testing.F) {
	f.Add(encode(f, fullPlan()))
	f.Add([]byte(`{"version":1,"files":[{"path":"/none","size":1}],"sources":[{"name":"s","file":0,"offset":0,"size":1}],` +
		`"actions":[{"address":"a","stage":"stage x","version":1,"params":{"a":1e400,"b":" "},"inputs":[{"name":"i","source":0,"action":-1}],"group":"g"}]}`))
	f.Add([]byte(`{"version":1,"actions":[{"params":{}},{"group":"g","inputs":[{"source":-1,"action":0}]},null]}`))
	f.Add([]byte(strings.Repeat(`{"version":1,"conclusions":[{"params":{"a":`, 20)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := DecodePlan(raw)
		if err != nil {
			require.Nil(t, p)
			return
		}
		once := encode(t, p)
		again, err := DecodePlan(once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(encode(t, again)))

		p.Files = nil // of this machine; the rest is safe without them
		for i := range p.Sources {
			p.Sources[i].File = 0
		}
		known := Known{Store: cache.NewMemory()}
		r := newResolution(p)
		require.NoError(t, known.lookUp(t.Context(), r, allActions(p)))
		e := &execution{plan: p, known: r}
		ran := 0
		q := newQueue(e.units(), 1)
		for u := q.next(); u != nil; u = q.next() {
			ran += len(u.actions)
			q.ended(u)
			q.release(u)
		}
		require.Equal(t, len(p.Actions), ran, "every unit can run")
	})
}

func allActions(p *Plan) []int {
	out := make([]int, len(p.Actions))
	for i := range out {
		out[i] = i
	}
	return out
}
