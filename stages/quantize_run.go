package stages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/model"
)

// tensorOutput is the name of a quantize action's output: the blocks, row after
// row.
const tensorOutput = "blocks"

// sliceMeta are the facts that a quantize action leaves for reports. The sums
// are those of quant.ErrorSum.
type sliceMeta struct {
	Weights   int64      `json:"weights"`
	Sq        float64    `json:"sq"`
	Ref       float64    `json:"ref"`
	WSq       float64    `json:"wsq,omitempty"`
	WRef      float64    `json:"wref,omitempty"`
	MaxAbs    float64    `json:"max_abs"`
	WorstRows []worstRow `json:"worst_rows,omitempty"`
}

// worstRow is a row whose error is large: sqrt(sum (x-y)^2 / sum x^2).
type worstRow struct {
	Row     int64   `json:"row"`
	RelRMSE float64 `json:"rel_rmse"`
}

// worstRows is how many rows a report names for each slice.
const worstRows = 3

// chunkWeights is about how many weights are quantized at a time; chunks of one
// action go to several workers.
const chunkWeights = 256 << 10

// batchChunks is how many chunks are read ahead together.
const batchChunks = 4

// measuredWeights is about how many weights are decoded again at a time to be
// measured: as many as fit the processor's nearest caches with their originals.
const measuredWeights = 16 << 10

// sliceMemory is what an action needs at its peak: two batches of chunks as
// floats and blocks, the reader's buffers, and the source where it was hashed.
func sliceMemory(l model.Layout, source int64) int64 {
	chunk := chunkRows(l) * l.Cols
	return 2*batchChunks*chunk*(4+4+4) + l.Memory() + min(source, 32<<20) + 4<<20
}

func chunkRows(l model.Layout) int64 {
	return max(1, min(l.Rows, chunkWeights/max(1, l.Cols)))
}

func runQuantize(ctx context.Context, env *engine.Env) error {
	var params sliceParams
	if err := env.Params.Decode(&params); err != nil {
		return err
	}
	typ, ok := quant.Lookup(params.Type)
	if !ok || typ.Quantize == nil {
		return fmt.Errorf("type %q cannot be written", params.Type)
	}
	effort, err := effortOf(params.Effort)
	if err != nil {
		return err
	}
	importance, err := readImportance(ctx, env, params.Layout.Cols)
	if err != nil {
		return err
	}
	rows, done, err := openRows(ctx, env, params.Layout)
	if err != nil {
		return err
	}
	defer done()
	w, err := env.Create(tensorOutput, params.Layout.Rows*typ.RowBytes(params.Layout.Cols))
	if err != nil {
		return err
	}
	j := &sliceJob{
		env: env, typ: typ, layout: params.Layout, name: sourceName(env), rows: rows, out: w,
		options: quant.Options{Cols: int(params.Layout.Cols), Importance: importance, Effort: effort},
	}
	if copies(params.Layout, typ) {
		err = j.copy(ctx)
	} else {
		err = j.quantize(ctx)
	}
	if err != nil {
		w.Abort()
		return err
	}
	if _, _, err := w.Close(); err != nil {
		return err
	}
	return env.SetMeta(j.meta())
}

func effortOf(name string) (quant.Effort, error) {
	switch name {
	case "fast":
		return quant.Fast, nil
	case "", "normal":
		return quant.Normal, nil
	case "best":
		return quant.Best, nil
	}
	return 0, fmt.Errorf("effort %q is not known", name)
}

// sourceName is what the action's weights are called in messages.
func sourceName(env *engine.Env) string {
	for _, in := range env.Inputs {
		if in.Source != "" {
			return in.Source
		}
	}
	return "weights"
}

// openRows opens the parts of a slice.
func openRows(ctx context.Context, env *engine.Env, l model.Layout) (*model.RowReader, func(), error) {
	var closers []io.Closer
	done := func() {
		for _, c := range closers {
			c.Close()
		}
	}
	var parts []io.Reader
	for i, in := range env.Inputs {
		if in.Name != "weights" {
			continue
		}
		r, err := env.Open(ctx, i)
		if err != nil {
			done()
			return nil, nil, err
		}
		closers, parts = append(closers, r), append(parts, r)
	}
	rows, err := model.NewRowReader(l, parts)
	if err != nil {
		done()
		return nil, nil, err
	}
	return rows, done, nil
}

