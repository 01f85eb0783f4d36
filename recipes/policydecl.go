package recipes

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/llama-pajamas/pj/engine"
)

// policyDecl is a policy block.
type policyDecl struct {
	forEach   *attribute
	content   *content
	instances map[string]*Policy
}

// efforts are how hard an encoder may search.
var efforts = []string{"fast", "normal", "best"}

var (
	tensorRuleShape = &shape{attrs: []string{"when", "type", "min", "max", "effort"}}
	kvRuleShape     = &shape{attrs: []string{"when", "type", "key", "value"}}
	budgetShape     = &shape{attrs: []string{"bytes", "bits_per_weight", "max_kld"}}
	policyShape     = &shape{
		attrs:  []string{forEachName, "mix", "default", "preserve", "evidence", "inherit"},
		blocks: map[string]*shape{"tensor": tensorRuleShape, "kv": kvRuleShape, "budget": budgetShape},
	}
)

func (m *module) declarePolicy(b *nested) {
	name := b.labels[0]
	c := m.readBody(b.body, b.rng, describe("policy", name), policyShape)
	n := &node{kind: policyNode, address: "policy." + name, rng: b.rng}
	n.policy = &policyDecl{content: c, forEach: takeForEach(c), instances: map[string]*Policy{}}
	for _, r := range c.blocks {
		if w := r.content.attrs["when"]; w != nil {
			w.expr.sees = tensorNames
			if r.name == "kv" {
				w.expr.sees = kvNames
			}
		}
	}
	if a := c.attrs["evidence"]; a != nil {
		m.declareEvidence(n, name, a)
	}
	n.exprs = c.expressions(n.policy.forEach != nil)
	if n.policy.forEach != nil {
		n.exprs = append(n.exprs, n.policy.forEach.expr)
	}
	m.add(m.policies, name, n)
}

// declareEvidence reads evidence = imatrix("file.gguf"): a call that has the
// name of a stage declares that stage, with the argument for the one attribute
// that it requires, under the policy's name.
func (m *module) declareEvidence(n *node, name string, a *attribute) {
	call, ok := unwrap(a.expr.Expression).(*hclsyntax.FunctionCallExpr)
	if !ok {
		return
	}
	if _, isFunction := m.functions[call.Name]; isFunction {
		return
	}
	stage, ok := m.catalog.Stage("stage", call.Name)
	if !ok {
		return
	}
	var required []*field
	sch := schemaOf(stage)
	for _, f := range sch.fields {
		if f.required {
			required = append(required, f)
		}
	}
	if len(required) != 1 || len(call.Args) != 1 || call.ExpandFinal {
		m.errorf(call.Range(), "Wrong arguments", "%s(…) takes one argument here. Declare a stage %q %q and refer to it to set more.", call.Name, call.Name, name)
		n.bad = true
		delete(n.policy.content.attrs, "evidence")
		return
	}
	arg := &attribute{required[0].name, m.expr(call.Args[0]), call.Args[0].Range()}
	c := &content{rng: call.Range(), attrs: map[string]*attribute{arg.name: arg}}
	made := &node{kind: blockNode, address: "stage." + call.Name + "." + name, rng: call.Range(), block: &blockDecl{stage: stage, schema: sch, content: c}}
	r := call.Range()
	ref := &hclsyntax.ScopeTraversalExpr{SrcRange: r, Traversal: hcl.Traversal{
		hcl.TraverseRoot{Name: "stage", SrcRange: r}, hcl.TraverseAttr{Name: call.Name, SrcRange: r}, hcl.TraverseAttr{Name: name, SrcRange: r},
	}}
	var expr hclsyntax.Expression = ref
	if each := n.policy.forEach; each != nil {
		made.block.forEach = &attribute{each.name, m.expr(each.expr.Expression), each.rng}
		made.exprs = append(made.exprs, made.block.forEach.expr)
		expr = &hclsyntax.IndexExpr{Collection: ref, SrcRange: r, OpenRange: r, BracketRange: r, Key: &hclsyntax.ScopeTraversalExpr{
			SrcRange: r, Traversal: hcl.Traversal{hcl.TraverseRoot{Name: "each", SrcRange: r}, hcl.TraverseAttr{Name: "key", SrcRange: r}},
		}}
	}
	made.exprs = append(made.exprs, c.expressions(made.block.forEach != nil)...)
	a.expr = m.expr(expr)
	m.add(m.blocks, made.address, made)
}

