package gguf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Open reads the header of a file. Where it is a shard of a split model, any
// of them, all shards are read from its folder and checked against each other:
// the File is the whole model, and has no split.* keys.
func Open(ctx context.Context, path string) (*File, error) {
	f, err := openOne(ctx, path)
	if err != nil {
		return nil, err
	}
	count, ok := f.Uint(KeySplitCount)
	if !ok || count <= 1 { // llama-gguf-split leaves 0 behind where it merged
		f.KVs = withoutSplit(f.KVs)
		return f, nil
	}
	return openShards(ctx, f, int64(min(count, maxShards+1)))
}

func openOne(ctx context.Context, path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file: name the .gguf file itself", path)
	}
	return Parse(ctxReader{ctx, file}, info.Size(), path)
}

// ctxReader stops reading when the context ends.
type ctxReader struct {
	ctx context.Context
	f   *os.File
}

func (r ctxReader) ReadAt(b []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.f.ReadAt(b, off)
}

// openShards joins the n shards of which one was opened.
func openShards(ctx context.Context, one *File, n int64) (*File, error) {
	path := one.Paths[0]
	if n > maxShards {
		return nil, fmt.Errorf("%s: key %s is more than %d: the file is damaged", path, KeySplitCount, maxShards)
	}
	no, ok := one.Uint(KeySplitNo)
	if !ok || no >= uint64(n) {
		return nil, fmt.Errorf("%s: one of %d shards, but its key %s is missing or no number below that: the file is damaged", path, n, KeySplitNo)
	}
	suffix := SplitPath("", int(no), int(n))
	prefix, ok := strings.CutSuffix(path, suffix)
	if !ok {
		return nil, fmt.Errorf("%s: this is shard %d of %d, and its name must end in %s for the others to be found: rename it", path, no+1, n, suffix)
	}
	whole := &File{byName: map[string]int{}}
	for i := range int(n) {
		f := one
		if i != int(no) {
			p := SplitPath(prefix, i, int(n))
			var err error
			if f, err = openOne(ctx, p); errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s: shard %d of %d is missing: put all shards in one folder: %w", path, i+1, n, err)
			} else if err != nil {
				return nil, err
			}
		}
		if err := whole.add(f, i, n); err != nil {
			return nil, err
		}
	}
	want, ok := whole.Int(KeySplitTensorsCount)
	if !ok {
		return nil, fmt.Errorf("%s: a first shard must have the key %s: the file is damaged", whole.Paths[0], KeySplitTensorsCount)
	}
	if want != int64(len(whole.Tensors)) {
		return nil, fmt.Errorf("%s: key %s is %d, and the %d shards hold %d tensors: a shard is of another model or damaged; download them again",
			whole.Paths[0], KeySplitTensorsCount, want, n, len(whole.Tensors))
	}
	whole.KVs = withoutSplit(whole.KVs)
	return whole, nil
}

// add appends shard i of n to the whole.
func (f *File) add(shard *File, i int, n int64) error {
	path := shard.Paths[0]
	if no, ok := shard.Int(KeySplitNo); !ok || no != int64(i) {
		return fmt.Errorf("%s: the name says shard %d, but its key %s is missing or is not %d: rename the shards as they were", path, i+1, KeySplitNo, i)
	}
	if count, ok := shard.Int(KeySplitCount); ok && count != n {
		return fmt.Errorf("%s: its key %s is %d, the other shards say %d: it is of another model", path, KeySplitCount, count, n)
	}
	if i == 0 {
		f.Version, f.KVs, f.Alignment = shard.Version, shard.KVs, shard.Alignment
	}
	for _, t := range shard.Tensors {
		if j, dup := f.byName[t.Name]; dup {
			return fmt.Errorf("%s: tensor %q is in %s too: the shards are not of one model", path, t.Name, f.Paths[f.Tensors[j].File])
		}
		f.byName[t.Name] = len(f.Tensors)
		t.File = i
		f.Tensors = append(f.Tensors, t)
	}
	f.Paths = append(f.Paths, path)
	f.Sizes = append(f.Sizes, shard.Sizes[0])
	return nil
}

func withoutSplit(kvs []KV) []KV {
	return slices.DeleteFunc(slices.Clone(kvs), func(kv KV) bool {
		return kv.Key == KeySplitNo || kv.Key == KeySplitCount || kv.Key == KeySplitTensorsCount
	})
}
