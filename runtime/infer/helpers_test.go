package infer

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

const examples = "../../examples/models/"

// tensors reads a small safetensors file: float32 and int32 alike.
func tensors(t testing.TB, path string) map[string][]float32 {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	h, err := safetensors.ParseHeader(bytes.NewReader(b), int64(len(b)), path)
	require.NoError(t, err)
	out := map[string][]float32{}
	for _, x := range h.Tensors {
		data := b[x.Offset : x.Offset+x.Size]
		v := make([]float32, len(data)/4)
		for i := range v {
			u := binary.LittleEndian.Uint32(data[4*i:])
			if x.DType == "F32" {
				v[i] = math.Float32frombits(u)
			} else {
				v[i] = float32(int32(u))
			}
		}
		out[x.Name] = v
	}
	return out
}

func toTokens(v []float32) []int32 {
	out := make([]int32, len(v))
	for i, x := range v {
		out[i] = int32(x)
	}
	return out
}

func openModel(t testing.TB, path string, o Options) *Model {
	m, err := Open(context.Background(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// cacheOf are rules that store everything in one type.
func cacheOf(t testing.TB, m *Model, types string) kv.Table {
	r, err := kv.ParseTypes(types)
	require.NoError(t, err)
	return m.UniformCache(r)
}

func newContext(t testing.TB, m *Model, o ContextOptions) *Context {
	c, err := m.NewContext(o)
	require.NoError(t, err)
	return c
}

// allLogits runs tokens as one sequence.
func allLogits(t testing.TB, c *Context, tokens []int32) [][]float32 {
	s := c.NewSequence()
	defer s.Free()
	out := make([][]float32, len(tokens))
	require.NoError(t, c.Decode(context.Background(), []Part{{s, tokens, All}}, func(_, i int, logits []float32) error {
		out[i] = append([]float32(nil), logits...)
		return nil
	}))
	return out
}

func largest(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// apart is the largest difference.
func apart(t testing.TB, a, b []float32) float64 {
	require.Len(t, b, len(a))
	most := 0.0
	for i, v := range a {
		d := math.Abs(float64(v) - float64(b[i]))
		if !(d <= most) { // also NaN
			most = d
		}
	}
	return most
}
