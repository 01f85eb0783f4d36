package cli

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/internal/npy"
	"github.com/llama-pajamas/pj/kernels/quant"
)

// writeArray writes a matrix to a file.
func writeArray(t *testing.T, rows, cols int64, src []float32) string {
	t.Helper()
	var b bytes.Buffer
	w, err := npy.NewWriter(&b, []int64{rows, cols})
	require.NoError(t, err)
	require.NoError(t, w.Write(src))
	path := filepath.Join(t.TempDir(), "in.npy")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	return path
}

// TestTensorQuantizeBatches compares a matrix of several batches with one that
// is quantized at once.
func TestTensorQuantizeBatches(t *testing.T) {
	const rows, cols = 1100, 1024
	src := make([]float32, rows*cols)
	for i := range src {
		src[i] = float32(math.Sin(float64(i)*0.7)) * float32(i%97)
	}
	in := writeArray(t, rows, cols, src)
	typ, _ := quant.Lookup("q8_0")
	want := make([]byte, rows*typ.RowBytes(cols))
	require.NoError(t, typ.Quantize(want, src, quant.Options{Cols: cols, Effort: quant.Fast}))
	decoded := make([]float32, len(src))
	typ.Dequantize(decoded, want)
	sum := quant.Measure(src, decoded, nil, cols)
	for _, workers := range []string{"1", "3"} {
		out := filepath.Join(t.TempDir(), "out.bin")
		code, text, errs := runPJ(t, "tensor", "quantize", in, "--type", "q8_0", "--effort", "fast", "-o", out, "-j", workers, "--json")
		require.Equal(t, exitOK, code, errs)
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.Contains(t, text, `"relative_mse": `+jsonNumber(t, sum.RelMSE()))
	}
}

// TestTensorQuantizeMoments rounds under second moments: the same bytes for any
// number of workers, and less error of the products than the search alone.
func TestTensorQuantizeMoments(t *testing.T) {
	const rows, cols = 300, 256
	src, h := make([]float32, rows*cols), make([]float32, cols*cols)
	for i := range src {
		src[i] = float32(math.Sin(float64(i)*0.7)) * float32(1+i%7)
	}
	for i := range cols {
		for k := range cols {
			h[i*cols+k] = 1 / float32(1+max(i-k, k-i))
		}
	}
	in, moments := writeArray(t, rows, cols, src), writeArray(t, cols, cols, h)
	m, err := quant.NewSecondMoments(h, cols, 0.03, nil)
	require.NoError(t, err)
	typ, _ := quant.Lookup("q3_k")
	lost := func(opt quant.Options) ([]byte, float64) {
		blocks, decoded := make([]byte, rows*typ.RowBytes(cols)), make([]float32, len(src))
		require.NoError(t, typ.Quantize(blocks, src, opt))
		typ.Dequantize(decoded, blocks)
		return blocks, m.Error(src, decoded) / m.Error(src, nil)
	}
	want, matrix := lost(quant.Options{Cols: cols, Second: m, Effort: quant.Best})
	_, search := lost(quant.Options{Cols: cols, Importance: m.Diagonal(), Effort: quant.Best})
	require.Less(t, matrix, search)
	for _, workers := range []string{"1", "3"} {
		out := filepath.Join(t.TempDir(), "out.bin")
		code, text, errs := runPJ(t, "tensor", "quantize", in, "--type", "q3_k", "--effort", "best", "--second-moments", moments, "--damping", "0.03", "-o", out, "-j", workers)
		require.Equal(t, exitOK, code, errs)
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.Contains(t, text, fmt.Sprintf(", under the second moments %.6g,", matrix))
	}
	refused := func(want string, flags ...string) {
		code, _, errs := runPJ(t, append([]string{"tensor", "quantize", in, "--type", "q3_k", "-o", filepath.Join(t.TempDir(), "x.bin")}, flags...)...)
		require.Equal(t, exitBadInput, code)
		require.Contains(t, errs, want)
	}
	refused("add --effort best", "--second-moments", moments)
	refused("give one of them", "--second-moments", moments, "--importance", moments, "--effort", "best")
	refused("300 x 256 numbers; the second moments of 256 columns are 256 x 256", "--second-moments", in, "--effort", "best")
	refused("damping is -1", "--second-moments", moments, "--effort", "best", "--damping", "-1")
}

func jsonNumber(t *testing.T, x float64) string {
	t.Helper()
	a := &app{stderr: newScreen(&bytes.Buffer{}), redact: func(s string) string { return s }}
	var out bytes.Buffer
	a.stdout = &out
	require.NoError(t, a.printJSON(x))
	return string(bytes.TrimSpace(out.Bytes()))
}

// TestTensorQuantizeNaN names the place of a weight that has no value.
func TestTensorQuantizeNaN(t *testing.T) {
	src := make([]float32, 3*32)
	src[2*32+5] = float32(math.NaN())
	in := writeArray(t, 3, 32, src)
	out := filepath.Join(t.TempDir(), "out.bin")
	code, _, errs := runPJ(t, "tensor", "quantize", in, "--type", "q8_0", "-o", out)
	require.Equal(t, exitBadInput, code)
	require.Contains(t, errs, "row 2, column 5: the weight is NaN")
	require.NoFileExists(t, out)
}

// TestRowsOfSlices reads rows of a stack from any row on, and compares with the
// whole.
func TestRowsOfSlices(t *testing.T) {
	a := &app{}
	ctx := context.Background()
	w, err := a.openWeights(ctx, "../../examples/models/nano-gptoss")
	require.NoError(t, err)
	defer w.Close()
	for _, name := range []string{"blk.0.ffn_gate_exps.weight", "blk.0.ffn_down_exps.weight", "blk.1.attn_q.weight"} {
		x, err := w.tensor(name)
		require.NoError(t, err)
		row := x.Type.RowBytes(x.cols())
		all := make([]byte, x.rows()*row)
		n, err := fill(w.reader(x, 0).Raw, all, row)
		require.NoError(t, err)
		require.Equal(t, len(all), n)
		for _, first := range []int64{1, 100, 287, 288, 289, x.rows() - 1} {
			if first >= x.rows() {
				continue
			}
			got := make([]byte, 2*row)
			n, err := fill(w.reader(x, first).Raw, got, row)
			require.NoError(t, err)
			require.Equal(t, all[first*row:min(int64(len(all)), (first+2)*row)], got[:n], "%s from row %d", name, first)
		}
	}
}
