package jinja

import "strconv"

// Expressions, from what binds least to what binds most: if-else, or, and, not,
// comparisons, + -, ~, * / // %, **, signs, then what follows a value.

// maxChain bounds the operations of one level in a row, as each lies within the
// next.
const maxChain = 1000

// tupleExpr reads an expression, or several with commas: a tuple.
func (p *parser) tupleExpr() (expr, error) { return p.tupleOf(p.expr) }

func (p *parser) tupleOf(one func() (expr, error)) (expr, error) {
	x, err := one()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokOp || t.text != "," {
		return x, nil
	}
	l := &listExpr{items: []expr{x}, tuple: true}
	for p.op(",") {
		if t := p.peek(); t.kind == tokEnd || t.kind == tokOp && (t.text == ")" || t.text == "]") {
			break
		}
		if x, err = one(); err != nil {
			return nil, err
		}
		l.items = append(l.items, x)
	}
	return l, nil
}

func (p *parser) expr() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.or()
	if err == nil && p.word("if") {
		c := &condition{yes: x}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.word("else") {
			if c.no, err = p.expr(); err != nil {
				return nil, err
			}
		}
		x = c
	}
	return x, err
}

func (p *parser) or() (expr, error) { return p.words("or", p.and) }

func (p *parser) and() (expr, error) { return p.words("and", p.not) }

func (p *parser) words(word string, inner func() (expr, error)) (expr, error) {
	x, err := inner()
	for n := 0; err == nil && p.word(word); n++ {
		line := p.line
		if n > maxChain {
			return nil, p.errorf("more than %d operations in a row", maxChain)
		}
		var y expr
		if y, err = inner(); err == nil {
			x = &binary{word, x, y, line}
		}
	}
	return x, err
}

