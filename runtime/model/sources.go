package model

import (
	"fmt"
	"strings"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

// source is a tensor of a folder.
type source struct {
	*safetensors.Tensor
	place
	file    int // index into shards
	pattern int // index into sources.patterns
}

// sources are a folder's tensors in the order in which llama.cpp's converter
// goes through them: file by file, and in each by name.
type sources struct {
	*shards
	all      []source
	patterns []string
	counts   []int // of the sources of each pattern
	index    map[string]int
}

func newSources(s *shards) (*sources, error) {
	n := 0
	for _, h := range s.headers {
		n += len(h.Tensors)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: %w", s.paths[0], errEmpty)
	}
	src := &sources{shards: s, all: make([]source, 0, n), index: map[string]int{}}
	var buf []byte
	for file, h := range s.headers {
		for i := range h.Tensors {
			t := &h.Tensors[i]
			if ignored(t.Name) {
				continue
			}
			var p place
			buf, p = patternOf(buf[:0], t.Name)
			id, ok := src.index[string(buf)]
			if !ok {
				id = len(src.patterns)
				src.patterns = append(src.patterns, string(buf))
				src.counts = append(src.counts, 0)
				src.index[src.patterns[id]] = id
			}
			src.counts[id]++
			src.all = append(src.all, source{t, p, file, id})
		}
	}
	return src, nil
}

func (s *sources) has(pattern string) bool {
	_, ok := s.index[pattern]
	return ok
}

func (s *sources) count(pattern string) int {
	if id, ok := s.index[pattern]; ok {
		return s.counts[id]
	}
	return 0
}

// ruleSpan is how many tensors a rule expects of each of its patterns.
type ruleSpan struct {
	layers, experts int
	layered         bool // one for each layer
	single          bool // and for each expert
}

func spanOf(r *arch.Rule, d *arch.Description) ruleSpan {
	span := ruleSpan{layers: 1, experts: 1}
	switch strings.Count(r.From[0], "#") {
	case 2:
		span.single, span.experts = true, d.Experts
		fallthrough
	case 1:
		span.layered, span.layers = true, d.Layers
	}
	return span
}

func (s ruleSpan) size() int { return s.layers * s.experts }

// slot is the place of a pattern in the rules.
type slot struct{ rule, from int }

// match finds the rule of each pattern, -1 where there is none, and makes sure
// that each rule's tensors are all there and no others.
func (s *sources) match(d *arch.Description, model string) ([]slot, error) {
	byPattern := map[string]slot{}
	for i := range d.Rules {
		for j, from := range d.Rules[i].From {
			byPattern[from] = slot{i, j}
		}
	}
	slots := make([]slot, len(s.patterns))
	for i, p := range s.patterns {
		var ok bool
		if slots[i], ok = byPattern[p]; !ok {
			slots[i] = slot{-1, 0}
		}
	}
	for i := range s.all {
		t := &s.all[i]
		at := slots[t.pattern]
		if at.rule < 0 {
			return nil, s.extra(t, d)
		}
		if t.layer >= d.Layers || t.expert >= max(d.Experts, 1) {
			return nil, s.beyond(t, d)
		}
	}
	for i := range d.Rules {
		if err := s.complete(&d.Rules[i], d, model); err != nil {
			return nil, err
		}
	}
	return slots, nil
}

// extra is the error for a tensor that the architecture does not have.
func (s *sources) extra(t *source, d *arch.Description) error {
	var known []string
	for _, r := range d.Rules {
		known = append(known, r.From...)
	}
	hint := ""
	if near := nearest(s.patterns[t.pattern], known); near != "" {
		hint = fmt.Sprintf(" (the nearest is %q)", numbered(near, t.place))
	}
	return fmt.Errorf("%s: tensor %q is none that %s with this config.json has%s: the model is of another architecture, or the file has parts of another program; remove the tensor or correct config.json",
		s.paths[t.file], t.Name, d.Arch.Name, hint)
}

// beyond is the error for a layer or an expert that config.json does not count.
func (s *sources) beyond(t *source, d *arch.Description) error {
	what := fmt.Sprintf("layer %d, and config.json says that there are %d", t.layer, d.Layers)
	if t.layer < d.Layers {
		what = fmt.Sprintf("expert %d, and config.json says that there are %d", t.expert, d.Experts)
	}
	return fmt.Errorf("%s: tensor %q is of %s (counted from 0): config.json and weights do not belong together; download both again", s.paths[t.file], t.Name, what)
}

// complete makes sure that a rule's tensors are there. Names are unique, so
// that counting them is enough.
func (s *sources) complete(r *arch.Rule, d *arch.Description, model string) error {
	want, all := spanOf(r, d).size(), true
	none := true
	for _, from := range r.From {
		n := s.count(from)
		all = all && n == want
		none = none && n == 0
	}
	if all || none && r.Optional {
		return nil
	}
	return s.missing(r, d, model)
}

// missing is the error for tensors that a rule expects.
func (s *sources) missing(r *arch.Rule, d *arch.Description, model string) error {
	span := spanOf(r, d)
	for _, from := range r.From {
		if s.count(from) == span.size() {
			continue
		}
		have := map[place]bool{}
		if id, ok := s.index[from]; ok {
			for _, t := range s.all {
				if t.pattern == id {
					have[t.place] = true
				}
			}
		}
		first := place{}
		for have[first] { // ends: fewer are there than expected
			if first.expert++; first.expert == span.experts {
				first = place{layer: first.layer + 1}
			}
		}
		n := span.size() - s.count(from)
		name := numbered(from, first)
		if span.single {
			return fmt.Errorf("%s: layer %d has not all of its %d experts: the tensor %q of expert %d is missing (%s missing in all layers): download the model again",
				model, first.layer, span.experts, name, first.expert, count(n, "tensor of its kind is", "tensors of its kind are"))
		}
		more := ""
		if n > 1 {
			more = fmt.Sprintf(", and so it is in %s", count(n-1, "other layer", "other layers"))
		}
		return fmt.Errorf("%s: tensor %q is missing%s: the model is not complete, or config.json is of another one; download it again", model, name, more)
	}
	return nil
}
