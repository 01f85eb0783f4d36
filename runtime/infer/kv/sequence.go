package kv

import (
	"fmt"
	"sync/atomic"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/kernels/vec"
)

// Sequence holds the keys and values of one sequence in memory. It is not for
// concurrent use, but for reading by Head.
type Sequence struct {
	plan   *Plan
	total  *atomic.Int64 // bytes of all sequences
	n      int
	layers []layerPages
	turned []float32 // a page's head, for encoding
	bytes  int64
}

// layerPages are the pages of a layer: those from first on, the last page not
// full. Pages before first lie behind a sliding window and are gone.
type layerPages struct {
	first int
	pages []page
	n     int // tokens stored
	spare []page
}

// page are PageTokens tokens, head after head.
type page struct {
	kt, vt *quant.Type
	k, v   []byte
}

// NewSequence makes an empty sequence. Its bytes are also counted in total, if
// that is not nil.
func NewSequence(p *Plan, total *atomic.Int64) *Sequence {
	return &Sequence{plan: p, total: total, layers: make([]layerPages, len(p.Layers))}
}

// Len is the number of tokens that are stored in all layers.
func (s *Sequence) Len() int { return s.n }

// Advance counts n tokens more.
func (s *Sequence) Advance(n int) { s.n += n }

// Bytes are those of all pages.
func (s *Sequence) Bytes() int64 { return s.bytes }

// Free forgets all tokens and gives their memory back.
func (s *Sequence) Free() {
	for i := range s.layers {
		s.layers[i] = layerPages{}
	}
	s.count(-s.bytes)
	s.n = 0
}

func (s *Sequence) count(bytes int64) {
	s.bytes += bytes
	if s.total != nil {
		s.total.Add(bytes)
	}
}

// keyBytes are those of a head of a page.
func (l *Layer) keyBytes(t *quant.Type) int {
	if byChannel(t) {
		return l.KeyWidth * t.Bytes
	}
	return PageTokens * int(t.RowBytes(int64(l.KeyWidth)))
}

func (l *Layer) valBytes(t *quant.Type) int {
	return PageTokens * int(t.RowBytes(int64(l.ValWidth)))
}

// Step is how many of the next n tokens of a layer can be stored before
// attention has to run: where types change as tokens grow old, it has to run
// page by page.
func (s *Sequence) Step(layer, at, n int) int { return s.plan.Layers[layer].step(at, n) }

// Store appends tokens to a layer: rows of all heads' keys and values. It is
// Reserve, and StoreHead for each head.
func (s *Sequence) Store(layer, at int, keys, values []float32) error {
	l := &s.plan.Layers[layer]
	if err := s.Reserve(layer, at, len(keys)/(l.Heads*l.KeyWidth)); err != nil {
		return err
	}
	for h := range l.Heads {
		if err := s.StoreHead(layer, at, h, keys, values); err != nil {
			return err
		}
	}
	return nil
}

// Reserve makes room in a layer for n tokens from position at on, up to which
// all are stored; tokens stored there before, by a pass that failed, are
// replaced.
func (s *Sequence) Reserve(layer, at, n int) error {
	l, lp := &s.plan.Layers[layer], &s.layers[layer]
	if at > lp.n {
		return fmt.Errorf("kv: token %d of layer %d comes before token %d", at, layer, lp.n)
	}
	lp.n = at
	if l.dynamic() {
		if err := s.settle(layer, at); err != nil {
			return err
		}
	}
	for last := (at + n - 1) / PageTokens; last >= lp.first+len(lp.pages); {
		s.grow(l, lp, at)
	}
	lp.n = at + n
	return nil
}

