package stages

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/imatrix"
)

type imatrixParams struct {
	File string `hcl:"file" doc:"an importance matrix that llama.cpp's llama-imatrix made, as GGUF or .dat"`
}

var _ = register(&engine.Stage{
	Block: "stage", Name: "imatrix", Version: 1, Yields: "evidence", Params: &imatrixParams{},
	Doc:   "Evidence from an importance matrix: how much each column of a tensor matters and, from a GGUF file, how often each expert is used. A policy's imatrix(\"FILE\") is short for it.",
	Lower: lowerImatrix,
	Run:   runImatrix,
})

// imatrixAction is what the parameters of the action say that splits the file.
const imatrixAction = "imatrix"

// lowerImatrix reads what is needed for a plan right away: names, sizes and
// counts, which are little. The action that splits the file into the slices that
// encoders read runs with the build.
func lowerImatrix(_ context.Context, p *engine.Planner, b *engine.Block) error {
	f, err := blockFile(b, "file", b.Params.(*imatrixParams).File)
	if err != nil {
		return err
	}
	e, err := readEvidence(f)
	if err != nil {
		return diag.Errorf(b.Attrs["file"], "Importance matrix cannot be used", "%v.", err)
	}
	source := p.Source(engine.Source{Name: filepath.Base(f.Path), File: p.File(f), Size: f.Size})
	if e.contentAction, err = addContent(p, b, []int{source}); err != nil {
		return err
	}
	params, err := engine.NewParams(contentParams{imatrixAction})
	if err != nil {
		return err
	}
	e.address = b.Address
	e.Action = p.Action(&engine.Action{
		Address: b.Address, Stage: b.Stage.ID(), Version: b.Stage.Version, Params: params,
		Inputs: []engine.Input{{Name: "file", Source: source, Action: -1}}, Work: f.Size, Memory: 64 << 20,
	})
	p.SetResult(b, e)
	return nil
}

// readEvidence reads what a plan needs of an importance matrix.
func readEvidence(f engine.File) (*Evidence, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	im, err := imatrix.Read(file, f.Size, filepath.Base(f.Path))
	if err != nil {
		return nil, err
	}
	e := &Evidence{
		Known: true, Slices: map[string]int{}, Columns: map[string]int64{}, Counts: map[int][]float64{},
		Entries: len(im.Tensors), Chunks: im.Chunks,
	}
	if len(im.Datasets) > 0 {
		e.Dataset = im.Datasets[0] // as llama-quantize has it
	}
	for i := range im.Tensors {
		t := &im.Tensors[i]
		e.Slices[t.Name], e.Columns[t.Name] = t.Experts, t.Columns
		// A layer's stacks see the same tokens; the first one that is there tells.
		if place := arch.PlaceOf(t.Name); place.Stacked && place.Role == arch.Expert && t.Counts != nil && e.Counts[place.Layer] == nil {
			e.Counts[place.Layer] = t.Counts
		}
	}
	return e, nil
}

// runImatrix writes each slice of the matrix as an output.
func runImatrix(ctx context.Context, env *engine.Env) error {
	var params contentParams
	if err := env.Params.Decode(&params); err != nil {
		return err
	}
	if params.Kind != imatrixAction {
		return runContent(env)
	}
	file, size, err := spool(ctx, env, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	im, err := imatrix.Read(file, size, env.Inputs[0].Source)
	if err != nil {
		return err
	}
	for i := range im.Tensors {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeImportance(env, &im.Tensors[i]); err != nil {
			return err
		}
	}
	return nil
}

func writeImportance(env *engine.Env, t *imatrix.Tensor) error {
	for slice := range t.Experts {
		values, err := t.Values(slice)
		if err != nil {
			return err
		}
		raw := make([]byte, 0, 4*len(values))
		for _, v := range values {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		if err := env.Write(SliceOutput(t.Name, slice, t.Experts), raw); err != nil {
			return err
		}
		env.Progress(int64(len(raw)))
	}
	return nil
}

// spool copies an input to a file, for readers that go back and forth.
func spool(ctx context.Context, env *engine.Env, input int) (*os.File, int64, error) {
	dir, err := env.Scratch()
	if err != nil {
		return nil, 0, err
	}
	in, err := env.Open(ctx, input)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	file, err := os.Create(filepath.Join(dir, "input"))
	if err != nil {
		return nil, 0, err
	}
	n, err := io.Copy(file, in)
	if err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("input %s: %w", env.Inputs[input].Name, err)
	}
	return file, n, nil
}
