package lock

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes/format"
	"github.com/llama-pajamas/pj/recipes/format/depth"
)

// maxBytes is how large a lock file may be: some hundred thousand files.
const maxBytes = 32 << 20

const cure = "Remove the entry and run pj lock."

// Read reads the lock file at path. Where there is none the file is empty.
func Read(path string) (*File, diag.Diagnostics) {
	fail := func(err error) (*File, diag.Diagnostics) {
		return nil, diag.Diagnostics{diag.Errorf(diag.Range{File: path}, "Lock file cannot be read", "%v.", err)}
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{Version: Version}, nil
	}
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return fail(err)
	} else if !st.Mode().IsRegular() {
		return fail(errors.New("it is no regular file"))
	}
	src, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return fail(err)
	}
	return Parse(src, path)
}

// Parse reads a lock file's text. name is the file's, for diagnostics. Every
// entry must be whole and everything in it known: a lock that is half
// understood would not lock. With errors the File is nil.
func Parse(src []byte, name string) (*File, diag.Diagnostics) {
	p := &parser{name: name}
	out := p.file(src)
	if p.problems.HasErrors() {
		return nil, p.problems
	}
	return out, p.problems
}

type parser struct {
	name     string
	problems diag.Diagnostics
}

func (p *parser) errorf(r hcl.Range, summary, detail string, args ...any) {
	p.problems = append(p.problems, diag.Errorf(format.Range(r), summary, detail, args...))
}

