package recipes

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// reference is one traversal of an expression and what it stands for.
type reference struct {
	traversal hcl.Traversal
	targets   []target
	// steps is how many steps of the traversal name the target; the others go
	// into its value.
	steps int
}

// target is a declaration that a reference names, and where its value stands
// in the scope of the expression.
type target struct {
	node *node
	path []string
}

// roots of references that are the language's own.
var languageRoots = []string{"each", "local", "module", "path", "policy", "var"}

// link resolves the names in an expression. What does not exist is reported.
func (e *expression) link() {
	m := e.mod
	if m.flooded() {
		e.bad = true
		return
	}
	if m.unknownFunctions(e.Expression) {
		e.bad = true
	}
	for _, t := range e.Expression.Variables() {
		ref, ok := m.resolve(e, t)
		if !ok {
			e.bad = true
			continue
		}
		e.refs = append(e.refs, ref)
	}
}

// stepName is the name that a step of a traversal goes to: .name or ["name"].
func stepName(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

func (m *module) resolve(e *expression, t hcl.Traversal) (reference, bool) {
	root := t.RootName()
	if e.sees != nil && e.sees.knows(root) {
		return reference{traversal: t, steps: len(t)}, e.sees.check(m, t)
	}
	if e.sees != nil && (root == "policy" || m.hasKind(root)) {
		m.unknownRoot(e, t) // a block is nothing that a condition could look at
		return reference{}, false
	}
	switch root {
	case "var":
		return m.resolveIn(t, m.variables, "variable", "var")
	case "local":
		return m.resolveIn(t, m.locals, "local value", "local")
	case "each":
		name, _ := stepName(t, 1)
		switch {
		case !e.each:
			m.errorf(t.SourceRange(), "No for_each here", "each.key and each.value stand for the instance at hand of a block that has for_each; this place has none.")
		case name != "key" && name != "value":
			m.errorf(t.SourceRange(), "Unknown name", "each has key and value, nothing else.")
		default:
			return reference{traversal: t, steps: 2}, true
		}
		return reference{}, false
	case "path":
		if name, _ := stepName(t, 1); name != "module" && name != "root" {
			m.errorf(t.SourceRange(), "Unknown name", "path has module (the folder of this file) and root (the folder of the recipe that is built), nothing else.")
			return reference{}, false
		}
		return reference{traversal: t, steps: 2}, true
	case "module":
		return m.resolveModule(t)
	case "policy":
		return m.resolveIn(t, m.policies, "policy", "policy")
	}
	if m.hasKind(root) {
		return m.resolveBlock(t, m, nil)
	}
	m.unknownRoot(e, t)
	return reference{}, false
}

// hasKind reports whether the catalog has blocks of the kind.
func (m *module) hasKind(kind string) bool {
	_, ok := m.kinds[kind]
	return ok
}

func (m *module) unknownRoot(e *expression, t hcl.Traversal) {
	names := append(keys(m.kinds), languageRoots...)
	root := t.RootName()
	switch {
	case e.sees != nil:
		names = append(append([]string{}, e.sees.names...), "var", "local", "each")
		m.errorf(t.SourceRange(), "Unknown name", "%s is nothing that a rule can see.%s %s, and besides var., local., each. and functions.", root, didYouMean(root, names), e.sees.lists())
	case tensorNames.knows(root):
		m.errorf(t.SourceRange(), "Unknown name", "%s is an attribute of tensors; only the when of a rule in a policy can see it.", root)
	default:
		sort.Strings(names)
		hint := didYouMean(root, names)
		if hint == "" && len(t) == 1 {
			hint = " A string is written in quotes: \"" + root + "\"."
		}
		m.errorf(t.SourceRange(), "Unknown name", "%s is nothing that can be referred to.%s References begin with %s.", root, hint, list(names, "or"))
	}
}

// resolveIn resolves PREFIX.NAME.
func (m *module) resolveIn(t hcl.Traversal, among map[string]*node, what, prefix string) (reference, bool) {
	name, ok := stepName(t, 1)
	if !ok {
		m.errorf(t.SourceRange(), "Incomplete reference", "%s alone is no value: write %s.NAME. There is %s.", prefix, prefix, list(keys(among), "and"))
		return reference{}, false
	}
	n := among[name]
	if n == nil {
		names := keys(among)
		m.errorf(t[:2].SourceRange(), "Unknown "+what, "There is no %s.%s.%s The recipe has %s.", prefix, name, didYouMean(name, names), list(names, "and"))
		return reference{}, false
	}
	return reference{traversal: t, targets: []target{{n, []string{prefix, name}}}, steps: 2}, true
}

// resolveBlock resolves KIND.NAME or KIND.TYPE.NAME within a module. before are
// the names that lead to the module from where the reference stands.
func (m *module) resolveBlock(t hcl.Traversal, in *module, before []string) (reference, bool) {
	at := len(before)
	path := append([]string{}, before...)
	kind, _ := t[at].(hcl.TraverseAttr)
	root := kind.Name
	if at == 0 {
		root = t.RootName()
	}
	path = append(path, root)
	address := root
	for i := 1; i <= m.kinds[root]; i++ {
		name, ok := stepName(t, at+i)
		if !ok {
			form := strings.Join(append(append([]string{}, before...), root, "NAME"), ".")
			if m.kinds[root] == 2 {
				form = strings.Join(append(append([]string{}, before...), root, "TYPE", "NAME"), ".")
			}
			m.errorf(t.SourceRange(), "Incomplete reference", "A reference to a block of this kind is %s. There is %s.", form, list(in.addresses(root), "and"))
			return reference{}, false
		}
		address += "." + name
		path = append(path, name)
	}
	n := in.blocks[address]
	steps := at + 1 + m.kinds[root]
	if n == nil {
		names := in.addresses(root)
		m.errorf(t[:steps].SourceRange(), "Unknown block", "There is no %s.%s The recipe has %s.", strings.Join(path, "."), didYouMean(address, names), list(names, "and"))
		return reference{}, false
	}
	return reference{traversal: t, targets: []target{{n, path}}, steps: steps}, true
}

// addresses lists the module's blocks of one kind.
func (m *module) addresses(kind string) []string {
	var out []string
	for _, a := range keys(m.blocks) {
		if strings.HasPrefix(a, kind+".") {
			out = append(out, a)
		}
	}
	return out
}

// resolveModule resolves module.NAME, module.NAME.OUTPUT and
// module.NAME.artifact.TYPE.NAME.
func (m *module) resolveModule(t hcl.Traversal) (reference, bool) {
	ref, ok := m.resolveIn(t, m.calls, "module", "module")
	if !ok {
		return ref, false
	}
	call := ref.targets[0].node
	child := call.call.child
	if child == nil {
		return reference{}, false // why it is not there is reported
	}
	path := ref.targets[0].path
	if len(t) == 2 {
		ref.targets = nil
		for _, o := range sortedNodes(child.outputs) {
			name := strings.TrimPrefix(o.address, child.prefix+"output.")
			ref.targets = append(ref.targets, target{o, append(append([]string{}, path...), name)})
		}
		return ref, true
	}
	name, ok := stepName(t, 2)
	if ok && builtKinds[name] && m.hasKind(name) {
		return m.resolveBlock(t, child, path)
	}
	if o := child.outputs[name]; ok && o != nil {
		return reference{traversal: t, targets: []target{{o, append(append([]string{}, path...), name)}}, steps: 3}, true
	}
	names := keys(child.outputs)
	m.errorf(t[:3].SourceRange(), "Unknown output", "module.%s has no output %s.%s It has %s; its other blocks cannot be seen from outside.", path[1], name, didYouMean(name, names), list(names, "and"))
	return reference{}, false
}
