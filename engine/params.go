package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/llama-pajamas/pj/cache"
)

// Params are an action's parameters: names with canonical JSON values, sorted
// by name. Each is one component of the key, so that a miss can name the one
// that changed. Actions may share one Params value; it is never modified.
type Params []cache.Component

// NewParams takes a struct or map whose JSON form is an object. Fields that
// marshal to nothing (omitempty) are no parameters.
func NewParams(v any) (Params, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("action parameters: %w", err)
	}
	var p Params
	if err := p.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return p, nil
}

// With returns a copy with one parameter set to the JSON form of v.
func (p Params) With(name string, v any) (Params, error) {
	value, err := canonicalJSON(v)
	if err != nil {
		return nil, fmt.Errorf("parameter %s: %w", name, err)
	}
	out := make(Params, 0, len(p)+1)
	for _, c := range p {
		if c.Name != name {
			out = append(out, c)
		}
	}
	out = append(out, cache.Component{Name: name, Value: string(value)})
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Decode fills a struct from the parameters.
func (p Params) Decode(into any) error {
	raw, err := p.MarshalJSON()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// MarshalJSON gives an object with the names in order.
func (p Params) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, c := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(c.Name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.WriteString(c.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads an object; values are brought to canonical form.
func (p *Params) UnmarshalJSON(raw []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("action parameters: %w", err)
	}
	out := make(Params, 0, len(m))
	for name, value := range m {
		c, err := canonicalJSON(value)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
		out = append(out, cache.Component{Name: name, Value: string(c)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	*p = out
	return nil
}

// canonicalJSON is the one spelling of a value: keys sorted, no spaces,
// numbers as they were written.
func canonicalJSON(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var generic any
	if err := d.Decode(&generic); err != nil {
		return nil, err
	}
	return json.Marshal(generic)
}