func (p *parser) file(src []byte) *File {
	if len(src) > maxBytes {
		p.errorf(hcl.Range{Filename: p.name}, "Lock file too large", "It has more than %d MiB.", maxBytes>>20)
		return nil
	}
	if r, ok := conflict(src, p.name); ok {
		p.errorf(r, "Lock file with a merge conflict", "Keep the entries of both sides, or either side, remove the lines that git added, and run pj lock.")
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(src, p.name, hcl.InitialPos)
	if problem := depth.Check(tokens); problem != nil {
		p.problems = append(p.problems, format.Diagnostics(hcl.Diagnostics{problem})...)
		return nil
	}
	parsed, problems := hclsyntax.ParseConfig(src, p.name, hcl.InitialPos)
	if problems.HasErrors() {
		p.problems = append(p.problems, format.Diagnostics(problems)...)
		return nil
	}
	body := parsed.Body.(*hclsyntax.Body)
	if !p.version(body) {
		return nil
	}
	for _, a := range sorted(body.Attributes) {
		if a.Name != "version" {
			p.errorf(a.NameRange, "Unknown attribute", "A lock file has no %s; pj writes the file, do not edit it.", a.Name)
		}
	}
	out := &File{Version: Version}
	seen := map[string]bool{}
	for _, b := range body.Blocks {
		p.entry(out, b, seen)
	}
	return out.Clone() // sorts
}

// version checks the version before anything else is looked at: a later version
// may have what this one does not know.
func (p *parser) version(body *hclsyntax.Body) bool {
	a := body.Attributes["version"]
	if a == nil {
		p.errorf(hcl.Range{Filename: p.name, Start: hcl.InitialPos, End: hcl.InitialPos}, "Lock file without version", "The file must say version = %d. Restore it from git, or remove it and run pj lock.", Version)
		return false
	}
	n, ok := p.integer(a)
	switch {
	case !ok:
		return false
	case n > Version:
		p.errorf(a.SrcRange, "Lock file of a later version", "Version %d was written by a newer pj; this one reads up to %d. Update pj.", n, Version)
	case n < 1:
		p.errorf(a.SrcRange, "Unknown version", "There was no version %d of lock files.", n)
	default:
		return true
	}
	return false
}

// entry reads a block into the file.
func (p *parser) entry(out *File, b *hclsyntax.Block, seen map[string]bool) {
	var known []string
	nested := false
	switch b.Type {
	case "model":
		known, nested = []string{"source", "revision", "digest"}, true
	case "module":
		known = []string{"source", "commit", "digest"}
	case "evidence":
		known = []string{"output"}
	default:
		p.errorf(b.TypeRange, "Unknown block", "A lock file has model, module and evidence blocks, no %s.", b.Type)
		return
	}
	address, ok := p.label(b, "the block's address", seen, b.Type)
	if !ok {
		return
	}
	v := p.values(b, known)
	if !nested {
		p.noBlocks(b)
	}
	switch b.Type {
	case "model":
		m := Model{Address: address, Source: v.required("source"), Revision: v.text("revision"), Digest: v.digest("digest", false)}
		files := map[string]bool{}
		for _, fb := range b.Body.Blocks {
			if fb.Type != "file" {
				p.errorf(fb.TypeRange, "Unknown block", "A model of a lock file has file blocks, no %s.", fb.Type)
				continue
			}
			name, ok := p.label(fb, "the file's name", files, "file")
			if !ok {
				continue
			}
			p.noBlocks(fb)
			fv := p.values(fb, []string{"size", "sha256"})
			m.Files = append(m.Files, FileHash{Name: name, Size: fv.size("size"), SHA256: fv.hash("sha256")})
		}
		out.Models = append(out.Models, m)
	case "module":
		out.Modules = append(out.Modules, Module{Address: address, Source: v.required("source"), Commit: v.commit("commit"), Digest: v.digest("digest", true)})
	case "evidence":
		out.Evidence = append(out.Evidence, Evidence{Address: address, Output: v.hash("output")})
	}
}

// label gives a block's one label, which is unique.
func (p *parser) label(b *hclsyntax.Block, what string, seen map[string]bool, kind string) (string, bool) {
	if len(b.Labels) != 1 || b.Labels[0] == "" {
		p.errorf(b.DefRange(), "Wrong labels", "A %s block has one label: %s.", b.Type, what)
		return "", false
	}
	key := kind + " " + b.Labels[0]
	if seen[key] {
		p.errorf(b.DefRange(), "Duplicate entry", "%s %q stands twice, as after a merge. Remove one, or both and run pj lock.", b.Type, b.Labels[0])
		return "", false
	}
	seen[key] = true
	return b.Labels[0], true
}

func (p *parser) noBlocks(b *hclsyntax.Block) {
	for _, inner := range b.Body.Blocks {
		p.errorf(inner.TypeRange, "Unknown block", "A %s block of a lock file has no %s blocks.", b.Type, inner.Type)
	}
}

// values are a block's attributes.
type values struct {
	p     *parser
	block *hclsyntax.Block
}

// values refuses attributes that are not known.
func (p *parser) values(b *hclsyntax.Block, known []string) values {
	for _, a := range sorted(b.Body.Attributes) {
		if !slices.Contains(known, a.Name) {
			p.errorf(a.NameRange, "Unknown attribute", "A %s block of a lock file has %s, no %s.", b.Type, strings.Join(known, ", "), a.Name)
		}
	}
	return values{p, b}
}

// text gives an attribute's string, "" where it is absent.
func (v values) text(name string) string {
	a := v.block.Body.Attributes[name]
	if a == nil {
		return ""
	}
	c, ok := v.p.constant(a)
	if !ok {
		return ""
	}
	if c.Type() != cty.String {
		v.p.errorf(a.Expr.Range(), "Wrong type", "%s is a string.", name)
		return ""
	}
	if c.AsString() == "" {
		v.p.errorf(a.Expr.Range(), "Empty value", "%s is empty. %s", name, cure)
	}
	return c.AsString()
}

func (v values) required(name string) string {
	if v.block.Body.Attributes[name] == nil {
		v.p.errorf(v.block.DefRange(), "Missing attribute", "The %s block has no %s. %s", v.block.Type, name, cure)
	}
	return v.text(name)
}

// hash gives 64 hexadecimal digits.
func (v values) hash(name string) string {
	s := v.required(name)
	if s != "" && !isHex(s, 64) {
		v.wrong(name, "64 hexadecimal digits")
	}
	return s
}

func (v values) commit(name string) string {
	s := v.text(name)
	if s != "" && !isHex(s, 40) && !isHex(s, 64) {
		v.wrong(name, "a whole commit: 40 or 64 hexadecimal digits")
	}
	return s
}

func (v values) digest(name string, required bool) string {
	s := v.text(name)
	if required {
		s = v.required(name)
	}
	if hex, ok := strings.CutPrefix(s, "blake3:"); s != "" && (!ok || !isHex(hex, 64)) {
		v.wrong(name, `"blake3:" and 64 hexadecimal digits`)
	}
	return s
}

func (v values) size(name string) int64 {
	a := v.block.Body.Attributes[name]
	if a == nil {
		v.required(name)
		return 0
	}
	n, ok := v.p.integer(a)
	if ok && n < 0 {
		v.wrong(name, "0 or more")
	}
	return n
}

func (v values) wrong(name, want string) {
	v.p.errorf(v.block.Body.Attributes[name].Expr.Range(), "Wrong value", "%s must be %s. %s", name, want, cure)
}

// constant gives an attribute's value, which must be written out.
func (p *parser) constant(a *hclsyntax.Attribute) (cty.Value, bool) {
	e := a.Expr
	plain := false
	switch t := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		plain = true
	case *hclsyntax.TemplateExpr:
		plain = t.IsStringLiteral()
	}
	if plain {
		if c, problems := e.Value(nil); !problems.HasErrors() && !c.IsNull() {
			return c, true
		}
	}
	p.errorf(e.Range(), "Not a constant", "%s must be a plain value. %s", a.Name, cure)
	return cty.NilVal, false
}

func (p *parser) integer(a *hclsyntax.Attribute) (int64, bool) {
	c, ok := p.constant(a)
	if !ok {
		return 0, false
	}
	if c.Type() == cty.Number {
		if n, accuracy := c.AsBigFloat().Int64(); accuracy == big.Exact {
			return n, true
		}
	}
	p.errorf(a.Expr.Range(), "Wrong type", "%s is a whole number.", a.Name)
	return 0, false
}

// conflict finds the marks that git leaves in a file that it cannot merge.
func conflict(src []byte, name string) (hcl.Range, bool) {
	for line := 1; len(src) > 0; line++ {
		row, rest, _ := bytes.Cut(src, []byte("\n"))
		if bytes.HasPrefix(row, []byte("<<<<<<< ")) || bytes.HasPrefix(row, []byte(">>>>>>> ")) {
			return hcl.Range{Filename: name, Start: hcl.Pos{Line: line, Column: 1}, End: hcl.Pos{Line: line, Column: 8}}, true
		}
		src = rest
	}
	return hcl.Range{}, false
}

// isHex reports whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// sorted gives attributes in the order of the file.
func sorted(attributes hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attributes), func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte)
	})
}
