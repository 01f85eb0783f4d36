package safetensors

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	tensors := []WriteTensor{
		{"z \"quoted\" é", "F32", []int64{1, 2}, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{"a", "U8", nil, []byte{9}},
		{"none", "BF16", []int64{0}, nil},
	}
	var buf bytes.Buffer
	require.NoError(t, Write(&buf, tensors, map[string]string{"b": "2", "a": "1"}))
	const header = `{"__metadata__":{"a":"1","b":"2"},` +
		`"z \"quoted\" é":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},` +
		`"a":{"dtype":"U8","shape":[],"data_offsets":[8,9]},` +
		`"none":{"dtype":"BF16","shape":[0],"data_offsets":[9,9]}}`
	text := buf.Bytes()[8 : buf.Len()-9]
	require.Equal(t, header, string(bytes.TrimRight(text, " ")))
	require.Zero(t, len(text)%8)

	h, err := parse(buf.Bytes())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"b": "2", "a": "1"}, h.Metadata)
	require.Len(t, h.Tensors, 3)
	for i, x := range h.Tensors {
		require.Equal(t, tensors[i].Name, x.Name)
		require.True(t, bytes.Equal(tensors[i].Data, buf.Bytes()[x.Offset:x.Offset+x.Size]))
	}

	buf.Reset()
	require.NoError(t, Write(&buf, nil, nil))
	require.Equal(t, "{}      ", string(buf.Bytes()[8:]))
	buf.Reset()
	require.NoError(t, Write(&buf, nil, map[string]string{}))
	require.Equal(t, `{"__metadata__":{}}`, string(bytes.TrimRight(buf.Bytes()[8:], " ")))
}

func TestWriteErrors(t *testing.T) {
	one := WriteTensor{"a", "U8", []int64{1}, []byte{1}}
	for want, tensors := range map[string][]WriteTensor{
		`tensor "a": the name is taken`:             {one, one},
		`tensor "__metadata__": the name is taken`:  {{"__metadata__", "U8", nil, []byte{1}}},
		`tensor "a": dtype "Q8" is not known`:       {{"a", "Q8", nil, []byte{1}}},
		`tensor "a": shape [2] of U8 takes 2 bytes`: {{"a", "U8", []int64{2}, []byte{1}}},
		`tensor "a": shape [-1 -1] is negative`:     {{"a", "U8", []int64{-1, -1}, []byte{1}}},
		`tensor "\xff": jsontext: invalid UTF-8`:    {{"\xff", "U8", nil, []byte{1}}},
	} {
		require.ErrorContains(t, Write(&bytes.Buffer{}, tensors, nil), want)
	}
	require.ErrorContains(t, Write(&bytes.Buffer{}, nil, map[string]string{"\xff": ""}), "metadata")
	require.ErrorContains(t, Write(&bytes.Buffer{}, nil, map[string]string{"a": "\xff"}), "metadata")
	require.ErrorIs(t, Write(failing{0}, []WriteTensor{one}, nil), errFull)
	require.ErrorIs(t, Write(failing{8}, []WriteTensor{one}, nil), errFull)
}

var errFull = errors.New("the disk is full")

// failing takes writes of at least min bytes.
type failing struct{ min int }

func (f failing) Write(b []byte) (int, error) {
	if f.min == 0 || len(b) < f.min {
		return 0, errFull
	}
	return len(b), nil
}
