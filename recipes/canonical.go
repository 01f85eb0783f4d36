package recipes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/engine"
)

// canonical is the body of a decoded block in HCL's JSON syntax: defaults
// applied, references as "${address}", nothing that does not change an output.
func (d *decoder) canonical(v reflect.Value, s *schema) json.RawMessage {
	body, _ := d.canonicalBody(v, s, "")
	return marshalCanonical(body)
}

// canonicalBody gives a struct as an object, and whether anything is in it.
func (d *decoder) canonicalBody(v reflect.Value, s *schema, prefix string) (map[string]any, bool) {
	body := map[string]any{}
	for _, f := range s.fields {
		fv := v.Field(f.index)
		path := prefix + f.name
		if f.hidden {
			continue
		}
		switch f.kind {
		case oneBlock:
			if fv.Kind() == reflect.Pointer {
				if fv.IsNil() {
					continue
				}
				fv = fv.Elem()
			}
			if inner, some := d.canonicalBody(fv, f.inner, path+"."); some || d.present[path] {
				body[f.name] = inner
			}
		case manyBlocks:
			var list []any
			for i := range fv.Len() {
				inner, _ := d.canonicalBody(fv.Index(i), f.inner, path+"["+strconv.Itoa(i)+"].")
				list = append(list, inner)
			}
			if list != nil {
				body[f.name] = list
			}
		default:
			if !d.present[path] && !f.fallback.IsValid() {
				continue // optional, and not set
			}
			body[f.name] = d.m.portable(canonicalValue(fv))
		}
	}
	return body, len(body) > 0
}

// canonicalValue gives an attribute's value as JSON has it.
func canonicalValue(v reflect.Value) any {
	switch {
	case v.Type() == refGoType:
		return "${" + v.Interface().(engine.Ref).Address + "}"
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return canonicalValue(v.Elem())
	case v.Kind() == reflect.String:
		return escapeTemplate(v.String())
	case v.Kind() == reflect.Slice:
		out := make([]any, 0, v.Len())
		for i := range v.Len() {
			out = append(out, canonicalValue(v.Index(i)))
		}
		return out
	case v.Kind() == reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[escapeTemplate(k.String())] = canonicalValue(v.MapIndex(k))
		}
		return out
	}
	return v.Interface()
}

// escapeTemplate makes a text that HCL's JSON syntax reads back as s.
func escapeTemplate(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}

// hashed stands for a sensitive value: equal values are equal, and that is all
// one can tell.
func hashed(v any) string {
	sum := blake3.Sum256(marshalCanonical(v))
	return hiddenPrefix + hex.EncodeToString(sum[:]) + ")"
}

const hiddenPrefix = "(sensitive, blake3:"

// HoldsSensitive reports whether a canonical recipe had sensitive values, of
// which it holds only hashes.
func HoldsSensitive(canonical string) bool { return strings.Contains(canonical, hiddenPrefix) }

// portable replaces the folders of this machine that path.module and path.root
// brought into a value, so that provenance is the same on every machine.
func (m *module) portable(v any) any {
	switch v := v.(type) {
	case string:
		for _, f := range m.folders() {
			v = replaceFolder(v, f[0], f[1])
		}
		return v
	case []any:
		for i := range v {
			v[i] = m.portable(v[i])
		}
	case map[string]any:
		for k, e := range v {
			v[k] = m.portable(e)
		}
	}
	return v
}

// folders are the folders that path.module and path.root may stand for, with
// what replaces them; longer ones first.
func (m *module) folders() [][2]string {
	out := [][2]string{{m.dir, "${path.module}"}}
	if m.parent != nil {
		out = append(out, [2]string{m.root().dir, "${path.root}"})
		for up := m.parent; up.parent != nil; up = up.parent {
			out = append(out, [2]string{up.dir, "${path.module}"})
		}
	}
	for _, n := range m.calls {
		if n.call.child != nil {
			out = append(out, [2]string{n.call.child.dir, "${path.module}"})
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		if len(out[i][0]) != len(out[j][0]) {
			return len(out[i][0]) > len(out[j][0])
		}
		return out[i][1] < out[j][1]
	})
	return out
}

// replaceFolder replaces a folder's path where it stands as a whole.
func replaceFolder(s, dir, by string) string {
	dir = escapeTemplate(dir)
	if dir == string(filepath.Separator) || !strings.Contains(s, dir) {
		return s
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, dir)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if after == "" || after[0] == '/' || after[0] == filepath.Separator {
			b.WriteString(by)
		} else {
			b.WriteString(dir)
		}
		s = after
	}
}

// marshalCanonical writes JSON in one way only: keys sorted, no spaces, no
// needless escapes.
func marshalCanonical(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("recipes: canonical form: " + err.Error()) // only finite numbers, strings, lists and maps get here
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
