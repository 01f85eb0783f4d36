package recipes

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// unquantizedKV is the type of a cache that no rule covers.
const unquantizedKV = "f16"

// noBound is the end of an interval without one.
const noBound = math.MaxInt64

// span is a closed interval of whole numbers.
type span struct{ from, to int64 }

func (s span) empty() bool        { return s.from > s.to }
func (s span) holds(n int64) bool { return s.from <= n && n <= s.to }

var (
	allContexts = span{1, noBound} // tokens in use
	allAges     = span{0, noBound} // distance from the newest token
)

// kvRule is a kv rule: which layers, contexts and ages it covers.
type kvRule struct {
	rng        diag.Range
	key, value string
	layers     []*condition
	context    span
	age        span
	canon      map[string]any
}

func (r *kvRule) always() bool {
	return len(r.layers) == 0 && r.context == allContexts && r.age == allAges
}

// readKV reads a kv block.
func (r *policyReader) readKV(b *nested) {
	c := b.content
	x := &kvRule{rng: r.m.place(b.rng), context: allContexts, age: allAges, canon: map[string]any{}}
	names := r.m.catalog.KVTypes
	both, _ := r.name(c.attrs["type"], ofKVType, names)
	x.key, _ = r.name(c.attrs["key"], ofKVType, names)
	x.value, _ = r.name(c.attrs["value"], ofKVType, names)
	hasType, hasKey, hasValue := c.attrs["type"] != nil, c.attrs["key"] != nil, c.attrs["value"] != nil
	if hasType == (hasKey || hasValue) || hasKey != hasValue {
		r.fail(b.rng, "Wrong types", "A kv rule sets type, or both key and value.")
	}
	if hasType {
		x.key, x.value = both, both
	}
	x.canon["key"], x.canon["value"] = x.key, x.value
	r.p.kv = append(r.p.kv, x)
	w := c.attrs["when"]
	if w == nil {
		return
	}
	if !w.expr.usable() || !w.expr.checkKeys() {
		r.ok = false
		return
	}
	base := w.expr.context(r.each, nil)
	if !w.expr.affordable(base) {
		r.ok = false
		return
	}
	x.canon["when"] = "${" + r.m.portable(printExpression(w.expr.Expression, base)).(string) + "}"
	r.m.closed(w.expr.Expression, base)
	for _, term := range conjuncts(w.expr.Expression) {
		r.term(x, term, base)
	}
	if r.ok && (x.context.empty() || x.age.empty()) {
		r.m.warnf(w.expr.Range(), "Rule never matches", "The bounds of the condition leave nothing between them.")
	}
}

// conjuncts are the terms of a && b && c.
func conjuncts(e hclsyntax.Expression) []hclsyntax.Expression {
	e = unwrap(e)
	if b, ok := e.(*hclsyntax.BinaryOpExpr); ok && b.Op == hclsyntax.OpLogicalAnd {
		return append(conjuncts(b.LHS), conjuncts(b.RHS)...)
	}
	return []hclsyntax.Expression{e}
}

// bounded is context or age, if the expression is that and nothing else.
func bounded(e hclsyntax.Expression) string {
	if t, ok := unwrap(e).(*hclsyntax.ScopeTraversalExpr); ok && len(t.Traversal) == 1 {
		if name := t.Traversal.RootName(); name == "context" || name == "age" {
			return name
		}
	}
	return ""
}

// boundsIn are the traversals of an expression that name context or age.
func boundsIn(e hclsyntax.Expression) []hcl.Traversal {
	var out []hcl.Traversal
	for _, t := range e.Variables() {
		if name := t.RootName(); name == "context" || name == "age" {
			out = append(out, t)
		}
	}
	return out
}

const kvForm = "context and age may only be compared with constants, by <=, <, >= or >, and such comparisons combined by &&, since they become a table of the plan."

// term adds one term of a condition to a rule.
func (r *policyReader) term(x *kvRule, e hclsyntax.Expression, base *hcl.EvalContext) {
	if len(boundsIn(e)) == 0 {
		c := newCondition(e, base)
		for _, s := range samples(c.sees) {
			if _, err := c.holds(s); err != nil {
				r.ok = false
				var ce *conditionError
				if errors.As(err, &ce) {
					r.m.hcl(ce.diagnostics)
				}
				return
			}
		}
		x.layers = append(x.layers, c)
		return
	}
	b, ok := e.(*hclsyntax.BinaryOpExpr)
	if !ok {
		r.fail(e.Range(), "Condition of a kv rule", "%s", kvForm)
		return
	}
	name, constant, op := bounded(b.LHS), b.RHS, b.Op
	if name == "" {
		name, constant, op = bounded(b.RHS), b.LHS, mirrored(b.Op)
	}
	comparison := op == hclsyntax.OpLessThan || op == hclsyntax.OpLessThanOrEqual || op == hclsyntax.OpGreaterThan || op == hclsyntax.OpGreaterThanOrEqual
	if name == "" || !comparison {
		r.fail(e.Range(), "Condition of a kv rule", "%s", kvForm)
		return
	}
	for _, t := range constant.Variables() {
		if kvNames.knows(t.RootName()) {
			r.fail(t.SourceRange(), "Condition of a kv rule", "%s differs between layers or while running. %s", t.RootName(), kvForm)
			return
		}
	}
	bound, ok := r.bound(constant, base)
	if !ok {
		return
	}
	s := &x.context
	if name == "age" {
		s = &x.age
	}
	floor, whole := floorOf(bound)
	switch op {
	case hclsyntax.OpLessThanOrEqual:
		s.to = min(s.to, floor)
	case hclsyntax.OpLessThan:
		if whole {
			floor--
		}
		s.to = min(s.to, floor)
	case hclsyntax.OpGreaterThan:
		s.from = max(s.from, floor+1)
	case hclsyntax.OpGreaterThanOrEqual:
		if !whole {
			floor++
		}
		s.from = max(s.from, floor)
	}
}

