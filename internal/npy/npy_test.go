package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file makes a .npy of a version, with a header and data.
func file(version byte, header string, data []byte) []byte {
	b := append([]byte(magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

func readAll(b []byte) (*Reader, []float32, error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	var out []float32
	buf := make([]float32, 3)
	for {
		n, err := r.Read(buf)
		out = append(out, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return r, out, r.AtEnd()
		}
		if err != nil {
			return r, out, err
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, shape := range [][]int64{{5}, {2, 3}, {1, 1}, {3, 100_000}} {
		n := product(shape)
		src := make([]float32, n)
		for i := range src {
			src[i] = float32(i)*0.25 - 7
		}
		src[0] = float32(math.Inf(-1))
		var b bytes.Buffer
		w, err := NewWriter(&b, shape)
		require.NoError(t, err)
		require.Zero(t, b.Len()%64, "data is aligned as NumPy has it")
		require.Error(t, w.Close())
		require.NoError(t, w.Write(src[:1]))
		require.NoError(t, w.Write(src[1:]))
		require.NoError(t, w.Close())
		require.Error(t, w.Write(src[:1]))
		r, got, err := readAll(b.Bytes())
		require.NoError(t, err)
		require.Equal(t, shape, r.Shape)
		require.Equal(t, src, got)
	}
}

// TestWriterBytes holds the bytes that numpy.save writes.
func TestWriterBytes(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, []int64{2, 1})
	require.NoError(t, err)
	require.NoError(t, w.Write([]float32{1, -2}))
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"
	header += strings.Repeat(" ", 118-len(header)-1) + "\n"
	require.Equal(t, "\x93NUMPY\x01\x00\x76\x00"+header+"\x00\x00\x80?\x00\x00\x00\xc0", b.String())
	_, err = NewWriter(&b, []int64{-1})
	require.Error(t, err)
	_, err = NewWriter(&b, []int64{1 << 30, 1 << 30})
	require.Error(t, err)
}

func TestTypes(t *testing.T) {
	head := func(descr string) string {
		return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (2,), }\n"
	}
	le, be := binary.LittleEndian, binary.BigEndian
	for _, c := range []struct {
		descr   string
		version byte
		data    []byte
	}{
		{"<f4", 1, le.AppendUint32(le.AppendUint32(nil, math.Float32bits(1.5)), math.Float32bits(-0.25))},
		{">f4", 2, be.AppendUint32(be.AppendUint32(nil, math.Float32bits(1.5)), math.Float32bits(-0.25))},
		{"<f8", 3, le.AppendUint64(le.AppendUint64(nil, math.Float64bits(1.5)), math.Float64bits(-0.25))},
		{">f8", 1, be.AppendUint64(be.AppendUint64(nil, math.Float64bits(1.5)), math.Float64bits(-0.25))},
		{"<f2", 1, []byte{0x00, 0x3e, 0x00, 0xb4}},
		{">f2", 1, []byte{0x3e, 0x00, 0xb4, 0x00}},
		{"=f2", 1, []byte{0x00, 0x3e, 0x00, 0xb4}},
	} {
		r, got, err := readAll(file(c.version, head(c.descr), c.data))
		require.NoError(t, err, c.descr)
		require.Equal(t, []float32{1.5, -0.25}, got, c.descr)
		require.Equal(t, []int64{1, 2}, []int64{r.Rows, r.Cols})
	}
}

func TestHalf(t *testing.T) {
	for h, want := range map[uint16]float32{
		0x0000: 0, 0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14, 0x3c00: 1, 0x7bff: 65504, 0xfbff: -65504,
		0x8001: -0x1p-24, 0x7c00: float32(math.Inf(1)), 0xfc00: float32(math.Inf(-1)),
	} {
		require.Equal(t, want, half(h), "%#x", h)
	}
	require.True(t, math.Signbit(float64(half(0x8000))))
	require.True(t, math.IsNaN(float64(half(0x7e00))))
}

func TestErrors(t *testing.T) {
	good := "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
	data := make([]byte, 24)
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "not a .npy file"},
		{[]byte("PK\x03\x04 an archive"), "not a .npy file"},
		{[]byte(magic + "\x09\x00"), "version 9"},
		{[]byte(magic + "\x01\x00\x05"), "ends within its header"},
		{file(1, good, nil)[:40], "ends within its header"},
		{append([]byte(magic+"\x02\x00"), 0xff, 0xff, 0xff, 0x7f), "the header claims to have"},
		{file(1, good, data[:20]), "ends before the array does"},
		{file(1, good, append(data, 0)), "more bytes follow the 2 x 3 elements"},
		{file(1, strings.Replace(good, "<f4", "<i4", 1), data), "float16, float32 or float64"},
		{file(1, strings.Replace(good, "'<f4'", "[('a', '<f4')]", 1), data), "one of records"},
		{file(1, strings.Replace(good, "False", "True", 1), data), "Fortran order"},
		{file(1, strings.Replace(good, "False", "0", 1), data), "neither True nor False"},
		{file(1, strings.Replace(good, "(2, 3)", "(2, 3, 1)", 1), data), "has 3 dimensions"},
		{file(1, strings.Replace(good, "(2, 3)", "()", 1), data), "has 0 dimensions"},
		{file(1, strings.Replace(good, "(2, 3)", "(2, 0)", 1), data), "no elements"},
		{file(1, strings.Replace(good, "(2, 3)", "(2, -3)", 1), data), "no tuple of numbers"},
		{file(1, strings.Replace(good, "(2, 3)", "(99999999999, 99999999999)", 1), data), "claims to have"},
		{file(1, strings.Replace(good, "(2, 3)", "(99999999999999999999,)", 1), data), "no tuple of numbers"},
		{file(1, strings.Replace(good, "(2, 3)", "[2, 3]", 1), data), "is expected before"},
		{file(1, "{'descr': '<f4'}", data), "is missing"},
		{file(1, "{'descr': '<f4', 'descr': '<f4'}", data), "twice"},
		{file(1, "{'x': 1}", data), `unknown entry "x"`},
		{file(1, good+"x", data), "more follows its end"},
		{file(1, "{'descr': '<f4", data), "does not end"},
	} {
		_, _, err := readAll(c.file)
		require.ErrorContains(t, err, c.want, "%q", c.file)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", make([]byte, 24)))
	f.Add(file(2, "{\"shape\": (5L,), 'descr': '>f2', 'fortran_order': False}", make([]byte, 10)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, got, err := readAll(b)
		if err != nil {
			return
		}
		if int64(len(got)) != product(r.Shape) {
			t.Fatalf("%d elements of %v", len(got), r.Shape)
		}
		var again bytes.Buffer
		w, err := NewWriter(&again, r.Shape)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(got); err != nil {
			t.Fatal(err)
		}
		if _, back, err := readAll(again.Bytes()); err != nil || len(back) != len(got) {
			t.Fatalf("%v", err)
		}
	})
}

func product(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