// evaluatePolicy makes every instance of a policy.
func (l *loader) evaluatePolicy(n *node) {
	scopes, ok := n.mod.instances(n.policy.forEach)
	if !ok {
		n.bad = true
		return
	}
	values := map[string]cty.Value{}
	for _, each := range scopes {
		address := n.address
		if each != nil {
			address = instance(address, each.key)
		}
		r := &policyReader{m: n.mod, l: l, each: each, node: n, ok: !n.bad, p: &Policy{address: address, rng: n.mod.place(n.rng)}}
		r.read(n.policy.content)
		r.p.failed = !r.ok
		n.policy.instances[address] = r.p
		l.program.Policies[address] = r.p
		ref := refValue(blockRef{engine.Ref{Address: address, Yields: "policy"}, "policy", "policy", n})
		if each == nil {
			n.value = ref
		} else {
			values[each.key] = ref
		}
	}
	if n.policy.forEach != nil {
		n.value = cty.ObjectVal(values)
	}
}

// policyReader makes one policy.
type policyReader struct {
	m    *module
	l    *loader
	each *eachScope
	node *node
	p    *Policy
	ok   bool
}

func (r *policyReader) fail(at hcl.Range, summary, detail string, args ...any) {
	r.ok = false
	r.m.errorf(at, summary, detail, args...)
}

func (r *policyReader) read(c *content) {
	p := r.p
	p.mix, _ = r.name(c.attrs["mix"], ofMix, r.m.catalog.Mixes)
	p.fallback, _ = r.name(c.attrs["default"], ofType, r.m.catalog.Types)
	if v, ok := r.value(c.attrs["preserve"], cty.Bool); ok {
		b := v.True()
		p.preserve = &b
	}
	p.evidence = r.reference(c.attrs["evidence"], "evidence", []string{"evidence"})
	p.parent = r.reference(c.attrs["inherit"], "inherit", []string{"policy"})
	for _, b := range c.blocks {
		switch b.name {
		case "tensor":
			r.readRule(b)
		case "kv":
			r.readKV(b)
		case "budget":
			r.readBudget(b)
		}
	}
	own := len(p.rules)
	ownKV := len(p.kv)
	r.inherit()
	if r.ok {
		r.warnUnreachable(own, ownKV)
	}
	p.canonical = r.canonical()
}

// inherit adds what the parent says and the policy does not.
func (r *policyReader) inherit() {
	p := r.p
	if p.parent == nil {
		return
	}
	parent, ok := r.l.program.Policies[p.parent.Address].(*Policy)
	if !ok {
		r.ok = false
		return
	}
	r.ok = r.ok && !parent.failed
	if p.mix == "" {
		p.mix = parent.mix
	}
	if p.fallback == "" {
		p.fallback = parent.fallback
	}
	if p.preserve == nil {
		p.preserve = parent.preserve
	}
	if p.evidence == nil {
		p.evidence = parent.evidence
	}
	if p.budget == nil {
		p.budget = parent.budget
	}
	for _, x := range parent.rules {
		y := *x
		y.Index = len(p.rules) + 1
		p.rules = append(p.rules, &y)
	}
	p.kv = append(p.kv, parent.kv...)
}

// value evaluates an attribute as a primitive type; false where it is not set
// or wrong.
func (r *policyReader) value(a *attribute, want cty.Type) (cty.Value, bool) {
	if a == nil {
		return unusable, false
	}
	v, ok := a.expr.evaluate(r.each)
	if !ok {
		r.ok = false
		return unusable, false
	}
	if v.IsNull() {
		return unusable, false
	}
	if r.shown(a, v) {
		return unusable, false
	}
	got, err := convert.Convert(v, want)
	if err != nil {
		r.fail(a.expr.Range(), "Wrong type", "%s must be a %s, not %s.", a.name, want.FriendlyName(), valueName(v.Type()))
		return unusable, false
	}
	return got, true
}

