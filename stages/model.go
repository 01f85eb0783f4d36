package stages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/model"
)

type modelParams struct {
	Source       string `hcl:"source" doc:"a folder in the hub's layout, a GGUF file, or hf://OWNER/NAME[@REVISION]"`
	Architecture string `hcl:"architecture" optional:"true" doc:"an error if the files say that they are of another one"`
	Requantize   bool   `hcl:"requantize" default:"false" doc:"allow a GGUF file whose tensors are quantized already"`
}

var _ = register(&engine.Stage{
	Block: "model", Version: 1, Yields: "model", Params: &modelParams{},
	Doc: "A model to work on: its weights, configuration and tokenizer.",
	Check: func(b *engine.Block) error {
		m := b.Params.(*modelParams)
		if a := m.Architecture; a != "" {
			if _, ok := arch.ByName(a); !ok {
				return diag.Errorf(b.Attrs["architecture"], "Unknown architecture "+a, "Known are %s. Leave the attribute away to quantize a GGUF file of another one.", architectures())
			}
		}
		if strings.HasPrefix(m.Source, hubScheme) {
			if _, err := hub.ParseRef(m.Source); err != nil {
				return diag.Errorf(b.Attrs["source"], "Not a model of the hub", "%v.", err)
			}
		}
		return nil
	},
	Lower: lowerModel,
	Run:   runModel,
})

const hubScheme = "hf://"

func architectures() string {
	var names []string
	for _, a := range arch.All() {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

// modelResult is what a model block stands for while a plan is made.
type modelResult struct {
	*model.Model
	address  string
	source   string // as written
	revision string // the hub's commit
	files    []int  // of Model.Files, in the plan
	// parts are the sources of all slices in their order, ends where those of a
	// tensor's slice end.
	parts []int
	ends  [][]int
	// contentAction and metadataAction name the content, and make the keys.
	contentAction, metadataAction int
	facts                         metadataFacts
	metaFile                      func(name string) (engine.File, error) // nil for a GGUF file
}

func (m *modelResult) content() (string, int) { return "source", m.contentAction }

// metadataFacts are what the metadata action leaves for the plan.
type metadataFacts struct {
	Bytes int64 `json:"bytes"` // of the encoded keys
	Count int   `json:"count"`
}

// metadataParams are the parameters of the action that makes a model's keys.
type metadataParams struct {
	Kind string `json:"kind"`
	// Names of the inputs' files, in order, and what else the keys depend on.
	Names []string             `json:"names,omitempty"`
	Facts *model.MetadataFacts `json:"facts,omitempty"`
	// FileSize is that of a GGUF file, whose header is the input.
	FileSize int64 `json:"file_size,omitempty"`
}

// metadataOutput is a GGUF file without tensors.
const metadataOutput = "metadata"

func lowerModel(ctx context.Context, p *engine.Planner, b *engine.Block) error {
	params := b.Params.(*modelParams)
	m, err := openModel(ctx, p, b, params)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d := diag.Errorf(b.Attrs["source"], "Model cannot be used", "%v", err)
		if errors.Is(err, hub.ErrUnreachable) || errors.Is(err, hub.ErrDiskFull) {
			return &engine.PassingError{Err: d}
		}
		return d
	}
	defer m.Close()
	for _, w := range m.Warnings {
		p.Warn(diag.Warnf(b.Attrs["source"], "Model "+b.Address, "%s", w))
	}
	sources := m.addSources(p)
	meta, metaParams, err := m.addMeta(p)
	if err != nil {
		return diag.Errorf(b.Attrs["source"], "Model cannot be used", "%v", err)
	}
	if m.contentAction, err = addContent(p, b, append(sources, meta...)); err != nil {
		return err
	}
	if err := m.planMetadata(ctx, p, b, meta, metaParams); err != nil {
		return err
	}
	files := append([]int(nil), m.files...)
	for _, s := range meta {
		if f := p.SourceFile(s); !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	plan := engine.ModelPlan{
		Address: b.Address, Source: m.source, Revision: m.revision, Files: files,
		Sources: append(sources, meta...), Arch: m.Architecture,
	}
	for _, f := range m.Files {
		plan.Bytes += f.Size
	}
	p.Model(plan)
	p.SetResult(b, m)
	return nil
}

// openModel finds and describes the model, and adds its files to the plan.
func openModel(ctx context.Context, p *engine.Planner, b *engine.Block, params *modelParams) (*modelResult, error) {
	r := &modelResult{address: b.Address, source: params.Source}
	o := model.Options{Architecture: params.Architecture, Requantize: params.Requantize, Name: params.Source}
	if strings.HasPrefix(params.Source, hubScheme) {
		return r, r.openHub(ctx, p, o)
	}
	path := params.Source
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.Base, filepath.FromSlash(path))
	}
	m, err := model.Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	r.Model = m
	if m.MetaFiles != nil {
		r.metaFile = func(name string) (engine.File, error) {
			return localFile(filepath.Join(path, filepath.FromSlash(name)))
		}
	}
	for _, f := range m.Files {
		abs, err := filepath.Abs(f.Path)
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, p.File(engine.File{Path: abs, Size: f.Size}))
	}
	return r, nil
}

