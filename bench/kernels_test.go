//go:build bench

package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/interop"
	"github.com/llama-pajamas/pj/kernels/quant"
)

const (
	rows, cols = 64, 1024
	rounds     = 5
	long       = 0.004 // seconds that a timed loop takes at least
	// child is set in the process that times scalar code.
	child = "PJ_BENCH_CHILD"
)

// data are the weights that are quantized: normal, with a spread that differs
// from row to row and from column to column, and an outlier here and there.
type data struct {
	x, w         []float32
	xFile, wFile string
}

func newData(dir string) (*data, error) {
	r := rand.New(rand.NewPCG(1, 2))
	d := &data{x: make([]float32, rows*cols), w: make([]float32, cols), xFile: filepath.Join(dir, "x"), wFile: filepath.Join(dir, "w")}
	spread := make([]float64, cols)
	for i := range d.w {
		spread[i] = math.Exp(0.2 * r.NormFloat64())
		d.w[i] = float32(math.Exp(1.5 * r.NormFloat64()))
	}
	for row := range rows {
		s := 0.02 * math.Exp(0.3*r.NormFloat64())
		for i := range cols {
			v := s * spread[i] * r.NormFloat64()
			if r.IntN(400) == 0 {
				v *= 4
			}
			d.x[row*cols+i] = float32(v)
		}
	}
	for file, f := range map[string][]float32{d.xFile: d.x, d.wFile: d.w} {
		b, err := binary.Append(nil, binary.LittleEndian, f)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *data) importance(use bool) []float32 {
	if use {
		return d.w
	}
	return nil
}

// here times the kernels of this process.
type here struct {
	*data
	blocks []byte
	y      []float32
}

func newHere(d *data) *here {
	return &here{data: d, blocks: make([]byte, 8*len(d.x)), y: make([]float32, len(d.x))}
}

func (h *here) ask(t *testing.T, o order) float64 {
	q, _ := quant.Lookup(o.Name)
	x := h.x[:o.Rows*cols]
	opt := quant.Options{Cols: cols, Importance: h.importance(o.Importance), Effort: quant.Effort(o.Effort)}
	begin := time.Now()
	for range o.Calls {
		if o.Op == "quantize" {
			require.NoError(t, q.Quantize(h.blocks, x, opt))
		} else {
			q.Dequantize(h.y[:len(x)], h.blocks)
		}
	}
	return time.Since(begin).Seconds()
}

// TestChild answers questions in a process of its own.
func TestChild(t *testing.T) {
	dir := os.Getenv(child)
	if dir == "" {
		return
	}
	d, err := newData(dir)
	require.NoError(t, err)
	h := newHere(d)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		require.NoError(t, json.Unmarshal(lines.Bytes(), &o))
		reply, err := json.Marshal(answer{h.ask(t, o)})
		require.NoError(t, err)
		fmt.Printf("%s\n", reply)
	}
	os.Exit(0) // nothing but answers on standard output
}

// timing asks for enough calls, and later again: the best counts.
type timing struct {
	p     peer
	o     order
	best  float64 // seconds of a call
	calls int
}

func (c *timing) again(t *testing.T) {
	if c.calls == 0 {
		c.o.Calls = 1
		c.calls = 1 + int(long/c.p.ask(t, c.o))
		c.best = math.Inf(1)
	}
	c.o.Calls, c.o.Out = c.calls, ""
	c.best = min(c.best, c.p.ask(t, c.o)/float64(c.calls))
}

// row is a line of the table.
type row struct {
	q          *quant.Type
	importance bool
	ours       [3]*timing // by effort
	scalar     *timing    // fast
	ggml       *timing    // nil where there is none
	decode     *timing
	ggmlDecode *timing
	errors     [3]float64 // ours over ggml's, NaN where there is none
}

// stockLibrary gives the folder of ggml's libraries, where there is Python to
// call them.
func stockLibrary(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return "", err
	}
	return interop.Find(ctx)
}

