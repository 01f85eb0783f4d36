package gguf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// peerKVs are what the Python package wrote into testdata/peer.gguf.
var peerKVs = []KV{
	{"general.architecture", "test"},
	{"u8", uint8(200)}, {"i8", int8(-100)}, {"u16", uint16(60000)}, {"i16", int16(-30000)},
	{"u32", uint32(4000000000)}, {"i32", int32(-2000000000)}, {"f32", float32(1e-6)}, {"yes", true}, {"no", false},
	{"str", "naïve ▁ \"x\""}, {"u64", uint64(math.MaxUint64)}, {"i64", int64(math.MinInt64)}, {"f64", 0.1},
	{"a.u8", []uint8{0, 255}}, {"a.i8", []int8{-128, 127}}, {"a.u16", []uint16{0, 65535}}, {"a.i16", []int16{-32768, 32767}},
	{"a.u32", []uint32{0, math.MaxUint32}}, {"a.i32", []int32{math.MinInt32, math.MaxInt32}}, {"a.f32", []float32{0.5, -1.25}},
	{"a.bool", []bool{true, false, true}}, {"a.str", []string{"", "a", "Ġb", "日本"}},
	{"a.u64", []uint64{1 << 63}}, {"a.i64", []int64{-1, 1}}, {"a.f64", []float64{0.25}},
}

func peerTensors(t testing.TB) []TensorInfo {
	return []TensorInfo{
		{"token_embd.weight", []int64{32, 3}, typ(t, idF16)},
		{"norm.weight", []int64{5}, typ(t, idF32)},
		{"blk.0.ffn_up_exps.weight", []int64{64, 2, 2}, typ(t, idQ8_0)},
		{"blk.0.bias", []int64{3, 2}, typ(t, idF32)},
		{"output.weight", []int64{32, 7}, typ(t, idQ4_0)},
	}
}

func TestParsePeer(t *testing.T) {
	b := readFile(t, "testdata/peer.gguf")
	f, err := parseBytes(b)
	require.NoError(t, err)
	require.Equal(t, uint32(3), f.Version)
	require.Equal(t, int64(32), f.Alignment)
	require.Equal(t, []string{"x.gguf"}, f.Paths)
	require.Equal(t, []int64{int64(len(b))}, f.Sizes)
	require.Equal(t, peerKVs, f.KVs)
	require.Equal(t, peerTensors(t), infos(f))
	for i, want := range []int64{3 * 32 * 2, 20, 272, 24, 7 * 18} {
		require.Equal(t, want, f.Tensors[i].Size)
	}
	// Its data counts up: the offsets are right.
	up, ok := f.Tensor("blk.0.ffn_up_exps.weight")
	require.True(t, ok)
	require.Equal(t, []byte{0, 1, 2, 3}, b[up.Offset:up.Offset+4])
	out, _ := f.Tensor("output.weight")
	require.Equal(t, int64(len(b)), pad(out.Offset+out.Size, 32))
	_, ok = f.Tensor("none")
	require.False(t, ok)
}

func TestParseVersion2(t *testing.T) {
	r := plain()
	r.version = 2
	f, err := parseBytes(r.bytes())
	require.NoError(t, err)
	require.Equal(t, uint32(2), f.Version)
}

func TestParseAccepts(t *testing.T) {
	info := func(name string, offset uint64, dims ...uint64) []byte { return rawInfo(name, idF32, offset, dims...) }
	for name, r := range map[string]rawFile{
		"nothing":        {"GGUF", 3, 0, 0, nil, nil, 0},
		"out of order":   {"GGUF", 3, 2, 0, nil, join(info("a", 64, 8), info("b", 0, 8)), 96},
		"a gap":          {"GGUF", 3, 2, 0, nil, join(info("a", 0, 8), info("b", 96, 8)), 128},
		"empty tensors":  {"GGUF", 3, 3, 0, nil, join(info("a", 0, 0), info("b", 0, 8), info("c", 32, 4, 0)), 32},
		"a scalar":       {"GGUF", 3, 1, 0, nil, info("a", 0), 4},
		"no end padding": {"GGUF", 3, 1, 0, nil, info("a", 0, 5), 20},
		"nested arrays": {"GGUF", 3, 0, 1, rawKV("k", Array, join(le64(le32(nil, uint32(Array)), 2),
			le64(le32(nil, uint32(Uint8)), 1), []byte{9}, le64(le32(nil, uint32(Array)), 0))...), nil, 0},
	} {
		_, err := parseBytes(r.bytes())
		require.NoError(t, err, name)
	}
	// A file without tensors may end right after its keys.
	b := join([]byte("GGUF"), le64(le64(le32(nil, 3), 0), 1), rawKV("k", Uint8, 1))
	f, err := parseBytes(b)
	require.NoError(t, err)
	require.Equal(t, []KV{{"k", uint8(1)}}, f.KVs)
}