// readImportance reads the evidence's slice: one float32 for each column.
func readImportance(ctx context.Context, env *engine.Env, cols int64) ([]float32, error) {
	for i, in := range env.Inputs {
		if in.Name != "importance" {
			continue
		}
		raw, err := env.ReadAll(ctx, i, 4*cols)
		if err != nil {
			return nil, err
		}
		if int64(len(raw)) != 4*cols {
			return nil, fmt.Errorf("the importance has %d bytes, and rows have %d weights", len(raw), cols)
		}
		f32, _ := quant.Lookup("f32")
		values := make([]float32, cols)
		f32.Dequantize(values, raw)
		return values, nil
	}
	return nil, nil
}

// sliceJob is one slice at work: a reader fills batches of chunks, the workers
// quantize and measure them, and they are written in order.
type sliceJob struct {
	env     *engine.Env
	typ     *quant.Type
	layout  model.Layout
	name    string
	options quant.Options
	rows    *model.RowReader
	out     cache.BlobWriter

	sum   quant.ErrorSum
	worst []worstRow
	done  int64 // rows written
}

// chunk is some rows on their way.
type chunk struct {
	first  int64 // its first row
	rows   int
	x      []float32
	blocks []byte
	sum    []quant.ErrorSum // by row
	back   []float32        // of some rows, decoded again
}

// batch is what the reader hands over at a time.
type batch struct {
	chunks []chunk
	n      int // chunks in use
	err    error
}

// newBatch makes a batch, or one that an earlier action left fit for this one.
func (j *sliceJob) newBatch() *batch {
	n, cols := chunkRows(j.layout), j.layout.Cols
	b, _ := j.env.Scrap().(*batch)
	if b == nil {
		b = &batch{}
	}
	b.n, b.err = 0, nil
	b.chunks = fit(b.chunks, int(min(batchChunks, (j.layout.Rows+n-1)/n)))
	for i := range b.chunks {
		c := &b.chunks[i]
		c.x, c.back = fit(c.x, int(n*cols)), fit(c.back, j.measuredRows()*int(cols))
		c.blocks, c.sum = fit(c.blocks, int(n*j.typ.RowBytes(cols))), fit(c.sum, int(n))
	}
	return b
}

