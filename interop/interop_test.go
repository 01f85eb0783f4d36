//go:build interop

package interop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

var (
	ggufs = flag.String("ggufs", os.Getenv("PJ_INTEROP_GGUFS"),
		"judge the GGUF files below this folder instead of what the recipes build ($PJ_INTEROP_GGUFS)")
	models = flag.String("models", cmp.Or(os.Getenv("PJ_INTEROP_MODELS"), "../examples/models"),
		"folder of the models that the files were made from ($PJ_INTEROP_MODELS)")
	program = flag.String("pj", os.Getenv("PJ_BIN"), "the program that builds the recipes; built from ../cmd/pj where it is not given ($PJ_BIN)")
)

// window is the context that the tests load models with.
const window = 512

// artifact is a file that llama.cpp is to judge.
type artifact struct {
	path  string
	file  *gguf.File
	model *Reference // what it was made from whole, nil where that is not known
}

// stock starts llama.cpp, or skips the test where there is none.
func stock(t *testing.T) *Client {
	libraries, err := Find(t.Context())
	var c *Client
	if err == nil {
		// The test's own context is done before its cleanups run.
		c, err = Start(context.WithoutCancel(t.Context()), libraries)
	}
	if errors.Is(err, ErrAbsent) {
		t.Skipf("SKIPPED: nothing was compared with llama.cpp: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// artifacts are the files to judge, built only once.
func artifacts(t *testing.T) []artifact {
	t.Helper()
	folder := *ggufs
	if folder == "" {
		folder = built(t)
	}
	refs, err := References(*models)
	require.NoError(t, err)
	var list []artifact
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".gguf" {
			return err
		}
		file, err := gguf.Open(t.Context(), path)
		if err != nil {
			return err
		}
		if path != file.Paths[0] {
			return nil // a later shard of a split file
		}
		a := artifact{path: path, file: file}
		if i := slices.IndexFunc(refs, func(r Reference) bool { return r.SameModel(file) }); i >= 0 {
			a.model = &refs[i]
		}
		list = append(list, a)
		return nil
	}))
	require.NotEmpty(t, list, "no GGUF files below %s", folder)
	return list
}

// buildFolder holds what the recipes gave, for all tests of the run.
var buildFolder string

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if buildFolder != "" {
		os.RemoveAll(buildFolder)
	}
	os.Exit(code)
}

// built runs the recipes of the examples and of testdata into a folder.
func built(t *testing.T) string {
	if buildFolder != "" {
		return filepath.Join(buildFolder, "out")
	}
	dir, err := os.MkdirTemp("", "pj-interop-")
	require.NoError(t, err)
	buildFolder = dir
	pj := *program
	if pj == "" {
		pj = filepath.Join(dir, "pj")
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", pj, "../cmd/pj").CombinedOutput()
		require.NoError(t, err, "go build ../cmd/pj: %s", out)
	}
	pj, err = filepath.Abs(pj)
	require.NoError(t, err)
	cache := filepath.Join(dir, "cache")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	out, err := exec.CommandContext(t.Context(), "../scripts/examples.sh", pj, filepath.Join(dir, "out", "examples"), cache).CombinedOutput()
	require.NoError(t, err, "scripts/examples.sh: %s", out)

	recipes, err := filepath.Glob("testdata/*/recipe.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, recipes)
	for _, recipe := range recipes {
		name := filepath.Base(filepath.Dir(recipe))
		cmd := exec.CommandContext(t.Context(), pj, "build", recipe, "--offline",
			"--output", filepath.Join(dir, "out", name), "--cache-dir", cache)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "pj build %s: %s", recipe, out)
	}
	return filepath.Join(dir, "out")
}

// name is what subtests are called.
func (a artifact) name() string {
	return filepath.Base(filepath.Dir(a.path)) + "/" + filepath.Base(a.path)
}

// tiered says that each expert is a tensor of its own, which only pj runs.
func (a artifact) tiered() bool {
	return slices.ContainsFunc(a.file.Tensors, func(t gguf.Tensor) bool { return strings.Contains(t.Name, ".expert.") })
}