// mirrored is the operator of b op a where a op b was written.
func mirrored(op *hclsyntax.Operation) *hclsyntax.Operation {
	switch op {
	case hclsyntax.OpLessThan:
		return hclsyntax.OpGreaterThan
	case hclsyntax.OpLessThanOrEqual:
		return hclsyntax.OpGreaterThanOrEqual
	case hclsyntax.OpGreaterThan:
		return hclsyntax.OpLessThan
	case hclsyntax.OpGreaterThanOrEqual:
		return hclsyntax.OpLessThanOrEqual
	}
	return op
}

// maxBound is the largest number of tokens that a bound may name.
const maxBound = 1 << 40

// bound evaluates the constant of a comparison.
func (r *policyReader) bound(e hclsyntax.Expression, base *hcl.EvalContext) (*big.Float, bool) {
	v, ds := e.Value(base)
	if ds.HasErrors() {
		r.ok = false
		r.m.hcl(ds)
		return nil, false
	}
	if v.IsMarked() {
		r.fail(e.Range(), "Sensitive value", "The bounds of a kv rule are written to plans and files, so they can't come from a sensitive value.")
		return nil, false
	}
	n, err := convert.Convert(v, cty.Number)
	if err != nil || n.IsNull() || !n.IsKnown() {
		r.fail(e.Range(), "Wrong type", "context and age are compared with numbers of tokens.")
		return nil, false
	}
	f := n.AsBigFloat()
	if f.Cmp(big.NewFloat(maxBound)) > 0 || f.Cmp(big.NewFloat(-maxBound)) < 0 {
		r.fail(e.Range(), "Out of range", "A bound is at most %d tokens.", int64(maxBound))
		return nil, false
	}
	return f, true
}

// floorOf rounds down, and says whether there was nothing to round.
func floorOf(f *big.Float) (int64, bool) {
	n, accuracy := f.Int64() // towards zero
	if accuracy == big.Above {
		n--
	}
	return n, accuracy == big.Exact
}

// KV evaluates the kv rules for a layer: a table whose first row that holds
// decides. A context and age that no row covers is not quantized. The table is
// exact whatever the rules' bounds are: rules that begin at a context are
// turned into rows that end where others begin.
func (p *Policy) KV(layer *engine.TensorAttrs) ([]engine.KVRule, error) {
	var rules []*kvRule
	for _, r := range p.kv {
		covers := !r.context.empty() && !r.age.empty()
		for _, c := range r.layers {
			if !covers {
				break
			}
			o, err := c.holds(layer)
			if err != nil {
				return nil, fmt.Errorf("%s kv rule (%s): layer %d: %w", p.address, r.rng, layer.Layer, err)
			}
			covers = o == isTrue
		}
		if covers {
			rules = append(rules, r)
		}
	}
	contexts, ages := []int64{noBound}, []int64{0}
	for _, r := range rules {
		contexts = append(contexts, r.context.to)
		if r.context.from > allContexts.from {
			contexts = append(contexts, r.context.from-1)
		}
		ages = append(ages, r.age.from)
		if r.age.to < noBound {
			ages = append(ages, r.age.to+1)
		}
	}
	contexts, ages = unique(contexts), unique(ages)
	var bands [][]kvRow
	for _, c := range contexts {
		var band []kvRow
		for i := len(ages) - 1; i >= 0; i-- { // old tokens first
			row := kvRow{context: c, age: ages[i], rule: firstAt(rules, c, ages[i])}
			if n := len(band); n > 0 && band[n-1].rule == row.rule {
				band[n-1].age = row.age
			} else {
				band = append(band, row)
			}
		}
		if n := len(bands); n > 0 && sameBand(bands[n-1], band) {
			bands[n-1] = band // the wider one covers both
		} else {
			bands = append(bands, band)
		}
	}
	var rows []kvRow
	for _, b := range bands {
		rows = append(rows, b...)
	}
	for len(rows) > 0 && rows[len(rows)-1].rule == nil {
		rows = rows[:len(rows)-1]
	}
	out := make([]engine.KVRule, len(rows))
	for i, row := range rows {
		out[i] = engine.KVRule{MaxContext: row.context, MinAge: row.age, Key: unquantizedKV, Value: unquantizedKV, Rule: p.rng}
		if row.context == noBound {
			out[i].MaxContext = 0
		}
		if row.rule != nil {
			out[i].Key, out[i].Value, out[i].Rule = row.rule.key, row.rule.value, row.rule.rng
		}
	}
	return out, nil
}

// kvRow is one row of a table in the making; rule is nil where none covers it.
type kvRow struct {
	context, age int64
	rule         *kvRule
}

func firstAt(rules []*kvRule, context, age int64) *kvRule {
	for _, r := range rules {
		if r.context.holds(context) && r.age.holds(age) {
			return r
		}
	}
	return nil
}

func sameBand(a, b []kvRow) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].age != b[i].age || a[i].rule != b[i].rule {
			return false
		}
	}
	return true
}

func unique(ns []int64) []int64 {
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	out := ns[:0]
	for i, n := range ns {
		if i == 0 || n != ns[i-1] {
			out = append(out, n)
		}
	}
	return out
}
