package recipes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"gopkg.in/yaml.v3"

	"github.com/llama-pajamas/pj/recipes/format/depth"
)

// envPrefix begins the names of environment variables that set variables.
const envPrefix = "PJ_VAR_"

// Var sets variables: one by name, or those of a file. Of several that set the
// same one the last holds.
type Var struct {
	Name, Value string
	File        string // HCL (.hcl, .pjvars), JSON or YAML by its suffix; Name and Value are empty
}

// given is a value from outside the recipe.
type given struct {
	value cty.Value // NilVal: an error, which is reported
	rng   hcl.Range // in a file
	from  string    // what gave it, where that is no file: "--var precision"
}

// origin says where a value comes from, as an aside to its variable's name; ""
// where its range does.
func (g *given) origin() string {
	if g == nil || g.from == "" {
		return ""
	}
	return " (" + g.from + ")"
}

// giveVariables sets the root's variables from the environment, then from the
// command line in its order.
func (m *module) giveVariables(o Options) {
	for _, e := range o.Env {
		name, value, _ := strings.Cut(e, "=")
		if name, ok := strings.CutPrefix(name, envPrefix); ok {
			if n := m.variables[name]; n != nil {
				m.giveText(n, value, "environment variable "+envPrefix+name)
			}
		}
	}
	for _, v := range o.Vars {
		if v.File != "" {
			m.giveFile(v.File)
			continue
		}
		n := m.variables[v.Name]
		if n == nil {
			names := keys(m.variables)
			m.errorf(hcl.Range{}, "Unknown variable "+v.Name, "--var %s=… sets a variable that the recipe does not declare.%s It declares %s.", v.Name, didYouMean(v.Name, names), list(names, "and"))
			continue
		}
		m.giveText(n, v.Value, "--var "+v.Name)
	}
}

// giveText sets a variable from a text: taken as it is where the variable holds
// a primitive value, else read as an expression.
func (m *module) giveText(n *node, text, from string) {
	v := n.variable
	v.given = &given{value: cty.NilVal, rng: n.rng, from: from}
	if v.sensitive && text != "" {
		m.secrets = append(m.secrets, text)
	}
	if v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType {
		v.given.value = cty.StringVal(text)
		return
	}
	m.files[from] = []byte(text)
	if v.sensitive {
		delete(m.files, from)
	}
	tokens, _ := hclsyntax.LexExpression([]byte(text), from, hcl.InitialPos)
	if len(text) > maxFileBytes {
		m.errorf(n.rng, "Value too large", "%s is longer than %d MiB.", from, maxFileBytes>>20)
		return
	}
	if problem := depth.Check(tokens); problem != nil {
		m.hcl(hcl.Diagnostics{problem})
		return
	}
	e, ds := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
	if ds.HasErrors() {
		m.errorf(n.rng, "Value cannot be read", "%s must be a value of type %s in HCL: %s.", from, v.typeText, m.redact(strings.TrimSuffix(ds[0].Summary+": "+ds[0].Detail, ".")))
		return
	}
	value, ds := e.Value(nil)
	if ds.HasErrors() || !value.IsWhollyKnown() {
		m.errorf(n.rng, "Value cannot be read", "%s must be a value of type %s in HCL; it can't refer to anything or call functions.", from, v.typeText)
		return
	}
	v.given.value = value
}

// giveFile sets variables from a file.
func (m *module) giveFile(path string) {
	raw, err := readFile(path)
	if err != nil {
		m.errorf(hcl.Range{Filename: path}, "Variables cannot be read", "%v", err)
		return
	}
	raw = normal(raw)
	m.files[path] = raw
	values := map[string]given{}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".hcl", ".pjvars":
		values = m.hclVariables(path, raw)
	case ".json", ".yaml", ".yml":
		decode := decodeJSON
		if ext != ".json" {
			decode = decodeYAML
		}
		values, err = plainVariables(path, raw, decode)
		if err != nil {
			delete(m.files, path)
			m.errorf(hcl.Range{Filename: path}, "Variables cannot be read", "%v", err)
		}
	default:
		m.errorf(hcl.Range{Filename: path}, "Variables cannot be read", "A file of variables is HCL (.hcl, .pjvars), JSON (.json) or YAML (.yaml, .yml), by its suffix.")
	}
	for _, name := range keys(values) {
		n := m.variables[name]
		g := values[name]
		if n == nil {
			names := keys(m.variables)
			m.warnf(g.rng, "Unknown variable "+name, "The file sets a variable that the recipe does not declare.%s It declares %s.", didYouMean(name, names), list(names, "and"))
			continue
		}
		if n.variable.sensitive {
			m.hide(g.value)
			delete(m.files, path) // its lines are not shown
		}
		n.variable.given = &g
	}
}