// shown refuses a sensitive value where plans and files would show it.
func (r *policyReader) shown(a *attribute, v cty.Value) bool {
	if !v.ContainsMarked() {
		return false
	}
	r.fail(a.expr.Range(), "Sensitive value", "%s is shown in plans, so it can't come from a sensitive value.", a.name)
	return true
}

// name reads a name that must be in a list; it gives the list's spelling and
// what was written.
func (r *policyReader) name(a *attribute, what string, names []string) (known, written string) {
	v, ok := r.value(a, cty.String)
	if !ok {
		return "", ""
	}
	written = v.AsString()
	known, ok = fold(written, names)
	if !ok {
		r.fail(a.expr.Range(), "Unknown "+what, "%s = %q: %s.%s Known are %s.", a.name, written, r.unknown(what, written), didYouMean(written, names), strings.Join(names, ", "))
		return "", ""
	}
	return known, written
}

// unknown says of a name that it stands for nothing, or for something else.
func (r *policyReader) unknown(what, written string) string {
	c := r.m.catalog
	others := c.OtherTypes
	switch {
	case what == ofType && others[strings.ToLower(written)] != "":
		return "that is " + others[strings.ToLower(written)]
	case what == ofKVType:
		if known, ok := fold(written, c.Types); ok {
			return known + " is a type of weights, which a KV cache cannot have"
		}
	case what == ofMix:
		if known, ok := fold(written, c.Types); ok {
			return known + " is a type: write default = " + quote(known)
		}
	}
	return "there is no such " + what
}

// What name looks for.
const (
	ofType   = "type"
	ofKVType = "type of KV cache"
	ofMix    = "mix"
)

func (r *policyReader) reference(a *attribute, what string, allowed []string) *blockRef {
	if a == nil {
		return nil
	}
	v, ok := a.expr.evaluate(r.each)
	if !ok {
		r.ok = false
		return nil
	}
	if v.IsNull() {
		return nil
	}
	d := newDecoder(r.m, r.each, &engine.Block{})
	ref, ok := d.ref(v, &field{name: what, refs: allowed}, what, a.expr.Expression)
	if !ok {
		r.ok = false
		return nil
	}
	r.l.edges[Edge{r.p.address, ref.Address}] = true
	return ref
}

func (r *policyReader) readBudget(b *nested) {
	if r.p.budget != nil {
		r.fail(b.rng, "Block repeats", "A policy has one budget.")
		return
	}
	c := b.content
	r.p.budget = &Budget{Range: r.m.place(b.rng)}
	if len(c.attrs) == 0 {
		r.fail(b.rng, "Empty budget", "A budget sets bytes, bits_per_weight or max_kld.")
	}
	if a := c.attrs["bytes"]; a != nil {
		if v, ok := a.expr.evaluate(r.each); !ok {
			r.ok = false
		} else if !v.IsNull() && !r.shown(a, v) {
			n, err := bytesOf(v)
			if err == nil && n == 0 {
				err = fmt.Errorf("nothing fits into 0 bytes")
			}
			if err != nil {
				r.fail(a.expr.Range(), "Not a size", "bytes: %v.", err)
			}
			r.p.budget.Bytes = n
		}
	}
	r.p.budget.BitsPerWeight = r.positive(c.attrs["bits_per_weight"])
	r.p.budget.MaxKLD = r.positive(c.attrs["max_kld"])
}

func (r *policyReader) positive(a *attribute) float64 {
	v, ok := r.value(a, cty.Number)
	if !ok {
		return 0
	}
	x, _ := v.AsBigFloat().Float64()
	if !(x > 0) || math.IsInf(x, 0) {
		r.fail(a.expr.Range(), "Out of range", "%s must be more than 0.", a.name)
		return 0
	}
	return x
}

