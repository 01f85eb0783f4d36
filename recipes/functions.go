package recipes

import (
	"github.com/zclconf/go-cty/cty/function"

	functions "github.com/llama-pajamas/pj/recipes/function"
)

// functionsFor are the functions that expressions of a folder's file can call.
func functionsFor(dir string) map[string]function.Function { return functions.Functions(dir) }
