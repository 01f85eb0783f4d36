package stages

import (
	"context"
	"os"
	"path/filepath"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

type datasetParams struct {
	Files    []string `hcl:"files" doc:"the files, in order: plain text, or JSON lines where field is set"`
	Field    string   `hcl:"field" optional:"true" doc:"the field of each JSON line that holds the text, or the messages"`
	Template string   `hcl:"template" default:"none" enum:"none,chat" doc:"chat: conversations become text by the model's own template"`
}

var _ = register(&engine.Stage{
	Block: "dataset", Version: 1, Yields: "dataset", Params: &datasetParams{},
	Doc: "Texts that calibration and validation read.",
	Check: func(b *engine.Block) error {
		d := b.Params.(*datasetParams)
		if len(d.Files) == 0 {
			return diag.Errorf(b.Attrs["files"], "Empty dataset", "A dataset reads at least one file.")
		}
		return nil
	},
	Lower: lowerDataset,
	Run:   func(_ context.Context, env *engine.Env) error { return runContent(env) },
})

// datasetResult is what a dataset stands for while a plan is made.
type datasetResult struct {
	sources       []int // the files, in order
	contentAction int
}

func (d *datasetResult) content() (string, int) { return "files", d.contentAction }

func lowerDataset(_ context.Context, p *engine.Planner, b *engine.Block) error {
	files, err := datasetFiles(b)
	if err != nil {
		return err
	}
	d := &datasetResult{}
	for _, f := range files {
		d.sources = append(d.sources, p.Source(engine.Source{Name: filepath.Base(f.Path), File: p.File(f), Size: f.Size}))
	}
	if d.contentAction, err = addContent(p, b, d.sources); err != nil {
		return err
	}
	p.SetResult(b, d)
	return nil
}

// datasetFiles are a dataset's files where they lie.
func datasetFiles(b *engine.Block) ([]engine.File, error) {
	var out []engine.File
	for _, name := range b.Params.(*datasetParams).Files {
		f, err := blockFile(b, "files", name)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// blockFile is a file that an attribute of a block names.
func blockFile(b *engine.Block, attribute, name string) (engine.File, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.Base, filepath.FromSlash(path))
	}
	f, err := localFile(path)
	switch {
	case os.IsNotExist(err):
		return f, diag.Errorf(b.Attrs[attribute], "No such file", "%s: there is no file %s. Paths start from the folder of the recipe that names them.", b.Address, path)
	case err != nil:
		return f, diag.Errorf(b.Attrs[attribute], "File cannot be read", "%v.", err)
	}
	return f, nil
}
