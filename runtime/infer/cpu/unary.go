package cpu

import (
	"github.com/llama-pajamas/pj/kernels/vec"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
)

// normJob divides rows, or heads of them, by their root mean square.
type normJob struct {
	f        func(worker, lo, hi int)
	dst, src []float32
	width    int
	weight   vector
	eps      float64
}

func (j *normJob) init(*Backend) { j.f = j.each }

// RMSNorm normalizes rows.
func (b *Backend) RMSNorm(dst, src ops.Buffer, weight ops.Vector, eps float32) {
	s := src.(*buffer)
	b.normalize(b.of(dst), s.f[:b.rows*s.cols], s.cols, weight, eps)
}

// HeadNorm normalizes each head of rows.
func (b *Backend) HeadNorm(x ops.Buffer, heads int, weight ops.Vector, eps float32) {
	f := b.of(x)
	b.normalize(f, f, x.Cols()/heads, weight, eps)
}

func (b *Backend) normalize(dst, src []float32, width int, weight ops.Vector, eps float32) {
	j := &b.norm
	j.dst, j.src, j.width, j.weight, j.eps = dst, src, width, weight.(vector), float64(eps)
	n := len(src) / width
	b.run(n, max(1, 8192/width), j.f)
}

func (j *normJob) each(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		vec.RMSNorm(j.dst[i*j.width:(i+1)*j.width], j.src[i*j.width:(i+1)*j.width], j.weight, j.eps)
	}
}

// unaryJob are operations on each number.
type unaryJob struct {
	b          *Backend
	add, act   func(worker, lo, hi int)
	dst, x, y  []float32
	activation ops.Activation
}

func (j *unaryJob) init(b *Backend) { j.b, j.add, j.act = b, j.addRange, j.actRange }

// elementChunk is how many numbers are worth a worker's attention.
const elementChunk = 8192

// Add adds y to x.
func (b *Backend) Add(x, y ops.Buffer) {
	j, s := &b.unary, y.(*buffer)
	j.dst, j.x = b.of(x), s.f[:b.rows*s.cols]
	b.run(len(j.dst), elementChunk, j.add)
}

func (j *unaryJob) addRange(_, lo, hi int) { vec.Add(j.dst[lo:hi], j.x[lo:hi]) }

// Activate joins gate and up.
func (b *Backend) Activate(dst, gate, up ops.Buffer, a ops.Activation) {
	j, g, u := &b.unary, gate.(*buffer), up.(*buffer)
	j.dst, j.x, j.y, j.activation = b.of(dst), g.f[:b.rows*g.cols], u.f[:b.rows*u.cols], a
	b.run(len(j.dst), elementChunk/4, j.act)
}

func (j *unaryJob) actRange(_, lo, hi int) {
	activate(j.dst[lo:hi], j.x[lo:hi], j.y[lo:hi], j.activation)
}

func activate(dst, gate, up []float32, a ops.Activation) {
	if a == ops.ClampedSwiGLU {
		vec.ClampedSwiGLU(dst, gate, up, vec.GPTOSSAlpha, vec.GPTOSSLimit)
		return
	}
	vec.SwiGLU(dst, gate, up)
}

// rope is a table of rotary positions.
type rope struct {
	*vec.Rope
	dims int
}

func (r *rope) Dims() int { return r.dims }

// Rope makes a table.
func (b *Backend) Rope(c vec.RopeConfig) (ops.Rope, error) {
	r, err := vec.NewRope(c)
	return &rope{r, c.Dim}, err
}

// rotateJob turns heads by their position.
type rotateJob struct {
	b      *Backend
	f      func(worker, lo, hi int)
	x      []float32
	cols   int
	width  int // of a head
	rope   *rope
	tables [][]float32 // of each worker
}

func (j *rotateJob) init(b *Backend) {
	j.b, j.f = b, j.each
	j.tables = make([][]float32, b.pool.Workers())
}

// Rotate turns heads by their position.
func (b *Backend) Rotate(x ops.Buffer, heads int, r ops.Rope) {
	j := &b.rotate
	j.x, j.cols, j.width, j.rope = b.of(x), x.Cols(), x.Cols()/heads, r.(*rope)
	for w := range j.tables {
		j.tables[w] = grow(j.tables[w], j.rope.TableLen())
	}
	b.run(b.rows, 4, j.f)
}

func (j *rotateJob) each(worker, lo, hi int) {
	table := j.tables[worker]
	for row := lo; row < hi; row++ {
		j.rope.Table(table, int(j.b.batch.Pos[row]))
		j.rope.Apply(j.x[row*j.cols:(row+1)*j.cols], j.width, table)
	}
}