// canonical is the policy in HCL's JSON syntax.
func (r *policyReader) canonical() []byte {
	p := r.p
	body := map[string]any{}
	if p.mix != "" {
		body["mix"] = p.mix
	}
	if p.fallback != "" {
		body["default"] = p.fallback
	}
	if p.preserve != nil {
		body["preserve"] = *p.preserve
	}
	if p.evidence != nil {
		body["evidence"] = "${" + p.evidence.Address + "}"
	}
	var rules, kv []any
	for _, x := range p.rules {
		rules = append(rules, x.canon)
	}
	for _, x := range p.kv {
		kv = append(kv, x.canon)
	}
	if rules != nil {
		body["tensor"] = rules
	}
	if kv != nil {
		body["kv"] = kv
	}
	if b := p.budget; b != nil {
		budget := map[string]any{}
		if b.Bytes != 0 {
			budget["bytes"] = b.Bytes
		}
		if b.BitsPerWeight != 0 {
			budget["bits_per_weight"] = b.BitsPerWeight
		}
		if b.MaxKLD != 0 {
			budget["max_kld"] = b.MaxKLD
		}
		body["budget"] = budget
	}
	return marshalCanonical(body)
}

// warnUnreachable warns of the policy's own rules after one that always
// matches. What is inherited may well be covered.
func (r *policyReader) warnUnreachable(own, ownKV int) {
	for i, x := range r.p.rules[:own] {
		if x.always && i+1 < own {
			next := r.p.rules[i+1]
			r.m.report(warning(next.Range, "Rule never reached", "Rule %d matches every tensor, so the rules after it decide nothing. Put the general rule last.", x.Index))
			break
		}
	}
	for i, x := range r.p.kv[:ownKV] {
		if x.always() && i+1 < ownKV {
			r.m.report(warning(r.p.kv[i+1].rng, "Rule never reached", "The kv rule before it matches always. Put the general rule last."))
			break
		}
	}
}

// closed warns where an attribute is compared with a text that no tensor has.
func (m *module) closed(e hclsyntax.Expression, base *hcl.EvalContext) {
	warn := func(attr string, value hclsyntax.Expression) {
		v, ds := value.Value(base)
		if ds.HasErrors() || v.IsMarked() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
			return
		}
		allowed := closedValues[attr]
		for _, a := range allowed {
			if a == v.AsString() {
				return
			}
		}
		shown := make([]string, len(allowed))
		for i, a := range allowed {
			shown[i] = a
			if a == "" {
				shown[i] = `""`
			}
		}
		m.warnf(value.Range(), "Never true", "No tensor has %s %q.%s It is one of %s.", attr, v.AsString(), didYouMean(v.AsString(), allowed), list(shown, "or"))
	}
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		switch x := n.(type) {
		case *hclsyntax.BinaryOpExpr:
			if x.Op != hclsyntax.OpEqual && x.Op != hclsyntax.OpNotEqual {
				break
			}
			if a := closedAttr(x.LHS); a != "" && attrsOf(x.RHS) == 0 {
				warn(a, x.RHS)
			} else if a := closedAttr(x.RHS); a != "" && attrsOf(x.LHS) == 0 {
				warn(a, x.LHS)
			}
		case *hclsyntax.FunctionCallExpr:
			if x.Name == "contains" && len(x.Args) == 2 {
				if a := closedAttr(x.Args[1]); a != "" {
					for _, item := range tupleItems(x.Args[0]) {
						if attrsOf(item) == 0 {
							warn(a, item)
						}
					}
				}
			}
		}
		return nil
	})
}

// closedAttr is the attribute that an expression is, if it has few values.
func closedAttr(e hclsyntax.Expression) string {
	t, ok := unwrap(e).(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(t.Traversal) != 1 || closedValues[t.Traversal.RootName()] == nil {
		return ""
	}
	return t.Traversal.RootName()
}

// policiesByAddress lists the policies of the program in order.
func (l *loader) policiesByAddress() []*Policy {
	var out []*Policy
	for _, a := range keys(l.program.Policies) {
		out = append(out, l.program.Policies[a].(*Policy))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].address < out[j].address })
	return out
}