// localFile is a file of this machine.
func localFile(path string) (engine.File, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return engine.File{}, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return engine.File{}, err
	}
	return engine.File{Path: abs, Size: info.Size()}, nil
}

func (r *modelResult) openHub(ctx context.Context, p *engine.Planner, o model.Options) error {
	services, ok := p.Services.(*Services)
	if !ok || services == nil || services.Hub == nil {
		return errors.New("models of the hub cannot be read here")
	}
	ref, err := hub.ParseRef(r.source)
	if err != nil {
		return err
	}
	pin := ""
	if services.Pin != nil {
		pin = services.Pin(r.address, r.source)
	}
	snapshot, err := services.Hub.Snapshot(ctx, ref, pin)
	if err != nil {
		return err
	}
	o.ID = ref.Repo
	m, err := model.OpenFiles(ctx, snapshot, o)
	if err != nil && snapshot.Local {
		return fmt.Errorf("%w (offline, where only what was fetched before is there)", err)
	}
	if err != nil {
		return err
	}
	r.Model, r.revision = m, snapshot.Commit
	r.metaFile = func(name string) (engine.File, error) {
		size, err := snapshot.Size(name)
		return hubFile(snapshot, name, size), err
	}
	for _, f := range m.Files {
		r.files = append(r.files, p.File(hubFile(snapshot, f.Name, f.Size)))
	}
	return nil
}

// hubFile is a file of a snapshot, wherever it is now.
func hubFile(s *hub.Snapshot, name string, size int64) engine.File {
	f := engine.File{Path: s.Path(name), Size: size, Remote: hubScheme + s.Ref.Repo + "@" + s.Commit + "#" + name}
	for _, known := range s.Files {
		if known.Name == name {
			f.SHA256 = known.SHA256
		}
	}
	return f
}

// addSources adds all parts of the tensors to the plan, and gives them in order.
func (m *modelResult) addSources(p *engine.Planner) []int {
	n := 0
	for i := range m.Tensors {
		n += len(m.Tensors[i].Slices)
	}
	p.Expect(n)
	all := make([]int, 0, n)
	m.ends = make([][]int, len(m.Tensors))
	for i := range m.Tensors {
		t := &m.Tensors[i]
		m.ends[i] = make([]int, len(t.Slices))
		for s := range t.Slices {
			for _, part := range t.Slices[s].Parts {
				all = append(all, p.Source(engine.Source{Name: part.Name, File: m.files[part.File], Offset: part.Offset, Size: part.Size}))
			}
			m.ends[i][s] = len(all)
		}
	}
	m.parts = all
	return all
}