// fit is s with n elements, whatever they are: made anew where s is too small.
func fit[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// measuredRows is how many rows are measured at a time.
func (j *sliceJob) measuredRows() int { return max(1, measuredWeights/j.options.Cols) }

// quantize reads, quantizes and writes side by side.
func (j *sliceJob) quantize(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	free, full := make(chan *batch, 2), make(chan *batch, 2)
	stopped := make(chan struct{})
	// The reader must be gone before the sources are closed.
	defer func() { cancel(); <-stopped }()
	first, second := j.newBatch(), j.newBatch()
	free <- first
	free <- second
	go func() {
		defer close(stopped)
		j.read(ctx, free, full)
	}()
	for b := range full {
		if b.err != nil {
			return b.err
		}
		err := j.env.Parallel(ctx, b.n, func(i int) error { return j.encode(&b.chunks[i]) })
		if err != nil {
			return err
		}
		for i := range b.n {
			if err := j.write(&b.chunks[i]); err != nil {
				return err
			}
		}
		free <- b
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.done != j.layout.Rows {
		return fmt.Errorf("%s: %d rows where %d should be", j.name, j.done, j.layout.Rows)
	}
	<-stopped
	j.env.Leave(first)
	j.env.Leave(second)
	return nil
}

// read fills batches until the rows end.
func (j *sliceJob) read(ctx context.Context, free, full chan *batch) {
	defer close(full)
	row := int64(0)
	for {
		var b *batch
		select {
		case b = <-free:
		case <-ctx.Done():
			return
		}
		b.n, b.err = 0, nil
		ended := false
		for b.n < len(b.chunks) && !ended {
			c := &b.chunks[b.n]
			n, err := j.rows.Read(c.x)
			c.first, c.rows = row, n
			row += int64(n)
			switch {
			case errors.Is(err, io.EOF):
				ended = true
			case err != nil:
				b.err = j.place(err, row)
				ended = true
			}
			if n > 0 {
				b.n++
			}
		}
		if b.n > 0 || b.err != nil {
			select {
			case full <- b:
			case <-ctx.Done():
				return
			}
		}
		if ended {
			return
		}
	}
}

// encode quantizes a chunk and measures it, row by row.
func (j *sliceJob) encode(c *chunk) error {
	cols := j.options.Cols
	x, blocks := c.x[:c.rows*cols], c.blocks[:int64(c.rows)*j.typ.RowBytes(j.layout.Cols)]
	err := j.typ.Quantize(blocks, x, j.options)
	if err != nil {
		return j.place(err, c.first)
	}
	rowBytes := int(j.typ.RowBytes(j.layout.Cols))
	for from, step := 0, j.measuredRows(); from < c.rows; from += step {
		to := min(c.rows, from+step)
		back := c.back[:(to-from)*cols]
		j.typ.Dequantize(back, blocks[from*rowBytes:to*rowBytes])
		for r := from; r < to; r++ {
			c.sum[r] = quant.Measure(x[r*cols:(r+1)*cols], back[(r-from)*cols:(r-from+1)*cols], j.options.Importance, cols)
		}
	}
	return nil
}

// place names the weight that an encoder refused.
func (j *sliceJob) place(err error, firstRow int64) error {
	var v *quant.ValueError
	if !errors.As(err, &v) {
		return err
	}
	cols := j.layout.Cols
	row, col := firstRow+int64(v.Index)/cols, int64(v.Index)%cols
	return fmt.Errorf("%s: weight [%d, %d] is %v, which %s cannot hold: the model's file is damaged, or its training diverged", j.name, row, col, v.Value, v.Type)
}

func (j *sliceJob) write(c *chunk) error {
	if _, err := j.out.Write(c.blocks[:int64(c.rows)*j.typ.RowBytes(j.layout.Cols)]); err != nil {
		return err
	}
	for r := range c.rows {
		j.measured(c.first+int64(r), c.sum[r])
	}
	j.done += int64(c.rows)
	j.env.Progress(int64(c.rows) * j.layout.Cols)
	return nil
}

// measured adds a row's error. A row of zeros has no relative error.
func (j *sliceJob) measured(row int64, s quant.ErrorSum) {
	j.sum.Merge(s)
	if s.Ref == 0 {
		return
	}
	if e := s.RelRMSE(); e > 0 && (len(j.worst) < worstRows || e > j.worst[len(j.worst)-1].RelRMSE) {
		j.worst = append(j.worst, worstRow{row, e})
		sort.SliceStable(j.worst, func(a, b int) bool { return j.worst[a].RelRMSE > j.worst[b].RelRMSE })
		j.worst = j.worst[:min(len(j.worst), worstRows)]
	}
}

// copy takes the bits as they are; weights that are no numbers are refused all
// the same.
func (j *sliceJob) copy(ctx context.Context) error {
	n, rowBytes := chunkRows(j.layout), j.typ.RowBytes(j.layout.Cols)
	raw, x := make([]byte, n*rowBytes), make([]float32, n*j.layout.Cols)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, ok, err := j.rows.Raw(raw, j.typ)
		if !ok {
			return fmt.Errorf("%s: the source has no %s to copy", j.name, j.typ)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return j.place(err, j.done)
		}
		got := x[:int64(rows)*j.layout.Cols]
		j.typ.Dequantize(got, raw[:int64(rows)*rowBytes])
		for i, v := range got {
			if v-v != 0 {
				return j.place(&quant.ValueError{Type: j.typ.Name, Index: i, Value: v}, j.done)
			}
			j.sum.Ref += float64(float64(v) * float64(v))
		}
		if _, err := j.out.Write(raw[:int64(rows)*rowBytes]); err != nil {
			return err
		}
		j.sum.Weights += int64(len(got))
		j.done += int64(rows)
		j.env.Progress(int64(len(got)))
		if err != nil {
			break
		}
	}
	if j.done != j.layout.Rows {
		return fmt.Errorf("%s: %d rows where %d should be", j.name, j.done, j.layout.Rows)
	}
	return nil
}

func (j *sliceJob) meta() sliceMeta {
	m := sliceMeta{Weights: j.sum.Weights, Sq: j.sum.Sq, Ref: j.sum.Ref, MaxAbs: j.sum.MaxAbs, WorstRows: j.worst}
	if j.options.Importance != nil {
		m.WSq, m.WRef = j.sum.WSq, j.sum.WRef
	}
	return m
}
