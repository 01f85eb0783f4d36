package jinja

import (
	"fmt"
)

func (s *literal) exec(r *renderer) error { return r.write(s.text) }

func (s *output) exec(r *renderer) error {
	v, err := s.of.eval(r)
	if err == nil {
		if t, ok := v.(string); ok {
			err = r.write(t)
		} else {
			err = r.write(text(v))
		}
	}
	return at(s.line, err)
}

func (s *branch) exec(r *renderer) error {
	for i, test := range s.tests {
		if test != nil {
			v, err := test.eval(r)
			if err != nil {
				return err
			}
			if !truth(v) {
				continue
			}
		}
		return r.exec(s.bodies[i])
	}
	return nil
}

func (s *jump) exec(*renderer) error { return s.err }

func (s *run) exec(r *renderer) error {
	_, err := s.of.eval(r)
	return err
}

func (s *scoped) exec(r *renderer) error {
	r.push()
	defer r.pop()
	return r.exec(s.body)
}

func (s *assign) exec(r *renderer) error {
	v, err := s.value.eval(r)
	if err == nil {
		err = s.target.assign(r, v)
	}
	return at(s.line, err)
}

func (s *assignBlock) exec(r *renderer) error {
	r.push()
	t, err := r.capture(s.body)
	r.pop()
	if err != nil {
		return err
	}
	v, err := r.filtered(t, s.filters)
	if err == nil {
		err = s.target.assign(r, v)
	}
	return at(s.line, err)
}

func (s *filterBlock) exec(r *renderer) error {
	r.push()
	t, err := r.capture(s.body)
	r.pop()
	if err != nil {
		return err
	}
	v, err := r.filtered(t, s.filters)
	if err != nil {
		return err
	}
	return r.write(text(v))
}

