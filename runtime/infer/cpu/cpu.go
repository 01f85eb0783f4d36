// Package cpu runs a model's operations on the processor.
package cpu

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/llama-pajamas/pj/kernels/dot"
	"github.com/llama-pajamas/pj/kernels/pool"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
)

// Options steer the backend.
type Options struct {
	// Threads is the number of workers; 0: one for each processor.
	Threads int
	// Exact computes with activations and weights as float32. Otherwise
	// activations are rounded to 8 bits for products with quantized weights.
	Exact bool
	// Experts brings experts to memory; nil: weights.Mapped.
	Experts weights.Provider
}

// Backend is the processor.
type Backend struct {
	pool    *pool.Pool
	exact   bool
	experts weights.Provider
	watch   *ops.Watch

	// The pass.
	ctx   context.Context
	batch *ops.Batch
	rows  int
	err   error
	mu    sync.Mutex // guards err within run

	linear linearJob
	norm   normJob
	rotate rotateJob
	attend attendJob
	mix    mixJob
	unary  unaryJob
}

var _ ops.Backend = (*Backend)(nil)

// New starts the backend. Close ends its workers.
func New(o Options) *Backend {
	b := &Backend{pool: pool.New(o.Threads), exact: o.Exact, experts: o.Experts, ctx: context.Background()}
	if b.experts == nil {
		b.experts = weights.Mapped{}
	}
	b.linear.init(b)
	b.norm.init(b)
	b.rotate.init(b)
	b.attend.init(b)
	b.mix.init(b)
	b.unary.init(b)
	return b
}

// Name is "cpu".
func (b *Backend) Name() string { return "cpu" }

// Threads is the number of workers.
func (b *Backend) Threads() int { return b.pool.Workers() }

// Close ends the workers.
func (b *Backend) Close() error {
	b.pool.Close()
	return nil
}

// buffer is a row of activations for each token.
type buffer struct {
	cols int
	f    []float32
	in   *dot.Input // f as products take it; nil until there is one
	set  bool       // in is up to date
}

func (x *buffer) Cols() int { return x.cols }

// Buffer makes room for rows of activations.
func (b *Backend) Buffer(rows, cols int) (ops.Buffer, error) {
	if rows <= 0 || cols <= 0 || rows > math.MaxInt32/cols {
		return nil, fmt.Errorf("a buffer of %d x %d activations is not possible", rows, cols)
	}
	return &buffer{cols: cols, f: make([]float32, rows*cols)}, nil
}

// of is a buffer's rows of the pass, to be written.
func (b *Backend) of(x ops.Buffer) []float32 {
	buf := x.(*buffer)
	buf.set = false
	return buf.f[:b.rows*buf.cols]
}

// input is a buffer's rows as products take them.
func (b *Backend) input(x *buffer) *dot.Input {
	if x.in == nil {
		x.in = b.newInput(x.cols)
	}
	if !x.set {
		b.catch(x.in.Set(x.f[:b.rows*x.cols], b.rows))
		x.set = true
	}
	return x.in
}

func (b *Backend) newInput(cols int) *dot.Input {
	in := dot.NewInput(cols)
	in.Exact = b.exact
	return in
}

// Begin starts a pass.
func (b *Backend) Begin(ctx context.Context, batch *ops.Batch) {
	b.ctx, b.batch, b.rows, b.err = ctx, batch, len(batch.Tokens), ctx.Err()
}

// End gives the pass's error.
func (b *Backend) End() error { return b.err }

// run divides n pieces of work among the workers.
func (b *Backend) run(n, chunk int, f func(worker, lo, hi int)) {
	if b.err == nil {
		b.catch(b.pool.Run(b.ctx, n, chunk, f))
	}
}

// idle says that there is nothing to do: the pass has failed, or has no rows.
func (b *Backend) idle() bool { return b.err != nil || b.rows == 0 }

// catch keeps the pass's first error. Workers may call it.
func (b *Backend) catch(err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
}

// Observe sets what sees inside of operations; nil: nothing.
func (b *Backend) Observe(w *ops.Watch) { b.watch = w }

// Read copies rows.
func (b *Backend) Read(dst []float32, src ops.Buffer, first int) error {
	x := src.(*buffer)
	if b.err == nil {
		copy(dst, x.f[first*x.cols:])
	}
	return b.err
}

// Write fills rows.
func (b *Backend) Write(dst ops.Buffer, src []float32, first int) error {
	x := dst.(*buffer)
	x.set = false
	copy(x.f[first*x.cols:], src)
	return b.err
}

// Gather copies rows; the pass goes on with these.
func (b *Backend) Gather(dst, src ops.Buffer, rows []int32) {
	if b.err != nil {
		return
	}
	d, s := dst.(*buffer), src.(*buffer)
	d.set = false
	for i, r := range rows {
		copy(d.f[i*d.cols:(i+1)*d.cols], s.f[int(r)*s.cols:])
	}
	b.rows = len(rows)
}

// cache holds sequences in memory.
type cache struct {
	plan  *kv.Plan
	bytes atomic.Int64
}

// Cache makes room for keys and values.
func (b *Backend) Cache(p *kv.Plan) (ops.Cache, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	return &cache{plan: p}, nil
}

func (c *cache) New() ops.Sequence { return kv.NewSequence(c.plan, &c.bytes) }
func (c *cache) Bytes() int64      { return c.bytes.Load() }
