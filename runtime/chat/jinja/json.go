package jinja

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// FromJSON reads a value. Keys keep their order, and numbers without a point
// are whole.
func FromJSON(b []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); err == nil {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func readValue(d *jsontext.Decoder, depth int) (any, error) {
	if depth > maxNest {
		return nil, fmt.Errorf("JSON nested more than %d deep", maxNest)
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case 't', 'f':
		return t.Bool(), nil
	case '"':
		return t.String(), nil
	case '0':
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return i, nil
		}
		return t.Float()
	case '[':
		l := &List{Items: []any{}}
		for d.PeekKind() != ']' {
			v, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, v)
		}
		_, err := d.ReadToken()
		return l, err
	case '{':
		m := NewDict()
		for d.PeekKind() != '}' {
			k, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := k.String()
			v, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			m.Set(key, v)
		}
		_, err := d.ReadToken()
		return m, err
	}
	return nil, nil
}

// jsonStyle is how tojson writes: Python's json.dumps, with which transformers
// replaces Jinja's own filter.
type jsonStyle struct {
	ascii     bool
	sorted    bool
	indent    string // "" for one line
	lines     bool
	item, key string // separators
}

func writeJSON(b *strings.Builder, v any, s *jsonStyle, depth int) error {
	if depth > maxNest {
		return fmt.Errorf("a value nested more than %d deep", maxNest)
	}
	if b.Len() > maxText {
		return errLarge
	}
	newline := func(depth int) {
		if s.lines {
			b.WriteByte('\n')
			for range depth {
				b.WriteString(s.indent)
			}
		}
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		switch {
		case math.IsNaN(v):
			b.WriteString("NaN")
		case math.IsInf(v, 1):
			b.WriteString("Infinity")
		case math.IsInf(v, -1):
			b.WriteString("-Infinity")
		default:
			b.WriteString(floatText(v))
		}
	case string:
		writeJSONString(b, v, s.ascii)
	case *List:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteString(s.item)
			}
			newline(depth + 1)
			if err := writeJSON(b, item, s, depth+1); err != nil {
				return err
			}
		}
		if len(v.Items) > 0 {
			newline(depth)
		}
		b.WriteByte(']')
	case *Dict:
		return writeJSONDict(b, v, s, depth, newline)
	default:
		return fmt.Errorf("%s can't be written as JSON", kind(v))
	}
	return nil
}

func writeJSONDict(b *strings.Builder, d *Dict, s *jsonStyle, depth int, newline func(int)) error {
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	if s.sorted {
		slices.SortStableFunc(order, func(i, k int) int { return strings.Compare(text(d.keys[i]), text(d.keys[k])) })
	}
	b.WriteByte('{')
	for n, i := range order {
		if n > 0 {
			b.WriteString(s.item)
		}
		newline(depth + 1)
		key := text(d.keys[i])
		switch k := d.keys[i].(type) {
		case nil:
			key = "null"
		case bool:
			key = strconv.FormatBool(k)
		}
		writeJSONString(b, key, s.ascii)
		b.WriteString(s.key)
		if err := writeJSON(b, d.values[i], s, depth+1); err != nil {
			return err
		}
	}
	if d.Len() > 0 {
		newline(depth)
	}
	b.WriteByte('}')
	return nil
}

func writeJSONString(b *strings.Builder, s string, ascii bool) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || ascii && r >= 0x7f && r < 0x10000:
			fmt.Fprintf(b, `\u%04x`, r)
		case ascii && r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
