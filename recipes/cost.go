package recipes

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxCost is how many steps the loops of one expression may take, roughly. An
// evaluation can't be interrupted, so that a few nested loops in a hostile file
// would take for ever.
const maxCost = 4 << 20

// affordable reports loops that would take too long. It is asked before the
// expression is evaluated.
func (e *expression) affordable(ctx *hcl.EvalContext) bool {
	loops := 0
	_ = hclsyntax.VisitAll(e.Expression, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n.(type) {
		case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
			loops++
		}
		return nil
	})
	if loops == 0 {
		return true
	}
	c := &costing{ctx: ctx, bound: map[string]loopVariable{}, left: maxCost}
	c.walk(e.Expression, 1)
	if c.left < 0 {
		e.mod.errorf(e.Range(), "Too many steps", "The loops of the expression take more than %d steps. Loop over less, or put parts into locals.", maxCost)
		return false
	}
	return true
}

// costing adds up what the evaluation of an expression costs.
type costing struct {
	ctx   *hcl.EvalContext
	bound map[string]loopVariable
	left  int
}

// loopVariable is what is known of a variable of a loop.
type loopVariable struct {
	parts int // the size of all that it runs over
	mean  int // its own size on average
}

// walk charges an expression that is evaluated times over.
func (c *costing) walk(e hclsyntax.Expression, times int) {
	if c.left < 0 {
		return
	}
	switch x := e.(type) {
	case *hclsyntax.ForExpr:
		if c.walk(x.CollExpr, times); c.left < 0 {
			return
		}
		length, parts := c.size(x.CollExpr)
		if outer, ok := c.loopVariable(x.CollExpr); ok {
			length = outer.mean // some may be longer, then others are shorter
		}
		length = max(length, 1)
		defer c.bind(x.KeyVar, loopVariable{1, 1})()
		defer c.bind(x.ValVar, loopVariable{parts, parts/length + 1})()
		times = product(times, length)
		for _, inner := range []hclsyntax.Expression{x.KeyExpr, x.ValExpr, x.CondExpr} {
			if inner != nil {
				c.walk(inner, times)
			}
		}
	case *hclsyntax.SplatExpr:
		if c.walk(x.Source, times); c.left < 0 {
			return
		}
		length, _ := c.size(x.Source)
		c.walk(x.Each, product(times, max(length, 1)))
	default:
		c.left -= times
		for _, child := range children(e) {
			c.walk(child, times)
		}
	}
}

// bind makes a loop variable known, until the function it returns is called.
func (c *costing) bind(name string, v loopVariable) func() {
	before, had := c.bound[name]
	c.bound[name] = v
	return func() {
		if had {
			c.bound[name] = before
		} else {
			delete(c.bound, name)
		}
	}
}

// loopVariable is the loop variable that an expression is or goes into.
func (c *costing) loopVariable(e hclsyntax.Expression) (loopVariable, bool) {
	t, ok := unwrap(e).(*hclsyntax.ScopeTraversalExpr)
	if !ok {
		return loopVariable{}, false
	}
	v, ok := c.bound[t.Traversal.RootName()]
	return v, ok
}

// unknownSize stands for the size of what only a tensor tells.
const unknownSize = 8

// size is how many elements a collection has, and how many parts in all. What
// depends on a loop variable is no larger than everything the variable runs
// over.
func (c *costing) size(e hclsyntax.Expression) (length, parts int) {
	for _, t := range e.Variables() {
		if v, ok := c.bound[t.RootName()]; ok {
			parts = max(parts, v.parts, unknownSize)
		} else if !defines(c.ctx, t.RootName()) {
			parts = max(parts, unknownSize)
		}
	}
	if _, nameless := e.(*hclsyntax.AnonSymbolExpr); nameless {
		parts = unknownSize
	}
	if parts > 0 {
		// A literal list of such values is as long as it is written.
		if items := tupleItems(e); items != nil {
			return len(items), product(parts, len(items))
		}
		return parts, parts
	}
	v, ds := e.Value(c.ctx)
	if ds.HasErrors() || !v.IsKnown() || v.IsNull() {
		return 1, 1
	}
	parts, bytes := extent(v)
	parts += bytes / 64
	v, _ = v.Unmark()
	if !v.CanIterateElements() {
		return 1, parts
	}
	return v.LengthInt(), parts
}

// product multiplies without overflow.
func product(a, b int) int {
	if b != 0 && a > 2*maxCost/b {
		return 2 * maxCost
	}
	return a * b
}

// children are the expressions directly below an expression.
func children(e hclsyntax.Expression) []hclsyntax.Expression {
	w := &childWalker{}
	_ = hclsyntax.Walk(e, w)
	return w.found
}

type childWalker struct {
	depth int
	found []hclsyntax.Expression
}

func (w *childWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	if x, ok := n.(hclsyntax.Expression); ok && w.depth == 1 {
		w.found = append(w.found, x)
	}
	w.depth++
	return nil
}

func (w *childWalker) Exit(hclsyntax.Node) hcl.Diagnostics {
	w.depth--
	return nil
}
