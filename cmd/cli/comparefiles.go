package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// compareFiles says where the files of a model differ first from those that were
// built again, "" where all bytes are equal.
func compareFiles(ctx context.Context, was *gguf.File, built []engine.ArtifactFile) (string, error) {
	if len(was.Paths) != len(built) {
		return fmt.Sprintf("it has %s, and %d were built", plural(len(was.Paths), "file"), len(built)), nil
	}
	for i, path := range was.Paths {
		at, err := firstOther(ctx, path, built[i].Path)
		if err != nil {
			return "", err
		}
		if at >= 0 {
			now, err := gguf.Open(ctx, built[0].Path)
			if err != nil {
				return "", err
			}
			return whereDiffers(was, now, i, at), nil
		}
	}
	return "", nil
}

// firstOther is the first offset at which two files differ, -1 if they don't.
func firstOther(ctx context.Context, a, b string) (int64, error) {
	x, err := os.Open(a)
	if err != nil {
		return 0, err
	}
	defer x.Close()
	y, err := os.Open(b)
	if err != nil {
		return 0, err
	}
	defer y.Close()
	const step = 1 << 20
	p, q := make([]byte, step), make([]byte, step)
	for at := int64(0); ; at += step {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := io.ReadFull(x, p)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		m, err := io.ReadFull(y, q)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		if n == m && bytes.Equal(p[:n], q[:m]) {
			if n < step {
				return -1, nil
			}
			continue
		}
		i := 0
		for i < min(n, m) && p[i] == q[i] {
			i++
		}
		return at + int64(i), nil
	}
}

// whereDiffers names what lies at an offset of a shard: a key, what the header
// says of a tensor, or a tensor's data.
func whereDiffers(was, now *gguf.File, shard int, at int64) string {
	file := ""
	if len(was.Paths) > 1 {
		file = " of " + filepath.Base(was.Paths[shard])
	}
	for i, kv := range was.KVs {
		other, ok := now.Get(kv.Key)
		switch {
		case !ok:
			return fmt.Sprintf("the key %s is not there when it is built again", kv.Key)
		case !reflect.DeepEqual(kv.Value, other):
			return fmt.Sprintf("the key %s is another one: %s, and %s when built again", kv.Key, clip(fmt.Sprint(kv.Value), mostValue), clip(fmt.Sprint(other), mostValue))
		case i < len(now.KVs) && now.KVs[i].Key != kv.Key:
			return fmt.Sprintf("the key %s stands where %s stands when it is built again", kv.Key, now.KVs[i].Key)
		}
	}
	if len(now.KVs) > len(was.KVs) {
		return fmt.Sprintf("the key %s is there only when it is built again", now.KVs[len(was.KVs)].Key)
	}
	for i, t := range was.Tensors {
		if i >= len(now.Tensors) || now.Tensors[i].Name != t.Name {
			return fmt.Sprintf("the tensor %s is not in its place when it is built again", t.Name)
		}
		other := now.Tensors[i]
		if other.Type != t.Type || !reflect.DeepEqual(other.Dims, t.Dims) {
			return fmt.Sprintf("the tensor %s is %s %s, and %s %s when built again", t.Name, t.Type.Name, shape(t.Dims), other.Type.Name, shape(other.Dims))
		}
	}
	for _, t := range was.Tensors {
		if t.File == shard && at >= t.Offset && at < t.Offset+t.Size {
			return fmt.Sprintf("the tensor %s differs from its byte %d on (byte %d%s)", t.Name, at-t.Offset, at, file)
		}
	}
	return fmt.Sprintf("byte %d%s is another one", at, file)
}
