package cli

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// f32Tensor is a tensor of a file for tests.
type f32Tensor struct {
	name string
	dims []int64
	data []float32
}

// writeGGUF writes a file of float32 tensors.
func writeGGUF(t *testing.T, kvs []gguf.KV, tensors ...f32Tensor) string {
	t.Helper()
	f32, _ := quant.Lookup("f32")
	infos := make([]gguf.TensorInfo, len(tensors))
	for i, x := range tensors {
		infos[i] = gguf.TensorInfo{Name: x.name, Dims: x.dims, Type: f32}
	}
	h, err := gguf.EncodeHeader(kvs, infos, 0)
	require.NoError(t, err)
	b := append(h.Bytes, make([]byte, h.FileSize-int64(len(h.Bytes)))...)
	for i, x := range tensors {
		if len(x.data) > 0 {
			require.NoError(t, f32.Quantize(b[h.Offsets[i]:], x.data, quant.Options{Cols: len(x.data)}))
		}
	}
	path := filepath.Join(t.TempDir(), "x.gguf")
	require.NoError(t, os.WriteFile(path, b, 0o666))
	return path
}

// TestDiff compares files whose tensors differ in every way.
func TestDiff(t *testing.T) {
	a := writeGGUF(t, []gguf.KV{{Key: "same", Value: uint32(1)}, {Key: "type", Value: uint32(1)}, {Key: "value", Value: []string{"x"}},
		{Key: "gone", Value: true}, {Key: "nan", Value: float32(math.NaN())}},
		f32Tensor{"equal", []int64{4}, []float32{1, 2, 3, 4}},
		f32Tensor{"near", []int64{2, 2}, []float32{3, 4, 0, 0}},
		f32Tensor{"zero", []int64{2}, []float32{0, 0}},
		f32Tensor{"shape", []int64{4}, []float32{1, 2, 3, 4}},
		f32Tensor{"column", []int64{1, 4}, []float32{1, 2, 3, 4}},
		f32Tensor{"gone", []int64{1}, []float32{1}})
	b := writeGGUF(t, []gguf.KV{{Key: "same", Value: uint32(1)}, {Key: "type", Value: int32(1)}, {Key: "value", Value: []string{"y"}},
		{Key: "new", Value: int8(-1)}, {Key: "nan", Value: float32(math.NaN())}},
		f32Tensor{"new", []int64{1}, []float32{1}},
		f32Tensor{"equal", []int64{4}, []float32{1, 2, 3, 4}},
		f32Tensor{"near", []int64{2, 2}, []float32{3, 4, 0, 1}},
		f32Tensor{"zero", []int64{2}, []float32{0, 1}},
		f32Tensor{"shape", []int64{2, 2}, []float32{1, 2, 3, 4}},
		f32Tensor{"column", []int64{1, 4}, []float32{1, 2, 3, 4}})
	code, out, errs := runPJ(t, "diff", a, b, "--json")
	require.Equal(t, exitOK, code, errs)
	var r diffResult
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, []int{2, 3, 1, 1}, []int{r.Identical, r.Changed, r.OnlyA, r.OnlyB})
	require.False(t, r.Equal)
	by := map[string]tensorDiff{}
	for _, x := range r.Tensors {
		by[x.Name] = x
	}
	require.Equal(t, "new", r.Tensors[len(r.Tensors)-1].Name)
	require.InDelta(t, 0.2, *by["near"].RelativeRMSE, 1e-12)
	require.InDelta(t, 1, *by["near"].MaxError, 0)
	require.Nil(t, by["zero"].RelativeRMSE, "it is infinite")
	require.Nil(t, by["shape"].RelativeRMSE)
	require.Zero(t, *by["equal"].RelativeRMSE)
	keys := map[string]string{}
	for _, k := range r.Keys {
		keys[k.Key] = k.Status
	}
	require.Equal(t, map[string]string{"type": changedStatus, "value": changedStatus, "gone": onlyAStatus, "new": onlyBStatus}, keys)

	code, out, _ = runPJ(t, "diff", a, b)
	require.Equal(t, exitOK, code)
	require.Regexp(t, `(?m)^near +f32 +2 x 2 +16 B +0\.2$`, out)
	require.Regexp(t, `(?m)^zero +f32 +2 +8 B +\+Inf$`, out)
	require.Regexp(t, `(?m)^shape +f32 +4 -> 2 x 2 +16 B +other shape$`, out)
	require.Regexp(t, `(?m)^type +u32 1 +i32 1$`, out)
	code, _, _ = runPJ(t, "diff", a, b, "--exit-code", "--types-only")
	require.Equal(t, exitFailed, code)
}

// TestDamagedData finds a file that is shorter than its header says, and a
// damaged one among two.
func TestDamagedData(t *testing.T) {
	whole := writeGGUF(t, nil, f32Tensor{"x", []int64{64}, make([]float32, 64)})
	b, err := os.ReadFile(whole)
	require.NoError(t, err)
	cut := filepath.Join(t.TempDir(), "cut.gguf")
	require.NoError(t, os.WriteFile(cut, b[:len(b)-8], 0o666))
	for _, args := range [][]string{{"info", cut}, {"diff", whole, cut}, {"tensor", "dump", cut, "x", "-o", filepath.Join(t.TempDir(), "o")}} {
		code, _, errs := runPJ(t, args...)
		require.Equal(t, exitBadInput, code, args)
		require.Contains(t, errs, "cut.gguf")
	}
}

// TestInfoOddFiles describes files without tensors, keys, or an architecture.
func TestInfoOddFiles(t *testing.T) {
	code, out, errs := runPJ(t, "info", "--json", writeGGUF(t, []gguf.KV{{Key: "inf", Value: math.Inf(1)}}))
	require.Equal(t, exitOK, code, errs)
	var r infoResult
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Zero(t, r.Parameters)
	require.Zero(t, r.BitsPerWeight)
	code, out, errs = runPJ(t, "info", "--json", "--keys", writeGGUF(t, []gguf.KV{{Key: "inf", Value: math.Inf(1)}, {Key: "pj.kv", Value: "not JSON"},
		{Key: "deep", Value: []any{[]float32{float32(math.NaN())}}}, {Key: "bytes", Value: []uint8{255}}}))
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `"value": "+Inf"`)
	require.Contains(t, out, `"kv": "not JSON"`)
	require.Contains(t, out, `"NaN"`)
	require.Contains(t, out, "255")
}
