package infer

import (
	"context"
	"errors"
	"fmt"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
)

// ContextOptions steer a context.
type ContextOptions struct {
	// Tokens that a sequence may have; 0: as many as the model was trained for.
	Tokens int
	// Batch is how many tokens are worked on at a time; 0: 512.
	Batch int
	// Cache are the rules for keys and values of each layer; nil: the model's
	// own, f16 where it has none.
	Cache kv.Table
	// Observer sees what goes on; nil: nobody.
	Observer *Observer
}

// Context is room for passes and for the sequences that they work on. It is not
// for concurrent use.
type Context struct {
	m      *Model
	o      ContextOptions
	cache  ops.Cache
	pass   pass
	logits ops.Buffer
	heads  int // rows of logits
	host   []float32
	wanted []wanted
	rows   []int32
}

// wanted is a row whose logits are asked for.
type wanted struct{ row, part, index int }

// pass is what the blocks of a graph work with.
type pass struct {
	*Config
	b        ops.Backend
	observer *Observer
	batch    ops.Batch

	x, h     ops.Buffer // the residual stream; what a block makes of it
	q, k, v  ops.Buffer
	att      ops.Buffer // what attention gives
	gate, up ops.Buffer // nil where all layers have experts
	router   ops.Buffer // nil where there are no experts
	routing  ops.Routing
	keep     []int32 // rows whose logits are asked for
	some     bool    // no others are needed behind the last layer
	trimmed  bool    // x has these rows only
	seen     []float32
}

// NewContext makes a context.
func (m *Model) NewContext(o ContextOptions) (*Context, error) {
	if o.Tokens == 0 {
		o.Tokens = m.Context
	}
	if o.Batch == 0 {
		o.Batch = 512
	}
	if o.Tokens < 1 || o.Tokens > maxSize || o.Batch < 1 || o.Batch > 1<<16 {
		return nil, fmt.Errorf("a context of %d tokens, %d at a time, is not possible", o.Tokens, o.Batch)
	}
	if o.Cache == nil {
		o.Cache = m.Cache
	}
	plan, err := m.plan(o.Cache)
	if err != nil {
		return nil, err
	}
	c := &Context{m: m, o: o}
	if c.cache, err = m.b.Cache(plan); err != nil {
		return nil, err
	}
	return c, c.room()
}

// plan says how each layer's keys and values are kept.
func (m *Model) plan(t kv.Table) (*kv.Plan, error) {
	if t != nil && len(t) != m.Layers {
		return nil, fmt.Errorf("there are rules of %d layers for the cache, and the model has %d", len(t), m.Layers)
	}
	p := &kv.Plan{Layers: make([]kv.Layer, m.Layers)}
	for i := range p.Layers {
		p.Layers[i] = kv.Layer{Heads: m.HeadsKV, KeyWidth: m.KeyWidth, ValWidth: m.ValWidth}
		if m.Attention[i] == arch.Sliding {
			p.Layers[i].Window = m.Window
		}
		if t != nil {
			p.Layers[i].Rules = t[i]
		}
	}
	return p, nil
}

// UniformCache are rules that store all layers alike.
func (m *Model) UniformCache(r kv.Rule) kv.Table {
	t := make(kv.Table, m.Layers)
	for i := range t {
		t[i] = []kv.Rule{r}
	}
	return t
}

// logitBytes bounds the logits that are computed at a time.
const logitBytes = 16 << 20

