package recipes

import (
	"path"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// finish makes the program whole once every node has its value: what is used,
// and what only the whole can tell.
func (l *loader) finish() {
	root := l.modules[0]
	l.program.Modules = l.records
	l.outputs(root)
	u := l.use(root)
	for _, b := range l.program.Blocks {
		b.Used = u.built[b.Address]
	}
	l.checkEvidence(u)
	l.checkPaths(root)
	if !l.failed() {
		l.warnUnused(root, u)
	}
}

// usage is what of a program is used, by address.
type usage struct {
	built     map[string]bool // is built, or something built needs it
	mentioned map[string]bool // an output gives it out
	inherited map[string]bool // policies that others begin with
	blocks    map[string]*engine.Block
	program   *engine.Program
}

// use finds what is used: what the root makes, what its outputs look into, and
// everything these refer to.
func (l *loader) use(root *module) *usage {
	u := &usage{built: map[string]bool{}, mentioned: map[string]bool{}, inherited: map[string]bool{}, blocks: map[string]*engine.Block{}, program: l.program}
	for _, b := range l.program.Blocks {
		u.blocks[b.Address] = b
	}
	for _, p := range l.policiesByAddress() {
		if p.parent != nil {
			u.inherited[p.parent.Address] = true
		}
	}
	for _, n := range root.nodes {
		switch {
		case n.kind == blockNode && builtKinds[n.block.stage.Block]:
			for _, b := range n.block.instances {
				u.build(b.Address)
			}
		case n.kind == outputNode && n.output.value != nil:
			for _, ref := range n.output.value.expr.refs {
				for _, t := range ref.targets {
					rest := ref.traversal
					if len(ref.targets) == 1 {
						rest = rest[ref.steps:]
					} else {
						rest = nil
					}
					for _, r := range refsAt(t.node.value, rest) {
						if builtKinds[r.kind] {
							u.build(r.Address)
						} else {
							u.mention(r.Address)
						}
					}
				}
			}
		}
	}
	return u
}

// refsAt collects the references in a value, after going as far into it as a
// traversal can.
func refsAt(v cty.Value, steps hcl.Traversal) []*blockRef {
	v, _ = v.UnmarkDeep()
	for i := range steps {
		name, ok := stepName(steps, i)
		ty := v.Type()
		switch {
		case !ok || !v.IsKnown() || v.IsNull():
		case ty.IsObjectType() && ty.HasAttribute(name):
			v = v.GetAttr(name)
			continue
		case ty.IsMapType() && v.HasIndex(cty.StringVal(name)).True():
			v = v.Index(cty.StringVal(name))
			continue
		}
		break
	}
	var out []*blockRef
	_ = cty.Walk(v, func(_ cty.Path, e cty.Value) (bool, error) {
		if r, ok := asRef(e); ok {
			out = append(out, r)
		}
		return true, nil
	})
	return out
}

// build marks a block or policy and what it needs as used.
func (u *usage) build(address string) { u.walk(address, u.built) }

// mention marks what an output gives out, and what that needs.
func (u *usage) mention(address string) { u.walk(address, u.mentioned) }

func (u *usage) walk(address string, in map[string]bool) {
	todo := []string{address}
	for len(todo) > 0 {
		a := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if in[a] {
			continue
		}
		in[a] = true
		if b := u.blocks[a]; b != nil {
			todo = append(todo, b.Refs...)
		}
		if p, ok := u.program.Policies[a].(*Policy); ok {
			for _, r := range []*blockRef{p.evidence, p.parent} {
				if r != nil {
					todo = append(todo, r.Address)
				}
			}
		}
	}
}

// checkEvidence finds rules that look at evidence where their policy has none.
// A policy that others begin with need not have it itself.
func (l *loader) checkEvidence(u *usage) {
	for _, p := range l.policiesByAddress() {
		if p.failed || p.evidence != nil || u.inherited[p.address] && !l.referred(p.address) {
			continue
		}
		for _, r := range p.rules {
			if r.measured != nil {
				l.errorf(*r.measured, "No evidence", "The rule looks at what calibration measures, and %s has no evidence. Set evidence = stage.TYPE.NAME in the policy.", p.address)
				break
			}
		}
	}
}

// referred reports whether a block refers to the policy.
func (l *loader) referred(policy string) bool {
	for _, b := range l.program.Blocks {
		for _, r := range b.Refs {
			if r == policy {
				return true
			}
		}
	}
	return false
}

// warnUnused warns of blocks and policies of the root that nothing needs.
func (l *loader) warnUnused(root *module, u *usage) {
	for _, n := range root.nodes {
		var addresses []string
		switch n.kind {
		case blockNode:
			for _, b := range n.block.instances {
				addresses = append(addresses, b.Address)
			}
		case policyNode:
			addresses = keys(n.policy.instances)
		}
		used := len(addresses) == 0
		for _, a := range addresses {
			used = used || u.built[a] || u.mentioned[a]
		}
		if !used {
			l.warnf(n.rng, "Not used", "Nothing that the recipe makes refers to %s. Remove it, or refer to it.", n.address)
		}
	}
}

// writer is a block that writes a path below the output folder.
type writer struct {
	block *engine.Block
	path  string // as written
	rng   diag.Range
}

// checkPaths checks what blocks write: below the output folder, each path once
// on file systems that ignore case too, and none of the recipe's own files.
func (l *loader) checkPaths(root *module) {
	var all []writer
	for _, b := range l.program.Blocks {
		if b.Used {
			collectPaths(b, reflect.ValueOf(b.Params).Elem(), schemaOf(b.Stage), "", &all)
		}
	}
	for _, n := range root.nodes {
		if n.kind != blockNode || !builtKinds[n.block.stage.Block] {
			continue
		}
		for _, b := range n.block.failed {
			var some []writer
			collectPaths(b, reflect.ValueOf(b.Params).Elem(), schemaOf(b.Stage), "", &some)
			for _, w := range some {
				if w.path != "" { // else it may be the path that is wrong
					all = append(all, w)
				}
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.rng.File != b.rng.File {
			return a.rng.File < b.rng.File
		}
		if a.rng.Line != b.rng.Line {
			return a.rng.Line < b.rng.Line
		}
		return a.block.Address < b.block.Address
	})
	taken := map[string]writer{}
	for _, w := range all {
		if err := engine.CheckOutputPath(w.path); err != nil {
			l.report(diag.Errorf(w.rng, "Path outside the output folder", "%s: %v.", w.block.Address, err))
			continue
		}
		if err := engine.CheckOutputLinks(l.output, w.path); err != nil {
			l.report(diag.Errorf(w.rng, "Path outside the output folder", "%s: %v.", w.block.Address, err))
			continue
		}
		clean := path.Clean(w.path)
		target := filepath.Join(l.output, filepath.FromSlash(clean))
		if name := l.ownFile(target); name != "" {
			l.report(diag.Errorf(w.rng, "Path is taken", "%s would overwrite %s. Choose another path.", w.block.Address, name))
			continue
		}
		key := strings.ToLower(clean)
		first, ok := taken[key]
		if !ok {
			taken[key] = w
			continue
		}
		how := "both write " + w.path
		if first.path != w.path {
			how = "write " + first.path + " and " + w.path + ", which are one path"
			if path.Clean(first.path) != clean {
				how += " where case does not count"
			}
		}
		hint := "Choose another path for one of them."
		if first.rng == w.rng {
			hint = "Put each.key into the path."
			if a, b := withoutKeys(first.block.Address), withoutKeys(w.block.Address); a != b {
				hint = "The module is included twice: give it a variable that goes into the path."
			}
		}
		l.report(diag.Errorf(w.rng, "Path is taken", "%s (%s) and %s %s. %s", first.block.Address, first.rng, w.block.Address, how, hint))
	}
	l.checkNested(taken)
}

// withoutKeys is the address of the block that an instance is of.
func withoutKeys(address string) string {
	block, _, _ := strings.Cut(address, "[")
	return block
}

// checkNested refuses paths below that of an artifact, which is no folder for
// others.
func (l *loader) checkNested(taken map[string]writer) {
	for _, key := range keys(taken) {
		w := taken[key]
		for up := path.Dir(key); up != "."; up = path.Dir(up) {
			if outer, ok := taken[up]; ok && outer.block.Stage.Block == "artifact" {
				l.report(diag.Errorf(w.rng, "Path is taken", "%s is %s (%s), and %s would write %s, below it. Choose another path for one of them.", outer.path, outer.block.Address, outer.rng, w.block.Address, w.path))
			}
		}
	}
}

// ownFile names the file of the recipe that a path would overwrite.
func (l *loader) ownFile(target string) string {
	if target == filepath.Join(l.program.Dir, lockName) {
		return lockName
	}
	for _, m := range l.modules {
		if strings.EqualFold(target, m.path) {
			return m.file
		}
	}
	return ""
}

// collectPaths gathers the values of fields that are tagged path:"output".
func collectPaths(b *engine.Block, v reflect.Value, s *schema, prefix string, out *[]writer) {
	for _, f := range s.fields {
		fv := v.Field(f.index)
		at := prefix + f.name
		switch f.kind {
		case oneBlock:
			if fv.Kind() == reflect.Pointer {
				if fv.IsNil() {
					continue
				}
				fv = fv.Elem()
			}
			collectPaths(b, fv, f.inner, at+".", out)
		case manyBlocks:
			for i := range fv.Len() {
				collectPaths(b, fv.Index(i), f.inner, at+"["+strconv.Itoa(i)+"].", out)
			}
		default:
			if f.path != "output" {
				continue
			}
			rng, ok := b.Attrs[at]
			if !ok {
				rng = b.Range
			}
			for _, p := range stringsIn(fv) {
				if p != "" || ok {
					*out = append(*out, writer{b, p, rng})
				}
			}
		}
	}
}

// stringsIn lists the strings of a field.
func stringsIn(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Pointer:
		if !v.IsNil() {
			return stringsIn(v.Elem())
		}
	case reflect.Slice:
		var out []string
		for i := range v.Len() {
			out = append(out, stringsIn(v.Index(i))...)
		}
		return out
	case reflect.Map:
		var out []string
		for _, k := range v.MapKeys() {
			out = append(out, stringsIn(v.MapIndex(k))...)
		}
		sort.Strings(out)
		return out
	}
	return nil
}
