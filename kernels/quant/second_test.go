package quant

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// secondMatrix is the matrix of second moments of samples made up so that they
// look like the inputs of a layer: columns of very different size, a few of them
// huge, that follow a few common causes and their left neighbours.
func secondMatrix(seed uint64, cols, samples int) []float32 {
	r := random(seed)
	const causes = 12
	size, mix := make([]float64, cols), make([]float64, cols*causes)
	for i := range size {
		v := float64(r.weight(0))
		size[i] = 0.3 + v*v
		if r.below(60) == 0 {
			size[i] *= 6
		}
		for c := range causes {
			mix[i*causes+c] = float64(r.weight(-1))
		}
	}
	h := make([]float64, cols*cols)
	x := make([]float64, cols)
	for range samples {
		var cause [causes]float64
		for c := range cause {
			cause[c] = float64(r.weight(0))
		}
		left := 0.0
		for i := range x {
			v := float64(r.weight(0)) + 0.5*left
			for c, m := range mix[i*causes:][:causes] {
				v += float64(m * cause[c])
			}
			left = v
			x[i] = float64(v * size[i])
		}
		for i, v := range x {
			row := h[i*cols:][:i+1]
			for k := range row {
				row[k] += float64(v * x[k])
			}
		}
	}
	out := make([]float32, cols*cols)
	for i := range cols {
		for k := range i + 1 {
			v := float32(h[i*cols+k] / float64(samples))
			out[i*cols+k], out[k*cols+i] = v, v
		}
	}
	return out
}

func secondMoments(t testing.TB, h []float32, cols int, damping float64) *SecondMoments {
	m, err := NewSecondMoments(h, cols, damping, nil)
	require.NoError(t, err)
	return m
}

// latticeTypes are the types that are rounded under the matrix. Of MLX's affine
// types, which share their code, each width and each group is there once.
func latticeTypes() (types []*Type) {
	for _, q := range encoders() {
		if m := q.MLX; q.lattice == nil || m != nil && m.Mode == "affine" && m.Bits != 4 && m.Group != 64 {
			continue
		}
		types = append(types, q)
	}
	return types
}

// TestSecondSteps wants the error under the matrix to fall at every step, on
// golden rows, for every type with a lattice: from the weighted search to error
// feedback, and again to descent. What feedback brings with the search's scales
// held is shown for comparison. All rows count alike, whatever their size.
func TestSecondSteps(t *testing.T) {
	moments := map[int]*SecondMoments{}
	t.Logf("%-18s %-6s %12s %8s %8s %8s", "type", "case", "rel. error", "held", "feedback", "descent")
	for _, c := range goldenCases(t) {
		if moments[c.cols] == nil {
			moments[c.cols] = secondMoments(t, secondMatrix(80, c.cols, 4*c.cols), c.cols, 0.01)
		}
		m := moments[c.cols]
		for _, q := range latticeTypes() {
			var errs [descended + 1]float64
			for row := range c.rows {
				x := c.input[row*c.cols:][:c.cols]
				whole := m.Error(x, nil)
				blocks := make([]byte, q.RowBytes(int64(c.cols)))
				opt := Options{Cols: c.cols, Second: m, Effort: Best}
				for step := range errs {
					if err := q.quantizeSecond(blocks, x, opt, secondStep(step)); err != nil {
						require.ErrorAs(t, err, new(*ValueError))
						continue
					}
					if e := m.Error(x, decode(q, blocks, c.cols)); e > 0 {
						errs[step] += e / whole / float64(c.rows)
					}
				}
			}
			base := errs[searchOnly]
			t.Logf("%-18s %-6s %12.4g %8.4f %8.4f %8.4f", q, c.name, base, errs[heldScales]/base, errs[rounded]/base, errs[descended]/base)
			if !(errs[heldScales] < base && errs[rounded] < base && errs[descended] < errs[rounded]) {
				t.Errorf("%s %s: errors %.6g do not fall", q, c.name, errs)
			}
		}
	}
}

// TestSecondFalls wants less error than the best search with the diagonal for
// every single row, golden and random.
func TestSecondFalls(t *testing.T) {
	const rows, cols = 16, 512
	x := randomRows(81, rows, cols)
	m := secondMoments(t, secondMatrix(82, cols, 2*cols), cols, 0.01)
	for _, q := range latticeTypes() {
		vector := decode(q, encode(t, q, x, Options{Cols: cols, Importance: m.Diagonal(), Effort: Best}), len(x))
		matrix := decode(q, encode(t, q, x, Options{Cols: cols, Second: m, Effort: Best}), len(x))
		for row := 0; row < len(x); row += cols {
			before, after := m.Error(x[row:row+cols], vector[row:row+cols]), m.Error(x[row:row+cols], matrix[row:row+cols])
			if !(after < before) {
				t.Errorf("%s, row %d: error %.6g, %.6g with the diagonal only", q, row/cols, after, before)
			}
		}
	}
}

