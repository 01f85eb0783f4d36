package imatrix

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

func read(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b)), "im") }

// written is a small file of the GGUF form.
func written(t testing.TB) []byte {
	var b bytes.Buffer
	require.NoError(t, Write(&b, Head{Datasets: []string{"a.txt", "b.txt"}, Chunks: 7, ChunkSize: 512}, []Sums{
		{Name: "blk.0.attn_q.weight", Counts: []float64{4}, Squares: []float32{4, 8, 0, 2}},
		{Name: "blk.0.ffn_gate_exps.weight", Counts: []float64{2, 0, 6}, Squares: []float32{2, 4, 0, 0, 3, 12}},
	}))
	return b.Bytes()
}

func TestGGUF(t *testing.T) {
	f, err := read(written(t))
	require.NoError(t, err)
	require.Equal(t, []string{"a.txt", "b.txt"}, f.Datasets)
	require.Equal(t, 7, f.Chunks)
	require.Equal(t, 512, f.ChunkSize)
	require.False(t, f.Legacy)
	require.Len(t, f.Tensors, 2)
	q, e := &f.Tensors[0], &f.Tensors[1]
	require.Equal(t, "blk.0.attn_q.weight", q.Name)
	require.EqualValues(t, 4, q.Columns)
	require.Equal(t, 1, q.Experts)
	requireValues(t, q, 0, 1, 2, 0, 0.5)
	require.EqualValues(t, 2, e.Columns)
	require.Equal(t, []float64{2, 0, 6}, e.Counts)
	requireValues(t, e, 0, 1, 2)
	requireValues(t, e, 1, 1, 1) // saw nothing
	requireValues(t, e, 2, 0.5, 2)
	_, err = e.Values(3)
	require.ErrorContains(t, err, "expert 3 of 3")
}

func requireValues(t *testing.T, tensor *Tensor, expert int, want ...float32) {
	t.Helper()
	got, err := tensor.Values(expert)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// dat builds a legacy file.
type dat struct{ bytes.Buffer }

func (d *dat) int(n int) { _ = binary.Write(d, binary.LittleEndian, int32(n)) }

func (d *dat) text(s string) { d.int(len(s)); d.WriteString(s) }

func (d *dat) entry(name string, calls int, values ...float32) {
	d.text(name)
	d.int(calls)
	d.int(len(values))
	_ = binary.Write(d, binary.LittleEndian, values)
}

func TestLegacy(t *testing.T) {
	var d dat
	d.int(4)
	d.entry("blk.0.ffn_gate_inp.weight", 2, 2, 4)
	d.entry("blk.0.ffn_gate_exps.weight", 2, 2, 4, 6, 8, 10, 12)
	d.entry("blk.0.ffn_down_exps.weight", 0, 1, 2, 3)
	d.entry("blk.1.ffn_down_exps.weight", 2, 2, 4, 6)
	d.int(9)
	d.text("wiki.txt")
	f, err := read(d.Bytes())
	require.NoError(t, err)
	require.True(t, f.Legacy)
	require.Equal(t, 9, f.Chunks)
	require.Equal(t, []string{"wiki.txt"}, f.Datasets)
	gate, down, alone := &f.Tensors[1], &f.Tensors[2], &f.Tensors[3]
	require.Nil(t, gate.Counts)
	require.EqualValues(t, 2, gate.Columns)
	require.Equal(t, 3, gate.Experts)
	requireValues(t, gate, 1, 3, 4)
	require.EqualValues(t, 1, down.Columns)
	requireValues(t, down, 2, 3) // never called: as it stands
	require.EqualValues(t, 3, alone.Columns)
	require.Equal(t, 1, alone.Experts) // its layer does not tell

	var old dat
	old.int(1)
	old.entry("output.weight", 1, 5)
	f, err = read(old.Bytes())
	require.NoError(t, err)
	require.Empty(t, f.Datasets)
}

func TestRefused(t *testing.T) {
	var twice, long, huge, negative, rest, many dat
	twice.int(2)
	twice.entry("a", 1, 1)
	twice.entry("a", 1, 1)
	long.int(1)
	long.int(1 << 30)
	long.Write(make([]byte, 64))
	huge.int(1)
	huge.text("abcdefgh")
	huge.int(1)
	huge.int(1 << 30)
	negative.int(1)
	negative.text("abcdefgh")
	negative.int(1)
	negative.int(-1)
	rest.int(1)
	rest.entry("a", 1, 1)
	rest.int(1)
	rest.text("x")
	rest.WriteByte(0)
	many.int(1 << 20)
	many.entry("a", 1, 1)
	gguf := func(kind string, infos ...gguf.TensorInfo) []byte { return container(t, kind, infos...) }
	f32, f16 := info("x.in_sum2", "f32", 6), info("x.in_sum2", "f16", 6)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "it has 0 bytes"},
		{"text", []byte("this is no importance matrix at all"), "entries in 35 bytes"},
		{"many entries", many.Bytes(), "1048576 entries in"},
		{"twice", twice.Bytes(), "tensor a is there twice"},
		{"long name", long.Bytes(), "a name of 1073741824 bytes"},
		{"huge entry", huge.Bytes(), "1073741824 values in the 0 bytes"},
		{"negative", negative.Bytes(), "-1 values"},
		{"rest", rest.Bytes(), "1 bytes too many"},
		{"model", gguf("model", f32), `its general.type is "model"`},
		{"no tensor", gguf("imatrix"), "it has no tensor"},
		{"no counts", gguf("imatrix", f32), "no x.counts"},
		{"half", gguf("imatrix", f16, info("x.counts", "f32", 1)), "x.in_sum2 is f16"},
		{"uneven", gguf("imatrix", f32, info("x.counts", "f32", 1, 4)), "6 sums for 4 experts"},
		{"cut short", written(t)[:300], "im"},
	} {
		_, err := read(test.file)
		require.ErrorContains(t, err, test.want, test.name)
	}
}

