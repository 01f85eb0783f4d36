// Package function is what expressions of a recipe can call: Terraform's
// functions where they make sense for models, under the same names. A call
// depends on its arguments and on the files of the recipe's folder alone: there
// is no clock, no randomness, no environment and no network.
//
// A function is an entry that its file registers; the documentation and the
// tests of the examples follow from it.
package function

import (
	"sort"

	"github.com/zclconf/go-cty/cty/function"
)

// Doc documents one function.
type Doc struct {
	Name      string
	Signature string // "join(separator, list)"; […] is optional, … repeats
	Summary   string // one line
	Example   string // an expression
	Result    string // its value, as an expression without calls
}

// entry is a registered function.
type entry struct {
	Doc
	make func(scope) function.Function
}

// scope is where a call stands.
type scope struct {
	dir      string // the folder of the recipe's file
	template bool   // inside a template that a function renders
}

var registry = map[string]entry{}

// register adds a function that needs no scope.
func register(d Doc, f function.Function) {
	registerScoped(d, func(scope) function.Function { return f })
}

// registerScoped adds a function.
func registerScoped(d Doc, make func(scope) function.Function) {
	if _, taken := registry[d.Name]; taken {
		panic("function registered twice: " + d.Name)
	}
	registry[d.Name] = entry{d, make}
}

// Functions gives every function by its name. Those that read files do so below
// baseDir, the folder of the recipe's file, and nowhere else.
func Functions(baseDir string) map[string]function.Function { return functions(scope{dir: baseDir}) }

func functions(s scope) map[string]function.Function {
	out := make(map[string]function.Function, len(registry))
	for name, e := range registry {
		out[name] = e.make(s)
	}
	return out
}

// Docs documents every function, sorted by name.
func Docs() []Doc {
	out := make([]Doc, 0, len(registry))
	for _, e := range registry {
		out = append(out, e.Doc)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
