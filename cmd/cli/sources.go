package cli

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
)

// modelsBucket holds where models, datasets and importance matrices lie on this
// machine, by their digest: absolute paths, one a line.
const modelsBucket = "models"

// contentSuffix ends the address of the action that names what a block reads.
const contentSuffix = `["content"]`

// rememberSources notes where lies what a build read, so that pj reproduce finds
// it.
func rememberSources(ctx context.Context, store *cache.Local, r *engine.Result) {
	records := map[string][]byte{}
	for i, a := range r.Plan.Actions {
		block, ok := strings.CutSuffix(a.Address, contentSuffix)
		if !ok || i >= len(r.States) || r.States[i].Entry == nil {
			continue
		}
		digest := readDigest(ctx, store, r.States[i].Entry)
		paths := pathsOf(r.Plan, a)
		if digest == "" || len(paths) == 0 {
			continue
		}
		if strings.HasPrefix(stageKind(block), "model") {
			paths = []string{modelPath(paths)}
		}
		records[digest] = []byte(strings.Join(paths, "\n"))
	}
	if len(records) > 0 {
		// A cache that can't be written costs only pj reproduce an argument.
		_ = store.PutRecords(ctx, modelsBucket, records)
	}
}

// readDigest is what a content action wrote, "" where that can't be read.
func readDigest(ctx context.Context, store cache.Store, e *cache.Entry) string {
	if len(e.Outputs) != 1 || e.Outputs[0].Size > 128 {
		return ""
	}
	b, err := store.Open(ctx, e.Outputs[0].ID)
	if err != nil {
		return ""
	}
	defer b.Close()
	raw := make([]byte, b.Size())
	if _, err := io.ReadFull(b, raw); err != nil {
		return ""
	}
	return string(raw)
}

// pathsOf are the files that an action reads, in order; none where one is of a
// hub, which has it.
func pathsOf(plan *engine.Plan, a *engine.Action) (paths []string) {
	last := -1
	for _, in := range a.Inputs {
		if in.Source < 0 || plan.Sources[in.Source].File == last {
			continue
		}
		last = plan.Sources[in.Source].File
		f := plan.Files[last]
		if f.Remote != "" {
			return nil
		}
		if !slices.Contains(paths, f.Path) {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// modelPath is how a recipe names a model of these files: the GGUF file, or the
// folder that holds them all.
func modelPath(files []string) string {
	if strings.EqualFold(filepath.Ext(files[0]), ".gguf") {
		return files[0]
	}
	folder := filepath.Dir(files[0])
	for _, f := range files[1:] {
		if d := filepath.Dir(f); len(d) < len(folder) {
			folder = d
		}
	}
	return folder
}

// stageKind is the kind and type of a block's address, without modules.
func stageKind(address string) string {
	for strings.HasPrefix(address, "module.") {
		_, rest, _ := strings.Cut(strings.TrimPrefix(address, "module."), ".")
		address = rest
	}
	return address
}
