package cpu

import (
	"context"

	"github.com/llama-pajamas/pj/kernels/dot"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/kernels/vec"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
)

// matrix is a matrix whose bytes are taken when it is used.
type matrix struct {
	*weights.Matrix
	rowBytes int
}

func (m *matrix) Shape() (rows, cols int) { return m.Rows, m.Cols }

// Matrix takes a matrix over.
func (b *Backend) Matrix(ctx context.Context, m *weights.Matrix) (ops.Matrix, error) {
	return newMatrix(m), ctx.Err()
}

func newMatrix(m *weights.Matrix) *matrix {
	return &matrix{m, int(m.Type.RowBytes(int64(m.Cols)))}
}

// vector is a vector of weights.
type vector []float32

func (v vector) Len() int { return len(v) }

// Vector takes a vector over.
func (b *Backend) Vector(v []float32) (ops.Vector, error) { return vector(v), nil }

// tileRows is how many rows of weights are multiplied at a time: enough that a
// call's cost vanishes, and few enough that workers end together.
func tileRows(rows, workers int) int {
	const step = dot.RowStep
	return max(step, min(8*step, rows/(4*workers)/step*step))
}

// linearJob is x·wᵀ.
type linearJob struct {
	b        *Backend
	f        func(worker, lo, hi int)
	typ      *quant.Type
	dst      []float32
	stride   int
	w        []byte
	rowBytes int
	in       *dot.Input
	bias     vector
}

func (j *linearJob) init(b *Backend) { j.b, j.f = b, j.rows }

// Linear is x·wᵀ.
func (b *Backend) Linear(dst ops.Buffer, w ops.Matrix, bias ops.Vector, x ops.Buffer) {
	if b.idle() {
		return
	}
	j, m := &b.linear, w.(*matrix)
	if j.w, b.err = m.Bytes(); b.err != nil {
		return
	}
	j.typ, j.rowBytes, j.stride = m.Type, m.rowBytes, m.Rows
	j.in = b.input(x.(*buffer))
	b.catch(j.in.Prepare(m.Type))
	j.dst = b.of(dst)
	j.bias, _ = bias.(vector)
	b.run(m.Rows, tileRows(m.Rows, b.pool.Workers()), j.f)
}

func (j *linearJob) rows(_, lo, hi int) {
	j.b.catch(dot.MulRows(j.typ, j.dst[lo:], j.stride, j.w[lo*j.rowBytes:], hi-lo, j.in))
	if j.bias == nil {
		return
	}
	for v := range j.b.rows {
		vec.Add(j.dst[v*j.stride+lo:v*j.stride+hi], j.bias[lo:hi])
	}
}

// Embed looks tokens up.
func (b *Backend) Embed(dst ops.Buffer, w ops.Matrix) {
	if b.err != nil {
		return
	}
	m := w.(*matrix)
	var bytes []byte
	if bytes, b.err = m.Bytes(); b.err != nil {
		return
	}
	out := b.of(dst)
	for i, token := range b.batch.Tokens {
		m.Type.Dequantize(out[i*m.Cols:(i+1)*m.Cols], bytes[int(token)*m.rowBytes:])
	}
}
