package function

import (
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/llama-pajamas/pj/internal/bytesize"
)

func init() {
	register(Doc{"bytes", "bytes(size)", "A size in bytes, of kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).", `bytes("1.5 GiB")`, "1610612736"}, bytesFunc)
	register(Doc{"humanbytes", "humanbytes(bytes)", "A number of bytes as people read it, in powers of 1000.", "humanbytes(16360000000)", `"16.4 GB"`}, humanBytesFunc)
}

var bytesFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "size", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := bytesize.Parse(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		return cty.NumberIntVal(n), nil
	},
})

var humanBytesFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "bytes", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, accuracy := args[0].AsBigFloat().Int64()
		if accuracy != big.Exact {
			return cty.NilVal, function.NewArgErrorf(0, "a whole number of bytes below 8 EiB is wanted")
		}
		return cty.StringVal(bytesize.Format(n)), nil
	},
})
