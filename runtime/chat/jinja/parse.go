package jinja

import (
	"fmt"
	"slices"
)

// parser reads the segments of a template.
type parser struct {
	segs  []segment
	at    int // index of the segment
	toks  []token
	tok   int
	line  int
	depth int
	loops int
}

func parse(src string) ([]stmt, error) {
	segs, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{segs: segs, line: 1}
	body, end, err := p.body()
	if err == nil && end != "" {
		err = p.errorf("%s without a beginning", end)
	}
	return body, err
}

func (p *parser) errorf(format string, a ...any) error {
	return &Error{Line: p.line, Message: fmt.Sprintf(format, a...)}
}

// deeper bounds the nesting of statements and expressions.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxNest {
		return p.errorf("nested more than %d deep", maxNest)
	}
	return nil
}

// body reads statements up to one of the ends, or the end of the template. The
// words of the tag that ended it are left to be read.
func (p *parser) body(ends ...string) (body []stmt, end string, err error) {
	if err := p.deeper(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	for p.at < len(p.segs) {
		s := &p.segs[p.at]
		p.at++
		p.line, p.toks, p.tok = s.line, s.tokens, 0
		switch s.tag {
		case 0:
			body = append(body, &literal{s.text})
			continue
		case '{':
			x, err := p.tupleExpr()
			if err != nil {
				return nil, "", err
			}
			if err := p.done(); err != nil {
				return nil, "", err
			}
			body = append(body, &output{x, s.line})
			continue
		}
		word, err := p.name()
		if err != nil {
			return nil, "", err
		}
		if slices.Contains(ends, word) {
			return body, word, nil
		}
		st, err := p.statement(word)
		if err != nil {
			return nil, "", err
		}
		body = append(body, st)
	}
	if len(ends) > 0 {
		return nil, "", p.errorf("the template ends, and %s is missing", ends[len(ends)-1])
	}
	return body, "", nil
}

// block reads a body up to its end tag.
func (p *parser) block(end string) ([]stmt, error) {
	if err := p.done(); err != nil {
		return nil, err
	}
	body, _, err := p.body(end)
	if err == nil {
		err = p.done()
	}
	return body, err
}

func (p *parser) statement(word string) (stmt, error) {
	line := p.line
	switch word {
	case "if":
		return p.branch()
	case "for":
		return p.loop()
	case "set":
		return p.assign()
	case "macro":
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		m := &macroStmt{name: n, line: line}
		if err := p.parameters(m); err != nil {
			return nil, err
		}
		m.body, err = p.block("endmacro")
		return m, err
	case "call":
		return p.callBlock()
	case "filter":
		f, err := p.filterChain()
		if err != nil {
			return nil, err
		}
		body, err := p.block("endfilter")
		return &filterBlock{f, body}, err
	case "with":
		return p.with()
	case "generation":
		body, err := p.block("endgeneration")
		return &scoped{body}, err
	case "do":
		x, err := p.tupleExpr()
		if err != nil {
			return nil, err
		}
		return &run{x}, p.done()
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.errorf("%s outside of a loop", word)
		}
		err := errBreak
		if word == "continue" {
			err = errContinue
		}
		return &jump{err}, p.done()
	}
	return nil, p.errorf("the statement %q is not known here (if, for, set, macro, call, filter, with, generation, do, break, continue and raw are)", word)
}

func (p *parser) branch() (stmt, error) {
	b := &branch{}
	for word := "if"; ; {
		var test expr
		if word != "else" {
			x, err := p.tupleExpr()
			if err != nil {
				return nil, err
			}
			test = x
		}
		if err := p.done(); err != nil {
			return nil, err
		}
		ends := []string{"elif", "else", "endif"}
		if word == "else" {
			ends = ends[2:]
		}
		body, end, err := p.body(ends...)
		if err != nil {
			return nil, err
		}
		b.tests, b.bodies = append(b.tests, test), append(b.bodies, body)
		if word = end; word == "endif" {
			return b, p.done()
		}
	}
}

func (p *parser) loop() (stmt, error) {
	l := &loop{line: p.line}
	var err error
	if l.target, err = p.targets(); err != nil {
		return nil, err
	}
	if !p.word("in") {
		return nil, p.errorf("found %v instead of in", p.peek())
	}
	if l.over, err = p.tupleOf(p.or); err != nil {
		return nil, err
	}
	if p.word("if") {
		if l.filter, err = p.expr(); err != nil {
			return nil, err
		}
	}
	l.recursive = p.word("recursive")
	if err := p.done(); err != nil {
		return nil, err
	}
	p.loops++
	body, end, err := p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	l.body = body
	if end == "else" {
		if l.otherwise, err = p.block("endfor"); err != nil {
			return nil, err
		}
		return l, nil
	}
	return l, p.done()
}

