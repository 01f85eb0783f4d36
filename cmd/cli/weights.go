package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/model"
)

// weights are the tensors of something that a person named: a GGUF file or all
// shards of one, a folder in the hub's layout, a repository of the hub, or a
// safetensors file. Opening reads headers only.
type weights struct {
	path         string // as it was named
	format       string // "gguf", "hub", "safetensors"
	architecture string // "" where the file does not say
	tensors      []weight
	files        []weightFile
	warnings     []string
	// quantized says that some tensors are stored in a lossy type.
	quantized bool
	experts   int // in a layer
	// metadata gives the keys of a GGUF file of it.
	metadata func(context.Context) ([]gguf.KV, error)

	close []func() error
}

// weightFile is a file that holds tensors.
type weightFile struct {
	name string
	size int64
	// header is what stands before the tensors' bytes.
	header int64
	data   io.ReaderAt
}

// weight is one tensor.
type weight struct {
	Name             string
	Dims             []int64 // ne0 (the row's length) first
	Role, Projection string
	Layer            int // -1 for none
	Type             *quant.Type
	Elements, Bytes  int64
	slices           []model.Slice // none where the tensor has no weights
}

// rows is the number of rows, over all further dimensions.
func (w *weight) rows() int64 {
	if w.Dims[0] == 0 {
		return 0
	}
	return w.Elements / w.Dims[0]
}

// cols is the length of a row.
func (w *weight) cols() int64 { return w.Dims[0] }

// openWeights opens what a path or a reference to the hub names.
func (a *app) openWeights(ctx context.Context, path string) (*weights, error) {
	if strings.HasPrefix(path, "hf://") {
		return a.openHubWeights(ctx, path)
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file or folder: correct the path", path)
	case err != nil:
		return nil, err
	case st.IsDir():
		return openFolder(ctx, path)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors":
		return openSafetensors(path)
	case ".json", ".bin", ".pth", ".pt":
		return nil, fmt.Errorf("%s: a file of a model in the hub's layout: name its folder, %s", path, filepath.Dir(path))
	}
	return openGGUF(ctx, path)
}

