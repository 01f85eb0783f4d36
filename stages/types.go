package stages

import (
	"fmt"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// ggufWidths are the types that names of precision stand for in GGUF files.
var ggufWidths = map[string]string{"fp16": "f16", "int8": "q8_0", "fp8": "q8_0", "int4": "q4_k", "int3": "q3_k", "int2": "q2_k"}

// Width is a name of precision, and the types that it stands for.
type Width struct {
	Name    string `json:"name"`
	Weights string `json:"gguf"` // of weights in GGUF files, where rows allow it
	KV      string `json:"kv"`   // of keys and values
	Except  string `json:"except,omitempty"`
}

// Widths describes the names of precision.
func Widths() []Width {
	var out []Width
	for _, name := range widthNames {
		w := Width{Name: name, Weights: ggufWidths[strings.ToLower(name)], KV: kvType(name)}
		switch name {
		case "INT4":
			w.Except = "mxfp4 where the source is, iq4_nl where 256 does not divide a row"
		case "INT3", "INT2":
			w.Except = "an error where 256 does not divide a row"
		}
		out = append(out, w)
	}
	return out
}

// ggufType is the type that a name as written means for a tensor with rows of
// cols weights. fallback says why it is not what was asked for, "" if it is.
func ggufType(name string, source *quant.Type, cols int64) (t *quant.Type, fallback string, err error) {
	width := strings.ToLower(name)
	if base, ok := ggufWidths[width]; ok {
		return widthType(width, base, source, cols)
	}
	t, ok := quant.Lookup(name)
	if !ok || t.GGML < 0 || t.Quantize == nil {
		return nil, "", fmt.Errorf("this program cannot write the type %s", name)
	}
	got, fallback := fitRow(t, cols)
	return got, fallback, nil
}

// widthType gives a name of precision its type.
func widthType(width, base string, source *quant.Type, cols int64) (*quant.Type, string, error) {
	if width == "int4" && source.Name == "mxfp4" {
		base = "mxfp4"
	}
	t, _ := quant.Lookup(base)
	switch {
	case cols%int64(t.Block) == 0:
		return t, "", nil
	case width == "int4" && cols%32 == 0:
		t, _ = quant.Lookup("iq4_nl")
		return t, "", nil
	case width == "int3" || width == "int2":
		return nil, "", fmt.Errorf("%s needs rows that %d divides, and these have %d weights: choose INT4, or a type with blocks of 32 such as q4_0", strings.ToUpper(width), t.Block, cols)
	}
	got, fallback := fitRow(t, cols)
	return got, fallback, nil
}

// fitRow is the type itself, or the one to use where the row is no multiple of
// its block, as llama-quantize has it, and why.
func fitRow(t *quant.Type, cols int64) (*quant.Type, string) {
	if cols%int64(t.Block) == 0 {
		return t, ""
	}
	got, ok := quant.Lookup(t.Fallback)
	if !ok || cols%int64(got.Block) != 0 {
		got, _ = quant.Lookup("f16")
	}
	return got, fallbackText(t, got, cols)
}

func fallbackText(wanted, got *quant.Type, cols int64) string {
	return fmt.Sprintf("rows of %d weights are no multiple of %d: %s -> %s", cols, wanted.Block, wanted, got)
}