// TestSecondIdentity wants moments without correlations to say what their
// diagonal says: no feedback, and no more error than the search with it.
func TestSecondIdentity(t *testing.T) {
	const rows, cols = 4, 512
	x, w := randomRows(83, rows, cols), randomImportance(84, cols)
	for name, diagonal := range map[string]func(i int) float32{
		"identity": func(int) float32 { return 3 },
		"diagonal": func(i int) float32 { return w[i] },
	} {
		h := make([]float32, cols*cols)
		for i := range cols {
			h[i*cols+i] = diagonal(i)
		}
		m := secondMoments(t, h, cols, 0.01)
		for _, q := range latticeTypes() {
			opt := Options{Cols: cols, Second: m, Effort: Best}
			var errs [descended + 1]float64
			for step := range errs {
				blocks := make([]byte, q.RowBytes(int64(len(x))))
				require.NoError(t, q.quantizeSecond(blocks, x, opt, secondStep(step)))
				errs[step] = m.Error(x, decode(q, blocks, len(x)))
			}
			vector := encode(t, q, x, Options{Cols: cols, Importance: m.Diagonal(), Effort: Best})
			require.InEpsilon(t, m.Error(x, decode(q, vector, len(x))), errs[searchOnly], 0.03, "%s %s", q, name)
			require.InEpsilon(t, errs[searchOnly], errs[heldScales], 1e-4, "%s %s", q, name)
			require.LessOrEqual(t, errs[rounded], errs[heldScales], "%s %s", q, name)
			require.LessOrEqual(t, errs[descended], errs[rounded], "%s %s", q, name)
		}
	}
}

// TestSecondDigests notices any change of what comes out, on any machine.
func TestSecondDigests(t *testing.T) {
	const rows, cols = 5, 512
	x := randomRows(92, rows, cols)
	m := secondMoments(t, secondMatrix(93, cols, cols), cols, 0.01)
	var out strings.Builder
	for _, q := range latticeTypes() {
		fmt.Fprintf(&out, "%s %x\n", q, sha256.Sum256(encode(t, q, x, Options{Cols: cols, Second: m, Effort: Best})))
	}
	path := filepath.Join("testdata", "second_digests.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o666))
	}
	golden, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(golden), out.String())
}

// TestSecondFactors wants L^T D L to be H.
func TestSecondFactors(t *testing.T) {
	for _, cols := range []int{1, 2, 31, 32, 33, 97, 300} {
		m := secondMoments(t, secondMatrix(85, cols, cols+8), cols, 0.01)
		require.Equal(t, cols, m.Cols())
		for i := range cols {
			for k := range i + 1 {
				// Row r of L holds columns 0 to r-1; its diagonal is 1.
				at := func(r, c int) float64 {
					switch {
					case c > r:
						return 0
					case c == r:
						return 1
					}
					return float64(m.lRow(r)[c])
				}
				sum := 0.0
				for r := i; r < cols; r++ {
					sum += at(r, i) * float64(m.d[r]) * at(r, k)
				}
				require.InDelta(t, m.h[i*cols+k], sum, 1e-5*float64(m.diag[i]+m.diag[k]), "%d columns, [%d, %d]", cols, i, k)
			}
		}
	}
}

