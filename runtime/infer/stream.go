package infer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
)

// StreamOptions steer a streamed evaluation.
type StreamOptions struct {
	// Memory is how many bytes of activations may be held; what is beyond goes
	// to a file in Dir. 0: 1 GiB.
	Memory int64
	Dir    string // "": the system's folder for temporary files
	// Batch is how many tokens are worked on at a time; 0: 2048.
	Batch int
	Cache kv.Table // see ContextOptions
	// Observer sees each layer of all windows before the next one.
	Observer *Observer
	// From is the first token of each window whose logits are asked for.
	From int
	// KeepWeights leaves layers in memory that are done, for a model that fits.
	KeepWeights bool
}

// Stream computes the logits of windows, each a text of its own, as Decode
// does, but takes all of them through a layer before it reads the next: the
// memory that it needs is that of one layer, of the activations and of one
// batch, and every weight is read once. visit is called for each token of each
// window in order; the logits are valid during the call.
func (m *Model) Stream(ctx context.Context, windows [][]int32, o StreamOptions, visit func(window, index int, logits []float32) error) error {
	if o.Memory == 0 {
		o.Memory = 1 << 30
	}
	if o.Batch == 0 {
		o.Batch = 2048
	}
	s := &streamer{m: m, windows: windows, o: o}
	longest := 1
	for _, w := range windows {
		s.first = append(s.first, s.tokens)
		s.tokens += len(w)
		longest = max(longest, len(w))
	}
	s.o.Batch = min(o.Batch, max(s.tokens, 1))
	c, err := m.NewContext(ContextOptions{Tokens: longest, Batch: s.o.Batch, Cache: o.Cache, Observer: o.Observer})
	if err != nil {
		return err
	}
	s.c = c
	for i, w := range windows {
		if err := c.check([]Part{{c.NewSequence(), w, All}}); err != nil {
			return fmt.Errorf("window %d: %w", i, err)
		}
	}
	if s.x, err = newRows(s.tokens, m.Hidden, o.Memory, o.Dir); err != nil {
		return err
	}
	defer s.x.close()
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.turn }()
	return s.run(ctx, visit)
}

// streamer is one streamed evaluation.
type streamer struct {
	m       *Model
	c       *Context
	o       StreamOptions
	windows [][]int32
	first   []int // of each window's tokens among all
	tokens  int
	x       *rows // the residual stream of all tokens
	buf     []float32
}

// piece is a part of a window that is worked on at once.
type piece struct{ window, at, n int }

// pieces divides the windows into batches: whole windows as long as they fit,
// longer ones in parts.
func (s *streamer) pieces() (batches [][]piece) {
	var batch []piece
	room := s.o.Batch
	flush := func() {
		if len(batch) > 0 {
			batches = append(batches, batch)
		}
		batch, room = nil, s.o.Batch
	}
	for w, tokens := range s.windows {
		if len(tokens) > room {
			flush()
		}
		for at := 0; at < len(tokens); {
			n := min(len(tokens)-at, room)
			batch = append(batch, piece{w, at, n})
			at, room = at+n, room-n
			if at < len(tokens) {
				flush()
			}
		}
	}
	flush()
	return batches
}

