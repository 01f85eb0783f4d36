package engine

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// Closure is the recipe of the block and of everything that it refers to, in
// HCL's JSON syntax and canonical form: a recipe that can be built again.
// Instances of for_each and blocks of modules become blocks of their own under
// flat names. replace may change the body of a block (a model's source for its
// content hash); it gets the original address and the flat one.
func (p *Planner) Closure(address string, replace func(address, flat string, body map[string]any) error) (json.RawMessage, error) {
	order := p.closureOf(address)
	names := flatNames(order)
	root := map[string]any{}
	for _, a := range order {
		raw := json.RawMessage(nil)
		if b := p.blocks[a]; b != nil {
			raw = b.Canonical
		} else {
			raw = p.Program.Policies[a].Canonical()
		}
		body := map[string]any{}
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, fmt.Errorf("canonical form of %s: %w", a, err)
		}
		if replace != nil {
			if err := replace(a, names[a], body); err != nil {
				return nil, err
			}
		}
		place(root, names[a], rename(body, names))
	}
	return canonicalJSON(root)
}

// closureOf lists the block and what it refers to, sorted.
func (p *Planner) closureOf(address string) []string {
	seen := map[string]bool{}
	var order []string
	var walk func(a string)
	walk = func(a string) {
		if seen[a] {
			return
		}
		seen[a] = true
		var refs []string
		if b := p.blocks[a]; b != nil {
			refs = b.Refs
		} else if pol := p.Program.Policies[a]; pol != nil {
			if e := pol.Evidence(); e != nil {
				refs = []string{e.Address}
			}
		} else {
			return
		}
		order = append(order, a)
		for _, r := range refs {
			walk(r)
		}
	}
	walk(address)
	sort.Strings(order)
	return order
}

// flatNames maps addresses to ones without modules and instance keys:
// module.m.artifact.gguf.x["a b"] -> artifact.gguf.m_x_a_b. Names that would
// fall together are numbered.
func flatNames(addresses []string) map[string]string {
	out := map[string]string{}
	taken := map[string]bool{}
	for _, a := range addresses {
		head, key, _ := strings.Cut(a, "[")
		parts := strings.Split(head, ".")
		var prefix []string
		for len(parts) > 2 && parts[0] == "module" {
			prefix, parts = append(prefix, parts[1]), parts[2:]
		}
		name := strings.Join(append(prefix, parts[len(parts)-1]), "_")
		if key != "" {
			name += "_" + strings.Trim(key, "[]\"")
		}
		name = strings.Map(func(r rune) rune {
			if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, name)
		flat := strings.Join(append(parts[:len(parts)-1:len(parts)-1], name), ".")
		for i := 2; taken[flat]; i++ {
			flat = strings.Join(append(parts[:len(parts)-1:len(parts)-1], fmt.Sprintf("%s_%d", name, i)), ".")
		}
		taken[flat] = true
		out[a] = flat
	}
	return out
}

// rename replaces every reference "${address}" by its new name.
func rename(v any, names map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = rename(e, names)
		}
	case []any:
		for i, e := range v {
			v[i] = rename(e, names)
		}
	case string:
		if inner, ok := strings.CutPrefix(v, "${"); ok {
			if flat, ok := names[strings.TrimSuffix(inner, "}")]; ok {
				return "${" + flat + "}"
			}
		}
	}
	return v
}

// place puts a body under the path of its address.
func place(root map[string]any, address string, body any) {
	parts := strings.Split(address, ".")
	m := root
	for _, part := range parts[:len(parts)-1] {
		next, ok := m[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[part] = next
		}
		m = next
	}
	m[parts[len(parts)-1]] = body
}