// TestArtifacts is what a file has to stand: it loads, its tokenizer gives the
// model's ids, and its logits are as near as its types allow.
func TestArtifacts(t *testing.T) {
	c := stock(t)
	list := artifacts(t)
	vectors := tokenVectors(t)
	refs, err := References(*models)
	require.NoError(t, err)
	compared := 0
	for _, a := range list {
		t.Run(a.name(), func(t *testing.T) {
			err := c.Load(a.path, window)
			if a.tiered() {
				var refused *RefusedError
				require.ErrorAs(t, err, &refused)
				require.Contains(t, refused.Reason, "_exps.weight' not found")
				return
			}
			require.NoError(t, err)
			for _, w := range c.Model.Warnings {
				t.Log(w)
			}
			for _, r := range refs {
				if r.SameVocabulary(a.file) {
					checkTokens(t, c, r, vectors[r.Name])
				}
			}
			if a.model == nil {
				t.Logf("no reference for its logits")
				checkFinite(t, c)
				return
			}
			compared++
			checkLogits(t, c, a)
			checkAnswers(t, c, a)
		})
	}
	require.NotZero(t, compared, "no file is of a model in %s", *models)
}

// vector is a text and the ids that the model's tokenizer.json gives it.
type vector struct {
	Text string
	IDs  []int32
}

func tokenVectors(t *testing.T) map[string][]vector {
	b, err := os.ReadFile("testdata/tokens.json")
	require.NoError(t, err)
	var v map[string][]vector
	require.NoError(t, json.Unmarshal(b, &v))
	return v
}

func checkTokens(t *testing.T, c *Client, r Reference, vectors []vector) {
	for _, v := range vectors {
		ids, err := c.Tokenize(v.Text)
		require.NoError(t, err)
		require.Equal(t, v.IDs, append([]int32{}, ids...), "%q", v.Text)
	}
	for _, s := range r.Sequences {
		text, err := c.Detokenize(s.IDs)
		require.NoError(t, err)
		ids, err := c.Tokenize(text)
		require.NoError(t, err)
		require.Equal(t, s.IDs, ids)
	}
}

// checkFinite is for files of which nothing is known: logits have to be numbers,
// and not all alike.
func checkFinite(t *testing.T, c *Client) {
	ids := make([]int32, 16)
	for i := range ids {
		ids[i] = int32(i % c.Model.Vocab)
	}
	rows, err := c.Logits(ids, 0)
	require.NoError(t, err)
	_, err = Compare(rows, rows)
	require.NoError(t, err)
	last := rows[len(rows)-1]
	require.NotEqual(t, slices.Min(last), slices.Max(last))
}

func checkLogits(t *testing.T, c *Client, a artifact) {
	var all Difference
	for j, s := range a.model.Sequences {
		got, err := c.Logits(s.IDs, len(s.Logits))
		require.NoError(t, err)
		d, err := Compare(s.Logits, got)
		require.NoError(t, err)
		all = all.Join(d)
		if Exact(a.file) && a.model.Architecture == "gpt-oss" {
			checkStock(t, a.model.Name, j, got)
		}
	}
	bound := a.model.Bound(a.file)
	t.Logf("%.2f bits per weight: %v", BitsPerWeight(a.file), all)
	require.LessOrEqual(t, all.Max, bound.Max, all)
	require.GreaterOrEqual(t, all.Top1, bound.Top1, all)
	require.LessOrEqual(t, all.KLD, bound.KLD, all)
}

// checkStock holds the logits of an F32 gpt-oss model against those that the
// same engine gives for the file of its own converter: the reference itself is
// too far away, since llama.cpp rounds YaRN's range of dimensions.
func checkStock(t *testing.T, model string, sequence int, got [][]float32) {
	path := "testdata/" + model + "-stock.safetensors"
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Logf("no %s", path)
		return
	}
	want, err := ReadLikeliest(path, sequence)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i, row := range want {
		require.Equal(t, int(row[0].Token), top(got[i]), "sequence %d, position %d", sequence, i)
		for _, w := range row {
			require.InDelta(t, w.Logit, got[i][w.Token], 1e-3, "sequence %d, position %d, token %d", sequence, i, w.Token)
		}
	}
}

