package recipes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/recipes/format/depth"
)

const (
	// maxFileBytes is how large a recipe or a file of variables may be.
	maxFileBytes = 4 << 20
	recipeName   = "recipe.hcl"
	lockName     = "pj.lock.hcl"
	jsonSuffix   = ".json"
)

// findRecipe finds the recipe that a path names: the file itself, or a
// folder's recipe.hcl or only *.hcl (or *.hcl.json).
func findRecipe(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w; name a recipe file or a folder that holds recipe.hcl", path, cause(err))
	}
	if !st.IsDir() {
		return path, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, cause(err))
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || name == lockName || !strings.HasSuffix(strings.TrimSuffix(name, jsonSuffix), ".hcl") {
			continue
		}
		if name == recipeName {
			return filepath.Join(path, name), nil
		}
		found = append(found, name)
	}
	sort.Strings(found)
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s holds no recipe; pj init writes one, or name the folder that has recipe.hcl", path)
	case 1:
		return filepath.Join(path, found[0]), nil
	}
	for _, name := range found {
		if name == recipeName+jsonSuffix {
			return filepath.Join(path, name), nil
		}
	}
	return "", fmt.Errorf("%s holds several recipes (%s) and none is called recipe.hcl; name the one you mean", path, list(found, "and"))
}

// cause drops the path from an error that names it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// readFile reads a file of at most maxFileBytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, cause(err))
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d MiB; recipes are small: put data into files that file() or a dataset reads", path, maxFileBytes>>20)
	}
	return raw, nil
}

// parseHCL parses a file in either syntax, once it is known not to nest too
// deep. A nil body says that nothing of it can be used.
func (s *sink) parseHCL(src []byte, name string) hcl.Body {
	src = normal(src)
	if strings.HasSuffix(name, jsonSuffix) {
		js, problem := checkJSON(src, name)
		s.escapes[name] = js
		if problem != nil {
			s.hcl(hcl.Diagnostics{problem})
			return nil
		}
		f, ds := json.Parse(src, name)
		s.hcl(ds)
		if f == nil || ds.HasErrors() {
			return nil
		}
		return f.Body
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	if problem := depth.Check(tokens); problem != nil {
		s.hcl(hcl.Diagnostics{problem})
		return nil
	}
	f, ds := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	s.hcl(ds)
	if f == nil || ds.HasErrors() && !onlyRedefined(ds) {
		return nil
	}
	return f.Body
}

// onlyRedefined reports whether the errors are of the one kind that leaves the
// rest of the file as it was meant.
func onlyRedefined(ds hcl.Diagnostics) bool {
	for _, d := range ds {
		if d.Severity == hcl.DiagError && d.Summary != "Attribute redefined" {
			return false
		}
	}
	return true
}

// normal drops the byte order mark that some editors write, and ends lines in
// one way: a heredoc is the same text however git checked its file out.
func normal(src []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimPrefix(src, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
}

// native gives an expression of either syntax as one of the native syntax, so
// that everything after it knows one kind of tree. In JSON syntax strings are
// templates.
func (s *sink) native(e hcl.Expression) hclsyntax.Expression {
	if n, ok := e.(hclsyntax.Expression); ok {
		return n
	}
	if items, ds := hcl.ExprMap(e); !ds.HasErrors() {
		out := &hclsyntax.ObjectConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, item := range items {
			out.Items = append(out.Items, hclsyntax.ObjectConsItem{
				KeyExpr:   &hclsyntax.ObjectConsKeyExpr{Wrapped: s.native(item.Key), ForceNonLiteral: true},
				ValueExpr: s.native(item.Value),
			})
		}
		return out
	}
	if items, ds := hcl.ExprList(e); !ds.HasErrors() {
		out := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, item := range items {
			out.Exprs = append(out.Exprs, s.native(item))
		}
		return out
	}
	v, ds := e.Value(nil) // without a context strings come as they are
	if ds.HasErrors() || v.IsNull() || v.Type() != cty.String {
		s.hcl(ds)
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}
	}
	return s.template(v.AsString(), e.Range())
}

// template parses the content of a JSON string.
func (s *sink) template(text string, r hcl.Range) hclsyntax.Expression {
	start := hcl.Pos{Line: r.Start.Line, Column: r.Start.Column + 1, Byte: r.Start.Byte + 1}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), r.Filename, start)
	if problem := depth.Check(tokens); problem != nil {
		s.hcl(hcl.Diagnostics{problem})
		return &hclsyntax.LiteralValueExpr{Val: unusable, SrcRange: r}
	}
	t, ds := hclsyntax.ParseTemplate([]byte(text), r.Filename, start)
	s.hcl(ds)
	if ds.HasErrors() {
		return &hclsyntax.LiteralValueExpr{Val: unusable, SrcRange: r}
	}
	return t
}

// unwrap drops parentheses and "${…}" around a whole expression.
func unwrap(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		switch t := e.(type) {
		case *hclsyntax.ParenthesesExpr:
			e = t.Expression
		case *hclsyntax.TemplateWrapExpr:
			e = t.Wrapped
		default:
			return e
		}
	}
}

// literal reports whether an expression is a plain string.
func literal(e hclsyntax.Expression) (string, bool) {
	switch t := unwrap(e).(type) {
	case *hclsyntax.TemplateExpr:
		if t.IsStringLiteral() {
			v, ds := t.Value(nil)
			if !ds.HasErrors() && v.Type() == cty.String {
				return v.AsString(), true
			}
		}
	case *hclsyntax.LiteralValueExpr:
		if v := t.Val; v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			return v.AsString(), true
		}
	}
	return "", false
}
