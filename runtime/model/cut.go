package model

import (
	"fmt"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
)

// cut says how a target's slices lie in their sources: the same for all layers
// and experts whose dtype is the same.
type cut struct {
	typ     *quant.Type
	layout  Layout
	parts   []partCut
	experts int64 // in one source
}

// partCut is a slice's range of one source: its size, what is skipped before it
// and how far the next expert's is.
type partCut struct{ size, skip, step int64 }

type cutKey struct {
	rule, target int
	dtype        string
}

// cut finds or makes the cut for a source of a rule.
func (m *mapping) cut(rule, target, at int) (*cut, error) {
	t := m.found[rule][0][at]
	key := cutKey{rule, target, t.DType}
	if c := m.cuts[key]; c != nil {
		return c, nil
	}
	c, err := m.newCut(rule, target, at)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", m.src.paths[t.file], t.Name, err)
	}
	m.cuts[key] = c
	return c, nil
}

func (m *mapping) newCut(rule, target, at int) (*cut, error) {
	r := &m.d.Rules[rule]
	to := &r.To[target]
	c := &cut{experts: max(stack(r, to), 1)}
	c.layout = Layout{
		Encoding: hubMXFP4, Rows: max(to.Rows, 1), Cols: to.Cols,
		Columns: to.Columns, Transpose: to.Transpose, PermuteHeads: to.PermuteHeads,
	}
	if !r.Packed {
		t, _ := floatType(m.found[rule][0][at].DType)
		c.layout.Encoding = t.Name
	}
	skipRows := int64(0)
	if to.Stride > 1 {
		c.layout.First, c.layout.Stride = to.First, to.Stride
	} else {
		skipRows = to.First
	}
	var err error
	if c.typ, err = c.layout.Type(); err != nil {
		return nil, err
	}
	sizes, err := c.layout.PartSizes()
	if err != nil {
		return nil, err
	}
	for i, size := range sizes {
		t := m.found[rule][i][at]
		p := partCut{size: size, step: t.Size / c.experts, skip: skipRows * (size / c.layout.Rows)}
		whole := len(r.To) == 1 || to.Stride > 1 // else the targets share it
		if t.Size%c.experts != 0 || p.skip+p.size > p.step || whole && p.size != p.step {
			return nil, fmt.Errorf("its %d bytes are not what %d x %d weights take: correct config.json", t.Size, c.layout.Rows, c.layout.Cols)
		}
		c.parts = append(c.parts, p)
	}
	return c, nil
}

// stack is the number of experts that one source holds; 0 where it holds none.
func stack(r *arch.Rule, to *arch.Target) int64 {
	dims := 2
	if to.Rows == 0 {
		dims = 1
	}
	if r.Packed {
		dims++ // a row's blocks have two
	}
	if shape := r.Shapes[0]; len(shape) > dims {
		return shape[0]
	}
	return 0
}

// dims are the dimensions of a target, ne0 first.
func dims(r *arch.Rule, to *arch.Target, span ruleSpan) []int64 {
	d := []int64{to.Cols}
	if to.Rows > 0 {
		d = append(d, to.Rows)
	}
	switch n := stack(r, to); {
	case n > 0:
		d = append(d, n)
	case span.single:
		d = append(d, int64(span.experts))
	}
	return d
}