func info(name, typ string, dims ...int64) gguf.TensorInfo {
	t, _ := quant.Lookup(typ)
	return gguf.TensorInfo{Name: name, Dims: dims, Type: t}
}

func container(t *testing.T, kind string, infos ...gguf.TensorInfo) []byte {
	h, err := gguf.EncodeHeader([]gguf.KV{{Key: "general.type", Value: kind}}, infos, 0)
	require.NoError(t, err)
	return append(h.Bytes, make([]byte, h.FileSize-int64(len(h.Bytes)))...)
}

// TestBadNumbers checks that counts and values which are none name their place.
func TestBadNumbers(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		counts  []float64
		squares []float32
		want    string
	}{
		{[]float64{1, math.NaN()}, []float32{1, 1}, "x: count 1 is NaN"},
		{[]float64{-1}, []float32{1}, "x: count 0 is -1"},
		{[]float64{1, 1}, []float32{1, 1, 1, nan}, "x: importance [1, 1] is NaN"},
		{[]float64{1}, []float32{-1}, "x: importance [0, 0] is -1"},
		{[]float64{0.25}, []float32{math.MaxFloat32}, "x: importance [0, 0] is +Inf"},
	} {
		var b bytes.Buffer
		require.NoError(t, Write(&b, Head{}, []Sums{{Name: "x", Counts: test.counts, Squares: test.squares}}))
		f, err := read(b.Bytes())
		for i := 0; err == nil && i < len(test.counts); i++ {
			_, err = f.Tensors[0].Values(i)
		}
		require.ErrorContains(t, err, test.want)
	}
	require.ErrorContains(t, Write(&bytes.Buffer{}, Head{}, []Sums{{Name: "x", Counts: []float64{1, 1}, Squares: []float32{1}}}), "1 sums for 2 experts")
}

// FuzzRead checks that no file makes the reader panic or allocate more than the
// file could hold.
func FuzzRead(f *testing.F) {
	f.Add(written(f))
	var d dat
	d.int(1)
	d.entry("blk.0.ffn_gate_exps.weight", 1, 1, 2)
	d.int(1)
	d.text("x")
	f.Add(d.Bytes())
	f.Fuzz(func(_ *testing.T, b []byte) {
		im, err := read(b)
		if err != nil {
			return
		}
		for i := range im.Tensors {
			_, _ = im.Tensors[i].Values(im.Tensors[i].Experts - 1)
		}
	})
}