// TestSecondParallel wants the same factors whatever order their parts are made
// in, and the same blocks from any number of goroutines and rows.
func TestSecondParallel(t *testing.T) {
	const rows, cols = 21, 768
	h := secondMatrix(86, cols, cols)
	m := secondMoments(t, append([]float32(nil), h...), cols, 0.01)
	backwards, err := NewSecondMoments(h, cols, 0.01, func(n int, do func(int) error) error {
		var all sync.WaitGroup
		errs := make([]error, n)
		for i := n - 1; i >= 0; i-- {
			all.Go(func() { errs[i] = do(i) })
		}
		all.Wait()
		return errors.Join(errs...)
	})
	require.NoError(t, err)
	require.True(t, slices.Equal(m.l, backwards.l) && slices.Equal(m.d, backwards.d) && slices.Equal(m.h, backwards.h))

	x := randomRows(87, rows, cols)
	for _, name := range []string{"q4_k", "q3_k", "q4_1", "mlx_affine4_g64", "nvfp4"} {
		q, _ := Lookup(name)
		opt := Options{Cols: cols, Second: m, Effort: Best}
		whole := encode(t, q, x, opt)
		parts := make([]byte, len(whole))
		size := int(q.RowBytes(cols))
		var all sync.WaitGroup
		for first := 0; first < rows; first += 2 {
			all.Go(func() {
				n := min(2, rows-first)
				if err := q.Quantize(parts[first*size:][:n*size], x[first*cols:][:n*cols], opt); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.True(t, bytes.Equal(whole, parts), name)
	}
}

// TestSecondOdd quantizes rows and matrices that a model may have by accident:
// no error, no NaN, no more error than zeros have.
func TestSecondOdd(t *testing.T) {
	const cols = 512
	rowsOf := map[string]func(i int) float32{
		"zero":     func(int) float32 { return 0 },
		"constant": func(int) float32 { return 0.25 },
		"negative": func(i int) float32 { return -1 - float32(i%7) },
		"outlier": func(i int) float32 {
			return map[bool]float32{true: 1000, false: float32(i%5-2) * 0x1p-10}[i == 300]
		},
		"tiny":  func(i int) float32 { return float32(i%9-4) * 1e-30 },
		"huge":  func(i int) float32 { return float32(i%9-4) * 500 },
		"mixed": func(i int) float32 { return float32(i%9-4) * []float32{1e-20, 100}[i/256] },
	}
	full := secondMatrix(88, cols, 2*cols)
	matrices := map[string]func(h []float32){
		"zero columns": func(h []float32) {
			for i := range cols {
				for k := range cols {
					if i%10 == 3 || k%10 == 3 {
						h[i*cols+k] = 0
					}
				}
			}
		},
		"rank 1": func(h []float32) {
			for i := range cols {
				for k := range cols {
					h[i*cols+k] = float32((i%3 + 1) * (k%3 + 1))
				}
			}
		},
		"tiny": func(h []float32) {
			for i := range h {
				h[i] *= 0x1p-100
			}
		},
		"huge": func(h []float32) {
			for i := range h {
				h[i] *= 0x1p100
			}
		},
		"few samples": func(h []float32) { copy(h, secondMatrix(89, cols, 5)) },
	}
	for turn, name := range sortedKeys(matrices) {
		h := append([]float32(nil), full...)
		matrices[name](h)
		m := secondMoments(t, h, cols, 0.01)
		for _, q := range latticeTypes() {
			for n, what := range sortedKeys(rowsOf) {
				if (n+turn)%2 != 0 {
					continue // each type sees all rows, and all matrices
				}
				x := make([]float32, cols)
				for i := range x {
					x[i] = rowsOf[what](i)
				}
				y := decode(q, encode(t, q, x, Options{Cols: cols, Second: m, Effort: Best}), cols)
				require.Equal(t, -1, notFinite(y), "%s %s, matrix: %s", q, what, name)
				after, zeros := m.Error(x, y), m.Error(x, nil)
				if !(after <= zeros*(1+1e-6)) {
					t.Errorf("%s %s, matrix: %s: %.6g times the error of zeros", q, what, name, after/zeros)
				}
			}
		}
	}
}

// TestSecondStays wants weights left alone, all of the blocks written, and
// nothing else.
func TestSecondStays(t *testing.T) {
	const rows, cols = 3, 512
	x := randomRows(96, rows, cols)
	before := slices.Clone(x)
	m := secondMoments(t, secondMatrix(97, cols, cols), cols, 0.01)
	for _, q := range latticeTypes() {
		size := int(q.RowBytes(rows * cols))
		var got [2][]byte
		for i, fill := range []byte{0x00, 0xff} {
			got[i] = bytes.Repeat([]byte{fill}, size+64)
			require.NoError(t, q.Quantize(got[i], x, Options{Cols: cols, Second: m, Effort: Best}))
			require.True(t, bytes.Equal(got[i][size:], bytes.Repeat([]byte{fill}, 64)), "%s wrote beyond its blocks", q)
		}
		require.True(t, bytes.Equal(got[0][:size], got[1][:size]), "%s leaves what was in its blocks", q)
	}
	require.True(t, slices.Equal(before, x))
}

// TestSecondRefusals names what is wrong.
func TestSecondRefusals(t *testing.T) {
	good := func() []float32 { return []float32{2, 1, 1, 2} }
	for name, c := range map[string]struct {
		h       []float32
		cols    int
		damping float64
		want    string
	}{
		"size":         {good(), 3, 0, "4 elements are no matrix of 3 columns"},
		"none":         {nil, 0, 0, "0 elements are no matrix of 0 columns"},
		"damping":      {good(), 2, -1, "damping is -1; it must be finite and not negative"},
		"nan":          {good(), 2, math.NaN(), "damping is NaN"},
		"diagonal":     {[]float32{2, 1, 1, -1}, 2, 0, "element [1, 1] is -1; a mean of squares"},
		"infinite":     {[]float32{2, inf, inf, 2}, 2, 0, "element [1, 0] is +Inf, not finite"},
		"asymmetric":   {[]float32{2, 1, 1.1, 2}, 2, 0, "[1, 0] and [0, 1] are 1.1 and 1; the matrix must be symmetric"},
		"not a number": {[]float32{nan, 1, 1, 2}, 2, 0, "element [0, 0] is NaN"},
		"zero":         {make([]float32, 4), 2, 0.01, "all are zero"},
		"rank":         {[]float32{1, 1, 1, 1}, 2, 0, "not positive definite (column 0); raise the damping"},
		"impossible":   {[]float32{1, 4, 4, 1}, 2, 0.01, "not positive definite"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSecondMoments(c.h, c.cols, c.damping, nil)
			require.ErrorContains(t, err, c.want)
		})
	}
	q, _ := Lookup("q4_k")
	m := secondMoments(t, secondMatrix(1, 512, 600), 512, 0.01)
	x := randomRows(2, 3, 512)
	dst := make([]byte, q.RowBytes(int64(len(x))))
	require.ErrorContains(t, q.Quantize(dst, x, Options{Cols: 256, Second: m, Effort: Best}), "second moments of 512 columns for rows of 256")
	require.ErrorContains(t, q.Quantize(dst, x, Options{Cols: 512, Second: m, Importance: m.Diagonal()}), "give one of them")
	require.ErrorContains(t, q.Quantize(dst[1:], x, Options{Cols: 512, Second: m, Effort: Best}), "bytes of room")

	var v *ValueError
	for _, at := range []int{0, 700, 1535} {
		for _, value := range []float32{nan, inf, 1e30} {
			y := append([]float32(nil), x...)
			y[at] = value
			require.ErrorAs(t, q.Quantize(dst, y, Options{Cols: 512, Second: m, Effort: Best}), &v)
			require.Equal(t, at, v.Index)
		}
	}
}

// TestSecondVector wants other efforts, and types without a lattice, to take the
// diagonal.
func TestSecondVector(t *testing.T) {
	const cols = 512
	x := randomRows(3, 4, cols)
	m := secondMoments(t, secondMatrix(4, cols, cols), cols, 0.01)
	for _, q := range encoders() {
		for effort := Fast; effort <= Normal; effort++ {
			want := encode(t, q, x, Options{Cols: cols, Importance: m.Diagonal(), Effort: effort})
			got := encode(t, q, x, Options{Cols: cols, Second: m, Effort: effort})
			require.True(t, bytes.Equal(want, got), "%s %s", q, effortNames[effort])
		}
	}
}

// FuzzSecond makes moments of any floats and quantizes any floats under them:
// refused with a reason, or finite weights that lose no more than zeros.
func FuzzSecond(f *testing.F) {
	for i := range encoders() {
		f.Add(uint8(i), uint8(i), []byte{0, 0, 128, 63, 0, 0, 0, 191, 205, 204, 204, 61}, []byte{0, 0, 0, 64, 0, 0, 128, 63})
	}
	f.Add(uint8(0), uint8(1), []byte{255, 255, 127, 127}, []byte{1, 0, 0, 0, 255, 255, 127, 127})
	f.Fuzz(func(t *testing.T, kind, damping uint8, weights, inputs []byte) {
		q := encoders()[int(kind)%len(encoders())]
		p, u := floats(weights), floats(inputs)
		if q.lattice == nil || len(p) == 0 || len(u) == 0 {
			return
		}
		// Inputs are few samples of as many numbers as there are, each a bit larger
		// in later columns.
		cols := 2 * max(q.Block, 32)
		h, sample := make([]float32, cols*cols), make([]float32, cols)
		for n := range 3 {
			for i := range sample {
				sample[i] = u[(i*(n+1)+n)%len(u)] * float32(1+i%7)
			}
			for i, a := range sample {
				for k, b := range sample {
					h[i*cols+k] += a * b
				}
			}
		}
		m, err := NewSecondMoments(h, cols, float64(damping)/64, nil)
		if err != nil {
			require.ErrorContains(t, err, "second moments: ")
			return
		}
		x := make([]float32, cols)
		for i := range x {
			x[i] = p[i%len(p)] / float32(1+i/len(p)%5)
		}
		dst := make([]byte, q.RowBytes(int64(cols)))
		var v *ValueError
		if err := q.Quantize(dst, x, Options{Cols: cols, Second: m, Effort: Best}); err != nil {
			require.ErrorAs(t, err, &v)
			require.True(t, math.Float32bits(x[v.Index]) == math.Float32bits(v.Value))
			return
		}
		require.Equal(t, -1, notFinite(decode(q, dst, cols)), q.Name)
	})
}
