package vec

import (
	"fmt"
	"math"
)

// tile is how many tokens' scores are turned to weights at once.
const tile = 256

// Attention is softmax(q k^T) v over tokens that come in runs, without keeping
// all scores: the online softmax of Milakov and Gimelshein, and Dao et al. Its
// query heads share one KV head; for a prompt they are those of many positions.
//
// The same calls give the same bits. A run is done in tiles of 256 tokens, so
// that one division into runs may differ in roundings from another.
type Attention struct {
	dim, valueDim, most int

	heads  int
	q      []float32 // scaled
	acc    []float32 // weighted values so far, times exp(-top)
	top    []float32 // largest score
	sum    []float64 // of exp(score - top)
	scores []float32 // of a tile
	part   []float32 // weighted values of a tile
	space  Workspace
}

// NewAttention makes room for up to heads queries; dim is the length of queries
// and keys, valueDim that of values.
func NewAttention(heads, dim, valueDim int) *Attention {
	if heads <= 0 || dim <= 0 || valueDim <= 0 {
		panic(fmt.Sprintf("vec: attention of %d heads of %d and %d", heads, dim, valueDim))
	}
	return &Attention{
		dim: dim, valueDim: valueDim, most: heads,
		q:      aligned(heads * dim),
		acc:    aligned(heads * valueDim),
		top:    make([]float32, heads),
		sum:    make([]float64, heads),
		scores: aligned(heads * tile),
		part:   aligned(heads * valueDim),
	}
}

// Reset begins with new queries, len(q)/dim of them, which are multiplied with
// scale, and no tokens.
func (a *Attention) Reset(q []float32, scale float32) {
	a.heads = len(q) / a.dim
	if len(q)%a.dim != 0 || a.heads > a.most {
		panic(fmt.Sprintf("vec: attention of %d numbers where up to %d queries are %d each", len(q), a.most, a.dim))
	}
	copy(a.q, q)
	Scale(a.q[:len(q)], scale)
	clear(a.acc[:a.heads*a.valueDim])
	for h := range a.heads {
		a.top[h], a.sum[h] = float32(math.Inf(-1)), 0
	}
}

// Add lets the queries from number lo up to hi see more tokens.
func (a *Attention) Add(lo, hi int, k, v Rows, tokens int) {
	if lo < 0 || lo > hi || hi > a.heads {
		panic(fmt.Sprintf("vec: attention of queries %d to %d of %d", lo, hi, a.heads))
	}
	k.check(a.dim, tokens)
	v.check(a.valueDim, tokens)
	if v.ByChannel {
		panic("vec: attention to values by channel")
	}
	heads := hi - lo
	q, acc := a.q[lo*a.dim:hi*a.dim], a.acc[lo*a.valueDim:hi*a.valueDim]
	part := a.part[:len(acc)]
	for at := 0; heads > 0 && at < tokens; at += tile {
		n := min(tile, tokens-at)
		a.space.dots(a.scores, tile, q, heads, &k, at, n)
		clear(part)
		for h := range heads {
			a.weigh(lo+h, a.scores[h*tile:][:n], acc[h*a.valueDim:][:a.valueDim])
		}
		a.space.weightedSum(part, a.scores, tile, heads, &v, at, n)
		Add(acc, part)
	}
}

// weigh turns scores to weights, and brings what there is so far to the new
// largest score.
func (a *Attention) weigh(h int, scores, acc []float32) {
	top := max(a.top[h], Max(scores))
	if math.IsInf(float64(top), -1) {
		a.sum[h] += expSum(scores, scores, 0) // zeros, or NaN
		return
	}
	if top != a.top[h] {
		by := exp32(a.top[h] - top)
		Scale(acc, by)
		a.sum[h] *= float64(by)
		a.top[h] = top
	}
	a.sum[h] += expSum(scores, scores, top)
}

// Merge adds what b, with the same queries, has seen: tokens may be divided
// among several.
func (a *Attention) Merge(b *Attention) {
	if a.heads != b.heads || a.dim != b.dim || a.valueDim != b.valueDim {
		panic(fmt.Sprintf("vec: attention of %d heads of %d and %d merged with %d of %d and %d",
			a.heads, a.dim, a.valueDim, b.heads, b.dim, b.valueDim))
	}
	for h := range a.heads {
		x, y := a.acc[h*a.valueDim:][:a.valueDim], b.acc[h*a.valueDim:][:a.valueDim]
		if b.sum[h] == 0 {
			continue
		}
		top := max(a.top[h], b.top[h])
		byA, byB := exp32(a.top[h]-top), exp32(b.top[h]-top)
		Scale(x, byA)
		AXPY(x, byB, y)
		a.sum[h] = a.sum[h]*float64(byA) + b.sum[h]*float64(byB)
		a.top[h] = top
	}
}

// Result writes heads*valueDim numbers. sinks has a learned score for each
// query that takes part in the softmax and is dropped, nil: none. A query that
// saw nothing gives zeros. More tokens may be added afterwards.
func (a *Attention) Result(dst, sinks []float32) {
	sameLength("attention", len(dst), a.heads*a.valueDim)
	if sinks != nil {
		sameLength("attention sinks", len(sinks), a.heads)
	}
	copy(dst, a.acc)
	for h := range a.heads {
		sum, by := a.sum[h], float64(1)
		if sinks != nil && !math.IsInf(float64(sinks[h]), -1) {
			top := max(a.top[h], sinks[h])
			by = float64(exp32(a.top[h] - top))
			sum = sum*by + float64(exp32(sinks[h]-top))
		}
		if sum != 0 {
			by /= sum
		}
		Scale(dst[h*a.valueDim:][:a.valueDim], float32(by))
	}
}
