package engine

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache/cachetest"
)

func TestRequireCached(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.packed(8, 100, "a.bin")
		x := w.executor()
		x.RequireCached = true
		res, err := w.build(x, p)
		var notCached *NotCachedError
		require.ErrorAs(t, err, &notCached)
		require.Equal(t, 10, notCached.Total)
		require.Len(t, notCached.Misses, 10)
		require.Same(t, p, res.Plan)
		require.Empty(t, w.ran())
		require.Equal(t, strings.Join([]string{
			"10 of 10 actions are not in the cache, and --require-cached forbids to run them",
			"  double0: not built before", "  double1: not built before", "  double2: not built before", "  double3: not built before", "  double4: not built before",
			"  and 5 more",
		}, "\n"), err.Error())

		// It hashes what it has to, so as to know.
		w.must(p)
		w.known.Records = nil
		x.Known = w.known
		_, err = w.build(x, p)
		require.NoError(t, err)
		require.Empty(t, w.ran())

		content := cachetest.Bytes(1, 800)
		content[299]++
		w.write("model.bin", content)
		_, err = w.build(x, p)
		require.ErrorAs(t, err, &notCached)
		require.Len(t, notCached.Misses, 3, "the part, the sum and the artifact")
		require.Equal(t, "double2", notCached.Misses[0].Address)
	})
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 100)
	x := w.executor()
	x.Jobs = 1
	_, err := w.build(x, p)
	require.NoError(t, err)
	var kinds []EventKind
	for _, e := range w.events {
		if e.Kind != EventProgress {
			kinds = append(kinds, e.Kind)
		}
		if e.Kind == EventFinished {
			require.NoError(t, e.Err)
			require.Positive(t, e.Elapsed)
		}
	}
	require.Equal(t, []EventKind{EventPlanned, EventStarted, EventFinished, EventStarted, EventFinished, EventStarted, EventFinished}, kinds)
	require.Equal(t, []string{"double0", "double1", "sum"}, w.ran())
}

func TestModelDigest(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(3, 100)
	model := ModelPlan{Address: "model.a", Sources: []int{0, 1, 2}}
	var read atomic.Int64
	progress := func(n int64) { read.Add(n) }
	digest, err := w.known.ModelDigest(t.Context(), p, model, progress)
	require.NoError(t, err)
	require.EqualValues(t, 300, read.Load())
	require.Regexp(t, "^blake3:[0-9a-f]{64}$", digest)
	again, err := w.known.ModelDigest(t.Context(), p, model, progress)
	require.NoError(t, err)
	require.Equal(t, digest, again)
	require.EqualValues(t, 300, read.Load(), "nothing is read twice")

	model.Sources = []int{0, 2, 1}
	other, err := w.known.ModelDigest(t.Context(), p, model, nil)
	require.NoError(t, err)
	require.NotEqual(t, digest, other, "the order counts")
	// The same content in other files and under other names is the same model.
	content := cachetest.Bytes(1, 300)
	q := w.empty()
	q.addSource("x", q.addFile(t, w.write("one", content[:100])), 0, 100)
	q.addSource("y", q.addFile(t, w.write("two", append([]byte("...."), content[100:]...))), 4, 100)
	q.addSource("z", 1, 104, 100)
	model.Sources = []int{0, 1, 2}
	same, err := w.known.ModelDigest(t.Context(), q, model, nil)
	require.NoError(t, err)
	require.Equal(t, digest, same)
}

// concluding is a world whose plan ends in conclusions that do what fn says.
func concluding(t *testing.T, params string, path string, fn func(c *Conclusion) error) (*Result, error) {
	w := newWorld(t)
	p := w.packed(2, 100, "a.bin")
	p.Conclusions = []ConclusionPlan{{Address: "validate.v", Stage: "validate", Params: json.RawMessage(params), Path: path}}
	x := w.executor()
	x.Program = "pj 1.2"
	x.Catalog = NewCatalog(append(x.Catalog.Stages(), &Stage{Block: "validate", Conclude: func(_ context.Context, c *Conclusion) error { return fn(c) }})...)
	return w.build(x, p)
}

