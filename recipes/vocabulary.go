package recipes

import (
	"github.com/hashicorp/hcl/v2"
)

// vocabulary is what the expressions of a place see besides the usual names.
type vocabulary struct {
	names []string            // in the order of the documentation
	parts map[string][]string // attributes of names that are objects
}

// expertName is the object with the attributes of one expert.
const expertName = "expert"

var (
	// expertParts are the attributes of an expert; all but index are measured.
	expertParts = []string{"index", "share", "route_share", "rank", "importance"}
	// tensorNames is what the when of a tensor rule sees.
	tensorNames = &vocabulary{
		names: []string{"name", "role", "layer", "layers", "attention", "projection", "shape", "elements", "layer_importance", "sensitivity", expertName},
		parts: map[string][]string{expertName: expertParts},
	}
	// kvNames is what the when of a kv rule sees.
	kvNames = &vocabulary{names: []string{"attention", "layer", "layers", "context", "age"}}

	// The values that roles, attention and projections can have.
	roles = []string{"embedding", "output", "router", "attention_q", "attention_k", "attention_v", "attention_output",
		"expert", "shared_expert", "ffn", "norm", "other"}
	attentions  = []string{"full", "sliding", ""}
	projections = []string{"gate", "up", "down", ""}

	closedValues = map[string][]string{"role": roles, "attention": attentions, "projection": projections}
)

func (v *vocabulary) knows(name string) bool {
	for _, n := range v.names {
		if n == name {
			return true
		}
	}
	return false
}

// lists is the sentence that names everything that can be seen.
func (v *vocabulary) lists() string {
	var all []string
	for _, n := range v.names {
		if parts := v.parts[n]; parts != nil {
			for _, p := range parts {
				all = append(all, n+"."+p)
			}
		} else {
			all = append(all, n)
		}
	}
	return "It sees " + list(all, "and")
}

// check looks at a reference to one of the names.
func (v *vocabulary) check(m *module, t hcl.Traversal) bool {
	root := t.RootName()
	parts := v.parts[root]
	if parts == nil || len(t) == 1 {
		return true // a wrong step into a plain value is found when it is evaluated
	}
	name, ok := stepName(t, 1)
	for _, p := range parts {
		if ok && p == name {
			return true
		}
	}
	m.errorf(t[:2].SourceRange(), "Unknown name", "%s has no %s.%s It has %s.", root, name, didYouMean(name, parts), list(parts, "and"))
	return false
}