func (c *Context) room() error {
	m, p := c.m, &c.pass
	*p = pass{Config: &m.Config, b: m.b, observer: c.o.Observer}
	n := c.o.Batch
	c.heads = max(1, min(n, logitBytes/4/m.Vocab))
	var err error
	buffer := func(rows, cols int) ops.Buffer {
		if err != nil || cols == 0 {
			return nil
		}
		var b ops.Buffer
		b, err = m.b.Buffer(rows, cols)
		return b
	}
	p.x, p.h = buffer(n, m.Hidden), buffer(n, m.Hidden)
	p.q = buffer(n, m.Heads*m.KeyWidth)
	p.k, p.v = buffer(n, m.HeadsKV*m.KeyWidth), buffer(n, m.HeadsKV*m.ValWidth)
	p.att = buffer(n, m.Heads*m.ValWidth)
	if m.Experts > 0 {
		p.router = buffer(n, m.Experts)
		if err == nil {
			p.routing, err = m.b.Routing(n, m.Experts, m.ExpertsUsed)
		}
	} else {
		p.gate, p.up = buffer(n, m.Width), buffer(n, m.Width)
	}
	c.logits = buffer(c.heads, m.Vocab)
	c.host = make([]float32, m.Vocab)
	p.batch.Tokens, p.batch.Pos = make([]int32, 0, n), make([]int32, 0, n)
	return err
}

// Tokens is how many tokens a sequence may have.
func (c *Context) Tokens() int { return c.o.Tokens }

// CacheBytes are those that keys and values of all sequences take now.
func (c *Context) CacheBytes() int64 { return c.cache.Bytes() }

// Sequence is a text that grows: its tokens' keys and values.
type Sequence struct {
	c   *Context
	seq ops.Sequence
}

// NewSequence makes a sequence without tokens. Free it when it is done.
func (c *Context) NewSequence() *Sequence { return &Sequence{c, c.cache.New()} }

// Len is the number of tokens.
func (s *Sequence) Len() int { return s.seq.Len() }

// Bytes are those that keys and values take now.
func (s *Sequence) Bytes() int64 { return s.seq.Bytes() }

// Truncate goes back to n tokens. It fails, and changes nothing, where the
// tokens before them are no longer kept as they were; 0 never fails.
func (s *Sequence) Truncate(n int) error { return s.seq.Truncate(n) }

// Save gives the state as bytes, for Load of a sequence of the same model and
// cache.
func (s *Sequence) Save() ([]byte, error) { return s.seq.Save() }

// Load replaces the sequence by a saved one.
func (s *Sequence) Load(state []byte) error {
	if err := s.seq.Load(state); err != nil {
		return err
	}
	if s.Len() > s.c.o.Tokens {
		n := s.Len()
		s.seq.Free()
		return fmt.Errorf("the state has %d tokens, and the context has room for %d: make it larger", n, s.c.o.Tokens)
	}
	return nil
}

// Free gives the memory back.
func (s *Sequence) Free() { s.seq.Free() }

// Want says which logits of a part are asked for.
type Want int

const (
	Last Want = iota // those behind the last token
	None
	All
)

// Part are tokens that go to the end of a sequence.
type Part struct {
	Seq    *Sequence
	Tokens []int32
	Want   Want
}

// ErrFull says that a sequence has no room for more tokens.
var ErrFull = errors.New("the context is full")

// check makes sure of the parts before any work is done.
func (c *Context) check(parts []Part) error {
	for i, p := range parts {
		if p.Seq == nil || p.Seq.c != c {
			return fmt.Errorf("part %d is of no sequence of this context", i)
		}
		for _, q := range parts[:i] {
			if q.Seq == p.Seq {
				return fmt.Errorf("parts of one sequence are in one pass; join their tokens")
			}
		}
		if n := p.Seq.Len() + len(p.Tokens); n > c.o.Tokens {
			return fmt.Errorf("%w: %d tokens, and it has room for %d; make it larger or the text shorter", ErrFull, n, c.o.Tokens)
		}
		for j, t := range p.Tokens {
			if t < 0 || int(t) >= c.m.Vocab {
				return fmt.Errorf("token %d is %d, and the model has %d: the tokenizer is another model's", j, t, c.m.Vocab)
			}
		}
	}
	return nil
}

