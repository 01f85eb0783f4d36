package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// world is a folder with source files, a cache, and stages that do little.
type world struct {
	t     testing.TB
	dir   string
	store cache.Store
	known Known
	// hook runs at the start of every action, with its parameter "tag".
	hook func(ctx context.Context, env *Env, tag string) error

	mu     sync.Mutex
	events []Event
}

func newWorld(t testing.TB) *world { return newWorldOn(t, t.TempDir(), cache.NewMemory()) }

func newLocalWorld(t testing.TB) *world {
	dir := t.TempDir()
	return newWorldOn(t, dir, openLocal(t, filepath.Join(dir, "cache")))
}

func newWorldOn(t testing.TB, dir string, store cache.Store) *world {
	w := &world{t: t, dir: dir, store: store, known: Known{Store: store}}
	w.known.Records, _ = store.(cache.Records)
	return w
}

func openLocal(t testing.TB, dir string) *cache.Local {
	l, err := cache.Open(dir, cache.Options{Logger: slog.New(slog.DiscardHandler), LockTimeout: time.Minute})
	require.NoError(t, err)
	return l
}

// onStores runs a test on every kind of cache.
func onStores(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("memory", func(t *testing.T) { test(t, newWorld(t)) })
	t.Run("local", func(t *testing.T) { test(t, newLocalWorld(t)) })
}

// fakeParams are the parameters that the stages of the tests look at.
type fakeParams struct {
	Tag    string `json:"tag"`
	Factor int    `json:"factor"`
	Header string `json:"header"`
	Align  int64  `json:"align"`
}

func (w *world) catalog() *Catalog {
	return NewCatalog(
		w.stage("stage", "double", 1, runDouble),
		w.stage("stage", "sum", 1, runSum),
		w.stage("stage", "parity", 1, runParity),
		w.stage("stage", "evidence", 1, runSum),
		w.stage("artifact", "pack", 1, runPack),
	)
}

func (w *world) stage(block, name string, version int, run func(ctx context.Context, env *Env, p fakeParams) error) *Stage {
	return &Stage{Block: block, Name: name, Version: version, Params: &struct{}{}, Run: func(ctx context.Context, env *Env) error {
		var p fakeParams
		if err := env.Params.Decode(&p); err != nil {
			return err
		}
		if w.hook != nil {
			if err := w.hook(ctx, env, p.Tag); err != nil {
				return err
			}
		}
		return run(ctx, env, p)
	}}
}

func (w *world) executor() *Executor {
	return &Executor{Known: w.known, Catalog: w.catalog(), Jobs: 2, Scratch: w.t.TempDir(), Observe: w.observe}
}

func (w *world) observe(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// build runs a plan that is whole.
func (w *world) build(x *Executor, plan *Plan) (*Result, error) {
	w.mu.Lock()
	w.events = nil
	w.mu.Unlock()
	return x.Build(w.t.Context(), func(context.Context, *Known) (*Plan, error) { return plan, nil })
}

// must builds a plan with an ordinary executor.
func (w *world) must(plan *Plan) *Result {
	res, err := w.build(w.executor(), plan)
	require.NoError(w.t, err)
	return res
}

// resolve is the state of a plan's actions, all sources hashed.
func (w *world) resolve(plan *Plan) []State {
	r, err := w.known.Resolve(w.t.Context(), plan, -1, nil)
	require.NoError(w.t, err)
	return r.States
}

// of lists the addresses of the events of a kind, sorted.
func (w *world) of(kind EventKind) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []string{}
	for _, e := range w.events {
		if e.Kind == kind {
			out = append(out, e.Action.Address)
		}
	}
	sort.Strings(out)
	return out
}

// ran lists the actions of the last build that ran.
func (w *world) ran() []string { return w.of(EventStarted) }

// reason is why an action of the last build ran.
func (w *world) reason(address string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == EventStarted && e.Action.Address == address {
			return e.Text
		}
	}
	w.t.Fatalf("%s did not run", address)
	return ""
}

// write makes a source file that is old enough for its hash to be remembered.
func (w *world) write(name string, content []byte) string {
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.WriteFile(path, content, 0o644))
	time.Sleep(25 * time.Millisecond)
	return path
}

func (w *world) empty() *Plan {
	return &Plan{Version: PlanVersion, Recipe: "recipe.hcl", Scope: "scope", OutputDir: filepath.Join(w.dir, "out")}
}

// addFile adds a file that exists.
func (p *Plan) addFile(t testing.TB, path string) int {
	info, err := os.Stat(path)
	require.NoError(t, err)
	p.Files = append(p.Files, File{Path: path, Size: info.Size()})
	return len(p.Files) - 1
}

func (p *Plan) addSource(name string, file int, offset, size int64) int {
	p.Sources = append(p.Sources, Source{Name: name, File: file, Offset: offset, Size: size})
	return len(p.Sources) - 1
}

