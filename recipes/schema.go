package recipes

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/bytesize"
)

// fieldKind is what a field of a parameter struct holds.
type fieldKind int

const (
	attributeField fieldKind = iota
	oneBlock                 // a struct, or a pointer to one: at most one block
	manyBlocks               // a slice of structs
)

// field is one field of a parameter struct, as its tags describe it.
type field struct {
	index    int
	name     string
	kind     fieldKind
	required bool
	doc      string
	enum     []string
	refs     []string // what a reference may stand for
	path     string   // "output": a path below the output folder
	hidden   bool     // canon:"-"
	fallback reflect.Value
	inner    *schema // of blocks
	typ      reflect.Type
}

// schema is a parameter struct as its tags describe it.
type schema struct {
	fields []*field
	typ    reflect.Type
}

var (
	refGoType   = reflect.TypeFor[engine.Ref]()
	bytesGoType = reflect.TypeFor[engine.Bytes]()
	schemas     sync.Map // reflect.Type -> *schema
)

// schemaOf reads the schema of a stage's parameters. A struct that cannot be
// one is a bug of the stage and panics.
func schemaOf(s *engine.Stage) *schema {
	t := reflect.TypeOf(s.Params)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("recipes: Params of %s is %v, not a pointer to a struct", s.ID(), t))
	}
	return structSchema(t.Elem())
}

func structSchema(t reflect.Type) *schema {
	if s, ok := schemas.Load(t); ok {
		return s.(*schema)
	}
	s := &schema{typ: t}
	for i := range t.NumField() {
		if f := readField(t, i); f != nil {
			if s.field(f.name) != nil || f.name == forEachName {
				panic(fmt.Sprintf("recipes: %v has %q twice, or a reserved name", t, f.name))
			}
			s.fields = append(s.fields, f)
		}
	}
	schemas.Store(t, s)
	return s
}

// readField reads a field's tags; nil for fields that are no part of the block.
func readField(t reflect.Type, i int) *field {
	sf := t.Field(i)
	tag, ok := sf.Tag.Lookup("hcl")
	if !ok || tag == "-" {
		return nil
	}
	name, option, _ := strings.Cut(tag, ",")
	if name == "" || !sf.IsExported() {
		panic(fmt.Sprintf("recipes: field %s of %v: an hcl tag needs a name and an exported field", sf.Name, t))
	}
	f := &field{
		index: i, name: name, typ: sf.Type, doc: sf.Tag.Get("doc"), hidden: sf.Tag.Get("canon") == "-", path: sf.Tag.Get("path"),
		enum: split(sf.Tag.Get("enum")), refs: split(sf.Tag.Get("ref")),
	}
	optional := sf.Tag.Get("optional") == "true"
	text, hasDefault := sf.Tag.Lookup("default")
	f.required = !optional && !hasDefault
	if option == "block" {
		switch e := sf.Type; {
		case e.Kind() == reflect.Struct:
			f.kind, f.inner = oneBlock, structSchema(e)
		case e.Kind() == reflect.Pointer && e.Elem().Kind() == reflect.Struct:
			f.kind, f.inner, f.required = oneBlock, structSchema(e.Elem()), false
		case e.Kind() == reflect.Slice && e.Elem().Kind() == reflect.Struct:
			f.kind, f.inner, f.required = manyBlocks, structSchema(e.Elem()), false
		default:
			panic(fmt.Sprintf("recipes: field %s of %v: a block is a struct, a pointer to one or a slice of them", sf.Name, t))
		}
		return f
	}
	if !supported(sf.Type) {
		panic(fmt.Sprintf("recipes: field %s of %v: attributes can't have type %v", sf.Name, t, sf.Type))
	}
	if hasDefault {
		v, err := parseDefault(sf.Type, text)
		if err != nil {
			panic(fmt.Sprintf("recipes: field %s of %v: default %q: %v", sf.Name, t, text, err))
		}
		f.fallback = v
	}
	return f
}

func split(tag string) []string {
	if tag == "" {
		return nil
	}
	parts := strings.Split(tag, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// supported reports whether an attribute may be decoded into the type.
func supported(t reflect.Type) bool {
	switch {
	case t == refGoType || scalar(t):
		return true
	case t.Kind() == reflect.Pointer:
		return t.Elem() == refGoType || scalar(t.Elem())
	case t.Kind() == reflect.Slice:
		return supported(t.Elem())
	case t.Kind() == reflect.Map:
		return t.Key().Kind() == reflect.String && supported(t.Elem())
	}
	return false
}

func scalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}

// parseDefault reads a default tag: plain text for scalars, JSON for the rest.
func parseDefault(t reflect.Type, text string) (reflect.Value, error) {
	v := reflect.New(t).Elem()
	if t.Kind() == reflect.Pointer {
		inner, err := parseDefault(t.Elem(), text)
		if err != nil {
			return v, err
		}
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(inner)
		return v, nil
	}
	switch {
	case t == bytesGoType:
		n, err := bytesize.Parse(text)
		v.SetInt(n)
		return v, err
	case t.Kind() == reflect.String:
		v.SetString(text)
	case t.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return v, err
	case t.Kind() == reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		v.SetFloat(x)
		return v, err
	case scalar(t):
		n, err := strconv.ParseInt(text, 10, t.Bits())
		v.SetInt(n)
		return v, err
	default:
		if text == "" {
			return v, nil
		}
		return v, json.Unmarshal([]byte(text), v.Addr().Interface())
	}
	return v, nil
}

// field finds a field by name.
func (s *schema) field(name string) *field {
	for _, f := range s.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// shape is the schema as the reader of bodies needs it.
func (s *schema) shape() *shape {
	sh := &shape{blocks: map[string]*shape{}}
	for _, f := range s.fields {
		if f.kind == attributeField {
			sh.attrs = append(sh.attrs, f.name)
		} else {
			sh.blocks[f.name] = f.inner.shape()
		}
	}
	return sh
}

// describe names a field with what it is for.
func (f *field) describe() string {
	if f.doc == "" {
		return f.name
	}
	return f.name + " (" + strings.TrimSuffix(f.doc, ".") + ")"
}
