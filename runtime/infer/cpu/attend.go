package cpu

import (
	"github.com/llama-pajamas/pj/kernels/vec"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
)

// attendJob attends to the keys and values of sequences. Its work is divided by
// head of keys and by some of the queries; each query's sums are formed page by
// page, so that they depend neither on the division nor on the other queries.
type attendJob struct {
	b      *Backend
	f      func(worker, lo, hi int)
	store  func(worker, lo, hi int)
	a      *ops.Attention
	sinks  vector
	q, dst []float32
	k, v   []float32 // of the step
	seq    *kv.Sequence
	// Queries of the step: rows from row on, the first at position at.
	row, at, n int
	groups     int // pieces of work of each head
	work       []attendWork
}

// queryGroup is how many queries share a page.
const queryGroup = kv.PageTokens

// attendWork is a worker's room.
type attendWork struct {
	key, val, heads int
	sums            *vec.Attention
	space           vec.Workspace
	q, out, sinks   []float32
	scores          []float32 // of one query, for who watches
}

func (j *attendJob) init(b *Backend) {
	j.b, j.f, j.store = b, j.each, j.storeHeads
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
			j.k, j.v = kb.f[j.row*kb.cols:(j.row+j.n)*kb.cols], vb.f[j.row*vb.cols:(j.row+j.n)*vb.cols]
			b.catch(j.seq.Reserve(a.Layer, j.at, j.n))
			b.run(a.HeadsKV, j.heads(), j.store)
			j.groups = (j.at+j.n-1)/queryGroup - j.at/queryGroup + 1
			if b.watch == nil || b.watch.Attention == nil {
				b.run(a.HeadsKV*j.groups, 1, j.f)
			} else if b.err == nil {
				j.each(0, 0, a.HeadsKV*j.groups) // in order, by one worker
			}
		}
	}
}

// heads is how many heads are worth a worker's attention.
func (j *attendJob) heads() int { return max(1, 16384/(j.n*(j.a.KeyWidth+j.a.ValWidth))) }

func (j *attendJob) storeHeads(_, lo, hi int) {
	for head := lo; head < hi; head++ {
		j.b.catch(j.seq.StoreHead(j.a.Layer, j.at, head, j.k, j.v))
	}
}

func (w *attendWork) room(a *ops.Attention) {
	heads := a.Heads / a.HeadsKV * queryGroup
	if w.key == a.KeyWidth && w.val == a.ValWidth && w.heads >= heads {
		return
	}
	w.key, w.val, w.heads = a.KeyWidth, a.ValWidth, heads
	w.sums = vec.NewAttention(heads, a.KeyWidth, a.ValWidth)
	w.q, w.out, w.sinks = make([]float32, heads*a.KeyWidth), make([]float32, heads*a.ValWidth), make([]float32, heads)
}

// each works on pieces: a head's queries whose own tokens lie in one page.
func (j *attendJob) each(worker, lo, hi int) {
	for i := lo; i < hi; i++ {
		head, group := i/j.groups, i%j.groups
		page := j.at/queryGroup + group
		first := max(0, page*queryGroup-j.at)
		end := min(j.n, (page+1)*queryGroup-j.at)
		j.group(&j.work[worker], head, first, end-first)
	}
}

// group attends for n queries of one head of keys.
func (j *attendJob) group(w *attendWork, head, first, n int) {
	a := j.a
	per := a.Heads / a.HeadsKV
	qRow, outRow := per*a.KeyWidth, per*a.ValWidth
	for i := range n {
		copy(w.q[i*qRow:(i+1)*qRow], j.q[(j.row+first+i)*a.Heads*a.KeyWidth+head*qRow:])
	}
	w.sums.Reset(w.q[:n*qRow], a.Scale)
	oldest := func(pos int) int {
		if a.Window == 0 {
			return 0
		}
		return max(0, pos-a.Window+1)
	}
	newest := j.at + first + n - 1
	for p := oldest(j.at+first) / kv.PageTokens; p <= newest/kv.PageTokens; p++ {
		page := j.seq.Head(a.Layer, p, head)
		// Neighbours that see the same of the page go together.
		for lo := 0; lo < n; {
			from, to := seen(page.First, oldest(j.at+first+lo), j.at+first+lo)
			hi := lo + 1
			for ; hi < n; hi++ {
				f, t := seen(page.First, oldest(j.at+first+hi), j.at+first+hi)
				if f != from || t != to {
					break
				}
			}
			if from < to {
				w.sums.Add(lo*per, hi*per, page.KeyRows(a.KeyWidth, from), page.ValRows(a.ValWidth, from), to-from)
			}
			lo = hi
		}
	}
	var sinks []float32
	if j.sinks != nil {
		sinks = w.sinks[:n*per]
		for i := range n {
			copy(sinks[i*per:], j.sinks[head*per:(head+1)*per])
		}
	}
	w.sums.Result(w.out[:n*outRow], sinks)
	for i := range n {
		copy(j.dst[(j.row+first+i)*a.Heads*a.ValWidth+head*outRow:][:outRow], w.out[i*outRow:])
	}
	if j.b.watch != nil && j.b.watch.Attention != nil {
		for i := range n * per {
			pos := j.at + first + i/per
			j.show(w, head, i, j.row+first+i/per, oldest(pos), pos)
		}
	}
}

// seen are the tokens of a page that a query at position pos sees, whose window
// begins at oldest.
func seen(page, oldest, pos int) (from, to int) {
	return max(0, oldest-page), min(kv.PageTokens, pos+1-page)
}

// show computes a query's probabilities again: who watches pays for it.
func (j *attendJob) show(w *attendWork, head, query, row, oldest, pos int) {
	a := j.a
	per := a.Heads / a.HeadsKV
	w.scores = grow(w.scores, pos+1-oldest)
	for p := oldest / kv.PageTokens; p <= pos/kv.PageTokens; p++ {
		page := j.seq.Head(a.Layer, p, head)
		from, to := seen(page.First, oldest, pos)
		out := w.scores[page.First+from-oldest:][:to-from]
		w.space.Dots(out, len(out), w.q[query*a.KeyWidth:][:a.KeyWidth], 1, page.KeyRows(a.KeyWidth, from), len(out))
	}
	vec.Scale(w.scores, a.Scale)
	h := head*per + query%per
	if j.sinks != nil {
		vec.SoftmaxSink(w.scores, j.sinks[h])
	} else {
		vec.Softmax(w.scores)
	}
	j.b.watch.Attention(a.Layer, row, h, oldest, w.scores)
}
