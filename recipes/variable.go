package recipes

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/llama-pajamas/pj/internal/diag"
)

// sensitiveMark marks values that no message, plan or provenance may show.
const sensitiveMark = "sensitive"

// variable is a declared variable.
type variable struct {
	name        string
	typ         cty.Type
	defaults    *typeexpr.Defaults
	typeText    string
	fallback    cty.Value // the default; NilVal: the variable must be given
	description string
	sensitive   bool
	nullable    bool
	checks      []check

	given *given      // of the root's variables
	arg   *expression // of a module's: what the module block says; nil: nothing
}

// check is a validation block.
type check struct {
	condition, message *expression
}

// Variable describes a variable of the recipe.
type Variable struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"` // as a type constraint: "list(string)"
	Description string          `json:"description,omitempty"`
	Required    bool            `json:"required"`
	Sensitive   bool            `json:"sensitive,omitempty"`
	Nullable    bool            `json:"nullable"`
	Default     json.RawMessage `json:"default,omitempty"` // absent where required or sensitive
	Value       json.RawMessage `json:"value,omitempty"`   // absent where unknown or sensitive
	Range       diag.Range      `json:"-"`
}

func (m *module) declareVariable(b *nested) {
	name := b.labels[0]
	what := describe("variable", name)
	c := m.readBody(b.body, b.rng, what, &shape{
		attrs:  []string{"type", "default", "description", "sensitive", "nullable"},
		blocks: map[string]*shape{"validation": {attrs: []string{"condition", "error_message"}}},
	})
	v := &variable{name: name, typ: cty.DynamicPseudoType, typeText: "any", fallback: cty.NilVal}
	n := &node{kind: variableNode, address: "var." + name, rng: b.rng, variable: v}
	v.description = m.constantString(c.attrs["description"])
	v.sensitive = m.constantBool(c.attrs["sensitive"], false)
	v.nullable = m.constantBool(c.attrs["nullable"], true)
	if a := c.attrs["type"]; a != nil {
		if expr := m.typeExpression(a); expr != nil {
			typ, defaults, ds := typeexpr.TypeConstraintWithDefaults(expr)
			m.hcl(typeWords(ds, expr))
			if ds.HasErrors() {
				n.bad = true
			} else {
				v.typ, v.defaults = typ, defaults
				v.typeText = typeexpr.TypeString(typ.WithoutOptionalAttributesDeep())
			}
		} else {
			n.bad = true
		}
	}
	if a := c.attrs["default"]; a != nil && !n.bad {
		value, ok := m.constant(a, "A default")
		if v.sensitive {
			m.hide(value)
		}
		if ok {
			v.fallback, ok = m.convertVariable(v, value, a.expr.Range(), n.rng)
		}
		n.bad = n.bad || !ok
	}
	for _, vb := range c.blocks {
		cond, msg := vb.content.attrs["condition"], vb.content.attrs["error_message"]
		if cond == nil || msg == nil {
			m.errorf(vb.rng, "Missing attribute", "A validation needs condition, which is true for good values, and error_message, a sentence that says what is allowed.")
			continue
		}
		v.checks = append(v.checks, check{cond.expr, msg.expr})
	}
	m.add(m.variables, name, n)
}

// typeExpression is the type as an expression of the native syntax; JSON
// writes it as a string.
func (m *module) typeExpression(a *attribute) hclsyntax.Expression {
	e := unwrap(a.expr.Expression)
	t, ok := e.(*hclsyntax.TemplateExpr)
	if !ok || !t.IsStringLiteral() {
		return e
	}
	v, _ := t.Value(nil)
	if !strings.HasSuffix(m.file, jsonSuffix) {
		m.errorf(e.Range(), "Wrong type", "A type is written without quotes: type = %s.", v.AsString())
		return nil
	}
	r := e.Range()
	start := hcl.Pos{Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte}
	expr, ds := hclsyntax.ParseExpression([]byte(v.AsString()), r.Filename, start)
	m.hcl(ds)
	if ds.HasErrors() {
		return nil
	}
	return expr
}

// typeNames are the words that types are made of.
var typeNames = []string{"any", "bool", "list", "map", "number", "object", "optional", "set", "string", "tuple"}

// typeWords adds to what the library says of a type what would be one.
func typeWords(ds hcl.Diagnostics, e hclsyntax.Expression) hcl.Diagnostics {
	for _, d := range ds {
		hint := ""
		if d.Subject != nil {
			_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
				name := ""
				switch x := n.(type) {
				case *hclsyntax.ScopeTraversalExpr:
					name = x.Traversal.RootName()
				case *hclsyntax.FunctionCallExpr:
					name = x.Name
				}
				if r := n.Range(); name != "" && r.Start == d.Subject.Start {
					hint = didYouMean(name, typeNames)
				}
				return nil
			})
		}
		d.Detail += hint + " A type is string, number, bool, any, list(…), set(…), map(…), tuple([…]) or object({…})."
	}
	return ds
}

