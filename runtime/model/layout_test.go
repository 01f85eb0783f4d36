package model

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLayoutErrors(t *testing.T) {
	for _, c := range []struct {
		l    Layout
		want string
	}{
		{Layout{Encoding: "q9", Rows: 1, Cols: 1}, `encoding "q9" is not known`},
		{Layout{Encoding: "BF16", Rows: 1, Cols: 1}, `encoding "BF16" is not known`},
		{Layout{Encoding: "fp16", Rows: 1, Cols: 1}, `encoding "fp16" is not known`},
		{Layout{Rows: 1, Cols: 1}, `encoding "" is not known`},
		{Layout{Encoding: "bf16", Rows: 0, Cols: 1}, "0 x 1 weights of bf16"},
		{Layout{Encoding: "bf16", Rows: 1, Cols: -1}, "1 x -1 weights of bf16"},
		{Layout{Encoding: "q4_k", Rows: 1, Cols: 128}, "1 x 128 weights of q4_k, whose blocks have 256"},
		{Layout{Encoding: hubMXFP4, Rows: 1, Cols: 40}, "whose blocks have 32"},
		{Layout{Encoding: "f32", Rows: math.MaxInt64, Cols: 2}, "is not possible"},
		{Layout{Encoding: "f32", Rows: 1 << 31, Cols: 1 << 31}, "is not possible"},
		{Layout{Encoding: "f32", Rows: 2, Cols: 2, Stride: -1}, "is not possible"},
		{Layout{Encoding: "f32", Rows: 2, Cols: 2, First: 1}, "row 1 and every 0th after it"},
		{Layout{Encoding: "f32", Rows: 2, Cols: 2, First: 2, Stride: 2}, "is not possible"},
		{Layout{Encoding: "f32", Rows: 2, Cols: 2, First: -1, Stride: 2}, "is not possible"},
		{Layout{Encoding: "f32", Rows: 2, Cols: 2, Stride: math.MaxInt64}, "is not possible"},
		{Layout{Encoding: "q8_0", Rows: 2, Cols: 32, Transpose: true}, "cannot be transposed or taken one by one"},
		{Layout{Encoding: "q8_0", Rows: 2, Cols: 32, Columns: true}, "cannot be transposed or taken one by one"},
		{Layout{Encoding: "f32", Rows: 2, Cols: 32, Columns: true, Transpose: true}, "cannot be transposed"},
		{Layout{Encoding: "f32", Rows: 6, Cols: 32, PermuteHeads: 2}, "6 rows cannot be put in rotary order for 2 heads"},
		{Layout{Encoding: "f32", Rows: 4, Cols: 32, PermuteHeads: -2}, "rotary order"},
		{Layout{Encoding: "f32", Rows: 4, Cols: 32, PermuteHeads: 1, Stride: 2}, "rotary order"},
		{Layout{Encoding: "f32", Rows: 4, Cols: 32, PermuteHeads: 1, Transpose: true}, "rotary order"},
		{Layout{Encoding: "f32", Rows: 1, Cols: 3, Values: []float32{1}}, "1 values for 1 x 3 weights"},
		{Layout{Encoding: "bf16", Rows: 1, Cols: 1, Values: []float32{1}}, "1 values for 1 x 1 weights"},
	} {
		_, err := c.l.PartSizes()
		require.ErrorContains(t, err, c.want, "%+v", c.l)
		_, err = NewRowReader(c.l, nil)
		require.ErrorContains(t, err, c.want)
		require.Zero(t, c.l.Memory())
	}
}

func TestLayoutSizes(t *testing.T) {
	sizes := func(l Layout) []int64 {
		s, err := l.PartSizes()
		require.NoError(t, err)
		return s
	}
	require.Equal(t, []int64{2 * 3 * 4}, sizes(Layout{Encoding: "bf16", Rows: 3, Cols: 4}))
	require.Equal(t, []int64{2 * 2 * 3 * 4}, sizes(Layout{Encoding: "bf16", Rows: 3, Cols: 4, Stride: 2}))
	require.Equal(t, []int64{2 * 2 * 3 * 4}, sizes(Layout{Encoding: "bf16", Rows: 3, Cols: 4, Stride: 2, Columns: true}))
	require.Equal(t, []int64{2 * 3 * 2 * 16, 2 * 3 * 2}, sizes(Layout{Encoding: hubMXFP4, Rows: 3, Cols: 64, Stride: 2}))
	require.Empty(t, sizes(Layout{Encoding: "f32", Rows: 1, Cols: 1, Values: []float32{1}}))
}

// A reader's memory is bounded by a chunk unless the whole is put together.
func TestLayoutMemory(t *testing.T) {
	require.LessOrEqual(t, Layout{Encoding: "bf16", Rows: 1 << 20, Cols: 2048}.Memory(), int64(4*chunkBytes))
	require.LessOrEqual(t, Layout{Encoding: hubMXFP4, Rows: 1 << 20, Cols: 2880, Stride: 2}.Memory(), int64(4*chunkBytes))
	whole := Layout{Encoding: "bf16", Rows: 2880, Cols: 2880, Transpose: true}
	require.InDelta(t, 2880*2880*2, whole.Memory(), 2*chunkBytes)
	require.Zero(t, Layout{Encoding: "f32", Rows: 1, Cols: 1, Values: []float32{1}}.Memory())
}

// The JSON is part of cache keys: what is not set must not be in it.
func TestLayoutJSON(t *testing.T) {
	b, err := json.Marshal(Layout{Encoding: "bf16", Rows: 3, Cols: 4})
	require.NoError(t, err)
	require.Equal(t, `{"encoding":"bf16","rows":3,"cols":4}`, string(b))
	l := Layout{Encoding: "f32", Rows: 3, Cols: 4, First: 1, Stride: 2, Columns: true, Transpose: true, PermuteHeads: 5, Values: []float32{1}}
	b, err = json.Marshal(l)
	require.NoError(t, err)
	require.Equal(t, `{"encoding":"f32","rows":3,"cols":4,"first":1,"stride":2,"columns":true,"transpose":true,"permute_heads":5,"values":[1]}`, string(b))
	var back Layout
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, l, back)
}
