package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// OpenTokenizer makes the tokenizer of the model at a path: a GGUF file, of a
// split model any shard, or a folder in the hub's layout, with weights or
// without.
func OpenTokenizer(ctx context.Context, path string) (*tokenizer.Tokenizer, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file or folder: correct the path", path)
	case err != nil:
		return nil, err
	case info.IsDir():
		folder, err := Dir(path)
		if err != nil {
			return nil, err
		}
		defer folder.Close()
		return OpenTokenizerFiles(ctx, folder)
	}
	f, err := gguf.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return tokenizer.OpenGGUF(f)
}

// OpenTokenizerFiles makes the tokenizer of a folder's files, or a snapshot's.
func OpenTokenizerFiles(ctx context.Context, files Files) (*tokenizer.Tokenizer, error) {
	h := &hubMetadata{files: files, names: metaFiles(files.Names())}
	o := tokenizer.Options{Form: arch.Llama} // what the files are says their form
	if slices.Contains(h.names, configFile) {
		config, err := h.Read(ctx, configFile)
		if err != nil {
			return nil, err
		}
		var sizes struct {
			Vocab int64 `json:"vocab_size"`
		}
		if err := json.Unmarshal(config, &sizes); err != nil || sizes.Vocab < 0 || sizes.Vocab > 1<<24 {
			return nil, fmt.Errorf("%s: no JSON object with a vocab_size: correct the file", files.Path(configFile))
		}
		o.Size, o.Config = int(sizes.Vocab), config
		// An architecture that is not known has a tokenizer all the same.
		if a, err := arch.Detect(config, files.Path(configFile), ""); err == nil {
			if d, err := a.Describe(config, files.Path(configFile), func(string) bool { return false }); err == nil {
				o.Pre = d.Pre
			}
		}
	}
	return tokenizer.Open(ctx, h, o)
}
