package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes/format"
)

// blockDoc documents a kind of block, as its stage's tags have it.
type blockDoc struct {
	Block      string     `json:"block"`
	Name       string     `json:"type,omitempty"` // type label
	Doc        string     `json:"doc"`
	Yields     string     `json:"yields"`
	Version    int        `json:"version"`
	Attributes []fieldDoc `json:"attributes"`
	Blocks     []fieldDoc `json:"blocks"`
	Example    string     `json:"example"`
}

// fieldDoc documents an attribute, or a block inside a block.
type fieldDoc struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Required   bool       `json:"required"`
	Default    *string    `json:"default"` // as written, null where there is none
	Enum       []string   `json:"enum,omitempty"`
	Refs       []string   `json:"references,omitempty"` // the blocks that may stand here
	Repeats    bool       `json:"repeats,omitempty"`
	Doc        string     `json:"doc"`
	Attributes []fieldDoc `json:"attributes,omitempty"`
	Blocks     []fieldDoc `json:"blocks,omitempty"`
}

// documentBlock reads a stage's tags.
func documentBlock(c *engine.Catalog, s *engine.Stage) blockDoc {
	d := blockDoc{Block: s.Block, Name: s.Name, Doc: s.Doc, Yields: s.Yields, Version: s.Version}
	d.Attributes, d.Blocks = documentFields(c, reflect.TypeOf(s.Params).Elem())
	d.Example = exampleOf(c, &d)
	return d
}

// documentFields reads the tags of a struct: attributes and blocks.
func documentFields(c *engine.Catalog, t reflect.Type) (attributes, blocks []fieldDoc) {
	attributes, blocks = []fieldDoc{}, []fieldDoc{}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("hcl")
		name, option, _ := strings.Cut(tag, ",")
		if name == "" || name == "-" {
			continue
		}
		f := fieldDoc{Name: name, Doc: sf.Tag.Get("doc")}
		fallback, hasDefault := sf.Tag.Lookup("default")
		f.Required = sf.Tag.Get("optional") != "true" && !hasDefault
		if option == "block" {
			f.Type = "block"
			inner := sf.Type
			f.Repeats = inner.Kind() == reflect.Slice
			f.Required = f.Required && inner.Kind() == reflect.Struct
			if inner.Kind() != reflect.Struct {
				inner = inner.Elem()
			}
			f.Attributes, f.Blocks = documentFields(c, inner)
			blocks = append(blocks, f)
			continue
		}
		f.Type = typeText(sf.Type)
		f.Enum = tagList(sf.Tag.Get("enum"))
		f.Refs = blocksFor(c, tagList(sf.Tag.Get("ref")))
		if hasDefault {
			if f.Type == "string" {
				fallback = fmt.Sprintf("%q", fallback)
			}
			f.Default = &fallback
		}
		attributes = append(attributes, f)
	}
	return attributes, blocks
}

// typeText is a Go type as people who write recipes know it.
func typeText(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[engine.Ref]():
		return "reference"
	case t == reflect.TypeFor[engine.Bytes]():
		return "size"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeText(t.Elem())
	case reflect.Slice:
		return "list(" + typeText(t.Elem()) + ")"
	case reflect.Map:
		return "map(" + typeText(t.Elem()) + ")"
	case reflect.Float64:
		return "number"
	case reflect.Bool, reflect.String:
		return t.Kind().String()
	}
	return "integer"
}

// tagList splits a tag at its commas.
func tagList(tag string) []string {
	var out []string
	for part := range strings.SplitSeq(tag, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// blocksFor names the blocks that a reference may stand for: those of a kind,
// and those that yield something.
func blocksFor(c *engine.Catalog, refs []string) []string {
	var out []string
	for _, r := range refs {
		found := false
		for _, s := range c.Stages() {
			if s.Block == r || s.Yields == r {
				found = true
				if !slices.Contains(out, s.ID()) {
					out = append(out, s.ID())
				}
			}
		}
		if !found {
			out = append(out, r) // of the language itself: a policy
		}
	}
	return out
}

// exampleOf is a block with the attributes that it needs.
func exampleOf(c *engine.Catalog, d *blockDoc) string {
	var b strings.Builder
	head := d.Block
	if d.Name != "" {
		head += fmt.Sprintf(" %q", d.Name)
	}
	b.WriteString(head + " \"NAME\" {\n")
	exampleFields(&b, d.Attributes, d.Blocks)
	b.WriteString("}\n")
	out, problems := format.Format([]byte(b.String()), "example.hcl")
	if problems.HasErrors() {
		panic("cli: example of " + head + ": " + problems.Error())
	}
	return string(out)
}

func exampleFields(b *strings.Builder, attributes, blocks []fieldDoc) {
	for i := range attributes {
		if f := &attributes[i]; f.Required {
			fmt.Fprintf(b, "%s = %s\n", f.Name, placeholder(f.Type, f))
		}
	}
	for i := range blocks {
		f := &blocks[i]
		if f.Required {
			b.WriteString(f.Name + " {\n")
			exampleFields(b, f.Attributes, f.Blocks)
			b.WriteString("}\n")
		}
	}
}

// placeholder is what an example has for a value.
func placeholder(typ string, f *fieldDoc) string {
	if inner, ok := strings.CutPrefix(typ, "list("); ok {
		return "[" + placeholder(strings.TrimSuffix(inner, ")"), f) + "]"
	}
	if inner, ok := strings.CutPrefix(typ, "map("); ok {
		return "{ name = " + placeholder(strings.TrimSuffix(inner, ")"), f) + " }"
	}
	switch typ {
	case "reference":
		if len(f.Refs) == 0 {
			return "null"
		}
		return strings.ReplaceAll(f.Refs[0], " ", ".") + ".NAME"
	case "size":
		return `"1 GiB"`
	case "bool":
		return "true"
	case "integer", "number":
		return "1"
	}
	if len(f.Enum) > 0 {
		return fmt.Sprintf("%q", f.Enum[0])
	}
	return `"…"`
}

// value says what an attribute may be: "required", "default …".
func (f *fieldDoc) value() string {
	switch {
	case f.Required:
		return "required"
	case f.Default != nil:
		return *f.Default
	}
	return "optional"
}

// typeDoc is the type with what it is limited to.
func (f *fieldDoc) typeDoc() string {
	switch {
	case len(f.Enum) > 0:
		return strings.Join(f.Enum, " | ")
	case len(f.Refs) > 0:
		return f.Type + " to " + strings.Join(f.Refs, " | ")
	case f.Repeats:
		return f.Type + ", may repeat"
	}
	return f.Type
}
