package function

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"gopkg.in/yaml.v3"
)

func init() {
	register(Doc{"yamldecode", "yamldecode(text)", "The value that a YAML document says.", `yamldecode("a: [1, yes]\nb: null")`, `{ a = [1, "yes"], b = null }`}, yamlDecodeFunc)
}

var yamlDecodeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}},
	Type:   function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, err := decodeYAML(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "the text is no YAML that a recipe can use: %w", err)
		}
		return v, nil
	},
})

// decodeYAML reads one document by way of its nodes, so that numbers keep all
// their digits and aliases are counted each time that they are used.
func decodeYAML(text string) (v cty.Value, err error) {
	// The parser panics on some texts that are no YAML.
	defer func() {
		if p := recover(); p != nil {
			v, err = cty.NilVal, fmt.Errorf("%v", p)
		}
	}()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return cty.NullVal(cty.DynamicPseudoType), nil
	} else if err != nil {
		return cty.NilVal, err
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return cty.NilVal, err
		}
		return cty.NilVal, errors.New("it holds more than one document")
	}
	y := &yamlReader{parts: maxParts, bytes: maxText}
	return y.value(&document, 0)
}

// yamlReader converts nodes within a budget: aliases in aliases would else make
// a short text endless.
type yamlReader struct{ parts, bytes int }

func (y *yamlReader) value(n *yaml.Node, depth int) (cty.Value, error) {
	if depth > maxNesting {
		return cty.NilVal, at(n, "values nest at most %d deep", maxNesting)
	}
	y.parts--
	y.bytes -= len(n.Value)
	if y.parts < 0 || y.bytes < 0 {
		return cty.NilVal, at(n, "the value is too large")
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return y.value(n.Content[0], depth)
	case yaml.AliasNode:
		return y.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		if tag := n.ShortTag(); tag != "!!seq" {
			return cty.NilVal, at(n, "a list cannot be %s", tag)
		}
		items := make([]cty.Value, len(n.Content))
		for i, e := range n.Content {
			var err error
			if items[i], err = y.value(e, depth+1); err != nil {
				return cty.NilVal, err
			}
		}
		return cty.TupleVal(items), nil
	case yaml.MappingNode:
		if tag := n.ShortTag(); tag != "!!map" {
			return cty.NilVal, at(n, "a mapping cannot be %s", tag)
		}
		attrs := map[string]cty.Value{}
		if err := y.mapping(n, attrs, depth); err != nil {
			return cty.NilVal, err
		}
		return cty.ObjectVal(attrs), nil
	case yaml.ScalarNode:
		return scalar(n)
	}
	return cty.NilVal, at(n, "there is no value")
}

// mapping reads a mapping's keys. Those of "<<" hold only where the mapping has
// none of its own.
func (y *yamlReader) mapping(n *yaml.Node, attrs map[string]cty.Value, depth int) error {
	var merged []*yaml.Node
	own := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, e := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return at(k, "keys are texts")
		}
		if k.ShortTag() == "!!merge" {
			merged = append(merged, e)
			continue
		}
		y.bytes -= len(k.Value)
		name := cty.NormalizeString(k.Value)
		if own[name] {
			return at(k, "the key %q stands twice", name)
		}
		own[name] = true
		v, err := y.value(e, depth+1)
		if err != nil {
			return err
		}
		attrs[name] = v
	}
	for _, e := range merged {
		if err := y.merge(e, attrs, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the keys that a mapping, or each of a list of them, has besides.
func (y *yamlReader) merge(n *yaml.Node, attrs map[string]cty.Value, depth int) error {
	if depth > maxNesting {
		return at(n, "values nest at most %d deep", maxNesting)
	}
	if y.parts--; y.parts < 0 {
		return at(n, "the value is too large")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return y.merge(n.Alias, attrs, depth+1)
	case yaml.MappingNode:
		other := map[string]cty.Value{}
		if err := y.mapping(n, other, depth); err != nil {
			return err
		}
		for name, v := range other {
			if _, own := attrs[name]; !own {
				attrs[name] = v
			}
		}
		return nil
	case yaml.SequenceNode:
		for _, e := range n.Content {
			if err := y.merge(e, attrs, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return at(n, "<< wants a mapping or a list of them")
}

// scalar reads a plain value by its tag, which the parser resolves.
func scalar(n *yaml.Node) (cty.Value, error) {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return cty.StringVal(n.Value), nil
	case "!!null":
		return cty.NullVal(cty.DynamicPseudoType), nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return cty.NilVal, at(n, "%q is neither true nor false", n.Value)
		}
		return cty.BoolVal(b), nil
	case "!!int", "!!float":
		return yamlNumber(n)
	default:
		return cty.NilVal, at(n, "values of type %s have no place in a recipe", tag)
	}
}

func yamlNumber(n *yaml.Node) (cty.Value, error) {
	if len(n.Value) > maxBits {
		return cty.NilVal, at(n, "the number has more than %d digits", maxBits)
	}
	digits := strings.ReplaceAll(n.Value, "_", "")
	// Base 0 knows 0x, 0o, 0b and a leading 0, as the parser does.
	if whole, ok := new(big.Int).SetString(digits, 0); ok && n.ShortTag() == "!!int" {
		return cty.NumberVal(new(big.Float).SetPrec(precision).SetInt(whole)), nil
	}
	v, err := cty.ParseNumberVal(strings.TrimPrefix(digits, "+"))
	if err == nil {
		err = checkNumber(v.AsBigFloat())
	}
	if err != nil {
		return cty.NilVal, at(n, "%q is no number that a recipe can use", n.Value)
	}
	return v, nil
}

func at(n *yaml.Node, detail string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(detail, args...))
}
