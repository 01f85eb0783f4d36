package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// configFile is the file that makes a folder a model's.
const configFile = "config.json"

// Open describes the model at a path: a folder in the hub's layout, or a GGUF
// file, of a split model any shard. Close it when its metadata is no longer
// asked for; the description stays.
func Open(ctx context.Context, path string, o Options) (*Model, error) {
	if o.Name == "" {
		o.Name = path
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file or folder: correct the path", path)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return openFile(ctx, path, o)
	}
	folder, err := Dir(path)
	if err != nil {
		return nil, err
	}
	m, err := OpenFiles(ctx, folder, o)
	if err != nil {
		folder.Close()
		return nil, err
	}
	m.close = folder.Close
	return m, nil
}

// openFile opens a file that is no folder, or says which folder was meant.
func openFile(ctx context.Context, path string, o Options) (*Model, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors", ".json", ".bin", ".pth", ".pt":
		return nil, fmt.Errorf("%s: a file of a model in the hub's layout: name its folder, %s", path, filepath.Dir(path))
	}
	return openGGUF(ctx, path, o)
}

// OpenFiles describes the model in a folder's files, or a snapshot's. The files
// stay the caller's, who keeps them open as long as Metadata is called.
func OpenFiles(ctx context.Context, files Files, o Options) (*Model, error) {
	names := files.Names()
	slices.Sort(names)
	root := filepath.Dir(files.Path(configFile))
	if o.Name == "" {
		o.Name = root
	}
	if o.ID == "" {
		o.ID = folderID(root)
	}
	if err := checkFolder(names, o.Name); err != nil {
		return nil, err
	}
	return openHub(ctx, files, names, o)
}

// checkFolder says what is wrong with a folder that has no model in it.
func checkFolder(names []string, name string) error {
	var ggufs []string
	for _, n := range names {
		if strings.HasSuffix(n, ".gguf") {
			ggufs = append(ggufs, n)
		}
	}
	switch {
	case len(names) == 0:
		return fmt.Errorf("%s: the folder is empty: download the model into it", name)
	case slices.Contains(names, configFile):
		return nil
	case len(ggufs) > 0:
		return fmt.Errorf("%s: a folder of GGUF files: name the file, for example %s", name, ggufs[0])
	case slices.Contains(names, "params.json"):
		return fmt.Errorf("%s: params.json instead of config.json: this is the model's original layout; take the release in the hub's", name)
	}
	return fmt.Errorf("%s: there is no config.json: name the folder that holds the model's files", name)
}

// folderID is the model's name by its folder; in the hub's cache that is two
// folders up.
func folderID(root string) string {
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	snapshots := filepath.Dir(root)
	repo, ok := strings.CutPrefix(filepath.Base(filepath.Dir(snapshots)), "models--")
	if ok && filepath.Base(snapshots) == "snapshots" {
		return strings.Replace(repo, "--", "/", 1)
	}
	return filepath.Base(root)
}

// Close closes what Open opened. It may be called again.
func (m *Model) Close() error {
	if m == nil || m.close == nil {
		return nil
	}
	return m.close()
}
