package vec

import "fmt"

// block is how many tokens are decoded at once: few enough to stay in the
// first cache, and a group of those stored by channel.
const block = 32

// Workspace holds keys or values that are decoded; one for each goroutine.
type Workspace struct {
	buf []float32
}

func (w *Workspace) room(n int) []float32 {
	if len(w.buf) < n {
		w.buf = aligned(n)
	}
	return w.buf[:n]
}

// Dots multiplies queries with the keys of the KV head that they share, each
// of which is read once: dst[h*stride+t] is the product of head h's query with
// token t's key. q has heads*k.Dim numbers.
//
// Products are those of decoded numbers, added in sixteen lanes, element i in
// lane i mod 16, and lanes in halves. Keys stored by channel are added in the
// order of channels.
func (w *Workspace) Dots(dst []float32, stride int, q []float32, heads int, k Rows, tokens int) {
	k.check(k.Dim, tokens)
	sameLength("Dots", len(q), heads*k.Dim)
	if stride < tokens || heads > 0 && len(dst) < (heads-1)*stride+tokens {
		panic(fmt.Sprintf("vec: Dots of %d heads and %d tokens into %d numbers, every %d of them", heads, tokens, len(dst), stride))
	}
	w.dots(dst, stride, q, heads, &k, 0, tokens)
}

// dots does it for the tokens from number from on.
func (w *Workspace) dots(dst []float32, stride int, q []float32, heads int, k *Rows, from, tokens int) {
	if k.ByChannel {
		w.dotsByChannel(dst, stride, q, heads, k, from+k.First, tokens)
		return
	}
	dim, impl := k.Dim, use
	if dim%lanes != 0 {
		impl = &scalar
	}
	for at := 0; at < tokens; at += block {
		n := min(block, tokens-at)
		padded := (n + 3) / 4 * 4
		buf := w.room(block*dim + lanes)
		rows, rest := buf[:padded*dim], buf[block*dim:]
		k.decode(rows[:n*dim], from+at, dim)
		clear(rows[n*dim:])
		k.fetch(from+at+n, min(block, tokens-at-n), heads)
		whole := n / 4 * 4
		for h := 0; h < heads; {
			group := 1
			if heads-h >= 4 {
				group = 4
			}
			query := q[h*dim:][:group*dim]
			if whole > 0 {
				impl.dotsOf(group, dst[h*stride+at:], stride, query, rows[:whole*dim])
			}
			if whole < n {
				impl.dotsOf(group, rest, 4, query, rows[whole*dim:])
				for i := range group {
					copy(dst[(h+i)*stride+at+whole:][:n-whole], rest[4*i:])
				}
			}
			h += group
		}
	}
}

func (k *kernels) dotsOf(group int, dst []float32, stride int, q, rows []float32) {
	if group == 4 {
		k.dots4(dst, stride, q, rows)
	} else {
		k.dots1(dst, q, rows)
	}
}

// dotsByChannel takes channels for rows, of a token each column: a query is
// then the weights of a weighted sum.
func (w *Workspace) dotsByChannel(dst []float32, stride int, q []float32, heads int, k *Rows, from, tokens int) {
	group := k.Type.Block
	buf := w.room(group*k.Dim + 4*group)
	rows, sums := buf[:group*k.Dim], buf[group*k.Dim:]
	for done := 0; done < tokens; {
		skip := (from + done) % group
		n := min(group-skip, tokens-done)
		k.decode(rows, (from+done)/group, group)
		k.fetch((from+done)/group+1, min(1, tokens-done-n), heads)
		for h := 0; h < heads; {
			size := min(heads-h, 4)
			if size < 4 {
				size = 1
			}
			clear(sums)
			if size == 4 {
				use.sums4(sums, group, q[h*k.Dim:], k.Dim, rows, group)
			} else {
				use.sums1(sums[:group], q[h*k.Dim:], rows)
			}
			for i := range size {
				copy(dst[(h+i)*stride+done:][:n], sums[i*group+skip:])
			}
			h += size
		}
		done += n
	}
}

// WeightedSum adds values to dst, heads*v.Dim numbers, each token's times its
// weight, in the order of tokens; weights[h*stride+t] is that of head h and
// token t. Each value is read once. v isn't stored by channel.
func (w *Workspace) WeightedSum(dst, weights []float32, stride, heads int, v Rows, tokens int) {
	v.check(v.Dim, tokens)
	sameLength("WeightedSum", len(dst), heads*v.Dim)
	if v.ByChannel {
		panic("vec: WeightedSum of values by channel")
	}
	if stride < tokens || heads > 0 && len(weights) < (heads-1)*stride+tokens {
		panic(fmt.Sprintf("vec: WeightedSum of %d heads and %d tokens with %d weights, every %d of them", heads, tokens, len(weights), stride))
	}
	w.weightedSum(dst, weights, stride, heads, &v, 0, tokens)
}

func (w *Workspace) weightedSum(dst, weights []float32, stride, heads int, v *Rows, from, tokens int) {
	dim, impl := v.Dim, use
	if dim%lanes != 0 {
		impl = &scalar
	}
	for at := 0; at < tokens; at += block {
		n := min(block, tokens-at)
		rows := w.room(block * dim)[:n*dim]
		v.decode(rows, from+at, dim)
		v.fetch(from+at+n, min(block, tokens-at-n), heads)
		h := 0
		for ; h+4 <= heads; h += 4 {
			impl.sums4(dst[h*dim:], dim, weights[h*stride+at:], stride, rows, dim)
		}
		for ; h < heads; h++ {
			impl.sums1(dst[h*dim:][:dim], weights[h*stride+at:], rows)
		}
	}
}
