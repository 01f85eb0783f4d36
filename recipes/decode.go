package recipes

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/internal/diag"
)

// decoder fills one block's parameters.
type decoder struct {
	m       *module
	each    *eachScope
	block   *engine.Block
	refs    map[string]*blockRef
	present map[string]bool // paths of the attributes that the recipe sets
	ok      bool
}

func newDecoder(m *module, each *eachScope, b *engine.Block) *decoder {
	return &decoder{m: m, each: each, block: b, refs: map[string]*blockRef{}, present: map[string]bool{}, ok: true}
}

func (d *decoder) fail(r hcl.Range, summary, detail string, args ...any) {
	d.ok = false
	d.m.errorf(r, summary, detail, args...)
}

// fill decodes a block's content into a struct. prefix leads to the struct from
// the block: "perplexity.".
func (d *decoder) fill(c *content, into reflect.Value, s *schema, prefix string) {
	for _, f := range s.fields {
		target := into.Field(f.index)
		switch f.kind {
		case oneBlock:
			d.fillOne(c, target, f, prefix)
			continue
		case manyBlocks:
			d.fillMany(c, target, f, prefix)
			continue
		}
		if f.fallback.IsValid() {
			target.Set(clone(f.fallback))
		}
		a := c.attrs[f.name]
		if a == nil {
			continue // what is required was asked for when the block was read
		}
		d.block.Attrs[prefix+f.name] = d.m.place(a.expr.Range())
		v, ok := a.expr.evaluate(d.each)
		if !ok {
			d.ok = false
			continue
		}
		if v.IsNull() {
			if f.required {
				d.fail(a.expr.Range(), "Missing value", "%s is required, and null means that it is not set.", f.describe())
			}
			continue
		}
		if v.ContainsMarked() {
			d.fail(a.expr.Range(), "Sensitive value", "%s is written to plans, lock files and reports, so it can't come from a sensitive value.", f.name)
			continue
		}
		d.present[prefix+f.name] = true
		d.set(target, v, f, f.name, a.expr.Expression)
	}
}

