// Package recipes is the language: it parses recipes in HCL or HCL's JSON
// syntax, checks them against the catalog of stages, evaluates variables,
// locals, modules and for_each, and gives an engine.Program. It names no stage
// and reads no model.
package recipes

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sort"

	"github.com/hashicorp/hcl/v2"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// Options say what to load.
type Options struct {
	Path      string // a recipe file, or a folder (recipe.hcl or its only *.hcl)
	Catalog   *engine.Catalog
	Vars      []Var         // --var and --var-file in the order of the command line; later wins
	Env       []string      // os.Environ(): PJ_VAR_name sets a variable
	Modules   ModuleFetcher // nil: modules from elsewhere than a folder are an error
	OutputDir string        // where artifacts go; "": the recipe's folder
}

// ModuleFetcher brings a module's files to this machine. address is the
// module's ("module.ultra", which the lock file knows it by), baseDir the folder
// of the file that names the source. dir may be a recipe file.
type ModuleFetcher interface {
	Fetch(ctx context.Context, address, source, baseDir string) (dir string, m engine.Module, err error)
}

// Recipe is a loaded recipe.
type Recipe struct {
	Program *engine.Program
	// Files are the sources by the names that diagnostics use, for snippets.
	Files map[string][]byte

	root    *module
	secrets *sink
	edges   []Edge
}

// Edge says that one block refers to another.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Variables lists the root's variables as they are declared.
func (r *Recipe) Variables() []Variable {
	var out []Variable
	if r.root == nil {
		return out
	}
	for _, n := range r.root.nodes {
		if n.kind == variableNode {
			out = append(out, r.root.public(n))
		}
	}
	return out
}

// Graph lists which block or policy refers to which, by address.
func (r *Recipe) Graph() []Edge { return r.edges }

// Redact replaces the texts of sensitive values, for output that the recipe
// did not word.
func (r *Recipe) Redact(text string) string {
	if r.secrets == nil {
		return text
	}
	return r.secrets.redact(text)
}

// loader is one Load at work.
type loader struct {
	*sink
	catalog *engine.Catalog
	kinds   map[string]int // block kinds of the catalog, with how many labels they have
	fetch   ModuleFetcher
	files   map[string][]byte
	modules []*module // the root first
	records []engine.Module
	program *engine.Program
	edges   map[Edge]bool
	output  string
	broken  bool // a file has syntax errors: what it lacks is not worth reporting
}

// Load reads a recipe and everything it includes. It reports all problems at
// once; the Recipe is there also where some are errors, as far as it could be
// evaluated (for graphs and editors). It needs no network but for modules, and
// no model.
func Load(ctx context.Context, o Options) (*Recipe, diag.Diagnostics) {
	l := &loader{sink: newSink(), catalog: o.Catalog, kinds: map[string]int{}, fetch: o.Modules, files: map[string][]byte{}, edges: map[Edge]bool{}}
	l.program = &engine.Program{Path: o.Path, Policies: map[string]engine.Policy{}, Outputs: map[string]json.RawMessage{}}
	for _, s := range o.Catalog.Stages() {
		l.kinds[s.Block] = 1
		if s.Name != "" {
			l.kinds[s.Block] = 2
		}
	}
	r := &Recipe{Program: l.program, Files: l.files, secrets: l.sink}
	if root := l.loadRoot(o.Path); root != nil {
		r.root = root
		l.output = root.dir
		if o.OutputDir != "" {
			l.output, _ = filepath.Abs(o.OutputDir)
		}
		if !l.broken {
			root.giveVariables(o)
		}
		l.loadModules(ctx, root)
		if ctx.Err() == nil && !l.broken {
			l.link()
			l.evaluateAll(ctx)
			l.finish()
		}
	}
	if err := ctx.Err(); err != nil {
		l.errorf(hcl.Range{Filename: o.Path}, "Interrupted", "%v", err)
	}
	for e := range l.edges {
		r.edges = append(r.edges, e)
	}
	sort.Slice(r.edges, func(i, j int) bool {
		a, b := r.edges[i], r.edges[j]
		return a.From < b.From || a.From == b.From && a.To < b.To
	})
	return r, l.sorted()
}

// loadRoot reads the recipe that the user named.
func (l *loader) loadRoot(path string) *module {
	file, err := findRecipe(path)
	if err != nil {
		l.errorf(hcl.Range{Filename: path}, "No recipe", "%v", err)
		return nil
	}
	l.program.Path = file
	path, err = filepath.Abs(file)
	if err != nil {
		l.errorf(hcl.Range{Filename: path}, "No recipe", "%v", err)
		return nil
	}
	l.program.Dir = filepath.Dir(path)
	return l.loadModule(&module{loader: l, dir: filepath.Dir(path), path: path, file: file}, path)
}

// loadModule reads and declares a module's file; nil where it can't be read.
func (l *loader) loadModule(m *module, path string) *module {
	src, ok := l.files[m.file]
	if !ok {
		var err error
		if src, err = readFile(path); err != nil {
			l.errorf(hcl.Range{Filename: m.file}, "Recipe cannot be read", "%v", err)
			return nil
		}
		src = normal(src)
		l.files[m.file] = src
	}
	m.source = src
	m.functions = functionsFor(m.dir)
	m.scope = &hcl.EvalContext{Functions: m.functions}
	l.modules = append(l.modules, m)
	body := l.parseHCL(src, m.file)
	if body == nil {
		l.broken = true
		body = hcl.EmptyBody()
	}
	m.declare(body)
	return m
}

// evaluateAll gives every node its value, each after those it depends on.
func (l *loader) evaluateAll(ctx context.Context) {
	nodes := l.order()
	for _, n := range nodes {
		if ctx.Err() != nil {
			return
		}
		if !n.bad || n.kind == blockNode || n.kind == policyNode {
			l.evaluate(n) // what is wrong with a block is not all that may be wrong with it
		}
		n.parts, n.bytes = extent(n.value)
	}
	for _, m := range l.modules {
		for _, n := range m.nodes {
			if n.kind == variableNode {
				m.validate(n)
			}
		}
	}
}

func (l *loader) evaluate(n *node) {
	switch n.kind {
	case variableNode:
		n.mod.evaluateVariable(n)
	case localNode:
		v, ok := n.local.expr.evaluate(nil)
		n.value, n.bad = v, !ok
	case blockNode:
		l.evaluateBlock(n)
	case policyNode:
		l.evaluatePolicy(n)
	case outputNode:
		n.mod.evaluateOutput(n)
	}
}
