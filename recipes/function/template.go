package function

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/llama-pajamas/pj/recipes/format/depth"
)

func init() {
	registerScoped(Doc{"templatefile", "templatefile(path, variables)", "The text of a file of the recipe's folder as a template, with ${…} and %{…}, over the variables alone.", `templatefile("hello.tmpl", { name = "Ada" })`, `"Hello, Ada!\n"`},
		func(s scope) function.Function {
			return rendering(s, "path", func(name string) (string, string, error) {
				src, err := s.readText(name)
				return src, name, err
			})
		})
	registerScoped(Doc{"templatestring", "templatestring(text, variables)", "The text as a template, as templatefile has it.", `templatestring("$${a + 1}", { a = 1 })`, `"2"`},
		func(s scope) function.Function {
			return rendering(s, "text", func(text string) (string, string, error) { return text, "template", nil })
		})
}

// rendering gives a function that renders what load gives for its first
// argument: a template's text and the name that its errors say.
func rendering(s scope, first string, load func(string) (text, name string, err error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: first, Type: cty.String}, {Name: "variables", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if ty := args[1].Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.NilType, function.NewArgErrorf(1, "the variables are an object, not %s", named(ty))
			}
			return cty.String, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if s.template {
				return cty.NilVal, errors.New("a template cannot render another one; render it outside and pass its text as a variable")
			}
			src, name, err := load(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			variables := map[string]cty.Value{}
			for it := args[1].ElementIterator(); it.Next(); {
				k, v := it.Element()
				if !hclsyntax.ValidIdentifier(k.AsString()) {
					return cty.NilVal, function.NewArgErrorf(1, "%q is no name of a variable", k.AsString())
				}
				variables[k.AsString()] = v
			}
			v, err := render(src, name, &hcl.EvalContext{Variables: variables, Functions: functions(scope{dir: s.dir, template: true})})
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}

// render evaluates a template to text.
func render(src, name string, ctx *hcl.EvalContext) (cty.Value, error) {
	tokens, _ := hclsyntax.LexTemplate([]byte(src), name, hcl.InitialPos)
	if problem := depth.Check(tokens); problem != nil {
		return cty.NilVal, worded(problem)
	}
	template, problems := hclsyntax.ParseTemplate([]byte(src), name, hcl.InitialPos)
	if problems.HasErrors() {
		return cty.NilVal, worded(problems[0])
	}
	for _, t := range template.Variables() {
		if _, ok := ctx.Variables[t.RootName()]; !ok {
			r := t.SourceRange()
			return cty.NilVal, fmt.Errorf("%s:%d: the template uses %s, which is not among the variables (%s)", name, r.Start.Line, t.RootName(), list(ctx.Variables))
		}
	}
	v, problems := template.Value(ctx)
	if problems.HasErrors() {
		return cty.NilVal, worded(problems[0])
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: the template gives no text: %w", name, err)
	}
	if v.IsNull() {
		return cty.NilVal, fmt.Errorf("%s: the template gives null, no text", name)
	}
	if s, ok := text(v); ok {
		if err := resultText(len(s)); err != nil {
			return cty.NilVal, err
		}
	}
	return v, nil
}

func list(variables map[string]cty.Value) string {
	names := make([]string, 0, len(variables))
	for name := range variables {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "there are none"
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// worded is a diagnostic as an error of one line.
func worded(d *hcl.Diagnostic) error {
	place := ""
	if d.Subject != nil {
		place = fmt.Sprintf("%s:%d: ", d.Subject.Filename, d.Subject.Start.Line)
	}
	return fmt.Errorf("%s%s: %s", place, d.Summary, d.Detail)
}