func (p *parser) not() (expr, error) {
	if !p.word("not") {
		return p.compare()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	line := p.line
	x, err := p.not()
	return &unary{"not", x, line}, err
}

func (p *parser) compare() (expr, error) {
	x, err := p.plus()
	if err != nil {
		return nil, err
	}
	c := &comparison{first: x, line: p.line}
	for {
		t := p.peek()
		op := ""
		switch {
		case t.kind == tokOp && (t.text == "==" || t.text == "!=" || t.text == "<" || t.text == "<=" || t.text == ">" || t.text == ">="):
			op = t.text
			p.next()
		case p.word("in"):
			op = "in"
		case t.kind == tokName && t.text == "not" && p.tok+1 < len(p.toks) && p.toks[p.tok+1].kind == tokName && p.toks[p.tok+1].text == "in":
			op = "not in"
			p.next()
			p.next()
		default:
			if len(c.ops) == 0 {
				return x, nil
			}
			return c, nil
		}
		y, err := p.plus()
		if err != nil {
			return nil, err
		}
		c.ops, c.rest = append(c.ops, op), append(c.rest, y)
	}
}

func (p *parser) plus() (expr, error) { return p.ops(p.tilde, "+", "-") }

func (p *parser) tilde() (expr, error) { return p.ops(p.times, "~") }

func (p *parser) times() (expr, error) { return p.ops(p.power, "*", "/", "//", "%") }

func (p *parser) power() (expr, error) {
	return p.ops(func() (expr, error) { return p.unary(true) }, "**")
}

func (p *parser) ops(inner func() (expr, error), ops ...string) (expr, error) {
	x, err := inner()
	for n := 0; err == nil; n++ {
		if n > maxChain {
			return nil, p.errorf("more than %d operations in a row", maxChain)
		}
		op := ""
		for _, o := range ops {
			if p.op(o) {
				op = o
				break
			}
		}
		if op == "" {
			break
		}
		line := p.line
		var y expr
		if y, err = inner(); err == nil {
			x = &binary{op, x, y, line}
		}
	}
	return x, err
}

func (p *parser) unary(filters bool) (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	line := p.line
	var x expr
	var err error
	switch {
	case p.op("-"):
		x, err = p.unary(false)
		x = &unary{"-", x, line}
	case p.op("+"):
		x, err = p.unary(false)
		x = &unary{"+", x, line}
	default:
		if x, err = p.primary(); err == nil {
			x, err = p.postfix(x)
		}
	}
	if err == nil && filters {
		x, err = p.filters(x)
	}
	return x, err
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return &constant{true}, nil
		case "false", "False":
			return &constant{false}, nil
		case "none", "None":
			return &constant{nil}, nil
		}
		return &name{t.text, t.line}, nil
	case tokString:
		s := t.text
		for p.peek().kind == tokString {
			s += p.next().text
		}
		return &constant{s}, nil
	case tokInt:
		return &constant{t.whole}, nil
	case tokFloat:
		return &constant{t.float}, nil
	case tokOp:
		switch t.text {
		case "(":
			if p.op(")") {
				return &listExpr{tuple: true}, nil
			}
			x, err := p.tupleExpr()
			if err != nil {
				return nil, err
			}
			return x, p.expect(")")
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	return nil, p.errorf("found %v instead of a value", t)
}

func (p *parser) list() (expr, error) {
	l := &listExpr{}
	return l, p.commas("]", func() error {
		x, err := p.expr()
		l.items = append(l.items, x)
		return err
	})
}

// commas reads items with commas between them, and maybe one after the last, up
// to a bracket.
func (p *parser) commas(end string, item func() error) error {
	for first := true; !p.op(end); first = false {
		if !first {
			if err := p.expect(","); err != nil {
				return err
			}
			if p.op(end) {
				break
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) dict() (expr, error) {
	d := &dictExpr{}
	return d, p.commas("}", func() error {
		k, err := p.expr()
		if err != nil {
			return err
		}
		if err := p.expect(":"); err != nil {
			return err
		}
		v, err := p.expr()
		d.keys, d.values = append(d.keys, k), append(d.values, v)
		return err
	})
}

// postfix reads .name, [key] and (arguments).
func (p *parser) postfix(x expr) (expr, error) {
	for n := 0; ; n++ {
		if n > maxNest {
			return nil, p.errorf("more than %d of these in a row", maxNest)
		}
		line := p.line
		switch {
		case p.op("."):
			t := p.next()
			switch t.kind {
			case tokName:
				x = &attribute{x, t.text, line}
			case tokInt:
				x = &subscript{x, &constant{t.whole}, line}
			default:
				return nil, p.errorf("found %v instead of a name after the point", t)
			}
		case p.op("["):
			y, err := p.subscript(x)
			if err != nil {
				return nil, err
			}
			x = y
		case p.op("("):
			a, err := p.arguments()
			if err != nil {
				return nil, err
			}
			x = &call{x, a, line}
		default:
			return x, nil
		}
	}
}

// subscript reads what is in square brackets behind a value.
func (p *parser) subscript(x expr) (expr, error) {
	line := p.line
	var parts [3]expr
	n, colons := 0, 0
	for !p.op("]") {
		if p.op(":") {
			if colons++; colons > 2 {
				return nil, p.errorf("a slice has three parts at most")
			}
			n = colons
			continue
		}
		if parts[n] != nil {
			return nil, p.errorf("found %v instead of \"]\"", p.peek())
		}
		y, err := p.tupleExpr()
		if err != nil {
			return nil, err
		}
		parts[n] = y
	}
	if colons > 0 {
		return &slice{x, parts[0], parts[1], parts[2], line}, nil
	}
	if parts[0] == nil {
		return nil, p.errorf("nothing in square brackets")
	}
	return &subscript{x, parts[0], line}, nil
}

// arguments reads those of a call, up to the bracket.
func (p *parser) arguments() (arguments, error) {
	var a arguments
	err := p.commas(")", func() error {
		t := p.peek()
		var err error
		switch {
		case p.op("**"):
			a.spreadNamed, err = p.expr()
		case p.op("*"):
			a.spread, err = p.expr()
		case t.kind == tokName && p.tok+1 < len(p.toks) && p.toks[p.tok+1].kind == tokOp && p.toks[p.tok+1].text == "=":
			p.next()
			p.next()
			var x expr
			x, err = p.expr()
			a.names, a.named = append(a.names, t.text), append(a.named, x)
		default:
			if len(a.names) > 0 {
				return p.errorf("an argument without a name after one with a name")
			}
			var x expr
			x, err = p.expr()
			a.list = append(a.list, x)
		}
		return err
	})
	return a, err
}

// filters reads |name(…), is name and calls of their outcome.
func (p *parser) filters(x expr) (expr, error) {
	for n := 0; ; n++ {
		if n > maxNest {
			return nil, p.errorf("more than %d filters in a row", maxNest)
		}
		line := p.line
		switch {
		case p.op("|"):
			f, err := p.filterName(x)
			if err != nil {
				return nil, err
			}
			x = f
		case p.word("is"):
			t, err := p.test(x)
			if err != nil {
				return nil, err
			}
			x = t
		case p.op("("):
			a, err := p.arguments()
			if err != nil {
				return nil, err
			}
			x = &call{x, a, line}
		default:
			return x, nil
		}
	}
}

func (p *parser) filterName(x expr) (*filter, error) {
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	f := &filter{of: x, name: n, line: p.line}
	if _, ok := filters[n]; !ok {
		return nil, p.errorf("the filter %s is not known here", strconv.Quote(n))
	}
	if p.op("(") {
		f.args, err = p.arguments()
	}
	return f, err
}

func (p *parser) test(x expr) (expr, error) {
	t := &test{of: x, not: p.word("not"), line: p.line}
	n := p.peek()
	if n.kind != tokName {
		return nil, p.errorf("found %v instead of a test's name", n)
	}
	p.next()
	t.name = n.text
	if _, ok := tests[t.name]; !ok {
		return nil, p.errorf("the test %s is not known here", strconv.Quote(t.name))
	}
	var err error
	next := p.peek()
	switch {
	case p.op("("):
		t.args, err = p.arguments()
	case next.kind == tokString || next.kind == tokInt || next.kind == tokFloat,
		next.kind == tokOp && (next.text == "[" || next.text == "{"),
		next.kind == tokName && next.text != "else" && next.text != "or" && next.text != "and" && next.text != "is" && next.text != "if" && next.text != "in" && next.text != "not" && next.text != "recursive":
		var y expr
		if y, err = p.primary(); err == nil {
			if y, err = p.postfix(y); err == nil {
				t.args.list = []expr{y}
			}
		}
	}
	return t, err
}
