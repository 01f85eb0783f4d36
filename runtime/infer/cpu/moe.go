package cpu

import (
	"context"
	"fmt"

	"github.com/llama-pajamas/pj/kernels/dot"
	"github.com/llama-pajamas/pj/kernels/vec"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
)

// experts are the experts of a layer.
type experts struct{ *weights.Experts }

func (e *experts) Count() int { return len(e.Each) }

// Experts takes a layer's experts over.
func (b *Backend) Experts(ctx context.Context, e *weights.Experts) (ops.Experts, error) {
	return &experts{e}, ctx.Err()
}

// routing is which experts each token goes to. A slot is one of a token's
// places: slots of token t are t*used and on.
type routing struct {
	experts, used int
	chosen        []int32   // of each slot
	weight        []float32 // of each slot
	// Slots by expert, each expert's in the order of tokens: tokens are those of
	// the slots in this order, place is where each slot went. The i-th expert
	// that is used has tokens[start[i]:start[i+1]].
	tokens []int
	place  []int32
	active []int32 // the experts that are used
	start  []int32
	counts []int32
	best   []int // of one token
}

func (r *routing) Used() int { return r.used }

// Routing makes room for the choices of rows tokens.
func (b *Backend) Routing(rows, n, used int) (ops.Routing, error) {
	if used <= 0 || used > n {
		return nil, fmt.Errorf("%d experts of %d cannot be chosen", used, n)
	}
	return &routing{
		experts: n, used: used,
		chosen: make([]int32, rows*used), weight: make([]float32, rows*used),
		tokens: make([]int, rows*used), place: make([]int32, rows*used),
		active: make([]int32, 0, n), start: make([]int32, n+1), counts: make([]int32, n),
		best: make([]int, used),
	}, nil
}

// Route chooses experts.
func (b *Backend) Route(to ops.Routing, logits ops.Buffer) {
	if b.idle() {
		return
	}
	r, l := to.(*routing), logits.(*buffer)
	clear(r.counts)
	for t := range b.rows {
		chosen, weight := r.chosen[t*r.used:(t+1)*r.used], r.weight[t*r.used:(t+1)*r.used]
		x := l.f[t*l.cols : (t+1)*l.cols]
		for i, e := range vec.TopK(r.best, x) {
			chosen[i], weight[i] = int32(e), x[e]
			r.counts[e]++
		}
		vec.Softmax(weight)
	}
	r.sort(b.rows)
}

// sort lists slots by expert.
func (r *routing) sort(rows int) {
	r.active = r.active[:0]
	at := int32(0)
	for e, n := range r.counts {
		if n == 0 {
			continue
		}
		r.start[len(r.active)] = at
		r.active = append(r.active, int32(e))
		r.counts[e] = at // becomes where the next slot goes
		at += n
	}
	r.start[len(r.active)] = at
	for slot, e := range r.chosen[:rows*r.used] {
		i := r.counts[e]
		r.tokens[i], r.place[slot] = slot/r.used, i
		r.counts[e]++
	}
}

// Routes gives the chosen experts.
func (b *Backend) Routes(from ops.Routing) (chosen []int32, weight []float32, err error) {
	r := from.(*routing)
	n := b.rows * r.used
	return r.chosen[:n], r.weight[:n], b.err
}

// mixJob runs experts.
type mixJob struct {
	b                 *Backend
	up, down, act     func(worker, lo, hi int)
	sum               func(worker, lo, hi int)
	e                 *experts
	r                 *routing
	activation        ops.Activation
	bytes             [weights.Projections][][]byte // of the active experts
	gates, ups, outs  []float32                     // a row for each slot, by expert
	hidden            *dot.Input                    // gates after the activation
	x                 *dot.Input
	each              []int // 0, 1, 2 …
	dst               []float32
	tile, tiles       int // rows of a piece of work, pieces of an expert
	downTile, downAll int
}

func (j *mixJob) init(b *Backend) {
	j.b, j.up, j.down, j.act, j.sum = b, j.upTiles, j.downTiles, j.actSlots, j.sumRows
}