func (p *parser) assign() (stmt, error) {
	line := p.line
	t, err := p.targets()
	if err != nil {
		return nil, err
	}
	if p.op("=") {
		x, err := p.tupleExpr()
		if err != nil {
			return nil, err
		}
		return &assign{t, x, line}, p.done()
	}
	a := &assignBlock{target: t, line: line}
	for p.op("|") {
		f, err := p.filterName(nil)
		if err != nil {
			return nil, err
		}
		a.filters = append(a.filters, f)
	}
	a.body, err = p.block("endset")
	return a, err
}

// targets reads what is assigned to.
func (p *parser) targets() (target, error) {
	var parts []target
	for {
		t, err := p.oneTarget()
		if err != nil {
			return t, err
		}
		parts = append(parts, t)
		if !p.op(",") {
			if len(parts) == 1 {
				return t, nil
			}
			return target{parts: parts}, nil
		}
		if next := p.peek(); next.kind == tokName && next.text == "in" || next.kind == tokOp && next.text == "=" {
			return target{parts: parts}, nil
		}
	}
}

func (p *parser) oneTarget() (target, error) {
	if p.op("(") {
		if err := p.deeper(); err != nil {
			return target{}, err
		}
		defer func() { p.depth-- }()
		t, err := p.targets()
		if err != nil {
			return t, err
		}
		if len(t.parts) == 0 {
			t = target{parts: []target{t}}
		}
		return t, p.expect(")")
	}
	n, err := p.name()
	if err != nil {
		return target{}, err
	}
	if p.op(".") {
		f, err := p.name()
		return target{name: n, field: f}, err
	}
	return target{name: n}, nil
}

// parameters reads those of a macro: (a, b=1).
func (p *parser) parameters(m *macroStmt) error {
	if err := p.expect("("); err != nil {
		return err
	}
	for !p.op(")") {
		if len(m.params) > 0 {
			if err := p.expect(","); err != nil {
				return err
			}
			if p.op(")") {
				break
			}
		}
		n, err := p.name()
		if err != nil {
			return err
		}
		m.params = append(m.params, n)
		switch {
		case p.op("="):
			x, err := p.expr()
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, x)
		case len(m.defaults) > 0:
			return p.errorf("the parameter %q has no default, and one before it has", n)
		}
	}
	return nil
}

func (p *parser) callBlock() (stmt, error) {
	c := &callBlock{caller: &macroStmt{name: "caller", line: p.line}, line: p.line}
	if t := p.peek(); t.kind == tokOp && t.text == "(" {
		if err := p.parameters(c.caller); err != nil {
			return nil, err
		}
	}
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	var ok bool
	if c.call, ok = x.(*call); !ok {
		return nil, p.errorf("call wants a call of a macro")
	}
	c.caller.body, err = p.block("endcall")
	return c, err
}

func (p *parser) filterChain() ([]*filter, error) {
	var out []*filter
	for {
		f, err := p.filterName(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
		if !p.op("|") {
			return out, nil
		}
	}
}

func (p *parser) with() (stmt, error) {
	w := &with{line: p.line}
	for p.peek().kind != tokEnd {
		if len(w.targets) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		t, err := p.oneTarget()
		if err != nil {
			return nil, err
		}
		if err := p.expect("="); err != nil {
			return nil, err
		}
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		w.targets, w.values = append(w.targets, t), append(w.values, x)
	}
	var err error
	w.body, err = p.block("endwith")
	return w, err
}

// Words of a tag.

func (p *parser) peek() token {
	if p.tok < len(p.toks) {
		return p.toks[p.tok]
	}
	return token{line: p.line}
}

func (p *parser) next() token {
	t := p.peek()
	p.tok++
	p.line = t.line
	return t
}

// op takes an operator if it comes next.
func (p *parser) op(s string) bool { return p.take(tokOp, s) }

func (p *parser) word(s string) bool { return p.take(tokName, s) }

func (p *parser) take(k tokenKind, s string) bool {
	if t := p.peek(); t.kind == k && t.text == s {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(s string) error {
	if !p.op(s) {
		return p.errorf("found %v instead of %q", p.peek(), s)
	}
	return nil
}

func (p *parser) name() (string, error) {
	t := p.peek()
	if t.kind != tokName {
		return "", p.errorf("found %v instead of a name", t)
	}
	p.next()
	return t.text, nil
}

func (p *parser) done() error {
	if t := p.peek(); t.kind != tokEnd {
		return p.errorf("found %v, where the tag has to end", t)
	}
	return nil
}
