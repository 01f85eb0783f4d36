package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/llama-pajamas/pj/internal/atomicfile"
	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/internal/npy"
	"github.com/llama-pajamas/pj/kernels/quant"
)

// quantizeOptions are the flags of pj tensor quantize.
type quantizeOptions struct {
	typ, importance, moments, effort, output string
	damping                                  float64
}

// quantizeResult is the JSON object of pj tensor quantize.
type quantizeResult struct {
	Type          string  `json:"type"`
	Rows          int64   `json:"rows"`
	Cols          int64   `json:"cols"`
	Bytes         int64   `json:"bytes"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	// Errors are null where they are no number.
	RelativeMSE         *float64 `json:"relative_mse"`
	WeightedRelativeMSE *float64 `json:"weighted_relative_mse"`
	MaxError            *float64 `json:"max_error"`
	// MatrixRelativeMSE is there with second moments.
	MatrixRelativeMSE *float64 `json:"matrix_relative_mse,omitempty"`
}

func (a *app) tensorQuantizeCommand() *cobra.Command {
	var o quantizeOptions
	c := &cobra.Command{
		Use:   "quantize IN.npy",
		Short: "Quantize one matrix, and say what it loses",
		Long: `Quantizes a matrix of floats (NumPy's .npy; one dimension is one row) row by row, and
writes the blocks as a GGUF file has them. Says the relative mean squared error,
sum (x-y)^2 / sum x^2, also weighted by the importance of the columns: an array with
a number for each column, the mean square of what the column is multiplied with.

Second moments H, a square array of the mean products of what columns are multiplied
with, say how errors of columns add up: with them the best effort rounds one column
after the other, each making good for those before, and the relative error of the
products is said, too: sum (x-y)^T H (x-y) / sum x^T H x.`,
		Example: "  pj tensor quantize q.npy --type q4_k -o q.bin\n  pj tensor quantize q.npy --type iq2_xs --importance im.npy --effort best -o q.bin --json\n  pj tensor quantize q.npy --type q4_k --second-moments h.npy --effort best -o q.bin",
		Args:    takes("IN.npy"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.quantizeMatrix(c.Context(), args[0], o)
		},
	}
	c.Flags().StringVar(&o.typ, "type", "", "the `TYPE` to store (pj docs types)")
	c.Flags().StringVar(&o.importance, "importance", "", "weigh columns by the `FILE.npy`")
	c.Flags().StringVar(&o.moments, "second-moments", "", "round under the matrix in `FILE.npy`; wants --effort best")
	c.Flags().Float64Var(&o.damping, "damping", 0.01, "add `SHARE` of its mean to the diagonal of the second moments")
	c.Flags().StringVar(&o.effort, "effort", "normal", "how hard to search: `fast`, normal or best")
	c.Flags().StringVarP(&o.output, "output", "o", "", "the `FILE` to write")
	mustComplete(c, "type", writableTypes()...)
	mustComplete(c, "effort", "fast", "normal", "best")
	return c
}

func writableTypes() []string {
	var names []string
	for _, t := range quant.All() {
		if t.Quantize != nil {
			names = append(names, t.Name)
		}
	}
	return names
}

// matrixJob is one matrix on its way from floats to blocks.
type matrixJob struct {
	typ     *quant.Type
	in      *npy.Reader
	out     io.Writer
	options quant.Options
	workers int
	sum     quant.ErrorSum
	// Sums under second moments.
	matrixError, matrixWhole float64
}

func (a *app) quantizeMatrix(ctx context.Context, path string, o quantizeOptions) error {
	job := &matrixJob{workers: a.flags.jobs}
	var err error
	if job.typ, job.options.Effort, err = o.parse(); err != nil {
		return badInput(err)
	}
	in, err := openArray(path)
	if err != nil {
		return badInput(err)
	}
	defer in.Close()
	job.in = in.Reader
	if in.Cols%int64(job.typ.Block) != 0 {
		return badInput(fmt.Errorf("%s: rows of %d weights, and %s takes multiples of %d: take another type, or pad the rows", path, in.Cols, job.typ, job.typ.Block))
	}
	job.options.Cols = int(in.Cols)
	if job.workers <= 0 {
		job.workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.moments != "":
		if job.options.Second, err = o.readMoments(ctx, in.Cols, job.workers); err != nil {
			return badInput(err)
		}
	case o.importance != "":
		if job.options.Importance, err = readImportance(o.importance, in.Cols); err != nil {
			return badInput(err)
		}
	case job.typ.NeedsImportance:
		a.warn("%s without an importance gives poor results; give one with --importance", job.typ)
	}
	err = atomicfile.Write(o.output, func(f *os.File) error {
		job.out = f
		return job.run(ctx)
	})
	if err != nil {
		return outputError(ctx, fmt.Errorf("%s: %w", path, err))
	}
	return a.sayQuantized(job, o)
}

func (a *app) sayQuantized(job *matrixJob, o quantizeOptions) error {
	r := quantizeResult{
		Type: job.typ.Name, Rows: job.in.Rows, Cols: job.in.Cols, Bytes: job.typ.RowBytes(job.in.Cols) * job.in.Rows,
		BitsPerWeight: job.typ.BitsPerWeight(), RelativeMSE: finite(job.sum.RelMSE()), WeightedRelativeMSE: finite(job.sum.WeightedRelMSE()), MaxError: finite(job.sum.MaxAbs),
	}
	matrix := ""
	if job.options.Second != nil && job.matrixWhole > 0 {
		e := job.matrixError / job.matrixWhole
		r.MatrixRelativeMSE, matrix = &e, fmt.Sprintf(", under the second moments %.6g", e)
	}
	if a.flags.json {
		return a.printJSON(r)
	}
	return a.print(fmt.Sprintf("%s: %s, %g bits per weight; relative MSE %.6g, weighted %.6g%s, largest error %.4g\n",
		r.Type, bytesize.Format(r.Bytes), r.BitsPerWeight, job.sum.RelMSE(), job.sum.WeightedRelMSE(), matrix, job.sum.MaxAbs))
}

// parse checks the flags.
func (o *quantizeOptions) parse() (*quant.Type, quant.Effort, error) {
	if o.typ == "" {
		return nil, 0, errors.New("name the type with --type; `pj docs types` lists them")
	}
	if err := checkOutput(o.output); err != nil {
		return nil, 0, err
	}
	t, ok := quant.Lookup(o.typ)
	if p, width := widthPage(o.typ); width && !ok {
		return nil, 0, fmt.Errorf("--type %s: that is a width, of which each tensor of a recipe gets a type; name one (`pj docs type %s`)", o.typ, p.title)
	}
	if !ok {
		return nil, 0, fmt.Errorf("--type %s: there is no such type%s (`pj docs types` lists them)", o.typ, suggestion(o.typ, typeNames()))
	}
	if t.Quantize == nil {
		return nil, 0, fmt.Errorf("--type %s: this type can only be read", o.typ)
	}
	switch {
	case o.moments != "" && o.importance != "":
		return nil, 0, errors.New("--importance and --second-moments: give one of them; the moments' diagonal is an importance")
	case o.moments != "" && o.effort != "best":
		return nil, 0, errors.New("--second-moments is for the best effort; add --effort best")
	}
	switch o.effort {
	case "fast":
		return t, quant.Fast, nil
	case "normal":
		return t, quant.Normal, nil
	case "best":
		return t, quant.Best, nil
	}
	return nil, 0, fmt.Errorf("--effort %s: write fast, normal or best", o.effort)
}

// array is an open .npy file.
type array struct {
	*npy.Reader
	file *os.File
}

func (a *array) Close() error { return a.file.Close() }

func openArray(path string) (*array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := npy.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &array{r, f}, nil
}

// readImportance reads a number for each column.
func readImportance(path string, cols int64) ([]float32, error) {
	in, err := openArray(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if n := in.Rows * in.Cols; n != cols {
		return nil, fmt.Errorf("%s: %d numbers, and the matrix has %d columns", path, n, cols)
	}
	out := make([]float32, cols)
	if _, err = in.Read(out); err == nil {
		err = in.AtEnd()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, x := range out {
		if !(x >= 0) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("%s: the importance of column %d is %v: it must be finite and not negative", path, i, x)
		}
	}
	return out, nil
}

// readMoments reads the matrix of second moments of cols columns.
func (o *quantizeOptions) readMoments(ctx context.Context, cols int64, workers int) (*quant.SecondMoments, error) {
	in, err := openArray(o.moments)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if in.Rows != cols || in.Cols != cols {
		return nil, fmt.Errorf("%s: %d x %d numbers; the second moments of %d columns are %[4]d x %[4]d", o.moments, in.Rows, in.Cols, cols)
	}
	h := make([]float32, cols*cols)
	if _, err = in.Read(h); err == nil {
		err = in.AtEnd()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.moments, err)
	}
	m, err := quant.NewSecondMoments(h, int(cols), o.damping, func(n int, do func(int) error) error {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(workers)
		for i := range n {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return do(i)
			})
		}
		return g.Wait()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.moments, err)
	}
	return m, nil
}

// batch is some rows of a matrix.
type batch struct {
	first   int64 // row
	weights []float32
	decoded []float32
	blocks  []byte

	matrixError, matrixWhole float64
}

// run quantizes the matrix: several batches of rows at a time, written and
// measured in order.
func (j *matrixJob) run(ctx context.Context) error {
	cols := j.in.Cols
	rows := max(1, compareBytes/4/cols)
	batches := make([]batch, j.workers)
	for at := int64(0); at < j.in.Rows; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var g errgroup.Group
		n := 0
		for ; n < len(batches) && at < j.in.Rows; n++ {
			b := &batches[n]
			b.resize(j.typ, min(rows, j.in.Rows-at), cols)
			b.first = at
			if _, err := j.in.Read(b.weights); err != nil {
				return errors.Join(g.Wait(), err)
			}
			at += int64(len(b.weights)) / cols
			g.Go(func() error { return j.quantize(b) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i := range batches[:n] {
			b := &batches[i]
			importance := j.options.Importance
			if j.options.Second != nil {
				importance = j.options.Second.Diagonal()
				j.matrixError += b.matrixError
				j.matrixWhole += b.matrixWhole
			}
			j.sum.Add(b.weights, b.decoded, importance, int(cols))
			if _, err := j.out.Write(b.blocks); err != nil {
				return err
			}
		}
	}
	return j.in.AtEnd()
}

func (b *batch) resize(t *quant.Type, rows, cols int64) {
	if b.weights == nil {
		b.weights, b.decoded = make([]float32, rows*cols), make([]float32, rows*cols)
		b.blocks = make([]byte, rows*t.RowBytes(cols))
	}
	b.weights, b.decoded, b.blocks = b.weights[:rows*cols], b.decoded[:rows*cols], b.blocks[:rows*t.RowBytes(cols)]
}

func (j *matrixJob) quantize(b *batch) error {
	err := j.typ.Quantize(b.blocks, b.weights, j.options)
	var value *quant.ValueError
	if errors.As(err, &value) {
		cols := int(j.in.Cols)
		return fmt.Errorf("row %d, column %d: the weight is %v, which %s cannot represent", b.first+int64(value.Index/cols), value.Index%cols, value.Value, j.typ)
	}
	if err != nil {
		return err
	}
	j.typ.Dequantize(b.decoded, b.blocks)
	if m := j.options.Second; m != nil {
		b.matrixError = m.Error(b.weights, b.decoded)
		b.matrixWhole = m.Error(b.weights, nil)
	}
	return nil
}
