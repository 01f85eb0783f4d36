package gguf

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/stretchr/testify/require"
)

func TestEncodeGoldenBytes(t *testing.T) {
	h, err := EncodeHeader(
		[]KV{{"a", uint16(258)}, {"b", []string{"x", ""}}},
		[]TensorInfo{{"t", []int64{3, 2, 1, 1}, typ(t, idF32)}, {"u", nil, typ(t, idF16)}}, 0)
	require.NoError(t, err)
	want := strings.Join([]string{
		"47475546", "03000000", "0200000000000000", "0200000000000000", // magic, version, tensors, keys
		"0100000000000000", "61", "02000000", "0201", // a: u16 258
		"0100000000000000", "62", "09000000", "08000000", "0200000000000000", // b: array of 2 strings
		"0100000000000000", "78", "0000000000000000",
		"0100000000000000", "74", "02000000", "0300000000000000", "0200000000000000", "00000000", "0000000000000000", // t: f32 {3, 2} at 0
		"0100000000000000", "75", "01000000", "0100000000000000", "01000000", "2000000000000000", // u: f16 {1} at 32
		strings.Repeat("00", 5),
	}, "")
	require.Equal(t, want, hex.EncodeToString(h.Bytes))
	require.Len(t, h.Bytes, 160)
	require.Equal(t, []int64{160, 192}, h.Offsets)
	require.Equal(t, int64(224), h.FileSize, "the last tensor's data is padded too")
}

// The Python package and the C++ writer of llama.cpp give the same bytes.
func TestEncodeLikePeer(t *testing.T) {
	aligned := append([]KV{peerKVs[0], {KeyAlignment, uint32(128)}}, peerKVs[1:]...)
	for _, c := range []struct {
		file      string
		kvs       []KV
		alignment int64
	}{{"peer.gguf", peerKVs, 0}, {"peer.gguf", peerKVs, 32}, {"aligned.gguf", aligned, 0}, {"aligned.gguf", aligned, 128}} {
		b := readFile(t, "testdata/"+c.file)
		h, err := EncodeHeader(c.kvs, peerTensors(t), c.alignment)
		require.NoError(t, err)
		require.Equal(t, int64(len(b)), h.FileSize)
		require.Equal(t, b[:len(h.Bytes)], h.Bytes)
		f, err := parseBytes(b)
		require.NoError(t, err)
		for i := range f.Tensors {
			require.Equal(t, f.Tensors[i].Offset, h.Offsets[i])
		}
		header, file, err := HeaderSize(c.kvs, peerTensors(t), c.alignment)
		require.NoError(t, err)
		require.Equal(t, []int64{int64(len(h.Bytes)), h.FileSize}, []int64{header, file})
	}
}

func TestEncodeKVs(t *testing.T) {
	nested := []any{[]int32{1, 2}, []string{"x"}, []any{[]bool{true}, []any{}}, []float64{}}
	kvs := append(peerKVs[:len(peerKVs):len(peerKVs)],
		KV{"nested", nested}, KV{"empty", []any{}}, KV{"none", []uint8{}}, KV{"nil", []string(nil)}, KV{"inf", math.Inf(1)})
	b, err := EncodeKVs(kvs)
	require.NoError(t, err)
	require.Equal(t, KVSize(kvs), int64(len(b)))
	h, err := EncodeHeader(kvs, nil, 0)
	require.NoError(t, err)
	require.Equal(t, b, h.Bytes[fixedHeader:fixedHeader+len(b)])
	f, err := parseBytes(h.Bytes)
	require.NoError(t, err)
	v, _ := f.Get("nested")
	require.Equal(t, nested, v)
	v, _ = f.Get("nil")
	require.Equal(t, []string{}, v)
	again, err := EncodeKVs(f.KVs)
	require.NoError(t, err)
	require.Equal(t, b, again)
}