func (m *module) hclVariables(path string, raw []byte) map[string]given {
	out := map[string]given{}
	body := m.parseHCL(raw, path)
	if body == nil {
		return out
	}
	attrs, ds := body.JustAttributes()
	m.hcl(ds)
	for name, a := range attrs {
		v, ds := a.Expr.Value(nil)
		if ds.HasErrors() || !v.IsWhollyKnown() {
			m.errorf(a.Expr.Range(), "A constant is needed", "A file of variables holds constants only; it can't refer to anything or call functions.")
			v = cty.NilVal
		}
		out[name] = given{value: v, rng: a.Expr.Range()}
	}
	return out
}

// decodeJSON decodes one JSON value, numbers as they are written.
func decodeJSON(raw []byte, v *any) error {
	if _, problem := checkJSON(raw, ""); problem != nil {
		return errors.New(problem.Detail)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return errors.New("it is empty; a file that sets nothing holds {}")
	}
	// It refuses names that repeat, of which encoding/json takes the last.
	if _, err := jsontext.NewDecoder(bytes.NewReader(raw)).ReadValue(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "jsontext: "))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after the first value")
	}
	return nil
}

func decodeYAML(raw []byte, v *any) error {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(v); err != nil && err != io.EOF {
		return err
	}
	var more any
	if err := d.Decode(&more); err != io.EOF {
		return errors.New("there is a second document, after ---")
	}
	return nil
}

// plainVariables reads a JSON or YAML file whose top is an object.
func plainVariables(path string, raw []byte, decode func([]byte, *any) error) (map[string]given, error) {
	var v any
	if err := decode(raw, &v); err != nil {
		return nil, err
	}
	top, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, errors.New("the file must hold an object: variable names with their values")
	}
	budget := maxValueParts
	out := map[string]given{}
	for name, e := range top {
		value, err := plainValue(e, 0, &budget)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = given{value: value, rng: hcl.Range{Filename: path}}
	}
	return out, nil
}

// plainValue converts what a decoder of JSON or YAML gives.
func plainValue(v any, depth int, budget *int) (cty.Value, error) {
	if depth > maxNesting {
		return unusable, fmt.Errorf("values nest at most %d deep", maxNesting)
	}
	if *budget--; *budget < 0 {
		return unusable, errors.New("the value is too large")
	}
	switch v := v.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case bool:
		return cty.BoolVal(v), nil
	case string:
		return cty.StringVal(v), nil
	case json.Number:
		return cty.ParseNumberVal(v.String())
	case int:
		return cty.NumberIntVal(int64(v)), nil
	case int64:
		return cty.NumberIntVal(v), nil
	case uint64:
		return cty.NumberUIntVal(v), nil
	case float64:
		if v != v || v > 1e308 || v < -1e308 {
			return unusable, fmt.Errorf("%v is no number that a recipe can use", v)
		}
		// The shortest decimal that means v, so that YAML's 0.1 is HCL's 0.1.
		f, _, err := big.ParseFloat(fmt.Sprint(v), 10, 512, big.ToNearestEven)
		if err != nil {
			return unusable, err
		}
		return cty.NumberVal(f), nil
	case []any:
		items := make([]cty.Value, 0, len(v))
		for _, e := range v {
			item, err := plainValue(e, depth+1, budget)
			if err != nil {
				return unusable, err
			}
			items = append(items, item)
		}
		return cty.TupleVal(items), nil
	case map[string]any:
		attrs := map[string]cty.Value{}
		for k, e := range v {
			item, err := plainValue(e, depth+1, budget)
			if err != nil {
				return unusable, err
			}
			attrs[k] = item
		}
		return cty.ObjectVal(attrs), nil
	}
	if t, ok := v.(time.Time); ok {
		return unusable, fmt.Errorf("a date is written in quotes: %q", t.Format(time.DateOnly))
	}
	return unusable, fmt.Errorf("values of type %T have no place in a recipe; keys are strings", v)
}