func (s *streamer) run(ctx context.Context, visit func(window, index int, logits []float32) error) error {
	batches := s.pieces()
	p := &s.c.pass
	s.buf = make([]float32, s.o.Batch*s.m.Hidden)
	seqs := make([]ops.Sequence, len(s.windows))
	for layer := range s.m.Layers {
		for _, batch := range batches {
			s.fill(batch, seqs)
			p.begin(ctx)
			p.some, p.trimmed = false, false
			if layer == 0 {
				p.b.Embed(p.x, s.m.embed)
			} else if err := s.load(batch); err != nil {
				return err
			}
			s.m.graph.layer(p, layer)
			p.behind(layer)
			if err := s.store(batch); err != nil {
				return err
			}
			for _, part := range batch {
				if part.at+part.n == len(s.windows[part.window]) {
					seqs[part.window].Free()
					seqs[part.window] = nil
				}
			}
		}
		s.forget(layer)
	}
	for _, batch := range batches {
		s.fill(batch, seqs)
		p.b.Begin(ctx, &p.batch)
		if err := s.load(batch); err != nil {
			return err
		}
		s.c.wanted = s.c.wanted[:0]
		row := 0
		for _, part := range batch {
			for i := range part.n {
				if part.at+i >= s.o.From {
					s.c.wanted = append(s.c.wanted, wanted{row + i, part.window, part.at + i})
				}
			}
			row += part.n
		}
		if err := s.c.visit(ctx, visit); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a batch of pieces.
func (s *streamer) fill(batch []piece, seqs []ops.Sequence) {
	b := &s.c.pass.batch
	b.Tokens, b.Pos, b.Spans = b.Tokens[:0], b.Pos[:0], b.Spans[:0]
	for _, part := range batch {
		if seqs[part.window] == nil {
			seqs[part.window] = s.c.cache.New()
		}
		b.Spans = append(b.Spans, ops.Span{Seq: seqs[part.window], Row: len(b.Tokens), Len: part.n, Start: part.at})
		b.Tokens = append(b.Tokens, s.windows[part.window][part.at:part.at+part.n]...)
		for i := range part.n {
			b.Pos = append(b.Pos, int32(part.at+i))
		}
	}
}

// span is where a batch's activations are among all.
func (s *streamer) span(batch []piece) (first, n int) {
	for _, part := range batch {
		n += part.n
	}
	return s.first[batch[0].window] + batch[0].at, n
}

func (s *streamer) load(batch []piece) error {
	first, n := s.span(batch)
	buf := s.buf[:n*s.m.Hidden]
	if err := s.x.read(buf, first); err != nil {
		return err
	}
	return s.m.b.Write(s.c.pass.x, buf, 0)
}

func (s *streamer) store(batch []piece) error {
	first, n := s.span(batch)
	buf := s.buf[:n*s.m.Hidden]
	if err := s.m.b.Read(buf, s.c.pass.x, 0); err != nil {
		return err
	}
	if err := s.m.b.End(); err != nil {
		return err
	}
	return s.x.write(buf, first)
}

// forget lets go of a layer's weights.
func (s *streamer) forget(layer int) {
	if s.o.KeepWeights {
		return
	}
	for _, m := range s.m.mapped[layer] {
		m.Forget()
	}
}

// rows are many rows of numbers, in memory or in a file.
type rows struct {
	cols   int
	memory []float32
	file   *os.File // nil: in memory
	raw    []byte
}

// newRows makes room for n rows, in a file where they take more than the given
// bytes.
func newRows(n, cols int, memory int64, dir string) (*rows, error) {
	r := &rows{cols: cols}
	if int64(n)*int64(cols)*4 <= memory {
		r.memory = make([]float32, n*cols)
		return r, nil
	}
	var err error
	if r.file, err = os.CreateTemp(dir, "pj-activations-*"); err != nil {
		return nil, fmt.Errorf("%d rows of activations do not fit into %d bytes, and there is no room for them on disk: %w", n, memory, err)
	}
	return r, nil
}

func (r *rows) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.file.Close(), os.Remove(r.file.Name()))
}

func (r *rows) read(dst []float32, first int) error {
	if r.file == nil {
		copy(dst, r.memory[first*r.cols:])
		return nil
	}
	raw := r.scratch(len(dst))
	if _, err := r.file.ReadAt(raw, int64(first)*int64(r.cols)*4); err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return nil
}

func (r *rows) write(src []float32, first int) error {
	if r.file == nil {
		copy(r.memory[first*r.cols:], src)
		return nil
	}
	raw := r.scratch(len(src))
	for i, v := range src {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	if _, err := r.file.WriteAt(raw, int64(first)*int64(r.cols)*4); err != nil {
		return fmt.Errorf("activations: %w: make room on the disk, or allow more memory", err)
	}
	return nil
}

func (r *rows) scratch(n int) []byte {
	if cap(r.raw) < 4*n {
		r.raw = make([]byte, 4*n)
	}
	return r.raw[:4*n]
}
