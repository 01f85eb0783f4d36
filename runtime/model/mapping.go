package model

import (
	"fmt"
	"strconv"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
)

// mapping makes the artifact's tensors of a folder's.
type mapping struct {
	d     *arch.Description
	src   *sources
	slots []slot
	spans []ruleSpan
	// found are the sources of each rule and pattern, by layer and expert.
	found [][][]*source
	// left counts the sources that a rule, or a group of them, still waits for
	// in each layer.
	left        map[int][]int
	early, late []Tensor
	cuts        map[cutKey]*cut
}

// mapTensors applies the rules. The order is that of llama.cpp's converter: the
// computed tensors, those that it repacks itself, and the others, each where
// the last of its sources stands.
func mapTensors(d *arch.Description, src *sources, model string) ([]Tensor, error) {
	slots, err := src.match(d, model)
	if err != nil {
		return nil, err
	}
	m := &mapping{d: d, src: src, slots: slots, left: map[int][]int{}, cuts: map[cutKey]*cut{}}
	m.collect()
	for i := range src.all {
		if err := m.take(&src.all[i]); err != nil {
			return nil, err
		}
	}
	return append(append(computed(d), m.early...), m.late...), nil
}

// unit is what is written together: a group of rules, or one. Groups count
// from 1, so that their negatives are free of rules' numbers.
func (m *mapping) unit(rule int) int {
	if g := m.d.Rules[rule].Group; g != 0 {
		return -g
	}
	return rule
}

// collect sorts the sources by rule, pattern, layer and expert.
func (m *mapping) collect() {
	m.found = make([][][]*source, len(m.d.Rules))
	tensors := 0
	for i := range m.d.Rules {
		r := &m.d.Rules[i]
		span := spanOf(r, m.d)
		m.spans = append(m.spans, span)
		m.found[i] = make([][]*source, len(r.From))
		for j, from := range r.From {
			if m.src.count(from) == 0 {
				continue // optional
			}
			m.found[i][j] = make([]*source, span.size())
			u := m.unit(i)
			if m.left[u] == nil {
				m.left[u] = make([]int, span.layers)
			}
			for l := range m.left[u] {
				m.left[u][l] += span.experts
			}
		}
		tensors += span.layers * len(r.To)
	}
	for i := range m.src.all {
		t := &m.src.all[i]
		at := m.slots[t.pattern]
		m.found[at.rule][at.from][t.layer*m.spans[at.rule].experts+t.expert] = t
	}
	m.late = make([]Tensor, 0, tensors)
}

// take passes a source in the converter's order, and makes the tensors that
// waited for it.
func (m *mapping) take(t *source) error {
	at := m.slots[t.pattern]
	if err := m.check(t, &m.d.Rules[at.rule], at.from); err != nil {
		return err
	}
	u := m.unit(at.rule)
	if m.left[u][t.layer]--; m.left[u][t.layer] > 0 {
		return nil
	}
	for i := range m.d.Rules {
		if m.unit(i) != u {
			continue
		}
		for j := range m.d.Rules[i].To {
			if err := m.write(i, j, t.layer); err != nil {
				return err
			}
		}
	}
	return nil
}

// check compares a source with what its rule says.
func (m *mapping) check(t *source, r *arch.Rule, from int) error {
	if want := r.Shapes[from]; !equal(t.Shape, want) {
		return fmt.Errorf("%s: tensor %q has the shape %v, and by %s it is %v: config.json and weights do not belong together; download both again",
			m.src.paths[t.file], t.Name, t.Shape, configFile, want)
	}
	if r.Packed {
		if t.DType != "U8" {
			return fmt.Errorf("%s: tensor %q is %s, and MXFP4 blocks and scales are U8: download the model again", m.src.paths[t.file], t.Name, t.DType)
		}
		return nil
	}
	if _, ok := floatType(t.DType); !ok {
		return fmt.Errorf("%s: tensor %q is %s, which this program does not read as weights: take the model's BF16 or F16 release, or convert it to one", m.src.paths[t.file], t.Name, t.DType)
	}
	return nil
}

// floatType is the type of weights of a dtype.
func floatType(dtype string) (*quant.Type, bool) {
	switch dtype {
	case "BF16":
		return quant.Lookup("bf16")
	case "F16":
		return quant.Lookup("f16")
	case "F32":
		return quant.Lookup("f32")
	case "F64":
		return quant.Lookup("f64")
	}
	return nil, false
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// write makes the tensor of a rule's target in a layer.
func (m *mapping) write(rule, target, layer int) error {
	r := &m.d.Rules[rule]
	to := &r.To[target]
	span := m.spans[rule]
	if m.found[rule][0] == nil {
		return nil // optional
	}
	t := Tensor{Name: to.Name, Dims: dims(r, to, span), Role: to.Role, Layer: -1, Projection: to.Projection}
	if span.layered {
		t.Name = numbered(to.Name, place{layer: layer})
		t.Layer = layer
		t.Attention = m.d.Attention[layer]
	}
	t.Slices = make([]Slice, 0, max(span.experts, int(stack(r, to))))
	for e := range span.experts {
		c, err := m.cut(rule, target, layer*span.experts+e)
		if err != nil {
			return err
		}
		if t.Type == nil {
			t.Type = c.typ
		} else if t.Type != c.typ {
			t.Type, _ = quant.Lookup("f32") // of several kinds
		}
		t.Slices = m.slices(t.Slices, c, rule, layer*span.experts+e)
	}
	if r.Early {
		m.early = append(m.early, t)
	} else {
		m.late = append(m.late, t)
	}
	return nil
}

// slices appends the slices of one source, or one set of blocks and scales.
func (m *mapping) slices(to []Slice, c *cut, rule, at int) []Slice {
	first := m.found[rule][0][at]
	for e := range c.experts {
		s := Slice{Name: first.Name, Layout: c.layout, Parts: make([]Part, len(c.parts))}
		if c.experts > 1 {
			s.Name += "[" + strconv.FormatInt(e, 10) + "]"
		}
		for i, p := range c.parts {
			t := m.found[rule][i][at]
			s.Parts[i] = Part{File: t.file, Offset: t.Offset + e*p.step + p.skip, Size: p.size, Name: t.Name}
		}
		to = append(to, s)
	}
	return to
}

// computed are the tensors that follow from the configuration.
func computed(d *arch.Description) []Tensor {
	var out []Tensor
	f32, _ := quant.Lookup("f32")
	for _, c := range d.Computed {
		n := int64(len(c.Values))
		out = append(out, Tensor{
			Name: c.Name, Dims: []int64{n}, Role: arch.Other, Layer: -1, Type: f32,
			Slices: []Slice{{Name: c.Name, Layout: Layout{Encoding: f32.Name, Rows: 1, Cols: n, Values: c.Values}}},
		})
	}
	return out
}