// convertVariable brings a value to a variable's type. Errors are placed at
// the value, or at the declaration where the value must not be seen.
func (m *module) convertVariable(v *variable, value cty.Value, at, declared hcl.Range) (cty.Value, bool) {
	if v.sensitive {
		at = declared
	}
	if value.IsNull() && !v.nullable && v.fallback != cty.NilVal {
		return v.fallback, true
	}
	if v.defaults != nil {
		value = v.defaults.Apply(value)
	}
	out, err := convert.Convert(value, v.typ)
	if err != nil {
		m.errorf(at, "Wrong type", "The value of var.%s%s does not fit its type %s: %s.", v.name, v.given.origin(), v.typeText, convertError(err))
		return unusable, false
	}
	if out.IsNull() && !v.nullable {
		m.errorf(at, "Value is null", "var.%s has nullable = false, so it can't be null.", v.name)
		return unusable, false
	}
	return out, true
}

// convertError words an error of a conversion with the place inside the value.
func convertError(err error) string {
	path := ""
	if pe, ok := err.(cty.PathError); ok {
		for _, step := range pe.Path {
			switch s := step.(type) {
			case cty.GetAttrStep:
				path += "." + s.Name
			case cty.IndexStep:
				if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
					path += "[" + quote(s.Key.AsString()) + "]"
				} else if s.Key.Type() == cty.Number && s.Key.IsKnown() {
					path += "[" + s.Key.AsBigFloat().Text('f', -1) + "]"
				}
			}
		}
	}
	if path != "" {
		return "at " + strings.TrimPrefix(path, ".") + ": " + err.Error()
	}
	return err.Error()
}

// evaluateVariable finds a variable's value: what was given, else the default.
func (m *module) evaluateVariable(n *node) {
	v := n.variable
	value, ok := v.fallback, true
	switch {
	case m.parent == nil && v.given != nil:
		value, ok = v.given.value, v.given.value != cty.NilVal
		if ok {
			value, ok = m.convertVariable(v, value, v.given.rng, n.rng)
		}
	case m.parent != nil && v.arg != nil:
		if value, ok = v.arg.evaluate(nil); ok {
			value, ok = m.convertVariable(v, value, v.arg.Range(), n.rng)
		}
	case v.fallback == cty.NilVal && m.parent == nil:
		m.errorf(n.rng, "Variable without a value", "var.%s has no default. Give it with --var %s=…, in a file for --var-file, or as PJ_VAR_%s in the environment.", v.name, v.name, v.name)
		ok = false
	case v.fallback == cty.NilVal:
		ok = false // reported at the module block
	}
	if !ok {
		n.bad = true
		return
	}
	if v.sensitive {
		m.hide(value)
		value = value.Mark(sensitiveMark)
	}
	n.value = value
}

// validate runs a variable's checks; by now everything they may refer to has a
// value.
func (m *module) validate(n *node) {
	for _, c := range n.variable.checks {
		if n.bad || c.condition.bad || c.message.bad {
			continue
		}
		cond, ok := c.condition.evaluate(nil)
		if !ok {
			continue
		}
		cond, _ = cond.Unmark()
		cond, err := convert.Convert(cond, cty.Bool)
		if err != nil || cond.IsNull() {
			m.errorf(c.condition.Range(), "Wrong type", "The condition of a validation is true or false.")
			continue
		}
		if !cond.IsKnown() || cond.True() {
			continue
		}
		text := "The value is not allowed."
		if msg, ok := c.message.evaluate(nil); ok {
			hidden := msg.ContainsMarked()
			msg, _ = msg.UnmarkDeep()
			msg, err := convert.Convert(msg, cty.String)
			switch {
			case err != nil || msg.IsNull() || !msg.IsKnown():
				m.errorf(c.message.Range(), "Wrong type", "error_message is a string.")
			case !hidden:
				text = msg.AsString()
			}
		}
		at := n.rng
		if !n.variable.sensitive {
			switch {
			case m.parent != nil && n.variable.arg != nil:
				at = n.variable.arg.Range()
			case n.variable.given != nil && n.variable.given.rng.Filename != "":
				at = n.variable.given.rng
			}
		}
		m.errorf(at, "Invalid value for var."+n.variable.name, "%s (checked at %s)", text+n.variable.given.origin(), m.place(c.condition.Range()))
	}
}

// public describes the variable for people and scripts.
func (m *module) public(n *node) Variable {
	v := n.variable
	out := Variable{Name: v.name, Type: v.typeText, Description: v.description, Required: v.fallback == cty.NilVal,
		Sensitive: v.sensitive, Nullable: v.nullable, Range: m.place(n.rng)}
	if !v.sensitive {
		out.Default, out.Value = jsonOf(v.fallback), jsonOf(n.value)
	}
	return out
}

// jsonOf is a value as JSON; nil where it has no such form.
func jsonOf(v cty.Value) json.RawMessage {
	if v == cty.NilVal || !v.IsWhollyKnown() || v.ContainsMarked() {
		return nil
	}
	v = addressesOf(v)
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return nil
	}
	return raw
}