// StoreHead stores one head of tokens that were reserved; keys and values are
// rows of all heads. Heads may be stored at the same time.
func (s *Sequence) StoreHead(layer, at, head int, keys, values []float32) error {
	l, lp := &s.plan.Layers[layer], &s.layers[layer]
	kRow, vRow := l.Heads*l.KeyWidth, l.Heads*l.ValWidth
	for i := range len(keys) / kRow {
		pg := &lp.pages[(at+i)/PageTokens-lp.first]
		token := (at + i) % PageTokens
		if err := encodeRow(pg.kt, pg.k[head*l.keyBytes(pg.kt):], token, keys[i*kRow+head*l.KeyWidth:][:l.KeyWidth]); err != nil {
			return storeError("key", layer, at+i, err)
		}
		if err := encodeRow(pg.vt, pg.v[head*l.valBytes(pg.vt):], token, values[i*vRow+head*l.ValWidth:][:l.ValWidth]); err != nil {
			return storeError("value", layer, at+i, err)
		}
	}
	return nil
}

func storeError(what string, layer, at int, err error) error {
	return fmt.Errorf("layer %d: the %s of token %d cannot be stored: %w; take a wider type for the cache, such as bf16", layer, what, at, err)
}

func encodeRow(t *quant.Type, head []byte, token int, row []float32) error {
	bytes := int(t.RowBytes(int64(len(row))))
	return t.Quantize(head[token*bytes:][:bytes], row, quant.Options{Cols: len(row)})
}

// grow adds a page, of memory that fell out of the window where there is some.
func (s *Sequence) grow(l *Layer, lp *layerPages, at int) {
	// The oldest token that a query from position at on can see.
	for l.Window > 0 && len(lp.pages) > 0 && (lp.first+1)*PageTokens <= at-l.Window+1 {
		lp.spare = append(lp.spare, lp.pages[0])
		lp.pages = lp.pages[:copy(lp.pages, lp.pages[1:])]
		lp.first++
	}
	k, v := l.types(lp.first+len(lp.pages), at)
	if n := len(lp.spare); n > 0 {
		pg := lp.spare[n-1]
		lp.spare = lp.spare[:n-1]
		if pg.kt == k && pg.vt == v {
			lp.pages = append(lp.pages, pg)
			return
		}
		s.count(-int64(len(pg.k) + len(pg.v)))
	}
	lp.pages = append(lp.pages, s.newPage(l, k, v))
}

func (s *Sequence) newPage(l *Layer, k, v *quant.Type) page {
	pg := page{kt: k, vt: v, k: make([]byte, l.Heads*l.keyBytes(k)), v: make([]byte, l.Heads*l.valBytes(v))}
	s.count(int64(len(pg.k) + len(pg.v)))
	return pg
}

// settle stores pages anew whose types have changed by the time that the token
// at position n comes.
func (s *Sequence) settle(layer, n int) error {
	l, lp := &s.plan.Layers[layer], &s.layers[layer]
	for i := range lp.pages {
		pg := &lp.pages[i]
		k, v := l.types(lp.first+i, n)
		if pg.kt == k && pg.vt == v {
			continue
		}
		next := s.newPage(l, k, v)
		if err := s.recode(l, &next, pg); err != nil {
			return fmt.Errorf("layer %d: tokens %d and on cannot be stored as %s and %s: %w", layer, (lp.first+i)*PageTokens, k, v, err)
		}
		s.count(-int64(len(pg.k) + len(pg.v)))
		*pg = next
	}
	return nil
}

func (s *Sequence) recode(l *Layer, to, from *page) error {
	if need := PageTokens * max(l.KeyWidth, l.ValWidth); len(s.turned) < need {
		s.turned = make([]float32, need)
	}
	x := s.turned[:PageTokens*l.KeyWidth]
	for h := range l.Heads {
		kb := l.keyBytes(to.kt)
		decodeKeys(from.kt, x, from.k[h*l.keyBytes(from.kt):], l.KeyWidth)
		if byChannel(to.kt) {
			if err := quant.QuantizeChannels(to.kt, to.k[h*kb:][:kb], x, l.KeyWidth, quant.Options{}); err != nil {
				return err
			}
		} else if err := to.kt.Quantize(to.k[h*kb:][:kb], x, quant.Options{Cols: l.KeyWidth}); err != nil {
			return err
		}
	}
	x = s.turned[:PageTokens*l.ValWidth]
	for h := range l.Heads {
		vb := l.valBytes(to.vt)
		from.vt.Dequantize(x, from.v[h*l.valBytes(from.vt):])
		if err := to.vt.Quantize(to.v[h*vb:][:vb], x, quant.Options{Cols: l.ValWidth}); err != nil {
			return err
		}
	}
	return nil
}