func TestEncodeErrors(t *testing.T) {
	f32, q8 := typ(t, idF32), typ(t, idQ8_0)
	deep := []any{}
	for range 8 {
		deep = []any{deep}
	}
	one := []TensorInfo{{"t", []int64{4}, f32}}
	for _, c := range []struct {
		kvs       []KV
		tensors   []TensorInfo
		alignment int64
		want      string
	}{
		{[]KV{{"", uint8(1)}}, nil, 0, "a key is empty"},
		{[]KV{{"a", uint8(1)}, {"a", uint8(1)}}, nil, 0, `key "a" is there twice`},
		{[]KV{{"a", 1}}, nil, 0, `key "a": GGUF cannot hold a int`},
		{[]KV{{"a", nil}}, nil, 0, `key "a": GGUF cannot hold a <nil>`},
		{[]KV{{"a", []any{uint8(1)}}}, nil, 0, `key "a": an array of arrays holds a uint8`},
		{[]KV{{"a", []any{[]int{1}}}}, nil, 0, `key "a": an array of arrays holds a []int`},
		{[]KV{{"a", deep}}, nil, 0, `key "a": arrays are nested more than 8 deep`},
		{[]KV{{KeyAlignment, uint64(32)}}, nil, 0, "must be a uint32"},
		{[]KV{{KeyAlignment, uint32(33)}}, nil, 0, "must be a power of two"},
		{[]KV{{KeyAlignment, uint32(4)}}, nil, 0, "must be a power of two, at least 8"},
		{nil, one, 4096, "set the key general.alignment (uint32) to 4096"},
		{[]KV{{KeyAlignment, uint32(64)}}, one, 32, "alignment 32: the keys say 64"},
		{nil, []TensorInfo{{"", []int64{4}, f32}}, 0, "a tensor has no name"},
		{nil, []TensorInfo{{strings.Repeat("n", 64), []int64{4}, f32}}, 0, "the name has 64 bytes, and llama.cpp reads at most 63"},
		{nil, []TensorInfo{one[0], one[0]}, 0, `tensor "t" is there twice`},
		{nil, []TensorInfo{{"t", []int64{4}, nil}}, 0, `tensor "t" has no type`},
		{nil, []TensorInfo{{"t", []int64{4}, &quant.Type{Name: "affine4", GGML: -1, Block: 1, Bytes: 1}}}, 0, `tensor "t": GGUF has no type affine4`},
		{nil, []TensorInfo{{"t", []int64{4, -1}, f32}}, 0, `tensor "t": dimension -1 of [4 -1] is negative`},
		{nil, []TensorInfo{{"t", []int64{1, 1, 1, 1, 1}, f32}}, 0, `tensor "t" has 5 dimensions`},
		{nil, []TensorInfo{{"t", []int64{48}, q8}}, 0, `tensor "t": its rows have 48 weights, not a multiple of 32`},
		{nil, []TensorInfo{{"t", []int64{math.MaxInt64, 2}, f32}}, 0, `tensor "t": the product of the dimensions`},
		{nil, []TensorInfo{{"a", []int64{1 << 59}, f32}, {"b", []int64{1 << 59}, f32}, {"c", []int64{1 << 59}, f32}}, 0, `tensor "b": the file would be larger`},
	} {
		_, err := EncodeHeader(c.kvs, c.tensors, c.alignment)
		require.ErrorContains(t, err, c.want)
		_, _, err = HeaderSize(c.kvs, c.tensors, c.alignment)
		require.ErrorContains(t, err, c.want)
	}
	_, err := EncodeKVs([]KV{{"a", 1}})
	require.ErrorContains(t, err, "cannot hold a int")
}

func TestTensorSize(t *testing.T) {
	n, err := TensorSize(TensorInfo{"t", []int64{64, 3}, typ(t, idQ8_0)})
	require.NoError(t, err)
	require.Equal(t, int64(2*34*3), n)
	_, err = TensorSize(TensorInfo{"t", []int64{64, 3}, nil})
	require.ErrorContains(t, err, "has no type")
}

func BenchmarkHeaderSize(b *testing.B) {
	header, size := bigHeader(b, 579)
	f, err := Parse(hugeFile{header}, size, "x")
	require.NoError(b, err)
	tensors := infos(f)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := HeaderSize(f.KVs, tensors, 0); err != nil {
			b.Fatal(err)
		}
	}
}
