package function

import (
	"encoding/base64"
	"net/url"
	"unicode/utf8"

	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func init() {
	register(Doc{"base64decode", "base64decode(text)", "The text that Base64 says.", `base64decode("aGk=")`, `"hi"`}, base64DecodeFunc)
	register(Doc{"base64encode", "base64encode(text)", "The text's UTF-8 in Base64.", `base64encode("hi")`, `"aGk="`}, encoder(base64.StdEncoding.EncodeToString))
	register(Doc{"csvdecode", "csvdecode(text)", "The rows of a CSV text as objects; its first row names the columns.", `csvdecode("a,b\n1,2")`, `[{ a = "1", b = "2" }]`},
		limited(stdlib.CSVDecodeFunc, csvLimit, nil))
	register(Doc{"jsondecode", "jsondecode(text)", "The value that JSON says.", `jsondecode("{\"a\": [1, true]}")`, "{ a = [1, true] }"},
		limited(stdlib.JSONDecodeFunc, jsonLimit, checkNumbers))
	register(Doc{"jsonencode", "jsonencode(value)", "The value in JSON, on one line.", `jsonencode({ a = [1, true] })`, `"{\"a\":[1,true]}"`},
		limited(stdlib.JSONEncodeFunc, smallNumbers, nil))
	register(Doc{"urlencode", "urlencode(text)", "The text for the query of a URL.", `urlencode("a b&c")`, `"a+b%26c"`}, encoder(func(b []byte) string { return url.QueryEscape(string(b)) }))
	register(Doc{"yamlencode", "yamlencode(value)", "The value in YAML.", `yamlencode({ a = [1] })`, `"\"a\":\n- 1\n"`},
		limited(ctyyaml.YAMLEncodeFunc, smallNumbers, nil))
}

// encoder gives a function of one text.
func encoder(encode func([]byte) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(encode([]byte(args[0].AsString()))), nil
		},
	})
}

var base64DecodeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		raw, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "the text is no Base64: %v", err)
		}
		if !utf8.Valid(raw) {
			return cty.NilVal, function.NewArgErrorf(0, "the decoded bytes are no UTF-8 text")
		}
		return cty.StringVal(string(raw)), nil
	},
})

// csvLimit bounds the cells: every row is an object of its own.
func csvLimit(args []cty.Value) error {
	s, ok := text(args[0])
	if !ok {
		return nil
	}
	cells := 1
	for i := 0; i < len(s); i++ {
		if s[i] == ',' || s[i] == '\n' {
			cells++
		}
	}
	return resultParts(cells)
}

// jsonLimit bounds how deep and large a JSON text is, before a decoder that
// recurses sees it.
func jsonLimit(args []cty.Value) error {
	s, ok := text(args[0])
	if !ok {
		return nil
	}
	depth, parts := 0, 1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			parts++
			if depth++; depth > maxNesting {
				return function.NewArgErrorf(0, "values nest at most %d deep", maxNesting)
			}
		case ']', '}':
			depth--
		case ',':
			parts++
		}
	}
	if err := resultParts(parts); err != nil {
		return function.NewArgError(0, err)
	}
	return nil
}