// sources are the parts of one slice of a tensor, in the plan.
func (m *modelResult) sources(tensor, slice int) []int {
	end := m.ends[tensor][slice]
	return m.parts[end-len(m.Tensors[tensor].Slices[slice].Parts) : end]
}

// addMeta adds what the keys are made from: the small files of a folder, or the
// header of a GGUF file.
func (m *modelResult) addMeta(p *engine.Planner) (sources []int, params metadataParams, err error) {
	params.Kind = "metadata"
	if m.metaFile == nil {
		size := m.Files[0].Size
		header := size
		for i := range m.Tensors {
			for _, s := range m.Tensors[i].Slices {
				for _, part := range s.Parts {
					if part.File == 0 {
						header = min(header, part.Offset)
					}
				}
			}
		}
		params.FileSize = size
		return []int{p.Source(engine.Source{Name: "header of " + m.Files[0].Name, File: m.files[0], Size: header})}, params, nil
	}
	params.Facts = m.MetadataFacts()
	for _, name := range m.MetaFiles {
		f, err := m.metaFile(name)
		if err != nil {
			return nil, params, err
		}
		sources = append(sources, p.Source(engine.Source{Name: name, File: p.File(f), Size: f.Size}))
		params.Names = append(params.Names, name)
	}
	return sources, params, nil
}

// planMetadata adds the action that makes the keys, and learns how large they
// are: from the cache, else by making them now.
func (m *modelResult) planMetadata(ctx context.Context, p *engine.Planner, b *engine.Block, meta []int, what metadataParams) error {
	params, err := engine.NewParams(what)
	if err != nil {
		return err
	}
	a := &engine.Action{Address: b.Address + `["metadata"]`, Stage: b.Stage.ID(), Version: b.Stage.Version, Params: params}
	for i, s := range meta {
		name := "header"
		if i < len(what.Names) {
			name = what.Names[i] // so that a change can be told by its file
		}
		a.Inputs = append(a.Inputs, engine.Input{Name: name, Source: s, Action: -1})
	}
	m.metadataAction = p.Action(a)
	known, err := p.Facts(ctx, m.metadataAction, &m.facts)
	if err != nil || known {
		return err
	}
	kvs, err := m.Metadata(ctx)
	if err != nil {
		return diag.Errorf(b.Attrs["source"], "Model cannot be used", "%v", err)
	}
	m.facts = metadataFacts{Bytes: gguf.KVSize(kvs), Count: len(kvs)}
	return nil
}

func runModel(ctx context.Context, env *engine.Env) error {
	var params metadataParams
	if err := env.Params.Decode(&params); err != nil {
		return err
	}
	if params.Kind == "content" {
		return runContent(env)
	}
	kvs, err := readMetadata(ctx, env, params)
	if err != nil {
		return err
	}
	header, err := gguf.EncodeHeader(kvs, nil, 0)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if err := env.SetMeta(metadataFacts{Bytes: gguf.KVSize(kvs), Count: len(kvs)}); err != nil {
		return err
	}
	return env.Write(metadataOutput, header.Bytes)
}

// readMetadata makes the keys from the action's inputs.
func readMetadata(ctx context.Context, env *engine.Env, params metadataParams) ([]gguf.KV, error) {
	const maxInput = 256 << 20
	if params.FileSize > 0 {
		header, err := env.ReadAll(ctx, 0, maxInput)
		if err != nil {
			return nil, err
		}
		return model.MetadataOfHeader(header, params.FileSize, env.Inputs[0].Source)
	}
	if len(params.Names) != len(env.Inputs) || params.Facts == nil {
		return nil, fmt.Errorf("metadata: %d names for %d files", len(params.Names), len(env.Inputs))
	}
	files := map[string][]byte{}
	for i, name := range params.Names {
		b, err := env.ReadAll(ctx, i, maxInput)
		if err != nil {
			return nil, err
		}
		files[name] = b
	}
	return model.MetadataOf(ctx, files, params.Facts)
}