// Close closes the files.
func (w *weights) Close() error {
	var errs []error
	for _, c := range w.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// bytes is the size of all files.
func (w *weights) bytes() (n int64) {
	for _, f := range w.files {
		n += f.size
	}
	return n
}

// resident is what a program keeps that loads everything: headers and tensors,
// without the padding between them.
func (w *weights) resident() (n int64) {
	for _, f := range w.files {
		n += f.header
	}
	for i := range w.tensors {
		n += w.tensors[i].Bytes
	}
	return n
}

func (w *weights) parameters() (n int64) {
	for i := range w.tensors {
		n += w.tensors[i].Elements
	}
	return n
}

// tensor finds a tensor by name.
func (w *weights) tensor(name string) (*weight, error) {
	names := make([]string, len(w.tensors))
	for i := range w.tensors {
		if w.tensors[i].Name == name {
			return &w.tensors[i], nil
		}
		names[i] = w.tensors[i].Name
	}
	return nil, fmt.Errorf("%s: there is no tensor %q%s (`pj info --tensors %s` lists those there are)", w.path, name, suggestion(name, names), w.path)
}

// reader gives a reader of a tensor's rows, from row first on.
func (w *weights) reader(t *weight, first int64) *rowSource {
	return &rowSource{w: w, t: t, skip: first}
}

// openGGUF opens a GGUF file of any content.
func openGGUF(ctx context.Context, path string) (*weights, error) {
	f, err := gguf.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	w := &weights{path: path, format: "gguf", metadata: func(context.Context) ([]gguf.KV, error) { return f.KVs, nil }}
	w.architecture, _ = f.String("general.architecture")
	if n, ok := f.Uint(w.architecture + ".expert_count"); ok {
		w.experts = int(min(n, math.MaxInt32))
	}
	for i, p := range f.Paths {
		file, err := os.Open(p)
		if err != nil {
			w.Close()
			return nil, err
		}
		w.close = append(w.close, file.Close)
		w.files = append(w.files, weightFile{name: p, size: f.Sizes[i], header: f.Sizes[i], data: file})
	}
	for i := range f.Tensors {
		s := &f.Tensors[i]
		w.files[s.File].header = min(w.files[s.File].header, s.Offset)
		place := arch.PlaceOf(s.Name)
		t := weight{
			Name: s.Name, Dims: atLeastOne(s.Dims), Role: place.Role, Projection: place.Projection, Layer: place.Layer,
			Type: s.Type, Bytes: s.Size,
		}
		t.Elements = product(t.Dims)
		if t.Elements > 0 {
			t.slices = []model.Slice{{
				Name:   s.Name,
				Parts:  []model.Part{{File: s.File, Offset: s.Offset, Size: s.Size, Name: s.Name}},
				Layout: model.Layout{Encoding: s.Type.Name, Rows: t.rows(), Cols: t.cols()},
			}}
		}
		w.quantized = w.quantized || lossy(s.Type)
		w.tensors = append(w.tensors, t)
	}
	return w, nil
}

// lossy says that a type loses what the weights were; MXFP4 is how some models
// are published.
func lossy(t *quant.Type) bool { return t.Block > 1 && t.Name != "mxfp4" }

// openFolder opens a folder in the hub's layout.
func openFolder(ctx context.Context, path string) (*weights, error) {
	folder, err := model.Dir(path)
	if err != nil {
		return nil, err
	}
	w, err := openFiles(ctx, folder, path, "")
	if err != nil {
		folder.Close()
		return nil, err
	}
	w.close = append(w.close, folder.Close)
	return w, nil
}

// openHubWeights opens a repository of the hub; ranges of its files are fetched
// as they are read.
func (a *app) openHubWeights(ctx context.Context, source string) (*weights, error) {
	ref, err := hub.ParseRef(source)
	if err != nil {
		return nil, err
	}
	snapshot, err := a.newServices().Hub.Snapshot(ctx, ref, "")
	if err != nil {
		return nil, err
	}
	return openFiles(ctx, snapshot, source, ref.Repo)
}

// openFiles opens the model in a folder's or a snapshot's files.
func openFiles(ctx context.Context, files model.Files, path, id string) (*weights, error) {
	m, err := model.OpenFiles(ctx, files, model.Options{Name: path, ID: id, Requantize: true})
	if err != nil {
		return nil, err
	}
	w := &weights{
		path: path, format: "hub", architecture: m.Architecture, warnings: m.Warnings,
		quantized: m.Quantized > 0, experts: m.Experts, metadata: m.Metadata,
	}
	for _, f := range m.Files {
		w.files = append(w.files, weightFile{name: f.Path, size: f.Size, header: f.Size, data: filesAt{ctx, files, f.Name}})
	}
	for i := range m.Tensors {
		s := &m.Tensors[i]
		t := weight{
			Name: s.Name, Dims: s.Dims, Role: s.Role, Projection: s.Projection, Layer: s.Layer, Type: s.Type,
			Elements: s.Elements(), slices: s.Slices,
		}
		t.Bytes = s.Type.RowBytes(t.Elements)
		for _, slice := range s.Slices {
			for _, p := range slice.Parts {
				w.files[p.File].header = min(w.files[p.File].header, p.Offset)
			}
		}
		w.tensors = append(w.tensors, t)
	}
	return w, nil
}

// filesAt is one of several files as an io.ReaderAt.
type filesAt struct {
	ctx   context.Context
	files model.Files
	name  string
}

func (f filesAt) ReadAt(p []byte, off int64) (int, error) {
	return f.files.ReadAt(f.ctx, f.name, p, off)
}

func atLeastOne(dims []int64) []int64 {
	if len(dims) == 0 {
		return []int64{1}
	}
	return dims
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}