func (d *decoder) fillOne(c *content, target reflect.Value, f *field, prefix string) {
	var found *nested
	for _, b := range c.blocks {
		if b.name == f.name && found == nil {
			found = b
		}
	}
	if target.Kind() == reflect.Pointer {
		if found == nil {
			return
		}
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	if found == nil {
		found = &nested{content: &content{}}
	} else {
		d.present[prefix+f.name] = true
		d.block.Attrs[prefix+f.name] = d.m.place(found.rng)
	}
	d.fill(found.content, target, f.inner, prefix+f.name+".")
}

func (d *decoder) fillMany(c *content, target reflect.Value, f *field, prefix string) {
	for _, b := range c.blocks {
		if b.name != f.name {
			continue
		}
		path := fmt.Sprintf("%s%s[%d]", prefix, f.name, target.Len())
		d.block.Attrs[path] = d.m.place(b.rng)
		d.present[path] = true
		item := reflect.New(target.Type().Elem()).Elem()
		d.fill(b.content, item, f.inner, path+".")
		target.Set(reflect.Append(target, item))
	}
}

// clone copies a default, so that blocks do not share slices and maps.
func clone(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(clone(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMap(v.Type())
		for _, k := range v.MapKeys() {
			out.SetMapIndex(k, clone(v.MapIndex(k)))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(clone(v.Elem()))
		return out
	}
	return v
}

// set decodes a value. name leads to it ("files[2]"), e is the expression that
// gave it, for the place of a mistake.
func (d *decoder) set(target reflect.Value, v cty.Value, f *field, name string, e hclsyntax.Expression) {
	t := target.Type()
	switch {
	case v.IsNull():
		d.fail(e.Range(), "Value is null", "%s can't be null here.", name)
	case t == refGoType:
		if r, ok := d.ref(v, f, name, e); ok {
			target.Set(reflect.ValueOf(r.Ref))
		}
	case t == bytesGoType:
		d.setBytes(target, v, name, e)
	case t.Kind() == reflect.Pointer:
		target.Set(reflect.New(t.Elem()))
		d.set(target.Elem(), v, f, name, e)
	case t.Kind() == reflect.Slice && t.Elem() == refGoType:
		d.setRefs(target, v, f, name, e)
	case t.Kind() == reflect.Slice:
		d.setSlice(target, v, f, name, e)
	case t.Kind() == reflect.Map:
		d.setMap(target, v, f, name, e)
	default:
		d.setScalar(target, v, f, name, e)
	}
}

func (d *decoder) setScalar(target reflect.Value, v cty.Value, f *field, name string, e hclsyntax.Expression) {
	want := cty.Number
	switch target.Kind() {
	case reflect.String:
		want = cty.String
	case reflect.Bool:
		want = cty.Bool
	}
	got, err := convert.Convert(v, want)
	if err != nil {
		d.wrongType(v, target.Type(), name, e)
		return
	}
	switch target.Kind() {
	case reflect.String:
		s := got.AsString()
		target.SetString(s)
		if f.enum != nil {
			d.checkEnum(s, f, name, e)
		}
	case reflect.Bool:
		target.SetBool(got.True())
	case reflect.Float64:
		x, _ := got.AsBigFloat().Float64()
		if x-x != 0 {
			d.fail(e.Range(), "Number too large", "%s is beyond what a number can be here.", name)
		}
		target.SetFloat(x)
	default:
		n, accuracy := got.AsBigFloat().Int64()
		if accuracy != big.Exact || target.OverflowInt(n) {
			d.fail(e.Range(), "Not a whole number", "%s must be a whole number%s.", name, map[bool]string{true: " that fits 64 bits"}[got.AsBigFloat().IsInt()])
			return
		}
		target.SetInt(n)
	}
}

func (d *decoder) checkEnum(s string, f *field, name string, e hclsyntax.Expression) {
	for _, allowed := range f.enum {
		if s == allowed {
			return
		}
	}
	d.fail(e.Range(), "Invalid value", "%s can't be %q.%s It can be %s.", name, s, didYouMean(s, f.enum), list(f.enum, "or"))
}

func (d *decoder) setBytes(target reflect.Value, v cty.Value, name string, e hclsyntax.Expression) {
	n, err := bytesOf(v)
	if err != nil {
		d.fail(e.Range(), "Not a size", "%s: %v.", name, err)
		return
	}
	target.SetInt(n)
}

// bytesOf reads a size: a number of bytes, or a text such as "45 GB".
func bytesOf(v cty.Value) (int64, error) {
	switch v.Type() {
	case cty.Number:
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != big.Exact || n < 0 {
			return 0, fmt.Errorf("a size is a whole number of bytes, or a text such as \"45 GB\" or \"2GiB\"")
		}
		return n, nil
	case cty.String:
		return bytesize.Parse(v.AsString())
	}
	return 0, fmt.Errorf("a size is a number of bytes or a text such as \"45 GB\" or \"2GiB\", not %s", valueName(v.Type()))
}

func (d *decoder) setSlice(target reflect.Value, v cty.Value, f *field, name string, e hclsyntax.Expression) {
	ty := v.Type()
	if !ty.IsListType() && !ty.IsTupleType() && !ty.IsSetType() {
		d.wrongType(v, target.Type(), name, e)
		return
	}
	out := reflect.MakeSlice(target.Type(), 0, v.LengthInt())
	items := tupleItems(e)
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		_, item := it.Element()
		elem := reflect.New(target.Type().Elem()).Elem()
		at := e
		if len(items) == v.LengthInt() {
			at = items[i]
		}
		d.set(elem, item, f, fmt.Sprintf("%s[%d]", name, i), at)
		out = reflect.Append(out, elem)
	}
	target.Set(out)
}

func (d *decoder) setMap(target reflect.Value, v cty.Value, f *field, name string, e hclsyntax.Expression) {
	ty := v.Type()
	if !ty.IsMapType() && !ty.IsObjectType() {
		d.wrongType(v, target.Type(), name, e)
		return
	}
	out := reflect.MakeMap(target.Type())
	items := objectItems(e)
	for it := v.ElementIterator(); it.Next(); {
		k, item := it.Element()
		elem := reflect.New(target.Type().Elem()).Elem()
		at := e
		if x := items[k.AsString()]; x != nil {
			at = x
		}
		d.set(elem, item, f, name+"."+k.AsString(), at)
		out.SetMapIndex(reflect.ValueOf(k.AsString()).Convert(target.Type().Key()), elem)
	}
	target.Set(out)
}

// tupleItems are the expressions of a list that is written out.
func tupleItems(e hclsyntax.Expression) []hclsyntax.Expression {
	if t, ok := unwrap(e).(*hclsyntax.TupleConsExpr); ok {
		return t.Exprs
	}
	return nil
}

// objectItems are the expressions of an object that is written out, by key.
func objectItems(e hclsyntax.Expression) map[string]hclsyntax.Expression {
	o, ok := unwrap(e).(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil
	}
	out := map[string]hclsyntax.Expression{}
	for _, item := range o.Items {
		if k, ds := item.KeyExpr.Value(nil); !ds.HasErrors() && k.Type() == cty.String && k.IsKnown() && !k.IsNull() {
			out[k.AsString()] = item.ValueExpr
		}
	}
	return out
}

func (d *decoder) wrongType(v cty.Value, want reflect.Type, name string, e hclsyntax.Expression) {
	d.fail(e.Range(), "Wrong type", "%s must be %s, not %s.", name, typeName(want), valueName(v.Type()))
}

// valueName is the type of a value as the language calls it.
func valueName(ty cty.Type) string {
	switch {
	case ty.Equals(refType):
		return "a reference to a block"
	case ty.IsTupleType() || ty.IsListType() || ty.IsSetType():
		return "a list"
	case ty.IsObjectType() || ty.IsMapType():
		return "an object"
	case ty == cty.String:
		return "a string"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "a bool"
	}
	return ty.FriendlyName()
}

// typeName is a Go type as the language calls it.
func typeName(t reflect.Type) string {
	switch {
	case t == refGoType:
		return "a reference to a block"
	case t == bytesGoType:
		return "a size"
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "a list, each item " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "an object, each value " + typeName(t.Elem())
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// ref decodes one reference.
func (d *decoder) ref(v cty.Value, f *field, name string, e hclsyntax.Expression) (*blockRef, bool) {
	r, ok := asRef(v)
	if !ok {
		switch text, isText := literal(e); {
		case v.Type().IsObjectType() && holdsOnlyRefs(v):
			d.fail(e.Range(), "One instance is needed", "%s takes one block, and this has for_each: name an instance, such as [%s].", name, quote(firstKey(v)))
		case isText && d.m.looksLikeRef(text):
			d.fail(e.Range(), "A reference is needed", "%s takes a reference, not a string: write %s.", name, d.m.spell(text))
		default:
			d.fail(e.Range(), "A reference is needed", "%s takes a reference to %s, not %s.", name, d.allowed(f), valueName(v.Type()))
		}
		return nil, false
	}
	if len(f.refs) > 0 && !r.serves(f.refs) {
		d.fail(e.Range(), "Wrong kind of block", "%s can't be %s; it takes a reference to %s.", name, r.Address, d.allowed(f))
		return nil, false
	}
	d.refs[r.Address] = r
	return r, true
}

// allowed says what a field's references may stand for.
func (d *decoder) allowed(f *field) string {
	if len(f.refs) == 0 {
		return "a block"
	}
	return "a block that is or yields " + list(f.refs, "or")
}

// looksLikeRef reports whether a string was meant as a reference.
func (m *module) looksLikeRef(text string) bool {
	root, rest, _ := strings.Cut(text, ".")
	return rest != "" && (m.hasKind(root) || root == "policy" || root == "module" || root == "var" || root == "local" || root == "each")
}

// spell writes a reference as the file's syntax has it.
func (m *module) spell(ref string) string {
	if strings.HasSuffix(m.file, jsonSuffix) {
		return `"${` + ref + `}"`
	}
	return ref + " without quotes"
}

// serves reports whether a reference is one of what a field takes: a block
// kind, a stage, or what a stage yields.
func (r *blockRef) serves(want []string) bool {
	for _, w := range want {
		if w == r.kind || w == r.Yields || strings.ReplaceAll(w, ".", " ") == r.id {
			return true
		}
	}
	return false
}

// setRefs decodes a list of references. Blocks with for_each stand for all
// their instances.
func (d *decoder) setRefs(target reflect.Value, v cty.Value, f *field, name string, e hclsyntax.Expression) {
	out := reflect.MakeSlice(target.Type(), 0, 0)
	var add func(v cty.Value, name string, e hclsyntax.Expression)
	add = func(v cty.Value, name string, e hclsyntax.Expression) {
		ty := v.Type()
		switch {
		case !v.IsNull() && (ty.IsTupleType() || ty.IsListType() || ty.IsSetType()):
			items := tupleItems(e)
			i := 0
			for it := v.ElementIterator(); it.Next(); i++ {
				_, item := it.Element()
				at := e
				if len(items) == v.LengthInt() {
					at = items[i]
				}
				add(item, fmt.Sprintf("%s[%d]", name, i), at)
			}
		case !v.IsNull() && (ty.IsObjectType() || ty.IsMapType()):
			for it := v.ElementIterator(); it.Next(); {
				k, item := it.Element()
				at := e
				if x := objectItems(e)[k.AsString()]; x != nil {
					at = x
				}
				add(item, name+"."+k.AsString(), at)
			}
		default:
			if r, ok := d.ref(v, f, name, e); ok {
				out = reflect.Append(out, reflect.ValueOf(r.Ref))
			}
		}
	}
	add(v, name, e)
	target.Set(out)
}

func holdsOnlyRefs(v cty.Value) bool {
	if !v.IsKnown() || v.IsNull() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.Type().Equals(refType) {
			return false
		}
	}
	return v.LengthInt() > 0
}

func firstKey(v cty.Value) string { return keys(v.AsValueMap())[0] }

// checkStage runs the stage's own check of a block.
func (m *module) checkStage(b *engine.Block) bool {
	if b.Stage.Check == nil {
		return true
	}
	err := b.Stage.Check(b)
	if err == nil {
		return true
	}
	var ds diag.Diagnostics
	var one diag.Diagnostic
	switch {
	case errors.As(err, &ds):
	case errors.As(err, &one):
		ds = diag.Diagnostics{one}
	default:
		ds = diag.Diagnostics{diag.Errorf(b.Range, b.Address+" cannot be right", "%v", err)}
	}
	for _, d := range ds {
		if d.Range == (diag.Range{}) {
			d.Range = b.Range
		}
		m.report(d)
	}
	return !ds.HasErrors()
}