// TestKernels prints the table. PJ_BENCH_TYPES names the types to measure,
// separated by commas; all of ggml's without.
func TestKernels(t *testing.T) {
	d, err := newData(t.TempDir())
	require.NoError(t, err)
	us := newHere(d)
	scalar := start(t, []string{"PJ_KERNELS=scalar", child + "=" + t.TempDir()}, os.Args[0], "-test.run=^TestChild$")
	var stock peer
	if dir, err := stockLibrary(t.Context()); err == nil {
		stock = start(t, nil, "python3", "ggml.py", dir, d.xFile, d.wFile)
	} else {
		fmt.Printf("SKIPPED: nothing is compared with ggml: %v\n", err)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\t\t\tfast\t\t\t\tnormal\t\t\tbest\t\t\tggml\tdecode\t\t")
	fmt.Fprintln(out, "type\tB/weight\timportance\tMw/s\tx scalar\tx ggml\terror\tMw/s\tx ggml\terror\tMw/s\tx ggml\terror\tMw/s\tGB/s\tx ggml\t")
	only := os.Getenv("PJ_BENCH_TYPES")
	for _, q := range quant.All() {
		if q.Quantize == nil || q.GGML < 0 || only != "" && !strings.Contains(","+only+",", ","+q.Name+",") {
			continue
		}
		for _, importance := range []bool{false, true} {
			if q.Float && importance || q.NeedsImportance && !importance {
				continue
			}
			measureRow(t, &row{q: q, importance: importance}, d, us, scalar, stock).print(out)
		}
	}
	require.NoError(t, out.Flush())
}

func measureRow(t *testing.T, r *row, d *data, us, scalar, stock peer) *row {
	o := order{Op: "quantize", Name: r.q.Name, Type: r.q.GGML, Rows: rows, Importance: r.importance}
	var all []*timing
	add := func(p peer, o order) *timing {
		c := &timing{p: p, o: o}
		all = append(all, c)
		return c
	}
	for effort := range r.ours {
		o.Effort, o.Rows = effort, rows
		if effort == int(quant.Best) {
			o.Rows = rows / 8 // which takes long enough
		}
		r.ours[effort] = add(us, o)
	}
	o.Rows = rows
	less := o // scalar code is slow, and its time hardly varies
	less.Effort, less.Rows = int(quant.Fast), rows/8
	r.scalar = add(scalar, less)
	r.decode = add(us, order{Op: "dequantize", Name: r.q.Name, Rows: rows})
	file := filepath.Join(t.TempDir(), "blocks")
	if stock != nil {
		o.Out = file
		r.ggml = add(stock, o)
		if r.q.Name != "f32" { // ggml has no decoder for it
			r.ggmlDecode = add(stock, order{Op: "dequantize", Type: r.q.GGML, Rows: rows})
		}
	}
	for range rounds {
		for _, c := range all {
			c.again(t)
		}
	}
	theirs := math.NaN()
	if stock != nil {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		theirs = r.error(d, b)
	}
	for effort := range r.errors {
		b := make([]byte, r.q.RowBytes(int64(len(d.x))))
		require.NoError(t, r.q.Quantize(b, d.x, quant.Options{Cols: cols, Importance: d.importance(r.importance), Effort: quant.Effort(effort)}))
		ours := r.error(d, b)
		r.errors[effort] = ours / theirs
		if ours == theirs {
			r.errors[effort] = 1
		}
	}
	return r
}

// error is the squared error that the blocks leave, weighted where they were
// made so.
func (r *row) error(d *data, blocks []byte) float64 {
	y := make([]float32, len(d.x))
	r.q.Dequantize(y, blocks)
	return quant.Measure(d.x, y, d.importance(r.importance), cols).WeightedRelMSE()
}

// speed is in millions of weights a second, times unit.
func (c *timing) speed(unit float64) float64 {
	if c == nil {
		return math.NaN()
	}
	return float64(c.o.Rows*cols) / c.best / 1e6 * unit
}

func (r *row) print(out *tabwriter.Writer) {
	imp := "no"
	if r.importance {
		imp = "yes"
	}
	fmt.Fprintf(out, "%s\t%.4f\t%s\t", r.q, float64(r.q.Bytes)/float64(r.q.Block), imp)
	for effort, c := range r.ours {
		fmt.Fprintf(out, "%s\t", figure(c.speed(1)))
		if effort == int(quant.Fast) {
			fmt.Fprintf(out, "%s\t", figure(c.speed(1)/r.scalar.speed(1)))
		}
		fmt.Fprintf(out, "%s\t%s\t", figure(c.speed(1)/r.ggml.speed(1)), ratioFigure(r.errors[effort]))
	}
	fmt.Fprintf(out, "%s\t%s\t%s\t\n", figure(r.ggml.speed(1)), figure(r.decode.speed(4e-3)), figure(r.decode.speed(1)/r.ggmlDecode.speed(1)))
}

// figure has three digits.
func figure(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func ratioFigure(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}
