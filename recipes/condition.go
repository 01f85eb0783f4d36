package recipes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/llama-pajamas/pj/engine"
)

// attrs is a set of tensor attributes that an expression refers to.
type attrs uint32

const (
	seesName attrs = 1 << iota
	seesRole
	seesLayer
	seesLayers
	seesAttention
	seesProjection
	seesShape
	seesElements
	seesLayerImportance
	seesSensitivity
	seesExpert // the expert as a whole: expert == null
	seesIndex
	seesShare
	seesRouteShare
	seesRank
	seesImportance

	seesOfExpert = seesIndex | seesShare | seesRouteShare | seesRank | seesImportance
	measuredSet  = seesLayerImportance | seesSensitivity | seesShare | seesRouteShare | seesRank | seesImportance
	// coarseSet are the attributes that many tensors share.
	coarseSet = seesRole | seesLayer | seesLayers | seesAttention | seesProjection
)

var attrBits = map[string]attrs{
	"name": seesName, "role": seesRole, "layer": seesLayer, "layers": seesLayers, "attention": seesAttention, "projection": seesProjection,
	"shape": seesShape, "elements": seesElements, "layer_importance": seesLayerImportance, "sensitivity": seesSensitivity,
	"expert": seesExpert, "expert.index": seesIndex, "expert.share": seesShare, "expert.route_share": seesRouteShare,
	"expert.rank": seesRank, "expert.importance": seesImportance,
}

// attrsOf finds the tensor attributes that an expression refers to.
func attrsOf(e hclsyntax.Expression) attrs {
	var set attrs
	for _, t := range e.Variables() {
		set |= attrOf(t)
	}
	return set
}

func attrOf(t hcl.Traversal) attrs {
	name := t.RootName()
	if name == expertName {
		if part, ok := stepName(t, 1); ok {
			name += "." + part
		} else if len(t) > 1 {
			return seesOfExpert | seesExpert // expert[…]: any of them
		} else {
			// The expert as an object: what is done with it is not known here.
			return seesExpert
		}
	}
	return attrBits[name]
}

// outcome is the set of what a condition may turn out to be.
type outcome uint8

const (
	isTrue outcome = 1 << iota
	isFalse
	// isMoot is the truth of a statement about an expert where there is none:
	// neither it nor its contrary holds.
	isMoot

	isOpen = isTrue | isFalse // waits for evidence
)

func (o outcome) not() outcome {
	out := o & isMoot
	if o&isTrue != 0 {
		out |= isFalse
	}
	if o&isFalse != 0 {
		out |= isTrue
	}
	return out
}

// and and or combine every pair of outcomes.
func (o outcome) and(p outcome) outcome {
	out := (o | p) & isFalse
	if o&isMoot != 0 && p&^isFalse != 0 || p&isMoot != 0 && o&^isFalse != 0 {
		out |= isMoot
	}
	if o&p&isTrue != 0 {
		out |= isTrue
	}
	return out
}

func (o outcome) or(p outcome) outcome { return o.not().and(p.not()).not() }

// condition is the when of a rule, ready to be asked about tensors.
type condition struct {
	expr hclsyntax.Expression
	sees attrs
	base *hcl.EvalContext // variables, locals, each and functions

	// The memo keeps what the condition gave, by what it refers to.
	mu     sync.RWMutex
	coarse map[coarseKey]outcome
	fine   map[fineKey]outcome
}

// coarseKey is the part of a memo's key that is cheap to compare.
type coarseKey struct {
	role, attention, projection string
	layer, layers               int
}

type fineKey struct {
	coarseKey
	name, shape                     string
	elements                        int64
	index                           int
	has                             attrs // what is known; experts only
	share, routeShare, rank, weight uint64
	importance, sensitivity         uint64
}

// maxMemo bounds a memo.
const maxMemo = 1 << 16

func newCondition(e hclsyntax.Expression, base *hcl.EvalContext) *condition {
	return &condition{expr: e, sees: attrsOf(e), base: base, coarse: map[coarseKey]outcome{}, fine: map[fineKey]outcome{}}
}

// holds finds what the condition is for a tensor. It is safe for concurrent
// use.
func (c *condition) holds(t *engine.TensorAttrs) (outcome, error) {
	if c.sees&^coarseSet == 0 {
		key := c.coarseKey(t)
		c.mu.RLock()
		o, ok := c.coarse[key]
		c.mu.RUnlock()
		if ok {
			return o, nil
		}
		o, err := c.evaluate(t)
		if err == nil {
			c.mu.Lock()
			if len(c.coarse) < maxMemo {
				c.coarse[key] = o
			}
			c.mu.Unlock()
		}
		return o, err
	}
	key := c.fineKey(t)
	c.mu.RLock()
	o, ok := c.fine[key]
	c.mu.RUnlock()
	if ok {
		return o, nil
	}
	o, err := c.evaluate(t)
	if err == nil {
		c.mu.Lock()
		if len(c.fine) < maxMemo {
			c.fine[key] = o
		}
		c.mu.Unlock()
	}
	return o, err
}

