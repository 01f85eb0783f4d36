package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/runtime/safetensors"
	"golang.org/x/sync/errgroup"
)

const (
	singleFile = "model.safetensors"
	indexFile  = "model.safetensors.index.json"
)

// headersAtOnce bounds the headers read at the same time. On a hub each is a
// request whose time is spent waiting.
const headersAtOnce = 8

// shards are the headers of a folder's weight files.
type shards struct {
	names   []string // sorted
	paths   []string
	sizes   []int64
	headers []*safetensors.Header
}

// readShards reads the headers of the weight files that the index names, or
// without one of those that are there, and compares them with the index.
func readShards(ctx context.Context, files Files, names []string, model string) (*shards, error) {
	index, err := readIndex(ctx, files, names)
	if err != nil {
		return nil, err
	}
	s := &shards{}
	if index != nil {
		s.names = indexed(index)
	} else if s.names, err = unindexed(names, model); err != nil {
		return nil, err
	}
	if err := s.stat(files, index != nil); err != nil {
		return nil, err
	}
	if err := s.parse(ctx, files); err != nil {
		return nil, err
	}
	if index == nil {
		return s, s.checkTwice()
	}
	return s, s.compare(index, files.Path(indexFile))
}

func readIndex(ctx context.Context, files Files, names []string) (*safetensors.Index, error) {
	if _, found := slices.BinarySearch(names, indexFile); !found {
		return nil, nil
	}
	b, err := readAll(ctx, files, indexFile)
	if err != nil {
		return nil, err
	}
	return safetensors.ParseIndex(b, files.Path(indexFile))
}

// indexed lists the index's files.
func indexed(index *safetensors.Index) []string {
	seen := map[string]bool{}
	last := ""
	for _, file := range index.WeightMap {
		if file != last { // most repeat the one before
			seen[file], last = true, file
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// unindexed finds the weight files of a folder without an index.
func unindexed(names []string, model string) ([]string, error) {
	if _, found := slices.BinarySearch(names, singleFile); found {
		return []string{singleFile}, nil
	}
	var shards, pickled []string
	for _, n := range names {
		switch {
		case strings.HasPrefix(n, "model") && strings.HasSuffix(n, ".safetensors"):
			shards = append(shards, n)
		case strings.HasSuffix(n, ".bin"), strings.HasSuffix(n, ".pth"), strings.HasSuffix(n, ".pt"):
			pickled = append(pickled, n)
		}
	}
	switch {
	case len(shards) > 0:
		return shards, nil
	case len(pickled) > 0:
		return nil, fmt.Errorf("%s: the weights are in PyTorch's own format (%s), which can run code when it is read: convert the model to safetensors", model, pickled[0])
	}
	return nil, fmt.Errorf("%s: there are no weights, neither %s nor %s: download the whole model", model, singleFile, indexFile)
}

// stat finds the files' sizes.
func (s *shards) stat(files Files, fromIndex bool) error {
	for _, n := range s.names {
		size, err := files.Size(n)
		switch {
		case err != nil && !fromIndex:
			return err
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s: the file %s, which the index names, is missing: download it into the folder", files.Path(indexFile), n)
		case err != nil:
			return fmt.Errorf("%s: the file %s, which the index names: %w", files.Path(indexFile), n, err)
		}
		s.sizes = append(s.sizes, size)
		s.paths = append(s.paths, files.Path(n))
	}
	return nil
}

// parse reads the headers, several at a time. Of several errors the one of the
// first file counts, so that a message does not depend on chance.
func (s *shards) parse(ctx context.Context, files Files) error {
	s.headers = make([]*safetensors.Header, len(s.names))
	errs := make([]error, len(s.names))
	var g errgroup.Group
	g.SetLimit(max(headersAtOnce, runtime.GOMAXPROCS(0)))
	for i, n := range s.names {
		g.Go(func() error {
			s.headers[i], errs[i] = safetensors.ParseHeader(fileAt{ctx, files, n}, s.sizes[i], s.paths[i])
			return nil
		})
	}
	g.Wait()
	for i, err := range errs {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		byName := func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) }
		if t := s.headers[i].Tensors; !slices.IsSortedFunc(t, byName) {
			slices.SortFunc(t, byName)
		}
	}
	return nil
}

// checkTwice finds a tensor that two files have. Within a file the header's
// parser has looked already.
func (s *shards) checkTwice() error {
	if len(s.names) == 1 {
		return nil
	}
	seen := map[string]int{}
	for i, h := range s.headers {
		for _, t := range h.Tensors {
			if first, dup := seen[t.Name]; dup {
				return fmt.Errorf("%s: tensor %q is in %s too: the files are of different models; remove those that do not belong", s.paths[i], t.Name, s.paths[first])
			}
			seen[t.Name] = i
		}
	}
	return nil
}

// compare makes sure that index and headers name the same tensors.
func (s *shards) compare(index *safetensors.Index, path string) error {
	n := 0
	for i, h := range s.headers {
		for j := range h.Tensors {
			name := h.Tensors[j].Name
			switch file, ok := index.WeightMap[name]; {
			case !ok:
				return fmt.Errorf("%s: tensor %q is in %s, and the index does not name it: index and weights are of different models; download both again", path, name, s.names[i])
			case file != s.names[i]:
				return fmt.Errorf("%s: tensor %q is in %s, and the index says %s: index and weights are of different models; download both again", path, name, s.names[i], file)
			}
			n++
		}
	}
	if n == len(index.WeightMap) {
		return nil
	}
	have := make(map[string]bool, n)
	for _, h := range s.headers {
		for _, t := range h.Tensors {
			have[t.Name] = true
		}
	}
	first := ""
	for name := range index.WeightMap {
		if !have[name] && (first == "" || name < first) {
			first = name
		}
	}
	return fmt.Errorf("%s: the index says that tensor %q is in %s, and it is not (%s not there in all): index and weights are of different models, or %s is not complete; download both again",
		path, first, index.WeightMap[first], count(len(index.WeightMap)-n, "tensor is", "tensors are"), index.WeightMap[first])
}

// count puts a number before the word that fits it.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

var errEmpty = errors.New("the weight files hold no tensors: download the model again")
