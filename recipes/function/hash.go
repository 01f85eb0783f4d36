package function

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

func init() {
	register(Doc{"sha256", "sha256(text)", "The SHA-256 of the text's UTF-8, in hexadecimal.", `sha256("")`, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`},
		function.New(&function.Spec{
			Params: []function.Parameter{{Name: "text", Type: cty.String}},
			Type:   function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return hexSum([]byte(args[0].AsString())), nil
			},
		}))
	registerScoped(Doc{"filesha256", "filesha256(path)", "The SHA-256 of a file of the recipe's folder, in hexadecimal.", `filesha256("empty.txt")`, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`},
		func(s scope) function.Function {
			return function.New(&function.Spec{
				Params: []function.Parameter{{Name: "path", Type: cty.String}},
				Type:   function.StaticReturnType(cty.String),
				Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
					data, err := s.read(args[0].AsString())
					if err != nil {
						return cty.NilVal, function.NewArgError(0, err)
					}
					return hexSum(data), nil
				},
			})
		})
}

func hexSum(data []byte) cty.Value {
	sum := sha256.Sum256(data)
	return cty.StringVal(hex.EncodeToString(sum[:]))
}
