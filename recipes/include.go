package recipes

import (
	"context"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/engine"
)

// maxModules bounds how many modules a recipe may include, counting each use.
const maxModules = 200

// call is a module block: a recipe that this one includes.
type call struct {
	name   string
	source *attribute
	args   *content
	child  *module // nil where it could not be loaded
}

func (m *module) declareCall(b *nested) {
	name := b.labels[0]
	c := m.readBody(b.body, b.rng, describe("module", name), &shape{any: true})
	k := &call{name: name, source: c.attrs["source"], args: c}
	delete(c.attrs, "source")
	n := &node{kind: callNode, address: "module." + name, rng: b.rng, call: k}
	n.exprs = c.expressions(false)
	if k.source == nil {
		m.errorf(b.rng, "Missing attribute", `module %q needs source: "./folder", or "git::https://host/repository.git//folder?ref=v1".`, name)
	}
	if a := c.attrs[forEachName]; a != nil {
		m.errorf(a.rng, "No for_each here", "A module is included once per module block; write one block for each use.")
		delete(c.attrs, forEachName)
	}
	m.add(m.calls, name, n)
}

// loadModules loads what the module includes, and what that includes.
func (l *loader) loadModules(ctx context.Context, m *module) {
	for _, n := range m.nodes {
		if n.kind != callNode || n.call.source == nil || ctx.Err() != nil {
			continue
		}
		v, ok := m.constant(n.call.source, "The source of a module")
		if !ok {
			continue
		}
		if v.IsNull() || v.Type() != cty.String {
			m.errorf(n.call.source.expr.Range(), "Wrong type", "source is a string.")
			continue
		}
		child := l.include(ctx, m, n, v.AsString())
		if child == nil {
			continue
		}
		n.call.child = child
		m.passArguments(n, child)
		l.loadModules(ctx, child)
	}
	sort.Slice(l.records, func(i, j int) bool { return l.records[i].Address < l.records[j].Address })
}

// include loads one module.
func (l *loader) include(ctx context.Context, m *module, n *node, source string) *module {
	at := n.call.source.expr.Range()
	if len(l.modules) > maxModules {
		m.errorf(at, "Too many modules", "A recipe may include at most %d modules, each use counted.", maxModules)
		return nil
	}
	child := &module{loader: l, parent: m, prefix: n.address + ".", remote: m.remote}
	record := engine.Module{Source: source}
	shown := ""
	switch {
	case isLocal(source) && (!m.remote || l.fetch == nil):
		shown = filepath.Join(filepath.Dir(m.file), filepath.FromSlash(source))
	case !isLocal(source) && !isRemote(source):
		m.errorf(at, "Unknown module source", `%q is no source. A folder is a path from this file's and begins with ./ or ../ (%q); a git repository is "git::https://host/repository.git//folder?ref=v1".`, source, "./"+path.Base(path.Clean(filepath.ToSlash(source))))
		return nil
	case l.fetch == nil:
		m.errorf(at, "Offline", "The module comes from %s, which is not fetched here. Run without --offline once, so that pj lock can pin and keep it.", source)
		return nil
	default:
		// Folders beside a fetched module too: what may be reached from there is
		// the fetcher's to say.
		dir, fetched, err := l.fetch.Fetch(ctx, n.address, source, m.dir)
		if err != nil {
			m.errorf(at, "Module cannot be fetched", "%v", err)
			return nil
		}
		record = fetched
		shown, child.remote = dir, true
	}
	found, err := findRecipe(shown)
	path := ""
	if err == nil {
		path, err = filepath.Abs(found)
	}
	if err != nil {
		m.errorf(at, "Module without recipe", "%v", err)
		return nil
	}
	child.file, child.dir, child.path = found, filepath.Dir(path), path
	if trail := recursion(m, path); trail != nil {
		m.errorf(at, "Module includes itself", "%s is included by itself: %s.", source, strings.Join(append(trail, n.address), " -> "))
		return nil
	}
	if l.loadModule(child, path) == nil {
		return nil
	}
	if record.Digest == "" {
		sum := blake3.Sum256(child.source)
		record.Digest = "blake3:" + hex.EncodeToString(sum[:])
	}
	record.Address, record.Source = n.address, source
	l.records = append(l.records, record)
	return child
}

// isLocal reports whether a source is a folder.
func isLocal(source string) bool {
	return strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") || source == "." || source == ".."
}

// isRemote reports whether a source may be a repository; the fetcher knows.
func isRemote(source string) bool {
	return strings.Contains(source, "::") || strings.Contains(source, "://") || strings.Contains(source, "@") || strings.HasPrefix(source, "github.com/")
}

// recursion lists the modules that lead from the file back to it; nil where
// none of the including modules is that file.
func recursion(m *module, path string) []string {
	real := resolved(path)
	for up := m; up != nil; up = up.parent {
		if resolved(up.path) != real {
			continue
		}
		var trail []string
		for in := m; in != up; in = in.parent {
			trail = append([]string{strings.TrimSuffix(in.prefix, ".")}, trail...)
		}
		return append([]string{orRoot(up)}, trail...)
	}
	return nil
}

func orRoot(m *module) string {
	if m.prefix == "" {
		return "the recipe"
	}
	return strings.TrimSuffix(m.prefix, ".")
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// passArguments gives the attributes of a module block to the module's
// variables.
func (m *module) passArguments(n *node, child *module) {
	names := keys(child.variables)
	for _, a := range n.call.args.order() {
		v := child.variables[a.name]
		if v == nil {
			m.errorf(a.rng, "Unknown variable", "The module declares no variable %s.%s It declares %s.", a.name, didYouMean(a.name, names), list(names, "and"))
			continue
		}
		v.variable.arg = a.expr
		v.exprs = append(v.exprs, a.expr)
	}
	// The variables hold the arguments now: the block itself depends on nothing.
	n.exprs = nil
	var missing []string
	for _, name := range names {
		v := child.variables[name].variable
		if v.arg == nil && v.fallback == cty.NilVal {
			missing = append(missing, fmt.Sprintf("%s (%s)", name, v.typeText))
		}
	}
	if len(missing) > 0 {
		m.errorf(n.rng, "Missing "+plural("argument", len(missing)), "module %q must set %s.", n.call.name, list(missing, "and"))
	}
}