func TestParseErrors(t *testing.T) {
	arr := func(elem ValueType, n uint64, rest ...byte) []byte {
		return append(le64(le32(nil, uint32(elem)), n), rest...)
	}
	kv := func(b []byte) rawFile { r := plain(); r.kvBytes = b; return r }
	ti := func(n uint64, b []byte) rawFile { r := plain(); r.tensors, r.tiBytes = n, b; return r }
	deep := []byte{}
	for range 9 {
		deep = append(deep, arr(Array, 1)...)
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "ends within its header, at byte 0: 24 bytes are missing"},
		{"short", []byte("GGUF\x03\x00\x00\x00"), "ends within its header, at byte 8: 16 bytes are missing"},
		{"magic", rawFile{magic: "GGML", version: 3}.bytes(), `it starts with "GGML" instead of "GGUF"`},
		{"git-lfs", []byte("version https://git-lfs.github.com/spec/v1\noid"), "run git lfs pull"},
		{"version 1", rawFile{magic: "GGUF", version: 1}.bytes(), "version 1 is too old"},
		{"version 4", rawFile{magic: "GGUF", version: 4}.bytes(), "version 4: this program reads versions 2 and 3"},
		{"big endian", rawFile{magic: "GGUF", version: 3 << 24}.bytes(), "big-endian"},
		{"keys", rawFile{"GGUF", 3, 0, 1 << 60, nil, nil, 0}.bytes(), "claims 1152921504606846976 keys"},
		{"tensors", rawFile{"GGUF", 3, math.MaxUint64, 0, nil, nil, 0}.bytes(), "claims 18446744073709551615 tensors"},
		{"no keys", rawFile{"GGUF", 3, 0, 1, nil, nil, 30}.bytes(), "key 1 of 1 is empty"},
		{"key length", kv(le64(nil, 1<<40)).bytes(), "key 1 of 1: a string claims 1099511627776 bytes"},
		{"key cut", join(rawFile{"GGUF", 3, 0, 2, rawKV("long", Uint64, 1, 2, 3, 4, 5, 6, 7, 8), nil, 0}.bytes()[:24+24], le64(nil, 2), []byte("ab")), `key "ab": the file ends within its header`},
		{"duplicate key", func() []byte {
			r := plain()
			r.kvs, r.kvBytes = 2, join(rawKV("k", Uint8, 7), rawKV("k", Uint8, 7))
			return r.bytes()
		}(), `key "k" is there twice`},
		{"value type", kv(rawKV("k", 13, 0)).bytes(), `key "k": unknown value type id 13`},
		{"value cut", rawFile{"GGUF", 3, 0, 1, rawKV("general.long_name", Uint64, 1), nil, 0}.bytes()[:24+8+17+4+3], `key "general.long_name": the file ends within its header`},
		{"bool", kv(rawKV("k", Bool, 2)).bytes(), `key "k": a bool is 2`},
		{"bools", kv(rawKV("k", Array, arr(Bool, 2, 1, 3)...)).bytes(), `key "k": a bool is 3`},
		{"element type", kv(rawKV("k", Array, arr(99, 1)...)).bytes(), `key "k": unknown element type id 99`},
		{"array count", kv(rawKV("k", Array, arr(Uint64, 1<<61)...)).bytes(), `key "k": an array claims 2305843009213693952 elements of u64`},
		{"string count", kv(rawKV("k", Array, arr(String, 100)...)).bytes(), `key "k": an array claims 100 elements of str`},
		{"string in array", kv(rawKV("k", Array, arr(String, 1, le64(nil, 1<<50)...)...)).bytes(), `key "k": a string claims 1125899906842624 bytes`},
		{"nested count", kv(rawKV("k", Array, arr(Array, 1<<60)...)).bytes(), `claims 1152921504606846976 elements of arr`},
		{"nested depth", kv(rawKV("k", Array, deep...)).bytes(), `key "k": arrays are nested more than 8 deep`},
		{"alignment type", kv(rawKV(KeyAlignment, Uint64, le64(nil, 32)...)).bytes(), "general.alignment is a uint64: it must be a uint32"},
		{"alignment 0", kv(rawKV(KeyAlignment, Uint32, 0, 0, 0, 0)).bytes(), "general.alignment is 0: it must be a power of two"},
		{"alignment 48", kv(rawKV(KeyAlignment, Uint32, 48, 0, 0, 0)).bytes(), "general.alignment is 48: it must be a power of two"},
		{"no name", ti(1, rawInfo("", idF32, 0, 4)).bytes(), "tensor 1 of 1 has no name"},
		{"name length", ti(1, le64(nil, 1<<63)).bytes(), "tensor 1 of 1: a string claims"},
		{"duplicate tensor", ti(2, join(rawInfo("t", idF32, 0, 4), rawInfo("t", idF32, 32, 4))).bytes(), `tensor "t" is there twice`},
		{"dimensions", ti(1, rawInfo("t", idF32, 0, 1, 1, 1, 1, 1)).bytes(), `tensor "t" has 5 dimensions`},
		{"negative dimension", ti(1, rawInfo("t", idF32, 0, 1, 1<<63)).bytes(), `tensor "t": dimension 1 is 9223372036854775808, too large`},
		{"product", ti(1, rawInfo("t", idF32, 0, 1<<40, 1<<40)).bytes(), `tensor "t": the product of the dimensions [1099511627776 1099511627776] is too large`},
		{"bytes", ti(1, rawInfo("t", idF32, 0, 1<<62)).bytes(), `tensor "t": [4611686018427387904] weights of f32 are too many bytes`},
		{"type", ti(1, rawInfo("t", 9999, 0, 4)).bytes(), `tensor "t" has type id 9999, which this program does not know`},
		{"negative type", ti(1, rawInfo("t", math.MaxUint32, 0, 4)).bytes(), `tensor "t" has type id 4294967295`},
		{"block", ti(1, rawInfo("t", idQ8_0, 0, 33)).bytes(), `tensor "t": its rows have 33 weights, not a multiple of 32, the block of q8_0`},
		{"scalar of blocks", ti(1, rawInfo("t", idQ8_0, 0)).bytes(), `tensor "t": its rows have 1 weights`},
		{"unaligned", ti(1, rawInfo("t", idF32, 8, 4)).bytes(), `tensor "t": offset 8 is not a multiple of the alignment 32`},
		{"offset", ti(1, rawInfo("t", idF32, 1<<63, 4)).bytes(), `tensor "t": offset 9223372036854775808 is too large`},
		{"overlap", func() []byte {
			r := ti(3, join(rawInfo("a", idF32, 64, 8), rawInfo("b", idF32, 0, 16), rawInfo("c", idF32, 32, 1)))
			r.data = 96
			return r.bytes()
		}(), `tensor "c": its data at offset 192 overlaps that of tensor "b", 64 bytes at offset 160`},
		{"truncated", func() []byte {
			r := ti(2, join(rawInfo("a", idF32, 0, 8), rawInfo("b", idF32, 32, 16)))
			r.data = 90
			return r.bytes()
		}(), `tensor "b": its 64 bytes at offset 160 end past the end of the file, which has 218 bytes: 6 bytes are missing`},
		{"far offset", ti(1, rawInfo("t", idF32, 1<<40, 4)).bytes(), `tensor "t": its 16 bytes at offset 1099511627872 end past the end of the file, which has 128 bytes`},
		{"info cut", ti(1, rawInfo("t", idF32, 0, 4, 2)).bytes()[:24+14+8+1+4+9], `tensor "t": the file ends within its header`},
	} {
		_, err := parseBytes(c.file)
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, "x.gguf: ", c.name)
	}
	_, err := parseBytes(plain().bytes())
	require.NoError(t, err, "the base of the cases is good")
}