// Decode appends tokens to sequences, all of them in passes of up to Batch
// tokens, and calls visit with the logits that are asked for: of part i behind
// its token index. The logits are valid during the call. Where it fails, or ctx
// ends, passes that were done stay done.
func (c *Context) Decode(ctx context.Context, parts []Part, visit func(part, index int, logits []float32) error) error {
	if err := c.check(parts); err != nil {
		return err
	}
	select {
	case c.m.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.m.turn }()
	for part, done := 0, 0; part < len(parts); {
		part, done = c.fill(parts, part, done)
		if len(c.pass.batch.Tokens) == 0 {
			break
		}
		if err := c.run(ctx); err != nil {
			return err
		}
		for _, s := range c.pass.batch.Spans {
			s.Seq.Advance(s.Len)
		}
		if err := c.visit(ctx, visit); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a batch of the parts from token done of a part on, and says where
// the next begins.
func (c *Context) fill(parts []Part, part, done int) (nextPart, nextDone int) {
	b := &c.pass.batch
	b.Tokens, b.Pos, b.Spans, c.wanted = b.Tokens[:0], b.Pos[:0], b.Spans[:0], c.wanted[:0]
	for part < len(parts) {
		p := &parts[part]
		n := min(len(p.Tokens)-done, c.o.Batch-len(b.Tokens))
		if n > 0 {
			start := p.Seq.Len()
			b.Spans = append(b.Spans, ops.Span{Seq: p.Seq.seq, Row: len(b.Tokens), Len: n, Start: start})
			for i := range n {
				if p.Want == All || p.Want == Last && done+i == len(p.Tokens)-1 {
					c.wanted = append(c.wanted, wanted{len(b.Tokens), part, done + i})
				}
				b.Tokens = append(b.Tokens, p.Tokens[done+i])
				b.Pos = append(b.Pos, int32(start+i))
			}
		}
		if done += n; done < len(p.Tokens) {
			break
		}
		part, done = part+1, 0
	}
	return part, done
}

// run computes all layers of the batch.
func (c *Context) run(ctx context.Context) error {
	p := &c.pass
	p.begin(ctx)
	p.keep, p.some, p.trimmed = p.keep[:0], p.observer == nil && len(c.wanted) < p.rows(), false
	for _, w := range c.wanted {
		p.keep = append(p.keep, int32(w.row))
	}
	p.b.Embed(p.x, c.m.embed)
	for i := range c.m.Layers {
		c.m.graph.layer(p, i)
		p.behind(i)
	}
	return p.b.End()
}

// begin starts a pass.
func (p *pass) begin(ctx context.Context) {
	p.b.Observe(p.observer.watch())
	p.b.Begin(ctx, &p.batch)
	if p.observer != nil && p.observer.Batch != nil {
		p.observer.Batch(p.batch.Pos)
	}
}

func (p *pass) rows() int { return len(p.batch.Tokens) }

// trim leaves out the rows of the last layer whose results nobody asks for,
// once their keys and values are stored.
func (p *pass) trim(layer int) {
	if layer != p.Layers-1 || !p.some {
		return
	}
	p.b.Gather(p.att, p.att, p.keep)
	p.b.Gather(p.x, p.x, p.keep)
	p.trimmed = true
}

// visit computes the logits that are asked for.
func (c *Context) visit(ctx context.Context, visit func(part, index int, logits []float32) error) error {
	p := &c.pass
	for first := 0; first < len(c.wanted); first += c.heads {
		some := c.wanted[first:min(first+c.heads, len(c.wanted))]
		c.rows = c.rows[:0]
		for i, w := range some {
			if p.trimmed {
				w.row = first + i
			}
			c.rows = append(c.rows, int32(w.row))
		}
		p.b.Begin(ctx, &p.batch)
		p.b.Gather(p.h, p.x, c.rows)
		p.b.RMSNorm(p.h, p.h, c.m.norm, p.Eps)
		p.saw(p.h, len(c.rows), -1, "", outputInputs)
		p.b.Linear(c.logits, c.m.output, nil, p.h)
		if err := p.b.End(); err != nil {
			return err
		}
		for i, w := range some {
			if err := p.b.Read(c.host, c.logits, i); err != nil {
				return err
			}
			if err := visit(w.part, w.index, c.host); err != nil {
				return err
			}
		}
	}
	return nil
}