func (c *condition) coarseKey(t *engine.TensorAttrs) coarseKey {
	var k coarseKey
	if c.sees&seesRole != 0 {
		k.role = t.Role
	}
	if c.sees&seesAttention != 0 {
		k.attention = t.Attention
	}
	if c.sees&seesProjection != 0 {
		k.projection = t.Projection
	}
	if c.sees&seesLayer != 0 {
		k.layer = t.Layer
	}
	if c.sees&seesLayers != 0 {
		k.layers = t.Layers
	}
	return k
}

func (c *condition) fineKey(t *engine.TensorAttrs) fineKey {
	k := fineKey{coarseKey: c.coarseKey(t)}
	if c.sees&seesName != 0 {
		k.name = t.Name
	}
	if c.sees&seesShape != 0 {
		var b strings.Builder
		for _, n := range t.Shape {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteByte(' ')
		}
		k.shape = b.String()
	}
	if c.sees&seesElements != 0 {
		k.elements = t.Elements
	}
	if c.sees&seesLayerImportance != 0 && t.LayerImportance != nil {
		k.has |= seesLayerImportance
		k.importance = math.Float64bits(*t.LayerImportance)
	}
	if c.sees&seesSensitivity != 0 && t.Sensitivity != nil {
		k.has |= seesSensitivity
		k.sensitivity = math.Float64bits(*t.Sensitivity)
	}
	x := t.Expert
	if x == nil || c.sees&(seesOfExpert|seesExpert) == 0 {
		return k
	}
	k.has |= seesExpert
	// The expert as a whole may be asked for anything.
	all := c.sees&seesExpert != 0
	if all || c.sees&seesIndex != 0 {
		k.index = x.Index
	}
	if !x.Known {
		return k
	}
	k.has |= seesImportance
	if all || c.sees&seesShare != 0 {
		k.share = math.Float64bits(x.Share)
	}
	if all || c.sees&seesRouteShare != 0 {
		k.routeShare = math.Float64bits(x.RouteShare)
	}
	if all || c.sees&seesRank != 0 {
		k.rank = math.Float64bits(x.Rank)
	}
	if all || c.sees&seesImportance != 0 {
		k.weight = math.Float64bits(x.Importance)
	}
	return k
}

// evaluate asks the expression itself.
func (c *condition) evaluate(t *engine.TensorAttrs) (outcome, error) {
	vars, err := tensorVariables(t, c.sees)
	if err != nil {
		return 0, err
	}
	return c.truth(c.expr, t, c.child(vars))
}

func (c *condition) child(vars map[string]cty.Value) *hcl.EvalContext {
	ctx := c.base.NewChild()
	ctx.Variables = vars
	return ctx
}

// truth evaluates the logical structure here and leaves the statements in it
// to HCL, so that a statement about an expert decides nothing where there is
// no expert, and one about evidence waits for it.
func (c *condition) truth(e hclsyntax.Expression, t *engine.TensorAttrs, ctx *hcl.EvalContext) (outcome, error) {
	switch x := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return c.truth(x.Expression, t, ctx)
	case *hclsyntax.TemplateWrapExpr:
		return c.truth(x.Wrapped, t, ctx)
	case *hclsyntax.UnaryOpExpr:
		if x.Op == hclsyntax.OpLogicalNot {
			o, err := c.truth(x.Val, t, ctx)
			return o.not(), err
		}
	case *hclsyntax.BinaryOpExpr:
		if x.Op == hclsyntax.OpLogicalAnd || x.Op == hclsyntax.OpLogicalOr {
			a, err := c.truth(x.LHS, t, ctx)
			if err != nil || x.Op == hclsyntax.OpLogicalAnd && a == isFalse || x.Op == hclsyntax.OpLogicalOr && a == isTrue {
				return a, err
			}
			b, err := c.truth(x.RHS, t, ctx)
			if x.Op == hclsyntax.OpLogicalAnd {
				return a.and(b), err
			}
			return a.or(b), err
		}
	case *hclsyntax.ConditionalExpr:
		cond, err := c.truth(x.Condition, t, ctx)
		if err != nil {
			return 0, err
		}
		out := cond & isMoot
		if cond&isTrue != 0 {
			o, err := c.truth(x.TrueResult, t, ctx)
			if err != nil {
				return 0, err
			}
			out |= o
		}
		if cond&isFalse != 0 {
			o, err := c.truth(x.FalseResult, t, ctx)
			if err != nil {
				return 0, err
			}
			out |= o
		}
		return out, nil
	}
	if t.Expert == nil && c.sees&seesOfExpert != 0 && attrsOf(e)&seesOfExpert != 0 {
		return isMoot, nil
	}
	v, ds := e.Value(ctx)
	if ds.HasErrors() {
		return 0, &conditionError{ds}
	}
	return truthOf(e, v)
}

