// Package kv keeps the keys and values of attention: by layer, in pages of
// PageTokens tokens, each page in the types that the plan's rules give it.
package kv

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// PageTokens is the number of tokens in a page. Types whose blocks run along
// the tokens have a block for each channel of a page.
const PageTokens = 32

// Residual is how many of the newest tokens, at least, stay in f16 before they
// are stored in 3 or 2 bits.
const Residual = 128

// Rule gives the types of keys and values while it holds.
type Rule struct {
	MaxContext int // holds up to this many tokens in the cache; 0: any number
	MinAge     int // holds for tokens at least this far from the newest
	Key, Value *quant.Type
}

// Layer is how a layer's keys and values are kept.
type Layer struct {
	Heads              int // of keys and values
	KeyWidth, ValWidth int // of a head
	Window             int // tokens that a query sees, itself included; 0: all
	// Rules are in order: the first that holds counts; none: f16.
	Rules []Rule
}

// Plan is how a model's keys and values are kept.
type Plan struct{ Layers []Layer }

// Types lists the types that can hold keys and values.
func Types() []string {
	names := []string{"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl"}
	for _, t := range quant.All() {
		if t.KV && !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// Lookup finds a type by a name that recipes and flags may use.
func Lookup(name string) (*quant.Type, error) {
	n := strings.ToLower(name)
	switch n {
	case "fp16":
		n = "f16"
	case "int8":
		n = "q8_0"
	case "fp8":
		n = "e4m3"
	case "int4":
		n = "q4_0"
	}
	t, ok := quant.Lookup(n)
	if !ok || !slices.Contains(Types(), t.Name) {
		return nil, fmt.Errorf("%q is no type for keys and values; there are %s", name, strings.Join(Types(), ", "))
	}
	return t, nil
}

// ParseTypes reads "q8_0" or "q8_0/q4_0", keys before values.
func ParseTypes(text string) (Rule, error) {
	k, v, two := strings.Cut(text, "/")
	if !two {
		v = k
	}
	var r Rule
	var err error
	if r.Key, err = Lookup(k); err != nil {
		return r, err
	}
	r.Value, err = Lookup(v)
	return r, err
}

// Table are the rules of each layer, as a file's key pj.kv has them.
type Table [][]Rule

// ParseTable reads the key pj.kv of a model with so many layers.
func ParseTable(text string, layers int) (Table, error) {
	var rows [][]struct {
		MaxContext int    `json:"max_context"`
		MinAge     int    `json:"min_age"`
		Key        string `json:"key"`
		Value      string `json:"value"`
	}
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, fmt.Errorf("key pj.kv: %w", err)
	}
	if len(rows) != layers {
		return nil, fmt.Errorf("key pj.kv has rules of %d layers, and the model has %d", len(rows), layers)
	}
	t := make(Table, layers)
	for i, layer := range rows {
		for _, r := range layer {
			rule, err := ParseTypes(r.Key + "/" + r.Value)
			if err != nil {
				return nil, fmt.Errorf("key pj.kv, layer %d: %w", i, err)
			}
			if r.MaxContext < 0 || r.MinAge < 0 {
				return nil, fmt.Errorf("key pj.kv, layer %d: a bound is negative", i)
			}
			rule.MaxContext, rule.MinAge = r.MaxContext, r.MinAge
			t[i] = append(t[i], rule)
		}
	}
	return t, nil
}

var errNoLayers = errors.New("kv: a plan without layers")

// Check makes sure that the types go with the sizes.
func (p *Plan) Check() error {
	if len(p.Layers) == 0 {
		return errNoLayers
	}
	for i := range p.Layers {
		l := &p.Layers[i]
		if l.Heads <= 0 || l.KeyWidth <= 0 || l.ValWidth <= 0 || l.Window < 0 {
			return fmt.Errorf("kv: layer %d has %d heads of %d and %d channels", i, l.Heads, l.KeyWidth, l.ValWidth)
		}
		for _, r := range l.Rules {
			if !byChannel(r.Key) && l.KeyWidth%r.Key.Block != 0 {
				return widthError("keys", i, r.Key, l.KeyWidth)
			}
			if l.ValWidth%r.Value.Block != 0 {
				return widthError("values", i, r.Value, l.ValWidth)
			}
		}
	}
	return nil
}

func widthError(what string, layer int, t *quant.Type, width int) error {
	return fmt.Errorf("%s of layer %d cannot be stored as %s: its blocks have %d numbers, and a head has %d; take f16, bf16 or e4m3",
		what, layer, t, t.Block, width)
}

// byChannel says that keys of the type are stored by channel, a block being the
// tokens of a page: few bits need it, since keys' channels differ more than
// their tokens.
func byChannel(t *quant.Type) bool { return lowBit(t) }

// lowBit says that recent tokens are kept in f16 before the type is used.
func lowBit(t *quant.Type) bool { return t.Name == "int3" || t.Name == "int2" }

// dynamic says that types of a layer's tokens change as their number grows.
func (l *Layer) dynamic() bool {
	return slices.ContainsFunc(l.Rules, func(r Rule) bool {
		return r.MaxContext > 0 || r.MinAge > 0 || lowBit(r.Key) || lowBit(r.Value)
	})
}

// types are those of page p while the token at position n is worked on: n are
// stored before it. They are the same for all n of a page, but where n passes a
// rule's MaxContext; so results don't depend on how a prompt is cut.
func (l *Layer) types(p, n int) (k, v *quant.Type) {
	age, full := 0, false
	if end := (p + 1) * PageTokens; end <= n {
		age, full = n/PageTokens*PageTokens-end, true
	}
	for _, r := range l.Rules {
		if r.MaxContext > 0 && n >= r.MaxContext || age < r.MinAge {
			continue
		}
		k, v = r.Key, r.Value
		old := full && age >= Residual
		if lowBit(k) && !old {
			k = f16
		}
		if lowBit(v) && !old {
			v = f16
		}
		return k, v
	}
	return f16, f16
}

// step is how many of n tokens from position at on can be stored and attended
// to before types change.
func (l *Layer) step(at, n int) int {
	if !l.dynamic() {
		return n
	}
	n = min(n, PageTokens-at%PageTokens)
	for _, r := range l.Rules {
		if r.MaxContext > at {
			n = min(n, r.MaxContext-at)
		}
	}
	return n
}

var f16 = func() *quant.Type {
	t, _ := quant.Lookup("f16")
	return t
}()