func TestConclusion(t *testing.T) {
	limit := 5.0
	checks := []Check{{Metric: "size.bytes", Value: 3, Limit: &limit, Bound: "<=", Passed: true}, {Metric: "note", Value: 1, Passed: true, Note: "only told"}}
	res, err := concluding(t, `{"limit":5}`, "reports", func(c *Conclusion) error {
		var params struct{ Limit float64 }
		require.NoError(t, c.Decode(&params))
		require.Equal(t, limit, params.Limit)
		require.Equal(t, "pj 1.2", c.Program)
		require.Len(t, c.Result.Artifacts, 1, "artifacts are there first")
		require.NotNil(t, c.Entry(0))
		require.Nil(t, c.Entry(-1))
		require.Nil(t, c.Entry(100))
		c.Judge(checks)
		path, err := c.WriteFile("sub/report.md", []byte("# report"))
		require.NoError(t, err)
		require.FileExists(t, path)
		require.Equal(t, filepath.Join(c.Plan.OutputDir, "reports", "sub", "report.md"), path)
		return c.Measured(map[string]float64{"value": 3})
	})
	require.NoError(t, err)
	require.Equal(t, []Verdict{{Address: "validate.v", Passed: true, Checks: checks}}, res.Verdicts)
	require.True(t, res.Passed())
	require.JSONEq(t, `{"value":3}`, string(res.Measured["validate.v"]))
	require.Len(t, res.Reports, 1)
	require.Positive(t, res.Elapsed)
}

func TestVerdicts(t *testing.T) {
	require.True(t, (&Result{}).Passed())
	for name, tt := range map[string]struct {
		checks [][]Check
		want   []bool
	}{
		"none":        {[][]Check{{}}, []bool{true}},
		"one fails":   {[][]Check{{{Passed: true}, {Passed: false}, {Passed: true}}}, []bool{false}},
		"two, one ok": {[][]Check{{{Passed: true}}, {{Passed: false}}}, []bool{true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := concluding(t, `{}`, "", func(c *Conclusion) error {
				for _, checks := range tt.checks {
					c.Judge(checks)
				}
				return nil
			})
			require.NoError(t, err)
			all := true
			for i, v := range res.Verdicts {
				require.Equal(t, tt.want[i], v.Passed)
				all = all && tt.want[i]
			}
			require.Len(t, res.Verdicts, len(tt.want))
			require.Equal(t, all, res.Passed())
		})
	}
}

func TestReportFiles(t *testing.T) {
	for _, tt := range []struct{ path, name, want string }{
		{"reports", "a.md", "reports/a.md"},
		{"reports", "b/../a.md", "reports/a.md"},
		{"report.md", "", "report.md"},
		{"", "a.md", "a.md"},
		{"", "", "error: is empty"},
		{"reports", "../a.md", "error: leaves the output folder"},
		{"reports", "..", "error: leaves the output folder"},
		{"reports", "/etc/passwd", "error: is absolute"},
		{"reports", "a\\b", "error: has a character"},
		{"reports", "C:/a", "error: has a character"},
		{"reports", "a\x00", "error: has a character"},
		{"", "../a", "error: leaves the output folder"},
	} {
		res, err := concluding(t, `{}`, tt.path, func(c *Conclusion) error {
			path, err := c.WriteFile(tt.name, []byte("x"))
			if want, bad := strings.CutPrefix(tt.want, "error: "); bad {
				require.ErrorContains(t, err, want)
				require.ErrorContains(t, err, "validate.v: ")
				require.Empty(t, c.Result.Reports)
				return nil
			}
			require.NoError(t, err)
			require.Equal(t, filepath.Join(c.Plan.OutputDir, filepath.FromSlash(tt.want)), path)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, "x", string(content))
			return nil
		})
		require.NoError(t, err)
		require.NotNil(t, res)
	}
}

func TestConclusionFailures(t *testing.T) {
	res, err := concluding(t, `{}`, "", func(*Conclusion) error { return errBroken })
	require.EqualError(t, err, "validate.v: broken on purpose")
	require.Len(t, res.Artifacts, 1)
	_, err = concluding(t, `{"a":"x"}`, "", func(c *Conclusion) error { return c.Decode(&struct{ A int }{}) })
	require.ErrorContains(t, err, "validate.v: json: cannot unmarshal")
	_, err = concluding(t, `{}`, "", func(c *Conclusion) error { return c.Measured(math.NaN()) })
	require.ErrorContains(t, err, "validate.v: json: unsupported value")

	w := newWorld(t)
	p := w.tensors(1, 10)
	p.Conclusions = []ConclusionPlan{{Address: "report.r", Stage: "report"}}
	_, err = w.build(w.executor(), p)
	require.ErrorContains(t, err, "report.r: this program has no report")
}
