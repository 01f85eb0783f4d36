package gguf

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplitLikePeer(t *testing.T) {
	// The padded data takes 192, 32, 288, 32 and 128 bytes: 320 give the two
	// tensors a shard that the peer was asked for.
	shards, err := Split(peerKVs, peerTensors(t), 0, 320)
	require.NoError(t, err)
	require.Len(t, shards, 3)
	for i, s := range shards {
		b := readFile(t, SplitPath("testdata/split", i, 3))
		require.Equal(t, []int{2 * i, min(2*i+2, 5)}, []int{s.Start, s.End})
		require.Equal(t, int64(len(b)), s.Header.FileSize)
		require.Equal(t, b[:len(s.Header.Bytes)], s.Header.Bytes, "shard %d", i)
	}
	require.Len(t, shards[1].KVs, 3)
}

func TestSplitRules(t *testing.T) {
	tensors := peerTensors(t)
	shards, err := Split(peerKVs, tensors, 0, 1<<40)
	require.NoError(t, err)
	require.Len(t, shards, 1, "all fit")
	require.Equal(t, KV{KeySplitCount, uint16(1)}, shards[0].KVs[len(shards[0].KVs)-1])
	require.Len(t, peerKVs, 26, "the caller's keys are left alone")

	// Keys of an earlier split are replaced.
	again, err := Split(shards[0].KVs, tensors, 0, 1<<40)
	require.NoError(t, err)
	require.Equal(t, shards, again)

	shards, err = Split(peerKVs, tensors, 0, 288)
	require.NoError(t, err)
	var starts []int
	for _, s := range shards {
		starts = append(starts, s.Start)
	}
	require.Equal(t, []int{0, 2, 3}, starts, "192+32, 288, 32+128")

	// Each file is read by its own alignment.
	shards, err = Split([]KV{{KeyAlignment, uint32(128)}}, tensors, 0, 512)
	require.NoError(t, err)
	require.Len(t, shards, 3)
	for _, s := range shards {
		f, err := Parse(hugeFile{s.Header.Bytes}, s.Header.FileSize, "x")
		require.NoError(t, err)
		require.Equal(t, int64(128), f.Alignment)
		for i := range f.Tensors {
			require.Equal(t, s.Header.Offsets[i], f.Tensors[i].Offset)
		}
	}

	_, err = Split(peerKVs, tensors, 0, 287)
	require.ErrorContains(t, err, `tensor "blk.0.ffn_up_exps.weight" takes 288 bytes, more than the 287 that a shard may hold: allow at least 288`)
	_, err = Split(peerKVs, tensors, 0, 0)
	require.ErrorContains(t, err, `allow at least 288`)
	_, err = Split(nil, append(tensors, tensors[0]), 0, 1000)
	require.ErrorContains(t, err, "is there twice")
	shards, err = Split(peerKVs, nil, 0, 100)
	require.NoError(t, err)
	require.Len(t, shards, 1)
	require.Equal(t, "dir/m-00002-of-00010.gguf", SplitPath("dir/m", 1, 10))
}

// copySplit copies the peer's shards into a new folder.
func copySplit(t *testing.T) string {
	dir := t.TempDir()
	for i := range 3 {
		b := readFile(t, SplitPath("testdata/split", i, 3))
		require.NoError(t, os.WriteFile(SplitPath(filepath.Join(dir, "m"), i, 3), b, 0o666))
	}
	return dir
}

func TestOpen(t *testing.T) {
	ctx := context.Background()
	one, err := Open(ctx, "testdata/peer.gguf")
	require.NoError(t, err)
	require.Equal(t, peerKVs, one.KVs)
	require.Equal(t, []string{"testdata/peer.gguf"}, one.Paths)

	prefix := filepath.Join(copySplit(t), "m")
	var whole *File
	for i := range 3 {
		f, err := Open(ctx, SplitPath(prefix, i, 3))
		require.NoError(t, err)
		if whole == nil {
			whole = f
		}
		require.Equal(t, whole, f, "any shard opens the whole")
	}
	require.Equal(t, one.KVs, whole.KVs)
	require.Equal(t, infos(one), infos(whole))
	require.Equal(t, []string{SplitPath(prefix, 0, 3), SplitPath(prefix, 1, 3), SplitPath(prefix, 2, 3)}, whole.Paths)
	require.Equal(t, []int64{1216, 576, 288}, whole.Sizes)
	single := readFile(t, "testdata/peer.gguf")
	for i, x := range whole.Tensors {
		require.Equal(t, i/2, x.File)
		b := readFile(t, whole.Paths[x.File])
		y := one.Tensors[i]
		require.Equal(t, single[y.Offset:y.Offset+y.Size], b[x.Offset:x.Offset+x.Size], x.Name)
	}
	x, ok := whole.Tensor("output.weight")
	require.True(t, ok)
	require.Equal(t, 2, x.File)
}

