package recipes

import (
	"encoding/json"

	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/internal/diag"
)

// output is a value that the recipe gives to whoever includes it.
type output struct {
	value       *attribute
	description string
	sensitive   bool
}

func (m *module) declareOutput(b *nested) {
	name := b.labels[0]
	c := m.readBody(b.body, b.rng, describe("output", name), &shape{attrs: []string{"value", "description", "sensitive"}})
	n := &node{kind: outputNode, address: "output." + name, rng: b.rng, output: &output{value: c.attrs["value"]}}
	if a := c.attrs["value"]; a != nil {
		n.exprs = []*expression{a.expr}
	} else {
		m.errorf(b.rng, "Missing attribute", "%s needs value, what the output stands for.", describe("output", name))
		n.bad = true
	}
	n.output.description = m.constantString(c.attrs["description"])
	n.output.sensitive = m.constantBool(c.attrs["sensitive"], false)
	if builtKinds[name] {
		m.errorf(b.labelRanges[0], "Reserved name", "An output cannot be called %s: module.NAME.%s is how a module's own %s blocks are named. Choose another name.", name, name, name)
		return
	}
	m.add(m.outputs, name, n)
}

// evaluateOutput gives an output its value. In the root an output may look into
// what a build measures: those parts have no value until the build is done.
func (m *module) evaluateOutput(n *node) {
	e := n.output.value.expr
	var v cty.Value
	var ok bool
	if m.parent == nil {
		v, ok = m.rootOutput(e, unmeasured)
	} else {
		v, ok = e.evaluate(nil)
	}
	if !ok {
		n.bad = true
		return
	}
	if v.ContainsMarked() && !n.output.sensitive {
		m.errorf(e.Range(), "Sensitive value", "The output is made of a sensitive value; say sensitive = true to give it out all the same.")
		n.bad = true
		return
	}
	if n.output.sensitive {
		v = v.Mark(sensitiveMark)
	}
	n.value = v
}

// rootOutput evaluates an output of the root. measured gives the values of the
// blocks that the output looks into.
func (m *module) rootOutput(e *expression, measured func(cty.Value) cty.Value) (cty.Value, bool) {
	if !e.usable() || !e.checkKeys() {
		return unusable, false
	}
	ctx := e.context(nil, nil)
	if !e.affordable(ctx) {
		return unusable, false
	}
	v, ds := e.Value(ctx)
	if !ds.HasErrors() {
		return v, v.IsWhollyKnown() && m.checkSize(e, v)
	}
	if e.isMeasured(nil, ds) {
		v, ds = e.Value(e.context(nil, measured))
		if !ds.HasErrors() {
			return v, true
		}
	}
	m.hcl(plainer(ds))
	return unusable, false
}

// outputs fills the program's outputs.
func (l *loader) outputs(root *module) {
	for _, n := range root.nodes {
		if n.kind == outputNode && !n.bad {
			l.program.Outputs[outputName(n)] = outputJSON(n, n.value)
		}
	}
}

func outputName(n *node) string { return n.address[len(n.mod.prefix+"output."):] }

// outputJSON is an output as JSON, null where a value is not known.
func outputJSON(n *node, v cty.Value) json.RawMessage {
	if n.output.sensitive {
		return json.RawMessage(`"(sensitive value)"`)
	}
	known := replace(v, func(leaf cty.Value) cty.Value {
		if !leaf.IsKnown() {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		return leaf
	})
	if raw := jsonOf(known); raw != nil {
		return raw
	}
	return json.RawMessage("null")
}

// Outputs gives the root's outputs once a build has measured: results are what
// was measured, as JSON objects by the address of the block that measured it.
// What is still not known is null; an output that asks for something which was
// not measured is null, with a warning.
func (r *Recipe) Outputs(results map[string]json.RawMessage) (map[string]json.RawMessage, diag.Diagnostics) {
	out := map[string]json.RawMessage{}
	if r.root == nil {
		return out, nil
	}
	values := map[string]cty.Value{}
	measured := func(v cty.Value) cty.Value {
		return replaceRefs(v, func(ref *blockRef) cty.Value {
			if !builtKinds[ref.kind] {
				return refValue(*ref)
			}
			if known, ok := values[ref.Address]; ok {
				return known
			}
			value := cty.DynamicVal
			if raw, ok := results[ref.Address]; ok {
				var plain any
				budget := maxValueParts
				if err := decodeJSON(raw, &plain); err == nil {
					if v, err := plainValue(plain, 0, &budget); err == nil {
						value = v
					}
				}
			}
			values[ref.Address] = value
			return value
		})
	}
	before, errors := len(r.secrets.list), r.secrets.errors
	for _, n := range r.root.nodes {
		if n.kind != outputNode || n.bad {
			continue
		}
		v, ok := r.root.rootOutput(n.output.value.expr, measured)
		if !ok {
			v = cty.NullVal(cty.DynamicPseudoType)
		}
		out[outputName(n)] = outputJSON(n, v)
	}
	var ds diag.Diagnostics
	for _, d := range r.secrets.list[before:] {
		delete(r.secrets.seen, d)
		d.Severity = diag.Warning
		d.Summary, d.Detail = r.Redact(d.Summary), r.Redact(d.Detail)
		ds = append(ds, d)
	}
	r.secrets.list, r.secrets.errors = r.secrets.list[:before], errors
	return out, ds
}
