package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/infer/ops"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
	"github.com/llama-pajamas/pj/runtime/model"
)

// loader hands a model's weights to the backend. The first error stays, and
// what comes after it is not to be used.
type loader struct {
	*Config
	ctx    context.Context
	f      *gguf.File
	store  *weights.Store
	b      ops.Backend
	used   map[string]bool
	mapped [][]*weights.Matrix // of each layer; the last are those outside
	compat bool                // llama.cpp's YaRN
	err    error
}

func (l *loader) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// tensor finds a tensor and checks its shape, ne0 first.
func (l *loader) tensor(name string, dims ...int) *model.Tensor {
	l.used[name] = true
	t, ok := l.store.Tensor(name)
	if !ok {
		l.fail(fmt.Errorf("tensor %q is missing, which %s has: the model is not complete", name, l.Architecture))
		return nil
	}
	same := true
	for i := range max(len(dims), len(t.Dims)) { // dimensions that are left out are 1
		have, want := int64(1), int64(1)
		if i < len(t.Dims) {
			have = t.Dims[i]
		}
		if i < len(dims) {
			want = int64(dims[i])
		}
		same = same && have == want
	}
	if !same {
		l.fail(fmt.Errorf("tensor %q has the shape %v, and by the model's keys it is %v: the file is damaged", name, t.Dims, dims))
		return nil
	}
	return t
}

func (l *loader) has(name string) bool {
	_, ok := l.store.Tensor(name)
	return ok
}

// source is matrix i of a tensor.
func (l *loader) source(t *model.Tensor, i, rows, cols int) *weights.Matrix {
	if l.err != nil {
		return nil
	}
	m, err := l.store.Matrix(t, i)
	if err == nil && (m.Rows != rows || m.Cols != cols) {
		err = fmt.Errorf("tensor %q has %d x %d weights, not %d x %d: the file is damaged", t.Name, m.Rows, m.Cols, rows, cols)
	}
	if err != nil {
		l.fail(err)
		return nil
	}
	layer := t.Layer
	if layer < 0 || layer >= l.Layers {
		layer = l.Layers
	}
	l.mapped[layer] = append(l.mapped[layer], m)
	return m
}

// matrix is a matrix of rows x cols.
func (l *loader) matrix(name string, rows, cols int) ops.Matrix {
	t := l.tensor(name, cols, rows)
	src := l.source(t, 0, rows, cols)
	if l.err != nil {
		return nil
	}
	m, err := l.b.Matrix(l.ctx, src)
	l.fail(err)
	return m
}

// floats reads n weights that are held as float32.
func (l *loader) floats(name string, dims ...int) []float32 {
	t := l.tensor(name, dims...)
	if l.err != nil {
		return nil
	}
	var all []float32
	for i := range t.Slices {
		m, err := l.store.Matrix(t, i)
		if err != nil {
			l.fail(err)
			return nil
		}
		v, err := m.Floats(l.ctx)
		if err != nil {
			l.fail(err)
			return nil
		}
		all = append(all, v...)
	}
	return all
}

func (l *loader) vector(name string, n int) ops.Vector {
	v := l.floats(name, n)
	if l.err != nil {
		return nil
	}
	out, err := l.b.Vector(v)
	l.fail(err)
	return out
}

// optional is a vector, nil where the model does not have it.
func (l *loader) optional(name string, n int) ops.Vector {
	if !l.has(name) {
		return nil
	}
	return l.vector(name, n)
}

// projection names of experts, in the order of weights.Gate, Up and Down.
var projections = [weights.Projections]string{"gate", "up", "down"}

// experts are those of a layer: stacked in a tensor for each projection, or
// each a tensor of its own (blk.N.expert.E.gate.weight).
func (l *loader) experts(layer int, biases bool) ops.Experts {
	e := &weights.Experts{Layer: layer, Hidden: l.Hidden, Width: l.ExpertWidth, Each: make([]weights.Expert, l.Experts)}
	for p, name := range projections {
		rows, cols := l.ExpertWidth, l.Hidden
		if p == weights.Down {
			rows, cols = cols, rows
		}
		stacked := fmt.Sprintf("blk.%d.ffn_%s_exps", layer, name)
		tiered := fmt.Sprintf("blk.%d.expert.0.%s.weight", layer, name)
		if !l.has(stacked+".weight") && l.has(tiered) {
			for i := range l.Experts {
				t := l.tensor(fmt.Sprintf("blk.%d.expert.%d.%s.weight", layer, i, name), cols, rows)
				e.Each[i][p] = l.source(t, 0, rows, cols)
			}
		} else {
			t := l.tensor(stacked+".weight", cols, rows, l.Experts)
			for i := range l.Experts {
				e.Each[i][p] = l.source(t, i, rows, cols)
			}
		}
		if biases {
			e.Bias[p] = l.floats(stacked+".bias", rows, l.Experts)
		}
		if l.err != nil {
			return nil
		}
	}
	out, err := l.b.Experts(l.ctx, e)
	l.fail(err)
	return out
}

// rope is the table of positions.
func (l *loader) rope(interleaved bool) ops.Rope {
	c := l.Rope
	c.Interleaved, c.Truncate = interleaved, c.Truncate || l.compat
	if l.has("rope_freqs.weight") {
		c.Factors = l.floats("rope_freqs.weight", c.Dim/2)
	}
	if l.err != nil {
		return nil
	}
	r, err := l.b.Rope(c)
	l.fail(err)
	return r
}

// finish makes sure that no weights are left over, which the graph would not
// use.
func (l *loader) finish(m *model.Model) error {
	if l.err != nil {
		return l.err
	}
	var left []string
	for i := range m.Tensors {
		if n := m.Tensors[i].Name; !l.used[n] {
			left = append(left, n)
		}
	}
	if len(left) == 0 {
		return nil
	}
	slices.Sort(left)
	more := ""
	if len(left) > 1 {
		more = fmt.Sprintf(" and %d more", len(left)-1)
	}
	return fmt.Errorf("tensor %q%s: %s as this program runs it has no such weights; the model is a variant that needs them", left[0], more, l.Architecture)
}

// architecture is one that can be run: one file each.
type architecture struct {
	name string
	// load makes the graph of the loader's model.
	load func(l *loader) graph
}

// graph is the forward pass of an architecture.
type graph interface {
	// layer runs layer i on the pass's activations.
	layer(p *pass, i int)
}

var architectures []*architecture

func register(a *architecture) *architecture {
	if slices.ContainsFunc(architectures, func(b *architecture) bool { return b.name == a.name }) {
		panic("infer: " + a.name + " registered twice")
	}
	architectures = append(architectures, a)
	slices.SortFunc(architectures, func(a, b *architecture) int { return strings.Compare(a.name, b.name) })
	return a
}

// Architectures lists what can be run, by its name in GGUF.
func Architectures() []string {
	names := make([]string, len(architectures))
	for i, a := range architectures {
		names[i] = a.name
	}
	return names
}

var errNoExperts = errors.New("this architecture is run without experts, and the file has some")