// Mix runs the chosen experts.
func (b *Backend) Mix(dst, x ops.Buffer, of ops.Experts, to ops.Routing, a ops.Activation) {
	if b.idle() {
		return
	}
	j := &b.mix
	j.e, j.r, j.activation = of.(*experts), to.(*routing), a
	e, r := j.e, j.r
	if b.err = b.experts.Acquire(b.ctx, e.Experts, r.active); b.err != nil {
		return
	}
	defer b.experts.Release(e.Experts)
	for p := range j.bytes {
		j.bytes[p] = j.bytes[p][:0]
		for _, i := range r.active {
			bytes, err := b.experts.Bytes(e.Experts, i, p)
			if err != nil {
				b.err = err
				return
			}
			j.bytes[p] = append(j.bytes[p], bytes)
		}
	}
	slots := b.rows * r.used
	j.gates, j.ups = grow(j.gates, slots*e.Width), grow(j.ups, slots*e.Width)
	j.outs = grow(j.outs, slots*e.Hidden)
	for i := len(j.each); i < slots; i++ {
		j.each = append(j.each, i)
	}
	j.x = b.input(x.(*buffer))
	for _, p := range []int{weights.Gate, weights.Up} {
		for _, i := range r.active {
			b.catch(j.x.Prepare(e.Each[i][p].Type))
		}
	}
	j.tile = tileRows(e.Width, b.pool.Workers())
	j.tiles = (e.Width + j.tile - 1) / j.tile
	b.run(2*len(r.active)*j.tiles, 1, j.up)
	b.run(slots, max(1, elementChunk/4/e.Width), j.act)
	if b.err != nil {
		return
	}
	if j.hidden == nil || j.hidden.Cols() != e.Width {
		j.hidden = b.newInput(e.Width)
	}
	b.catch(j.hidden.Set(j.gates[:slots*e.Width], slots))
	for _, i := range r.active {
		b.catch(j.hidden.Prepare(e.Each[i][weights.Down].Type))
	}
	j.downTile = tileRows(e.Hidden, b.pool.Workers())
	j.downAll = (e.Hidden + j.downTile - 1) / j.downTile
	b.run(len(r.active)*j.downAll, 1, j.down)
	if b.watch != nil && b.err == nil {
		j.show()
	}
	j.dst = b.of(dst)
	b.run(b.rows, max(1, elementChunk/2/e.Hidden/r.used), j.sum)
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// upTiles computes rows of gate and up projections.
func (j *mixJob) upTiles(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		tile, i := i%j.tiles, i/j.tiles
		projection, out := weights.Gate, j.gates
		if i%2 == 1 {
			projection, out = weights.Up, j.ups
		}
		at, end := j.r.start[i/2], j.r.start[i/2+1]
		j.multiply(i/2, projection, tile*j.tile, j.tile, out, j.x, j.r.tokens[at:end])
	}
}

func (j *mixJob) downTiles(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		i, tile := i/j.downAll, i%j.downAll
		at, end := j.r.start[i], j.r.start[i+1]
		j.multiply(i, weights.Down, tile*j.downTile, j.downTile, j.outs, j.hidden, j.each[at:end])
	}
}

// multiply computes some rows of a projection of the i-th active expert, for
// its vectors of in.
func (j *mixJob) multiply(i, projection, first, rows int, out []float32, in *dot.Input, vectors []int) {
	expert := j.r.active[i]
	m := j.e.Each[expert][projection]
	rows = min(rows, m.Rows-first)
	rowBytes := int(m.Type.RowBytes(int64(m.Cols)))
	y := out[int(j.r.start[i])*m.Rows+first:]
	j.b.catch(dot.MulRowsOf(m.Type, y, m.Rows, j.bytes[projection][i][first*rowBytes:], rows, in, vectors))
	if bias := j.e.Bias[projection]; bias != nil {
		for v := range vectors {
			vec.Add(y[v*m.Rows:][:rows], bias[int(expert)*m.Rows+first:][:rows])
		}
	}
}

func (j *mixJob) actSlots(_, lo, hi int) {
	w := j.e.Width
	activate(j.gates[lo*w:hi*w], j.gates[lo*w:hi*w], j.ups[lo*w:hi*w], j.activation)
}

// sumRows adds up a token's experts, in the order in which they were chosen.
func (j *mixJob) sumRows(_, lo, hi int) {
	h, used := j.e.Hidden, j.r.used
	for t := lo; t < hi; t++ {
		y := j.dst[t*h : (t+1)*h]
		clear(y)
		for s := t * used; s < (t+1)*used; s++ {
			k := int(j.r.place[s])
			vec.AXPY(y, j.r.weight[s], j.outs[k*h:(k+1)*h])
		}
	}
}

func (j *mixJob) show() {
	w, e := j.b.watch, j.e
	for s := range j.b.rows * j.r.used {
		expert, row, k := int(j.r.chosen[s]), s/j.r.used, int(j.r.place[s])
		if w.ExpertInput != nil {
			w.ExpertInput(e.Layer, expert, row, j.gates[k*e.Width:(k+1)*e.Width])
		}
		if w.ExpertOutput != nil {
			w.ExpertOutput(e.Layer, expert, row, j.outs[k*e.Hidden:(k+1)*e.Hidden])
		}
	}
}
