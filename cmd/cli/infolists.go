package cli

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// maxElements is how many elements of an array a person is shown.
const maxElements = 6

// maxText is how much of a text a person is shown.
const maxText = 72

func describeKeys(kvs []gguf.KV) []keyInfo {
	out := make([]keyInfo, len(kvs))
	for i, kv := range kvs {
		out[i] = keyInfo{kv.Key, kvType(kv.Value), jsonValue(kv.Value)}
	}
	return out
}

// kvType names a value's type: "u32", "arr[str]".
func kvType(v any) string {
	t, elem, _ := gguf.TypeOf(v)
	if t == gguf.Array {
		return t.String() + "[" + elem.String() + "]"
	}
	return t.String()
}

// jsonValue is a value as JSON can hold it: infinities and NaN become texts,
// bytes a list of numbers.
func jsonValue(v any) any {
	switch v := v.(type) {
	case float32:
		return jsonFloat(float64(v))
	case float64:
		return jsonFloat(v)
	case []float32:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = jsonFloat(float64(x))
		}
		return out
	case []float64:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = jsonFloat(x)
		}
		return out
	case []uint8:
		out := make([]int, len(v))
		for i, x := range v {
			out[i] = int(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = jsonValue(x)
		}
		return out
	}
	return v
}

func jsonFloat(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return x
}

func keysText(kvs []gguf.KV) string {
	t := table{header: []string{"key", "type", "value"}}
	for _, kv := range kvs {
		t.add(kv.Key, kvType(kv.Value), kvText(kv.Value))
	}
	return t.String()
}

// kvText is a value for people: long texts and arrays are cut.
func kvText(v any) string {
	switch v := v.(type) {
	case string:
		return cut(strconv.Quote(v))
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return fmt.Sprint(v)
	}
	var parts []string
	for i := range min(r.Len(), maxElements) {
		parts = append(parts, kvText(r.Index(i).Interface()))
	}
	if n := r.Len(); n > maxElements {
		return cut("["+strings.Join(parts, ", ")) + fmt.Sprintf(", … %d in all]", n)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText-1]) + "…"
}

func describeTensors(w *weights) []tensorInfo {
	out := make([]tensorInfo, len(w.tensors))
	for i := range w.tensors {
		t := &w.tensors[i]
		out[i] = tensorInfo{Name: t.Name, Type: t.Type.Name, Shape: t.Dims, Role: t.Role, Layer: t.Layer, Bytes: t.Bytes}
	}
	return out
}

func tensorsText(w *weights) string {
	t := table{header: []string{"tensor", "type", "shape", "role", ">layer", ">bytes"}}
	for i := range w.tensors {
		x := &w.tensors[i]
		layer := ""
		if x.Layer >= 0 {
			layer = strconv.Itoa(x.Layer)
		}
		t.add(x.Name, x.Type.Name, shapeText(x.Dims), x.Role, layer, bytesize.Format(x.Bytes))
	}
	return t.String()
}

// shapeText is "2048 x 768 x 128", the row's length first.
func shapeText(dims []int64) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = strconv.FormatInt(d, 10)
	}
	return strings.Join(parts, " x ")
}
