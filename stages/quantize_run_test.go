package stages

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// one builds a model of a single matrix under a policy's default.
func one(t *testing.T, s source, def string) *world {
	w := newWorld(t)
	w.writeModel("m.gguf", s)
	w.quantized("m.gguf", ruled(fakePolicy{def: def}))
	w.artifact("a", ggufParams{})
	return w
}

// TestQuantizeInChunks checks that rows which are read and encoded in chunks by
// several workers give the bits that one call gives, and the error that the
// bits have.
func TestQuantizeInChunks(t *testing.T) {
	const cols, rows = 256, 2500
	x := noise(cols*rows, 9)
	require.Greater(t, len(x), 2*chunkWeights, "several chunks")
	for i := range x[:cols] {
		x[i] = 0 // a row without weights
	}
	for _, name := range []string{"q8_0", "q4_k", "mxfp4", "f16"} {
		w := one(t, source{name: "blk.0.attn_q.weight", dims: []int64{cols, rows}, values: x}, name)
		b := w.mustBuild()
		const address = `stage.quantize.q["blk.0.attn_q.weight"]`
		typ, _ := quant.Lookup(name)
		want := make([]byte, rows*typ.RowBytes(cols))
		require.NoError(t, typ.Quantize(want, x, quant.Options{Cols: cols, Effort: quant.Normal}))
		require.Equal(t, want, b.output(address, tensorOutput), name)

		y := make([]float32, len(x))
		typ.Dequantize(y, want)
		sum := quant.Measure(x, y, nil, cols)
		meta := b.meta(address)
		require.Equal(t, sum.Sq, meta.Sq, name)
		require.Equal(t, sum.Ref, meta.Ref, name)
		require.Equal(t, sum.MaxAbs, meta.MaxAbs, name)
		require.EqualValues(t, cols*rows, meta.Weights)
		require.Zero(t, meta.WRef, "no importance")
		require.Len(t, meta.WorstRows, worstRows)
		requireWorst(t, x, y, cols, meta.WorstRows)
	}
}

// requireWorst checks that no row is worse than those that are named.
func requireWorst(t *testing.T, x, y []float32, cols int, rows []worstRow) {
	named := map[int64]float64{}
	least := math.Inf(1)
	for i, r := range rows {
		named[r.Row] = r.RelRMSE
		least = min(least, r.RelRMSE)
		require.True(t, i == 0 || r.RelRMSE <= rows[i-1].RelRMSE, "the worst first")
	}
	for r := range len(x) / cols {
		s := quant.Measure(x[r*cols:(r+1)*cols], y[r*cols:(r+1)*cols], nil, cols)
		if got, ok := named[int64(r)]; ok {
			require.Equal(t, s.RelRMSE(), got)
		} else if s.Ref > 0 {
			require.LessOrEqual(t, s.RelRMSE(), least)
		}
	}
}

// TestCopy checks that a type which the source has already is copied as it is.
func TestCopy(t *testing.T) {
	for _, name := range []string{"f32", "bf16", "mxfp4", "q4_0"} {
		s := source{name: "blk.0.attn_q.weight", dims: []int64{64, 5}, typ: name, values: noise(64*5, 3)}
		b := one(t, s, name).mustBuild()
		const address = `stage.quantize.q["blk.0.attn_q.weight"]`
		require.Equal(t, s.encoded(t), b.output(address, tensorOutput), name)
		meta := b.meta(address)
		require.Zero(t, meta.Sq)
		require.Positive(t, meta.Ref)
		require.EqualValues(t, 64*5, meta.Weights)
	}
}

// TestBadWeights checks that weights which are no numbers are named by tensor,
// row and column, wherever they lie.
func TestBadWeights(t *testing.T) {
	const cols, rows = 256, 1100 // two chunks
	for _, at := range [][2]int{{0, 0}, {1, 3}, {1023, 255}, {1024, 0}, {1099, 255}} {
		for _, v := range []float64{math.NaN(), math.Inf(1)} {
			for _, to := range []string{"q4_k", "f32"} { // encoded, copied
				x := noise(cols*rows, 9)
				x[at[0]*cols+at[1]] = float32(v)
				w := one(t, source{name: "blk.0.attn_q.weight", dims: []int64{cols, rows}, values: x}, to)
				_, err := w.build()
				require.ErrorContains(t, err, fmt.Sprintf("blk.0.attn_q.weight: weight [%d, %d] is %v, which %s cannot hold", at[0], at[1], float32(v), to))
				require.NoFileExists(t, filepath.Join(w.out(), "a.gguf"))
			}
		}
	}
}

// TestBadExpert checks that a weight of an expert is named within its matrix.
func TestBadExpert(t *testing.T) {
	w := newWorld(t)
	m := moe()
	m[5].values[256*3*2+256+7] = float32(math.NaN()) // expert 2, row 1
	w.writeModel("m.gguf", m...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q4_k"}))
	w.artifact("a", ggufParams{})
	_, err := w.build()
	require.ErrorContains(t, err, `stage.quantize.q["blk.0.ffn_gate_exps.weight"][2]`)
	require.ErrorContains(t, err, "weight [1, 7] is NaN")
}

func TestTruncatedSource(t *testing.T) {
	w := one(t, source{name: "blk.0.attn_q.weight", dims: []int64{256, 40}, values: noise(256*40, 1)}, "q8_0")
	path := filepath.Join(w.dir, "m.gguf")
	w.planned = func() { require.NoError(t, os.Truncate(path, 5000)) }
	_, err := w.build()
	require.Error(t, err)
	require.NoFileExists(t, filepath.Join(w.out(), "a.gguf"))

	w.planned = nil
	_, err = w.build()
	require.ErrorContains(t, err, "Model cannot be used")
	require.ErrorContains(t, err, "m.gguf")
}

// TestEffortIsOfTheKey checks that effort changes the key where something is
// searched, and only there.
func TestEffortIsOfTheKey(t *testing.T) {
	for _, test := range []struct {
		typ  string
		same bool
	}{{"q4_k", false}, {"f16", true}, {"f32", true}} {
		w := one(t, source{name: "blk.0.attn_q.weight", dims: []int64{256, 4}, values: noise(1024, 1)}, test.typ)
		first := w.mustBuild()
		w.blocks[1].Params.(*quantizeParams).Effort = "best"
		second := w.mustBuild()
		require.Equal(t, test.same, second.Executed == 0, "%s: %d ran", test.typ, second.Executed)
		require.Positive(t, first.Executed)
	}
}

// TestRoundTrip reads the file that a build wrote.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.quantized("m.gguf", ruled(fakePolicy{def: "q8_0"}))
	w.artifact("a", ggufParams{})
	b := w.mustBuild()
	f, err := gguf.Open(t.Context(), filepath.Join(w.out(), "a.gguf"))
	require.NoError(t, err)
	require.EqualValues(t, b.Plan.Artifacts[0].Bytes, f.Sizes[0], "the plan knew the size")
	raw, err := os.ReadFile(filepath.Join(w.out(), "a.gguf"))
	require.NoError(t, err)
	for i, s := range moe() {
		got := &f.Tensors[i]
		require.Equal(t, s.name, got.Name)
		require.Equal(t, s.dims, got.Dims)
		y := make([]float32, len(s.values))
		got.Type.Dequantize(y, raw[got.Offset:got.Offset+got.Size])
		sum := quant.Measure(s.values, y, nil, len(y))
		require.Less(t, sum.RelRMSE(), 0.01, s.name)
	}
	again := w.mustBuild()
	require.Zero(t, again.Executed)
}
