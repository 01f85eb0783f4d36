package recipes

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// printExpression writes an expression in one way only: what can be evaluated
// in base is its value, everything else is spelt the same however it was
// written. Two rules that mean the same thing for reasons of variables, locals,
// spaces, comments or parentheses print the same.
func printExpression(e hclsyntax.Expression, base *hcl.EvalContext) string {
	p := &printer{base: base, bound: map[string]int{}}
	return p.print(e)
}

type printer struct {
	base  *hcl.EvalContext
	bound map[string]int // variables of "for" expressions around
	splat int            // how many splats are around: what they repeat over has no name
}

var operators = map[*hclsyntax.Operation]string{
	hclsyntax.OpLogicalOr: "||", hclsyntax.OpLogicalAnd: "&&", hclsyntax.OpEqual: "==", hclsyntax.OpNotEqual: "!=",
	hclsyntax.OpGreaterThan: ">", hclsyntax.OpGreaterThanOrEqual: ">=", hclsyntax.OpLessThan: "<", hclsyntax.OpLessThanOrEqual: "<=",
	hclsyntax.OpAdd: "+", hclsyntax.OpSubtract: "-", hclsyntax.OpMultiply: "*", hclsyntax.OpDivide: "/", hclsyntax.OpModulo: "%",
}

// value evaluates an expression that refers to nothing but what base has.
func (p *printer) value(e hclsyntax.Expression) (cty.Value, bool) {
	if p.splat > 0 {
		return unusable, false
	}
	for _, t := range e.Variables() {
		if p.bound[t.RootName()] > 0 || !defines(p.base, t.RootName()) {
			return unusable, false
		}
	}
	v, ds := e.Value(p.base)
	return v, !ds.HasErrors() && v.IsWhollyKnown()
}

func defines(ctx *hcl.EvalContext, name string) bool {
	for ; ctx != nil; ctx = ctx.Parent() {
		if _, ok := ctx.Variables[name]; ok {
			return true
		}
	}
	return false
}

func (p *printer) print(e hclsyntax.Expression) string {
	if v, ok := p.value(e); ok {
		return printValue(v)
	}
	switch x := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return p.print(x.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return p.print(x.Wrapped)
	case *hclsyntax.ScopeTraversalExpr:
		return x.Traversal.RootName() + printSteps(x.Traversal[1:])
	case *hclsyntax.RelativeTraversalExpr:
		return p.operand(x.Source) + printSteps(x.Traversal)
	case *hclsyntax.IndexExpr:
		return p.operand(x.Collection) + "[" + p.print(x.Key) + "]"
	case *hclsyntax.BinaryOpExpr:
		return p.operand(x.LHS) + " " + operators[x.Op] + " " + p.operand(x.RHS)
	case *hclsyntax.UnaryOpExpr:
		if x.Op == hclsyntax.OpLogicalNot {
			return "!" + p.operand(x.Val)
		}
		return "-" + p.operand(x.Val)
	case *hclsyntax.ConditionalExpr:
		return p.operand(x.Condition) + " ? " + p.operand(x.TrueResult) + " : " + p.operand(x.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		var args []string
		for _, a := range x.Args {
			args = append(args, p.print(a))
		}
		s := x.Name + "(" + strings.Join(args, ", ")
		if x.ExpandFinal {
			s += "..."
		}
		return s + ")"
	case *hclsyntax.TupleConsExpr:
		var items []string
		for _, a := range x.Exprs {
			items = append(items, p.print(a))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case *hclsyntax.ObjectConsExpr:
		var items []string
		for _, item := range x.Items {
			items = append(items, p.key(item.KeyExpr)+" = "+p.print(item.ValueExpr))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case *hclsyntax.ForExpr:
		return p.forExpr(x)
	case *hclsyntax.SplatExpr:
		s := p.operand(x.Source) + "[*]"
		p.splat++
		s += p.print(x.Each)
		p.splat--
		return s
	case *hclsyntax.TemplateExpr:
		return p.template(x)
	case *hclsyntax.TemplateJoinExpr:
		return `join("", ` + p.print(x.Tuple) + ")"
	case *hclsyntax.LiteralValueExpr:
		return printValue(x.Val)
	}
	return "" // the nameless item of a splat
}

// operand prints an expression so that it can stand beside an operator.
func (p *printer) operand(e hclsyntax.Expression) string {
	s := p.print(e)
	if _, ok := p.value(e); ok {
		return s
	}
	switch unwrap(e).(type) {
	case *hclsyntax.BinaryOpExpr, *hclsyntax.ConditionalExpr, *hclsyntax.SplatExpr, *hclsyntax.UnaryOpExpr:
		return "(" + s + ")"
	}
	return s
}

func (p *printer) key(e hclsyntax.Expression) string {
	if v, ok := p.value(e); ok && v.Type() == cty.String {
		return printValue(v)
	}
	if k, ok := e.(*hclsyntax.ObjectConsKeyExpr); ok {
		e = k.Wrapped
	}
	return "(" + p.print(e) + ")"
}

func (p *printer) forExpr(x *hclsyntax.ForExpr) string {
	names := x.ValVar
	if x.KeyVar != "" {
		names = x.KeyVar + ", " + x.ValVar
		p.bound[x.KeyVar]++
		defer func() { p.bound[x.KeyVar]-- }()
	}
	coll := p.print(x.CollExpr)
	p.bound[x.ValVar]++
	defer func() { p.bound[x.ValVar]-- }()
	s := "for " + names + " in " + coll + " : "
	if x.KeyExpr != nil {
		s += p.print(x.KeyExpr) + " => "
	}
	s += p.print(x.ValExpr)
	if x.Group {
		s += "..."
	}
	if x.CondExpr != nil {
		s += " if " + p.print(x.CondExpr)
	}
	if x.KeyExpr != nil {
		return "{" + s + "}"
	}
	return "[" + s + "]"
}

func (p *printer) template(x *hclsyntax.TemplateExpr) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, part := range x.Parts {
		s := p.print(part)
		if inner, ok := strings.CutPrefix(s, `"`); ok {
			if _, isValue := p.value(part); isValue {
				b.WriteString(strings.TrimSuffix(inner, `"`))
				continue
			}
		}
		b.WriteString("${" + s + "}")
	}
	b.WriteByte('"')
	return b.String()
}

func printSteps(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + printValue(s.Key) + "]")
		}
	}
	return b.String()
}

// printValue writes a value in HCL. Sensitive ones are replaced by their hash.
func printValue(v cty.Value) string {
	if v.IsMarked() {
		v, _ = v.UnmarkDeep()
		return quote(hashed(printValue(v)))
	}
	ty := v.Type()
	switch {
	case v.IsNull() || !v.IsKnown():
		return "null"
	case ty == cty.String:
		return quote(v.AsString())
	case ty == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case ty == cty.Bool:
		if v.True() {
			return "true"
		}
		return "false"
	case ty.Equals(refType):
		r, _ := asRef(v)
		return quote(r.Address)
	case ty.IsMapType() || ty.IsObjectType():
		var items []string
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			items = append(items, quote(k.AsString())+" = "+printValue(e))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case ty.IsListType() || ty.IsSetType() || ty.IsTupleType():
		var items []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			items = append(items, printValue(e))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return "null"
}