// answers are what the small models were taught to say.
var answers = []struct{ question, answer string }{
	{"What is the capital of France?", "The capital of France is Paris."},
	{"What is 3 + 4?", "3 + 4 = 7."},
	{"Hello!", "Hello! How can I help you today?"},
	{"What is the opposite of hot?", "The opposite of hot is cold."},
}

// turns are chats with one question, rendered, and how an answer ends.
var turns = map[string][2]string{
	"qwen3moe": {"<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"},
	"gpt-oss":  {"<|start|>user<|message|>%s<|end|><|start|>assistant<|channel|>final<|message|>", "<|return|>"},
}

// checkAnswers asks the model, where its types are the published ones or finer.
func checkAnswers(t *testing.T, c *Client, a artifact) {
	if !Published(a.file) {
		return
	}
	turn := turns[a.model.Architecture]
	for _, q := range answers {
		ids, err := c.Tokenize(fmt.Sprintf(turn[0], q.question))
		require.NoError(t, err)
		ids, err = c.Greedy(ids, 24)
		require.NoError(t, err)
		text, err := c.Detokenize(ids)
		require.NoError(t, err)
		require.Equal(t, q.answer+turn[1], text)
	}
}

// TestDamaged shows that a load which succeeds means something.
func TestDamaged(t *testing.T) {
	c := stock(t)
	list := artifacts(t)
	i := slices.IndexFunc(list, func(a artifact) bool { return a.model != nil && !a.tiered() && len(a.file.Paths) == 1 })
	require.GreaterOrEqual(t, i, 0)
	whole, err := os.ReadFile(list[i].path)
	require.NoError(t, err)
	changed := func(old, new string) []byte {
		require.Len(t, new, len(old))
		require.Contains(t, string(whole), old)
		return []byte(strings.Replace(string(whole), old, new, 1))
	}
	for name, damage := range map[string]struct {
		bytes  []byte
		reason string
	}{
		"no data":        {whole[:len(whole)/2], "not within the file bounds"},
		"half a header":  {whole[:2000], "failed to"},
		"another tensor": {changed("blk.1.attn_q.weight", "blk.1.attn_r.weight"), "tensor 'blk.1.attn_q.weight' not found"},
		"another magic":  {changed("GGUF", "GGUX"), "invalid magic"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "damaged.gguf")
			require.NoError(t, os.WriteFile(path, damage.bytes, 0o644))
			err := c.Load(path, window)
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Contains(t, refused.Reason, damage.reason)
			_, err = c.Tokenize("x")
			require.ErrorContains(t, err, "no model is loaded")
		})
	}
	require.NoError(t, c.Load(list[i].path, window), "the whole file loads after that")
}

// TestPerplexity compares with what the unquantized models score on a long text.
func TestPerplexity(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: takes a minute")
	}
	text, err := os.ReadFile("../../shared/eval/general.txt")
	if err != nil {
		t.Skip("SKIPPED: ../shared not found, no perplexity was compared")
	}
	c := stock(t)
	list := artifacts(t)
	// The finest file of each model.
	slices.SortStableFunc(list, func(a, b artifact) int { return int(100*BitsPerWeight(b.file)) - int(100*BitsPerWeight(a.file)) })
	done := map[string]bool{}
	for _, a := range list {
		if a.model == nil || !Published(a.file) || done[a.model.Name] {
			continue
		}
		done[a.model.Name] = true
		t.Run(a.model.Name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("../../shared/models", a.model.Name, "reference/reference.json"))
			require.NoError(t, err)
			var reference struct {
				Perplexity map[string]struct{ PPL float64 }
			}
			require.NoError(t, json.Unmarshal(b, &reference))
			want := reference.Perplexity["general"].PPL
			start := time.Now()
			require.NoError(t, c.Load(a.path, window))
			ids, err := c.Tokenize(string(text))
			require.NoError(t, err)
			got, err := c.Perplexity(ids, window)
			require.NoError(t, err)
			t.Logf("%s: %.4f, reference %.4f, %d windows, %.1f s", a.name(), got, want, len(ids)/window, time.Since(start).Seconds())
			tolerance := 0.005 * want
			if Exact(a.file) && a.model.Architecture != "gpt-oss" {
				tolerance = 1e-4 * want
			}
			require.InDelta(t, want, got, tolerance)
		})
	}
	require.NotEmpty(t, done, "no file has the published types or finer ones")
}
