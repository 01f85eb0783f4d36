package cpu

import (
	"math"

	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
)

// attendJob attends to the keys and values of sequences. Its work is divided by
// head of keys and by some of the queries; each query's sums are formed page by
// page, so that they depend neither on the division nor on the other queries.
type attendJob struct {
	b      *Backend
	f      func(worker, lo, hi int)
	a      *ops.Attention
	sinks  vector
	q, dst []float32
	seq    *kv.Sequence
	// Queries of the step: rows from row on, the first at position at.
	row, at, n int
	groups     int // pieces of work of each head
	work       []attendWork
}

// queryGroup is how many queries share a decoded page.
const queryGroup = 32

// attendWork is a worker's room.
type attendWork struct {
	keys, values []float32
	scores       []float32
	sum, most    []float64 // of each query and head
	all          []float32 // probabilities, for who watches
}

func (j *attendJob) init(b *Backend) {
	j.b, j.f = b, j.each
	j.work = make([]attendWork, b.pool.Workers())
}

// Attend stores keys and values and attends to them.
func (b *Backend) Attend(dst, q, k, v ops.Buffer, a *ops.Attention) {
	if b.err != nil {
		return
	}
	j := &b.attend
	kb, vb, qb := k.(*buffer), v.(*buffer), q.(*buffer)
	j.a, j.q, j.dst = a, qb.f[:b.rows*qb.cols], b.of(dst)
	j.sinks, _ = a.Sinks.(vector)
	for w := range j.work {
		j.work[w].room(a)
	}
	for _, span := range b.batch.Spans {
		j.seq = span.Seq.(*kv.Sequence)
		for done := 0; done < span.Len && b.err == nil; done += j.n {
			j.row, j.at = span.Row+done, span.Start+done
			j.n = j.seq.Step(a.Layer, j.at, span.Len-done)
			b.err = j.seq.Store(a.Layer, j.at, kb.f[j.row*kb.cols:(j.row+j.n)*kb.cols], vb.f[j.row*vb.cols:(j.row+j.n)*vb.cols])
			j.groups = (j.n + queryGroup - 1) / queryGroup
			if b.watch != nil && b.watch.Attention != nil {
				if b.err == nil {
					j.each(0, 0, a.HeadsKV*j.groups) // in order, by one worker
				}
				continue
			}
			b.run(a.HeadsKV*j.groups, 1, j.f)
		}
	}
}

func (w *attendWork) room(a *ops.Attention) {
	perHead := a.Heads / a.HeadsKV * queryGroup
	w.keys = grow(w.keys, kv.PageTokens*a.KeyWidth)
	w.values = grow(w.values, kv.PageTokens*a.ValWidth)
	w.scores = grow(w.scores, kv.PageTokens)
	if cap(w.sum) < perHead {
		w.sum, w.most = make([]float64, perHead), make([]float64, perHead)
	}
}

func (j *attendJob) each(worker, lo, hi int) {
	for i := lo; i < hi; i++ {
		first := i % j.groups * queryGroup
		j.group(&j.work[worker], i/j.groups, first, min(queryGroup, j.n-first))
	}
}

// group attends for queries first and on of one head of keys.
func (j *attendJob) group(w *attendWork, head, first, n int) {
	a := j.a
	per := a.Heads / a.HeadsKV
	qCols, dCols := a.Heads*a.KeyWidth, a.Heads*a.ValWidth
	for i := range n * per {
		w.most[i], w.sum[i] = math.Inf(-1), 0
		if j.sinks != nil {
			w.most[i], w.sum[i] = float64(j.sinks[head*per+i%per]), 1
		}
		clear(j.out(first+i/per, head*per+i%per, dCols))
	}
	oldest := 0
	if a.Window > 0 {
		oldest = max(0, j.at+first-a.Window+1)
	}
	newest := j.at + first + n - 1
	for p := oldest / kv.PageTokens; p <= newest/kv.PageTokens; p++ {
		page := j.seq.Head(a.Layer, p, head)
		tokens := min(kv.PageTokens, newest+1-page.First)
		page.Keys(w.keys, tokens, a.KeyWidth)
		page.Values(w.values, tokens, a.ValWidth)
		for i := range n * per {
			pos := j.at + first + i/per
			from := 0
			if a.Window > 0 {
				from = max(0, pos-a.Window+1-page.First)
			}
			to := min(kv.PageTokens, pos+1-page.First)
			if from >= to {
				continue
			}
			q := j.q[(j.row+first+i/per)*qCols+(head*per+i%per)*a.KeyWidth:][:a.KeyWidth]
			w.page(i, q, j.out(first+i/per, head*per+i%per, dCols), from, to, a)
		}
	}
	for i := range n * per {
		scale(j.out(first+i/per, head*per+i%per, dCols), float32(1/w.sum[i]))
	}
	if j.b.watch != nil && j.b.watch.Attention != nil {
		j.show(w, head, first, n)
	}
}

func (j *attendJob) out(query, head, cols int) []float32 {
	return j.dst[(j.row+query)*cols+head*j.a.ValWidth:][:j.a.ValWidth]
}

// page adds a page's tokens from and on to a query's sums.
func (w *attendWork) page(i int, q, out []float32, from, to int, a *ops.Attention) {
	scores := w.scores[:to-from]
	most := float32(w.most[i])
	for t := range scores {
		k := w.keys[(from+t)*a.KeyWidth:][:a.KeyWidth]
		scores[t] = inner(q, k) * a.Scale
		most = max(most, scores[t])
	}
	if float64(most) > w.most[i] {
		shrink := math.Exp(w.most[i] - float64(most))
		w.sum[i] *= shrink
		scale(out, float32(shrink))
		w.most[i] = float64(most)
	}
	for t, s := range scores {
		e := float32(math.Exp(float64(s - most)))
		w.sum[i] += float64(e)
		addScaled(out, w.values[(from+t)*a.ValWidth:][:a.ValWidth], e)
	}
}

// show computes the probabilities again: who watches pays for it.
func (j *attendJob) show(w *attendWork, head, first, n int) {
	a := j.a
	per := a.Heads / a.HeadsKV
	for i := range n * per {
		pos := j.at + first + i/per
		oldest := 0
		if a.Window > 0 {
			oldest = max(0, pos-a.Window+1)
		}
		w.all = grow(w.all, pos+1-oldest)
		q := j.q[(j.row+first+i/per)*a.Heads*a.KeyWidth+(head*per+i%per)*a.KeyWidth:][:a.KeyWidth]
		for p := oldest / kv.PageTokens; p <= pos/kv.PageTokens; p++ {
			page := j.seq.Head(a.Layer, p, head)
			page.Keys(w.keys, min(kv.PageTokens, pos+1-page.First), a.KeyWidth)
			for t := max(oldest, page.First); t <= min(pos, page.First+kv.PageTokens-1); t++ {
				s := inner(q, w.keys[(t-page.First)*a.KeyWidth:][:a.KeyWidth]) * a.Scale
				w.all[t-oldest] = float32(math.Exp(float64(s)-w.most[i]) / w.sum[i])
			}
		}
		j.b.watch.Attention(a.Layer, j.row+first+i/per, head*per+i%per, oldest, w.all)
	}
}