// A file that is cut anywhere is an error, or, where only the last padding is
// gone, still whole.
func TestParseEveryCut(t *testing.T) {
	b := readFile(t, "testdata/peer.gguf")
	f, err := parseBytes(b)
	require.NoError(t, err)
	last := f.Tensors[len(f.Tensors)-1]
	for n := range b {
		_, err := parseBytes(b[:n])
		if int64(n) >= last.Offset+last.Size {
			require.NoError(t, err, n)
		} else {
			require.Error(t, err, n)
		}
	}
}

// hugeFile says that it has any number of bytes; they are zeros after a start.
type hugeFile struct{ start []byte }

func (h hugeFile) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	if off < int64(len(h.start)) {
		copy(b, h.start[off:])
	}
	return len(b), nil
}

func TestHostileCountsAllocateLittle(t *testing.T) {
	const size = 1 << 45
	for name, b := range map[string][]byte{
		"keys":    rawFile{"GGUF", 3, 0, maxHeader / minKV, nil, nil, 0}.bytes(),
		"tensors": rawFile{"GGUF", 3, maxHeader / minInfo, 0, nil, nil, 0}.bytes(),
		"array":   rawFile{"GGUF", 3, 0, 1, rawKV("k", Array, le64(le32(nil, uint32(Float64)), 1<<40)...), nil, 0}.bytes(),
		"string":  rawFile{"GGUF", 3, 0, 1, rawKV("k", String, le64(nil, 1<<44)...), nil, 0}.bytes(),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(hugeFile{b}, size, "x")
		runtime.ReadMemStats(&after)
		require.Error(t, err, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), name)
	}
}