func (r *renderer) filtered(v any, fs []*filter) (any, error) {
	for _, f := range fs {
		var err error
		if v, err = f.apply(r, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (s *with) exec(r *renderer) error {
	values := make([]any, len(s.values))
	for i, x := range s.values {
		var err error
		if values[i], err = x.eval(r); err != nil {
			return err
		}
	}
	r.push()
	defer r.pop()
	for i, t := range s.targets {
		if err := t.assign(r, values[i]); err != nil {
			return at(s.line, err)
		}
	}
	return r.exec(s.body)
}

// assign sets a variable of the innermost scope, a field, or several of them.
func (t *target) assign(r *renderer, v any) error {
	switch {
	case t.parts != nil:
		list, ok := items(v)
		if _, undef := v.(undefined); !ok || undef {
			return fmt.Errorf("%s can't be taken apart into %d names", kind(v), len(t.parts))
		}
		if len(list) != len(t.parts) {
			return fmt.Errorf("%d values for %d names", len(list), len(t.parts))
		}
		for i := range t.parts {
			if err := t.parts[i].assign(r, list[i]); err != nil {
				return err
			}
		}
	case t.field != "":
		n, _ := r.scope.get(t.name)
		ns, ok := n.(*namespace)
		if !ok {
			return fmt.Errorf("%s is %s, and only a namespace's fields can be set", t.name, kind(n))
		}
		ns.fields.Set(t.field, v)
	default:
		r.scope.set(t.name, v)
	}
	return nil
}

// turn is the state of a loop, as the variable loop shows it.
type turn struct {
	items   []any
	i       int
	depth   int
	changed *List // what loop.changed saw last; nil before
	again   func(r *renderer, over any) (any, error)
}

// field is what loop.name is.
func (t *turn) field(name string) (any, bool) {
	n := len(t.items)
	switch name {
	case "index":
		return int64(t.i + 1), true
	case "index0":
		return int64(t.i), true
	case "revindex":
		return int64(n - t.i), true
	case "revindex0":
		return int64(n - t.i - 1), true
	case "first":
		return t.i == 0, true
	case "last":
		return t.i == n-1, true
	case "length":
		return int64(n), true
	case "depth":
		return int64(t.depth + 1), true
	case "depth0":
		return int64(t.depth), true
	case "previtem":
		if t.i > 0 {
			return t.items[t.i-1], true
		}
		return undefined{"there is no previous item"}, true
	case "nextitem":
		if t.i+1 < n {
			return t.items[t.i+1], true
		}
		return undefined{"there is no next item"}, true
	case "cycle":
		return &function{"cycle", func(_ *renderer, a *args) (any, error) {
			if len(a.list) == 0 {
				return nil, fmt.Errorf("loop.cycle wants values")
			}
			return a.list[t.i%len(a.list)], nil
		}}, true
	case "changed":
		return &function{"changed", func(_ *renderer, a *args) (any, error) {
			now := &List{Items: a.list}
			same := t.changed != nil && equal(t.changed, now)
			t.changed = now
			return !same, nil
		}}, true
	}
	return nil, false
}

func (s *loop) exec(r *renderer) error {
	over, err := s.over.eval(r)
	if err != nil {
		return err
	}
	return at(s.line, s.rounds(r, over, 0))
}

// rounds runs the loop over a value's items.
func (s *loop) rounds(r *renderer, over any, depth int) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer func() { r.depth-- }()
	list, ok := items(over)
	if !ok {
		return fmt.Errorf("%s can't be gone through", kind(over))
	}
	if err := r.spend(len(list)); err != nil {
		return err
	}
	if s.filter != nil {
		var err error
		if list, err = s.wanted(r, list); err != nil {
			return err
		}
	}
	outer := r.scope
	defer func() { r.scope = outer }()
	if len(list) == 0 {
		r.push()
		return r.exec(s.otherwise)
	}
	t := &turn{items: list, depth: depth}
	if s.recursive {
		t.again = func(r *renderer, over any) (any, error) {
			saved, scope := r.out, r.scope
			defer func() { r.out, r.scope = saved, scope }()
			r.scope = outer
			return captured(r, func() error { return s.rounds(r, over, depth+1) })
		}
	}
	for i, item := range list {
		t.i = i
		r.scope = &scope{up: outer, vars: map[string]any{"loop": t}}
		if err := s.target.assign(r, item); err != nil {
			return err
		}
		switch err := r.exec(s.body); err {
		case nil, errContinue:
		case errBreak:
			return nil
		default:
			return err
		}
		if err := r.spend(step); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the items that a loop's condition lets pass.
func (s *loop) wanted(r *renderer, list []any) ([]any, error) {
	var out []any
	r.push()
	defer r.pop()
	for _, item := range list {
		if err := s.target.assign(r, item); err != nil {
			return nil, err
		}
		v, err := s.filter.eval(r)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			out = append(out, item)
		}
	}
	return out, nil
}

// macro is a macro with the scope in which it was defined.
type macro struct {
	node  *macroStmt
	scope *scope
}

func (s *macroStmt) exec(r *renderer) error {
	r.scope.set(s.name, &macro{s, r.scope})
	return nil
}

// call renders a macro's body.
func (m *macro) call(r *renderer, a *args, caller *macro) (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	outer := r.scope
	defer func() { r.depth--; r.scope = outer }()
	n := m.node
	inner := &scope{up: m.scope}
	r.scope = inner
	if len(a.list) > len(n.params) {
		rest := &List{Items: a.list[len(n.params):], tuple: true}
		inner.set("varargs", rest)
		a = &args{a.list[:len(n.params)], a.named}
	}
	extra := NewDict()
	for _, named := range a.named {
		known := false
		for i, p := range n.params {
			if p == named.name {
				known = true
				if i < len(a.list) {
					return nil, fmt.Errorf("the macro %s gets %s twice", n.name, p)
				}
			}
		}
		if c, ok := named.value.(*macro); ok && named.name == "caller" && !known {
			caller, known = c, true
		}
		if !known {
			extra.Set(named.name, named.value)
		}
	}
	inner.set("kwargs", extra)
	if caller != nil {
		inner.set("caller", caller)
	}
	for i, p := range n.params {
		v, ok := a.get(i, p)
		if !ok {
			v = undefined{fmt.Sprintf("the parameter %q of the macro %s was not given", p, n.name)}
			if d := i - (len(n.params) - len(n.defaults)); d >= 0 {
				var err error
				if v, err = n.defaults[d].eval(r); err != nil {
					return nil, err
				}
			}
		}
		inner.set(p, v)
	}
	return captured(r, func() error { return r.exec(n.body) })
}

// captured is what a function writes.
func captured(r *renderer, f func() error) (any, error) {
	s, err := r.capture([]stmt{stmtFunc(f)})
	return s, err
}

// stmtFunc is a function as a statement.
type stmtFunc func() error

func (f stmtFunc) exec(*renderer) error { return f() }

func (s *callBlock) exec(r *renderer) error {
	of, err := s.call.of.eval(r)
	if err != nil {
		return err
	}
	a, err := s.call.args.eval(r)
	if err != nil {
		return err
	}
	caller := &macro{s.caller, r.scope}
	var v any
	if m, ok := of.(*macro); ok {
		v, err = m.call(r, a, caller)
	} else {
		a.named = append(a.named, namedArg{"caller", caller})
		v, err = r.call(of, a)
	}
	if err == nil {
		err = r.write(text(v))
	}
	return at(s.line, err)
}