type values map[string]any

func (p *Plan) add(address, stage string, params values, inputs ...Input) int {
	if params == nil {
		params = values{}
	}
	params["tag"] = address
	list, err := NewParams(params)
	if err != nil {
		panic(err)
	}
	p.Actions = append(p.Actions, &Action{Address: address, Stage: stage, Version: 1, Params: list, Inputs: inputs, Work: 100, Memory: 100})
	return len(p.Actions) - 1
}

func source(name string, i int) Input { return Input{Name: name, Source: i, Action: -1} }

func output(name string, action int) Input {
	return Input{Name: name, Source: -1, Action: action, Output: "out"}
}

// tensors is a plan of n tensors in one file, each doubled, and their sum.
func (w *world) tensors(n, size int) *Plan {
	p := w.empty()
	file := p.addFile(w.t, w.write("model.bin", cachetest.Bytes(1, n*size)))
	var doubled []Input
	for i := range n {
		s := p.addSource(fmt.Sprint("t", i), file, int64(i*size), int64(size))
		doubled = append(doubled, output("part", p.add(fmt.Sprintf("double%d", i), "stage double", nil, source("in", s))))
	}
	p.add("sum", "stage sum", nil, doubled...)
	return p
}

// packed is tensors with an artifact of the parts.
func (w *world) packed(n, size int, path string) *Plan {
	p := w.tensors(n, size)
	inputs := slices.Clone(p.Actions[n].Inputs)
	a := p.add("pack", "artifact pack", values{"header": "header of " + path, "align": 64}, inputs...)
	p.Artifacts = append(p.Artifacts, ArtifactPlan{Address: "artifact.pack.a", Path: path, Format: "pack", Action: a})
	return p
}

// packedBytes is what the artifact of packed holds.
func (w *world) packedBytes(n, size int, path string) []byte {
	model, err := os.ReadFile(filepath.Join(w.dir, "model.bin"))
	require.NoError(w.t, err)
	out := []byte("header of " + path)
	for i := range n {
		for len(out)%64 != 0 {
			out = append(out, 0)
		}
		part := model[i*size : (i+1)*size]
		out = append(append(out, part...), part...)
	}
	return out
}

// requireFile checks a file and what the result says of it.
func (w *world) requireFile(want []byte, have ArtifactFile) {
	w.t.Helper()
	content, err := os.ReadFile(have.Path)
	require.NoError(w.t, err)
	require.True(w.t, bytes.Equal(want, content), "%s has other bytes", have.Path)
	require.EqualValues(w.t, len(want), have.Bytes)
	sum := sha256.Sum256(want)
	require.Equal(w.t, hex.EncodeToString(sum[:]), have.SHA256)
}

func statuses(states []State) []Status {
	var out []Status
	for _, s := range states {
		out = append(out, s.Status)
	}
	return out
}

func readInput(ctx context.Context, env *Env, i int) ([]byte, error) {
	r, err := env.Open(ctx, i)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// runDouble writes its input twice, or as often as the parameter says.
func runDouble(ctx context.Context, env *Env, p fakeParams) error {
	b, err := readInput(ctx, env, 0)
	if err != nil {
		return err
	}
	env.Progress(int64(len(b)))
	return env.Write("out", bytes.Repeat(b, max(p.Factor, 2)))
}

// runSum adds up the bytes of all inputs.
func runSum(ctx context.Context, env *Env, _ fakeParams) error {
	sum := 0
	for i := range env.Inputs {
		b, err := readInput(ctx, env, i)
		if err != nil {
			return err
		}
		for _, v := range b {
			sum += int(v)
		}
	}
	if err := env.SetMeta(map[string]int{"sum": sum}); err != nil {
		return err
	}
	return env.Write("out", fmt.Append(nil, sum))
}

// runParity says whether the first byte is even: a result that often stays.
func runParity(ctx context.Context, env *Env, _ fakeParams) error {
	b, err := readInput(ctx, env, 0)
	if err != nil {
		return err
	}
	return env.Write("out", fmt.Append(nil, b[0]%2 == 0))
}

// runPack puts a header and all inputs into one file.
func runPack(_ context.Context, env *Env, p fakeParams) error {
	w, err := env.Create("header", 0)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, p.Header); err != nil {
		w.Abort()
		return err
	}
	id, size, err := w.Close()
	if err != nil {
		return err
	}
	f := ManifestFile{Pieces: []Piece{{ID: id, Size: size}}}
	f.Size = size
	for _, in := range env.Inputs {
		at := (f.Size + p.Align - 1) / p.Align * p.Align
		f.Pieces = append(f.Pieces, Piece{ID: in.ID, Offset: at, Size: in.Size})
		f.Size = at + in.Size
	}
	raw, err := (&Manifest{Files: []ManifestFile{f}}).Encode()
	if err != nil {
		return err
	}
	return env.Write(ManifestOutput, raw)
}