type brokenFile struct{ good int64 }

var errBroken = errors.New("the disk is broken")

func (f brokenFile) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.good {
		return 0, errBroken
	}
	return hugeFile{[]byte("GGUF\x03")}.ReadAt(b, off)
}

// TestParseHeaderAlone reads a header of which the data is not at hand.
func TestParseHeaderAlone(t *testing.T) {
	b := readFile(t, "testdata/peer.gguf")
	want, err := parseBytes(b)
	require.NoError(t, err)
	start := want.Tensors[0].Offset
	got, err := Parse(bytes.NewReader(b[:start]), int64(len(b)), "test.gguf")
	require.NoError(t, err)
	require.Equal(t, want.KVs, got.KVs)
	require.Equal(t, want.Tensors, got.Tensors)
	_, err = Parse(bytes.NewReader(b[:start/2]), int64(len(b)), "test.gguf")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestReadErrors(t *testing.T) {
	_, err := Parse(brokenFile{}, 100, "x")
	require.ErrorIs(t, err, errBroken)
	_, err = Parse(bytes.NewReader([]byte("GGUF")), 100, "x")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestTypedGetters(t *testing.T) {
	f := &File{KVs: append(peerKVs[:len(peerKVs):len(peerKVs)], KV{"neg", int8(-1)}, KV{"small64", int64(5)})}
	s, ok := f.String("str")
	require.True(t, ok)
	require.Equal(t, "naïve ▁ \"x\"", s)
	_, ok = f.String("u8")
	require.False(t, ok)
	for key, want := range map[string]uint64{"u8": 200, "u16": 60000, "u32": 4e9, "u64": math.MaxUint64, "small64": 5} {
		v, ok := f.Uint(key)
		require.True(t, ok, key)
		require.Equal(t, want, v, key)
	}
	for _, key := range []string{"i8", "neg", "f32", "str", "none", "yes"} {
		_, ok := f.Uint(key)
		require.False(t, ok, key)
	}
	for key, want := range map[string]int64{"u8": 200, "i8": -100, "i16": -30000, "i32": -2e9, "i64": math.MinInt64} {
		v, ok := f.Int(key)
		require.True(t, ok, key)
		require.Equal(t, want, v, key)
	}
	_, ok = f.Int("u64")
	require.False(t, ok)
	v, ok := f.Float("f32")
	require.True(t, ok)
	require.Equal(t, float64(float32(1e-6)), v)
	v, ok = f.Float("f64")
	require.True(t, ok)
	require.Equal(t, 0.1, v)
	_, ok = f.Float("u8")
	require.False(t, ok)
	yes, ok := f.Bool("yes")
	require.True(t, ok && yes)
	strs, ok := f.Strings("a.str")
	require.True(t, ok)
	require.Len(t, strs, 4)
	for key, want := range map[string][]int64{
		"a.u8": {0, 255}, "a.i8": {-128, 127}, "a.u16": {0, 65535}, "a.i16": {-32768, 32767},
		"a.u32": {0, math.MaxUint32}, "a.i32": {math.MinInt32, math.MaxInt32}, "a.i64": {-1, 1},
	} {
		ints, ok := f.Ints(key)
		require.True(t, ok, key)
		require.Equal(t, want, ints, key)
	}
	_, ok = f.Ints("a.u64")
	require.False(t, ok, "does not fit int64")
	i32, ok := f.Int32s("a.i32")
	require.True(t, ok)
	require.Len(t, i32, 2)
	_, ok = f.Int32s("a.u32")
	require.False(t, ok)
	_, ok = f.Uint32s("a.u32")
	require.True(t, ok)
	_, ok = f.Float32s("a.f32")
	require.True(t, ok)
	_, ok = f.Bools("a.bool")
	require.True(t, ok)
	_, ok = f.Get("none")
	require.False(t, ok)
	require.Equal(t, "i8", Int8.String())
	require.Equal(t, "type 13", ValueType(13).String())
	// A File that a caller built finds tensors too.
	f.Tensors = []Tensor{{Name: "a"}, {Name: "b"}}
	b, ok := f.Tensor("b")
	require.True(t, ok)
	require.Same(t, &f.Tensors[1], b)
}

// bigHeader is a file's start with n tensors and a tokenizer of 150,000 tokens,
// and the file's size.
func bigHeader(t testing.TB, n int) ([]byte, int64) {
	tokens, merges, types := make([]string, 150_000), make([]string, 150_000), make([]int32, 150_000)
	for i := range tokens {
		tokens[i] = strings.Repeat("t", i%13) + fmt.Sprint(i)
		merges[i] = "Ġa " + fmt.Sprint(i)
	}
	kvs := []KV{
		{"general.architecture", "test"}, {"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.token_type", types}, {"tokenizer.ggml.merges", merges},
	}
	var tensors []TensorInfo
	for i := range n {
		tensors = append(tensors, TensorInfo{fmt.Sprintf("blk.%d.attn_q.weight", i), []int64{64, 2}, typ(t, idF32)})
	}
	h, err := EncodeHeader(kvs, tensors, 0)
	require.NoError(t, err)
	require.Equal(t, len(h.Bytes), cap(h.Bytes))
	return h.Bytes, h.FileSize
}

func BenchmarkParse(b *testing.B) {
	header, size := bigHeader(b, 579)
	b.SetBytes(int64(len(header)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := Parse(hugeFile{header}, size, "x")
		if err != nil || len(f.Tensors) != 579 {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/peer.gguf", "testdata/aligned.gguf", "testdata/split-00002-of-00003.gguf"} {
		f.Add(readFile(f, path))
	}
	f.Add(plain().bytes())
	f.Add(rawFile{"GGUF", 3, 0, 1, rawKV("k", Array, join(le64(le32(nil, uint32(Array)), 1), le64(le32(nil, uint32(String)), 1), le64(nil, 0))...), nil, 0}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parseBytes(b)
		if err != nil {
			return
		}
		for _, x := range file.Tensors {
			if x.Offset < 0 || x.Size < 0 || x.Offset+x.Size > int64(len(b)) || x.Offset%file.Alignment != 0 && x.Size > 0 {
				t.Fatalf("tensor %q at %d, %d bytes, of %d", x.Name, x.Offset, x.Size, len(b))
			}
			if len(x.Name) > maxName {
				return // read but not written
			}
		}
		h, err := EncodeHeader(file.KVs, infos(file), 0)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Parse(hugeFile{h.Bytes}, h.FileSize, "x")
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		// By bytes: a NaN is not equal to itself.
		one, _ := EncodeKVs(file.KVs)
		two, _ := EncodeKVs(again.KVs)
		if !bytes.Equal(one, two) || len(file.Tensors) != len(again.Tensors) {
			t.Fatal("the round trip changed the file")
		}
	})
}