func decodeKeys(t *quant.Type, dst []float32, src []byte, width int) {
	if byChannel(t) {
		quant.DequantizeChannels(t, dst, src[:width*t.Bytes])
		return
	}
	t.Dequantize(dst, src)
}

// Head is one head's part of a page: PageTokens rows of keys and of values.
type Head struct {
	First      int // position of the first token
	Key, Value *quant.Type
	K, V       []byte
	// ByChannel says that K has a block for each channel, of the page's tokens.
	ByChannel bool
}

// Pages are the numbers of a layer's first page and of that behind the last.
func (s *Sequence) Pages(layer int) (first, end int) {
	lp := &s.layers[layer]
	return lp.first, lp.first + len(lp.pages)
}

// Head gives a head's part of a page.
func (s *Sequence) Head(layer, p, head int) Head {
	l, lp := &s.plan.Layers[layer], &s.layers[layer]
	pg := &lp.pages[p-lp.first]
	kb, vb := l.keyBytes(pg.kt), l.valBytes(pg.vt)
	return Head{
		First: p * PageTokens, Key: pg.kt, Value: pg.vt, ByChannel: byChannel(pg.kt),
		K: pg.k[head*kb:][:kb], V: pg.v[head*vb:][:vb],
	}
}

// KeyRows are the keys from token from of the page on.
func (h *Head) KeyRows(width, from int) vec.Rows {
	if h.ByChannel {
		return vec.Rows{Type: h.Key, Data: h.K, Dim: width, ByChannel: true, First: from}
	}
	return vec.Rows{Type: h.Key, Data: h.K[from*int(h.Key.RowBytes(int64(width))):], Dim: width}
}

// ValRows are the values from token from of the page on.
func (h *Head) ValRows(width, from int) vec.Rows {
	return vec.Rows{Type: h.Value, Data: h.V[from*int(h.Value.RowBytes(int64(width))):], Dim: width}
}

// Truncate forgets the tokens from n on. It fails, and changes nothing, where
// the tokens before are no longer as they were when there were n.
func (s *Sequence) Truncate(n int) error {
	if n < 0 || n > s.n {
		return fmt.Errorf("kv: cannot go back to %d tokens: there are %d", n, s.n)
	}
	for i := range s.layers {
		l, lp := &s.plan.Layers[i], &s.layers[i]
		oldest := 0
		if l.Window > 0 {
			oldest = max(0, n-l.Window+1)
		}
		if n > 0 && lp.first*PageTokens > oldest {
			return fmt.Errorf("kv: cannot go back to %d tokens: those before lie behind the sliding window of layer %d and are gone", n, i)
		}
		for p := range lp.pages {
			if (lp.first+p)*PageTokens >= n {
				break
			}
			if k, v := l.types(lp.first+p, max(n-1, 0)); lp.pages[p].kt != k || lp.pages[p].vt != v {
				return fmt.Errorf("kv: cannot go back to %d tokens: those before are stored in fewer bits by now", n)
			}
		}
	}
	for i := range s.layers {
		lp := &s.layers[i]
		if n == 0 {
			lp.spare = append(lp.spare, lp.pages...)
			lp.pages, lp.first = lp.pages[:0], 0
		}
		keep := max(0, (n+PageTokens-1)/PageTokens-lp.first)
		for j := keep; j < len(lp.pages); j++ {
			lp.spare = append(lp.spare, lp.pages[j])
		}
		lp.pages = lp.pages[:min(keep, len(lp.pages))]
		lp.n = min(lp.n, n)
	}
	s.n = n
	return nil
}