func TestOpenErrors(t *testing.T) {
	ctx := context.Background()
	_, err := Open(ctx, filepath.Join(t.TempDir(), "none.gguf"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(ctx, t.TempDir())
	require.ErrorContains(t, err, "not a file")
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Open(gone, "testdata/peer.gguf")
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpenBadSplits(t *testing.T) {
	set := func(kvs []KV, key string, v any) []KV {
		for i := range kvs {
			if kvs[i].Key == key {
				kvs[i].Value = v
			}
		}
		return kvs
	}
	drop := func(kvs []KV, key string) []KV {
		return slices.DeleteFunc(kvs, func(kv KV) bool { return kv.Key == key })
	}
	for _, c := range []struct {
		name   string
		shard  int // the one whose header is written anew
		change func(kvs []KV, tensors []TensorInfo) []KV
		open   int
		want   string
	}{
		{"no number", 1, func(kvs []KV, _ []TensorInfo) []KV { return drop(kvs, KeySplitNo) }, 0, "the name says shard 2, but its key split.no is missing or is not 1"},
		{"no number, opened", 1, func(kvs []KV, _ []TensorInfo) []KV { return drop(kvs, KeySplitNo) }, 1, "its key split.no is missing or no number below that"},
		{"another number", 2, func(kvs []KV, _ []TensorInfo) []KV { return set(kvs, KeySplitNo, uint16(1)) }, 0, "the name says shard 3, but its key split.no is missing or is not 2"},
		{"number too large", 2, func(kvs []KV, _ []TensorInfo) []KV { return set(kvs, KeySplitNo, uint16(3)) }, 2, "its key split.no is missing or no number below that"},
		{"misnamed", 2, func(kvs []KV, _ []TensorInfo) []KV { return set(kvs, KeySplitNo, uint16(1)) }, 2, "this is shard 2 of 3, and its name must end in -00002-of-00003.gguf"},
		{"another count", 1, func(kvs []KV, _ []TensorInfo) []KV { return set(kvs, KeySplitCount, uint16(4)) }, 0, "its key split.count is 4, the other shards say 3"},
		{"huge count", 0, func(kvs []KV, _ []TensorInfo) []KV { return set(kvs, KeySplitCount, uint64(1<<60)) }, 0, "key split.count is more than 65535"},
		{"no total", 0, func(kvs []KV, _ []TensorInfo) []KV { return drop(kvs, KeySplitTensorsCount) }, 0, "must have the key split.tensors.count"},
		{"another total", 0, func(kvs []KV, _ []TensorInfo) []KV { return set(kvs, KeySplitTensorsCount, int32(6)) }, 0, "key split.tensors.count is 6, and the 3 shards hold 5 tensors"},
		{"tensor twice", 2, func(kvs []KV, ts []TensorInfo) []KV { ts[0].Name = "norm.weight"; return kvs }, 0, `tensor "norm.weight" is in `},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := filepath.Join(copySplit(t), "m")
			path := SplitPath(prefix, c.shard, 3)
			f, err := parseBytes(readFile(t, path))
			require.NoError(t, err)
			tensors := infos(f)
			h, err := EncodeHeader(c.change(f.KVs, tensors), tensors, 0)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, append(h.Bytes, make([]byte, h.FileSize-int64(len(h.Bytes)))...), 0o666))
			_, err = Open(context.Background(), SplitPath(prefix, c.open, 3))
			require.ErrorContains(t, err, c.want)
		})
	}
	prefix := filepath.Join(copySplit(t), "m")
	require.NoError(t, os.Remove(SplitPath(prefix, 1, 3)))
	_, err := Open(context.Background(), SplitPath(prefix, 2, 3))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "shard 2 of 3 is missing: put all shards in one folder")
}