// truthOf reads a value as true, false or open.
func truthOf(e hclsyntax.Expression, v cty.Value) (outcome, error) {
	v, _ = v.Unmark()
	b, err := convert.Convert(v, cty.Bool)
	switch {
	case err != nil:
		return 0, &conditionError{hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong type", Subject: e.Range().Ptr(),
			Detail: fmt.Sprintf("The condition must be true or false, this is %s.", valueName(v.Type()))}}}
	case !b.IsKnown():
		return isOpen, nil
	case b.IsNull():
		return 0, &conditionError{hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Value is null", Subject: e.Range().Ptr(),
			Detail: "The condition must be true or false, this is null."}}}
	case b.True():
		return isTrue, nil
	}
	return isFalse, nil
}

// conditionError is an error of a condition, with its place.
type conditionError struct{ diagnostics hcl.Diagnostics }

func (e *conditionError) Error() string {
	d := e.diagnostics[0]
	for _, x := range e.diagnostics {
		if x.Severity == hcl.DiagError {
			d = x
			break
		}
	}
	place := ""
	if d.Subject != nil {
		place = fmt.Sprintf("%s:%d: ", d.Subject.Filename, d.Subject.Start.Line)
	}
	return place + d.Summary + ": " + d.Detail
}

// tensorVariables are the values of the attributes that an expression sees.
func tensorVariables(t *engine.TensorAttrs, sees attrs) (map[string]cty.Value, error) {
	vars := make(map[string]cty.Value, 4)
	if sees&seesName != 0 {
		vars["name"] = cty.StringVal(t.Name)
	}
	if sees&seesRole != 0 {
		vars["role"] = cty.StringVal(t.Role)
	}
	if sees&seesLayer != 0 {
		vars["layer"] = cty.NumberIntVal(int64(t.Layer))
	}
	if sees&seesLayers != 0 {
		vars["layers"] = cty.NumberIntVal(int64(t.Layers))
	}
	if sees&seesAttention != 0 {
		vars["attention"] = cty.StringVal(t.Attention)
	}
	if sees&seesProjection != 0 {
		vars["projection"] = cty.StringVal(t.Projection)
	}
	if sees&seesShape != 0 {
		vars["shape"] = shapeValue(t.Shape)
	}
	if sees&seesElements != 0 {
		vars["elements"] = cty.NumberIntVal(t.Elements)
	}
	var err error
	measure := func(x *float64) cty.Value {
		if x == nil {
			return cty.UnknownVal(cty.Number)
		}
		if math.IsNaN(*x) {
			err = fmt.Errorf("tensor %s: the evidence has a value that is no number; calibrate again", t.Name)
			return cty.UnknownVal(cty.Number)
		}
		return cty.NumberFloatVal(*x)
	}
	if sees&seesLayerImportance != 0 {
		vars["layer_importance"] = measure(t.LayerImportance)
	}
	if sees&seesSensitivity != 0 {
		vars["sensitivity"] = measure(t.Sensitivity)
	}
	if sees&(seesOfExpert|seesExpert) != 0 {
		if x := t.Expert; x == nil {
			vars[expertName] = cty.NullVal(expertType)
		} else {
			value := func(x float64, known bool) cty.Value {
				if !known {
					return measure(nil)
				}
				return measure(&x)
			}
			vars[expertName] = cty.ObjectVal(map[string]cty.Value{
				"index": cty.NumberIntVal(int64(x.Index)), "share": value(x.Share, x.Known), "route_share": value(x.RouteShare, x.Known),
				"rank": value(x.Rank, x.Known), "importance": value(x.Importance, x.Known),
			})
		}
	}
	return vars, err
}

var expertType = cty.Object(map[string]cty.Type{"index": cty.Number, "share": cty.Number, "route_share": cty.Number, "rank": cty.Number, "importance": cty.Number})

func shapeValue(shape []int64) cty.Value {
	if len(shape) == 0 {
		return cty.ListValEmpty(cty.Number)
	}
	var dims []cty.Value
	for _, n := range shape {
		dims = append(dims, cty.NumberIntVal(n))
	}
	return cty.ListVal(dims)
}
